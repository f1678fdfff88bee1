//! `sheave snapshot`: a program, run until it first pauses.

use crate::args::TakeArgs;
use crate::failure::Failure;
use crate::run::Start;
use crate::snapshots::{Ended, Requests, SnapshotArgs};
use std::process::ExitCode;

pub(crate) fn main(args: &TakeArgs) -> Result<ExitCode, Failure> {
    let snapshots = SnapshotArgs {
        snapshot_to: Some(args.output.clone()),
        #[cfg(unix)]
        snapshot_on: None,
        snapshot_every: None,
        snapshot_after_start: args.after_start,
        snapshot_at_input: args.at_input,
        snapshot_modules: args.modules,
    };
    let requests = Requests::start(&snapshots)?;
    if let Some(time) = args.after {
        requests.after(time);
    }
    let mut how = Ended::Finished;
    let start = Start {
        file: &args.file,
        invoke: args.invoke.as_deref(),
        args: &args.args,
        guest: &args.guest,
        snapshots: &snapshots,
        leave: true,
    };
    let code = start.run(&requests, &mut how)?;
    if how == Ended::Finished && code == ExitCode::SUCCESS {
        let text = "the program ended before it paused, so there is nothing to go on with";
        return Err(Failure::of(&args.file, text));
    }
    Ok(code)
}
