//! The `sheave` command: a thin shell over the public API of the crate `sheave`.
//!
//! | exit code | when |
//! |---|---|
//! | the guest's | it called `proc_exit` |
//! | 0 | all went well |
//! | 1 | a file that is not there or not what it should be; a module that does not link; a failed assertion |
//! | 2 | a command line that makes no sense |
//! | 134 | the guest trapped |
#![forbid(unsafe_code)]

mod args;
mod compile;
mod disasm;
mod failure;
mod features;
mod guest;
mod inspect;
mod load;
mod resume;
mod run;
mod snapshots;
mod stats;
mod take;
mod timeout;
mod units;
mod values;
mod wast;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let ended = match args::Cli::parse().command {
        args::Command::Run(args) => run::main(&args),
        args::Command::Resume(args) => resume::main(&args),
        args::Command::Snapshot(args) => take::main(&args),
        args::Command::Inspect(args) => inspect::main(&args),
        args::Command::Wast(args) => wast::main(&args),
        args::Command::Compile(args) => compile::main(&args),
        args::Command::Disasm(args) => disasm::main(&args),
    };
    ended.unwrap_or_else(|failure| failure.report())
}
