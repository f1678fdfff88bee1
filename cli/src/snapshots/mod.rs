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

use crate::units;
use clap::Args;
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
}
