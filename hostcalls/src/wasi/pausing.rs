//! Waits that pause the guest's call instead of ending early, so that a
//! snapshot can be taken in the middle of one.
//!
//! The function that waits is called again when the call goes on, and knows
//! how long it has waited already.

use super::ctx::WasiCtx;
use super::errno::Errno;
use core::time::Duration;

/// What a context does instead of waiting.
#[derive(Default)]
pub(super) struct Pausing {
    /// Whether an interrupted wait pauses the call.
    pub waits: bool,
    /// Whether the next read of standard input does.
    pub at_input: bool,
    /// Set by a function that fails since the call shall pause.
    pub asked: bool,
    /// How long the `poll_oneoff` that is called again has waited.
    pub waited: Duration,
}

impl Pausing {
    /// What a function fails with when its wait was interrupted.
    pub(super) fn interrupted(&mut self) -> Errno {
        self.asked = self.waits;
        Errno::INTR
    }

    /// Fails if the call shall pause before standard input is read.
    pub(super) fn before_input(&mut self) -> Result<(), Errno> {
        if core::mem::take(&mut self.at_input) {
            self.asked = true;
            return Err(Errno::INTR);
        }
        Ok(())
    }
}

impl WasiCtx {
    /// Whether a wait that is interrupted pauses the call that it is part of
    /// ([`PauseCall`](crate::PauseCall)) instead of ending with `EINTR`, so
    /// that the guest sees nothing of it: the wait goes on when the call does.
    /// For guests that are called by
    /// [`Func::call_resumable`](crate::Func::call_resumable). Off at first.
    pub fn pause_waits(&mut self, pause: bool) {
        self.pausing.waits = pause;
    }

    /// Whether the guest's call pauses ([`PauseCall`](crate::PauseCall)) when
    /// it next reads standard input, before anything is read. Once: the read
    /// is done when the call goes on.
    pub fn pause_at_input(&mut self, pause: bool) {
        self.pausing.at_input = pause;
    }

    /// Whether it will. Not any more after it has.
    pub fn pauses_at_input(&self) -> bool {
        self.pausing.at_input
    }
}
