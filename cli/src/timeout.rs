//! `--timeout`: a thread that waits, then asks the guest to stop.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

/// How long a host call may go on after the time is up, before the process ends without it.
const GRACE: Duration = Duration::from_secs(1);

/// Watches over a run; dropping it ends the watch.
pub(crate) struct Watch {
    _alive: Sender<()>,
}

impl Watch {
    /// Calls `stop` after `time`. Wasm stops at once; should the guest hang in a host call, `give_up` is called
    /// a second later.
    pub(crate) fn start(
        time: Duration,
        stop: impl FnOnce() + Send + 'static,
        give_up: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (alive, ended) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
                stop();
                if ended.recv_timeout(GRACE) == Err(RecvTimeoutError::Timeout) {
                    give_up();
                }
            }
        });
        Self { _alive: alive }
    }
}
