//! The function by which a guest asks for a snapshot: module `sheave`, name `snapshot`, no parameters, one i32.
//!
//! | result | |
//! |---|---|
//! | 0 | the snapshot is written; this is the process that wrote it |
//! | 1 | this is a process that goes on from the snapshot |
//! | -1 | there is no snapshot: nobody has said where it should go, or it could not be written |
//!
//! So a program that prepares something calls it once it is ready, and does in either process what comes next.

use crate::guest::State;
use sheave::{Caller, Linker, PauseCall, Result};

/// How far a guest's wish for a snapshot has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Now {
    /// Nobody takes snapshots.
    #[default]
    Never,
    /// It can ask.
    Idle,
    /// It has asked, and its call waits.
    Asked,
    /// What it is told when its call goes on.
    Answer(i32),
}

/// Defines the function.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "sheave",
        "snapshot",
        |mut caller: Caller<'_, State>| -> Result<i32> {
            let now = &mut caller.data_mut().now;
            match *now {
                Now::Never => Ok(-1),
                Now::Idle | Now::Asked => {
                    *now = Now::Asked;
                    Err(PauseCall.into())
                }
                Now::Answer(answer) => {
                    *now = Now::Idle;
                    Ok(answer)
                }
            }
        },
    )?;
    Ok(())
}
