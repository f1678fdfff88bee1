//! Snapshots of a running program: who asks for one, what goes into it, how it is written, and how the program goes on.
//!
//! | file | |
//! |---|---|
//! | `requests.rs` | signals and timers that ask for a pause |
//! | `program.rs` | what a program needs to go on, beside its store |
//! | `now.rs` | the function `sheave` `snapshot`, by which a guest asks |
//! | `drive.rs` | the loop that runs a call, pauses, takes a snapshot, and goes on |
//! | `writer.rs` | the file, written while the program runs on |
//! | `output.rs` | how far standard output and error had come |

mod drive;
mod now;
mod output;
mod program;
mod requests;
mod writer;

pub(crate) use drive::{Driver, Ended};
pub(crate) use now::{Now, add_to_linker};
pub(crate) use output::rewind;
pub(crate) use program::{Pending, Program};
pub(crate) use requests::Requests;
pub(crate) use writer::Writer;

use crate::failure::Failure;

use crate::units;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// When snapshots are taken, and where they go.
#[derive(Args)]
pub(crate) struct SnapshotArgs {
    /// Where snapshots of the program go; each replaces the one before. The program can ask for one itself
    #[arg(long, value_name = "FILE")]
    pub(crate) snapshot_to: Option<PathBuf>,

    /// Takes one whenever this signal comes: USR1, USR2, HUP, INT or TERM
    #[cfg(unix)]
    #[arg(long, value_name = "SIGNAL", value_parser = requests::signal, requires = "snapshot_to")]
    pub(crate) snapshot_on: Option<i32>,

    /// Takes one again and again after this time, such as 10s or 300ms
    #[arg(long, value_name = "D", value_parser = units::duration, requires = "snapshot_to")]
    pub(crate) snapshot_every: Option<Duration>,

    /// Takes one when the module's start function and `_initialize` have run, before anything else is called
    #[arg(long, requires = "snapshot_to")]
    pub(crate) snapshot_after_start: bool,

    /// Takes one when the program first reads standard input, before it gets any
    #[arg(long, requires = "snapshot_to")]
    pub(crate) snapshot_at_input: bool,

    /// How the modules are in it
    #[arg(
        long,
        value_name = "HOW",
        requires = "snapshot_to",
        default_value = "embedded"
    )]
    pub(crate) snapshot_modules: ModulesAs,
}

impl SnapshotArgs {
    /// Who writes them, if they go anywhere.
    pub(crate) fn writer(&self) -> Result<Option<Writer>, Failure> {
        let path = self.snapshot_to.as_deref();
        path.map(|path| Writer::new(path, self.snapshot_modules.into()))
            .transpose()
    }
}

/// How a snapshot has its modules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ModulesAs {
    /// As WebAssembly: to be validated and translated again
    Embedded,
    /// With all functions translated: the longest to write, the quickest to go on from
    Translated,
    /// Not at all: the module's file must be there
    Absent,
}

impl From<ModulesAs> for sheave::Modules {
    fn from(how: ModulesAs) -> Self {
        match how {
            ModulesAs::Embedded => Self::Embedded,
            ModulesAs::Translated => Self::Translated,
            ModulesAs::Absent => Self::ByHash,
        }
    }
}
