//! Files to modules: the binary format, the text format and images are told apart by their first bytes.

use crate::failure::Failure;
use sheave::{Engine, Executor, Module};
use std::io::Read as _;
use std::path::Path;

/// The first bytes of the binary format.
const WASM_MAGIC: &[u8] = b"\0asm";

/// What a file holds.
enum Content {
    /// A module in the binary format.
    Wasm,
    /// A module in the text format, here in the binary format.
    Text(Vec<u8>),
    /// An image, to be mapped.
    Image,
}

/// Reads a file, as far as it takes to know what to do with it.
fn look_at(path: &Path) -> Result<Content, Failure> {
    let io = |error| Failure::io(path, &error);
    let mut file = std::fs::File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    (&mut file).take(8).read_to_end(&mut bytes).map_err(io)?;
    if bytes.is_empty() {
        return Err(Failure::of(path, "the file is empty"));
    }
    if Module::is_image(&bytes) {
        return Ok(Content::Image);
    }
    if bytes.starts_with(WASM_MAGIC) || WASM_MAGIC.starts_with(&bytes) {
        return Ok(Content::Wasm);
    }
    file.read_to_end(&mut bytes).map_err(io)?;
    match String::from_utf8(bytes) {
        Ok(text) if is_text(path, &text) => encode(path, &text).map(Content::Text),
        _ => Err(Failure::of(
            path,
            "not WebAssembly: neither a binary module, nor text, nor an image",
        )),
    }
}

/// Loads a module.
pub(crate) fn module(engine: &Engine, path: &Path) -> Result<Module, Failure> {
    let module = match look_at(path)? {
        Content::Wasm => Module::from_file(engine, path),
        Content::Text(wasm) => Module::from_binary(engine, &wasm),
        Content::Image => Module::open_image(engine, path),
    };
    module.map_err(|error| Failure::of(path, format_args!("{error:#}")))
}

/// Whether this is meant to be the text format: by its name, or since it begins like it.
fn is_text(path: &Path, text: &str) -> bool {
    let named = path
        .extension()
        .is_some_and(|extension| extension == "wat" || extension == "wast");
    named
        || text
            .trim_start_matches('\u{feff}')
            .trim_start()
            .starts_with(['(', ';'])
}

fn encode(path: &Path, text: &str) -> Result<Vec<u8>, Failure> {
    let encoded = wast::parser::ParseBuffer::new(text)
        .and_then(|buffer| wast::parser::parse::<wast::Wat<'_>>(&buffer)?.encode());
    encoded.map_err(|error| {
        let (line, column) = error.span().linecol_in(text);
        let (path, line, column) = (path.display(), line + 1, column + 1);
        Failure::new(format_args!("{path}:{line}:{column}: {}", error.message()))
    })
}

/// Refuses an executor that this build does not have.
pub(crate) fn check_executor(executor: Option<Executor>) -> Result<(), Failure> {
    match executor {
        Some(executor) if !executor.available() => Err(Failure::usage(
            format_args!("this build has no {executor:?} executor")
                .to_string()
                .to_lowercase(),
        )),
        _ => Ok(()),
    }
}
