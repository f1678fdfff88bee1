//! Runs a call to its end, or to a snapshot.

use super::{Now, Pending, Program, Requests, Writer, output};
use crate::guest::State;
use sheave::{CallOutcome, Error, PauseReason, Result, Snapshot, Store, Trap, Val};
use std::sync::Arc;

/// How a call that was driven has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// It has returned.
    Finished,
    /// It waits in a snapshot that was written; nothing goes on here.
    InSnapshot,
}

/// Takes the snapshots of one program.
pub(crate) struct Driver {
    pub(crate) requests: Arc<Requests>,
    /// Where snapshots go, if anywhere.
    pub(crate) writer: Option<Writer>,
    /// Whether the first snapshot is the end.
    pub(crate) leave: bool,
    /// What a snapshot says of the program; its changing parts are filled in.
    pub(crate) program: Program,
}

/// Why a snapshot is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The guest asked, and waits for an answer.
    Guest,
    /// Somebody else did.
    Other,
}

impl Driver {
    /// Runs a call, which `begin` begins.
    ///
    /// # Errors
    /// As [`Store::resume_call`]; and, if the first snapshot would have been the end, if it cannot be taken.
    pub(crate) fn run(
        &mut self,
        store: &mut Store<State>,
        results: &mut [Val],
        begin: impl FnOnce(&mut Store<State>, &mut [Val]) -> Result<CallOutcome>,
    ) -> Result<Ended> {
        store.data_mut().wasi.pause_waits(true);
        self.requests.can_pause();
        let mut at_input = store.data().wasi.pauses_at_input();
        let mut outcome = begin(store, results)?;
        while let CallOutcome::Paused(reason) = outcome {
            self.requests.paused();
            if self.requests.has_ended() {
                return Err(failed(store, Trap::Interrupt));
            }
            let reads_input = at_input && !store.data().wasi.pauses_at_input();
            at_input &= !reads_input;
            let asked = self.requests.take_snapshot();
            let why = match reason {
                PauseReason::OutOfFuel if self.leave => Some(Why::Other),
                PauseReason::OutOfFuel => return Err(failed(store, Trap::OutOfFuel)),
                _ if store.data().now == Now::Asked => Some(Why::Guest),
                _ => (asked || reads_input).then_some(Why::Other),
            };
            if let Some(why) = why {
                let periodic = why == Why::Other && !reads_input && !self.leave;
                if self.snapshot(store, why, periodic)? == Ended::InSnapshot {
                    return Ok(Ended::InSnapshot);
                }
            }
            outcome = store.resume_call(results)?;
        }
        Ok(Ended::Finished)
    }

    /// Takes a snapshot of a program that has not been called yet.
    ///
    /// # Errors
    /// If it would have been the end, and cannot be taken.
    pub(crate) fn at_rest(&mut self, store: &mut Store<State>) -> Result<Ended> {
        self.snapshot(store, Why::Other, false)
    }

    /// Takes a snapshot; a `periodic` one is left out while another is written, and written while the program goes on.
    fn snapshot(&mut self, store: &mut Store<State>, why: Why, periodic: bool) -> Result<Ended> {
        let Some(writer) = &mut self.writer else {
            if why == Why::Guest {
                store.data_mut().now = Now::Answer(-1);
            }
            return Ok(Ended::Finished);
        };
        if periodic && writer.is_busy() {
            return Ok(Ended::Finished);
        }
        let taken = take(store, why, &mut self.program);
        let written = match taken {
            Ok(snapshot) => {
                let begun = writer.begin(snapshot);
                if periodic {
                    begun
                } else {
                    begun.and(writer.finish())
                }
            }
            Err(error) => Err(format!("{error:#}")),
        };
        if self.leave {
            return written.map(|()| Ended::InSnapshot).map_err(Error::msg);
        }
        if let Err(error) = &written {
            eprintln!("sheave: no snapshot: {error}");
        }
        if why == Why::Guest {
            store.data_mut().now = Now::Answer(if written.is_ok() { 0 } else { -1 });
        }
        Ok(Ended::Finished)
    }

    /// Waits for the last snapshot.
    pub(crate) fn finish(&mut self) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.finish()
        {
            eprintln!("sheave: no snapshot: {error}");
        }
    }
}

fn take(store: &mut Store<State>, why: Why, program: &mut Program) -> Result<Snapshot> {
    let unanswered = matches!(store.data().now, Now::Answer(_));
    program.pending = if why == Why::Guest || unanswered {
        Pending::Now
    } else {
        Pending::Nothing
    };
    program.outputs = output::positions();
    program.wasi = store.data().wasi.state();
    let snapshot = store.snapshot()?;
    Ok(snapshot.with_host_state(program.encode()))
}

/// Ends the call that waits, with a trap where it is.
fn failed(store: &mut Store<State>, trap: Trap) -> Error {
    let error = Error::new(trap);
    let backtrace = store.paused_backtrace();
    store.cancel_call();
    match backtrace {
        Some(backtrace) => error.context(backtrace),
        None => error,
    }
}
