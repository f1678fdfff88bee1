//! `sheave compile`: a module, translated, as an image file.

use crate::args::CompileArgs;
use crate::failure::Failure;
use crate::load;
use sheave::Engine;
use std::process::ExitCode;

pub(crate) fn main(args: &CompileArgs) -> Result<ExitCode, Failure> {
    let engine = Engine::new(&args.features.config()).map_err(Failure::new)?;
    let module = load::module(&engine, &args.file)?;
    let written = module.write_image(&args.output);
    written.map_err(|error| Failure::of(&args.output, format_args!("{error:#}")))?;
    Ok(ExitCode::SUCCESS)
}
