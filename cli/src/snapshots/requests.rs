//! Who asks a running program to pause: a signal, a timer, the end of its time.
//!
//! Whoever asks sets a flag here, and then interrupts the store. The program pauses at its next loop head or function entry,
//! or in its wait, and the driver looks at the flags.

use super::SnapshotArgs;
use crate::failure::Failure;
use sheave::InterruptHandle;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What has been asked for.
#[derive(Default)]
pub(crate) struct Requests {
    snapshot: AtomicBool,
    timeout: AtomicBool,
    /// Whether what runs can pause: until then only the end of its time interrupts it.
    can_pause: AtomicBool,
    store: Mutex<Option<InterruptHandle>>,
}

impl Requests {
    /// Installs the signal handler and starts the timer.
    pub(crate) fn start(args: &SnapshotArgs) -> Result<Arc<Self>, Failure> {
        let requests = Arc::new(Self::default());
        if let Some(period) = args.snapshot_every {
            Self::every(&requests, period);
        }
        #[cfg(unix)]
        if let Some(signal) = args.snapshot_on {
            let mut signals = signal_hook::iterator::Signals::new([signal])
                .map_err(|error| Failure::new(format_args!("--snapshot-on: {error}")))?;
            let requests = Arc::clone(&requests);
            std::thread::spawn(move || signals.forever().for_each(|_| requests.ask()));
        }
        Ok(requests)
    }

    fn every(requests: &Arc<Self>, period: Duration) {
        let requests = Arc::downgrade(requests);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(period);
                let Some(requests) = requests.upgrade() else {
                    break;
                };
                requests.ask();
            }
        });
    }

    /// Asks for one snapshot after this time.
    pub(crate) fn after(self: &Arc<Self>, time: Duration) {
        let requests = Arc::clone(self);
        std::thread::spawn(move || {
            std::thread::sleep(time);
            requests.ask();
        });
    }

    /// Asks for a snapshot.
    fn ask(&self) {
        self.snapshot.store(true, Ordering::SeqCst);
        if self.can_pause.load(Ordering::SeqCst) {
            self.interrupt();
        }
    }

    /// Says that the program's time is over.
    pub(crate) fn end(&self) {
        self.timeout.store(true, Ordering::SeqCst);
        self.interrupt();
    }

    fn interrupt(&self) {
        if let Some(store) = &*self.store.lock().unwrap_or_else(PoisonError::into_inner) {
            store.interrupt();
        }
    }

    /// From now on this is the store.
    pub(crate) fn watch(&self, store: InterruptHandle) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = Some(store);
        if self.timeout.load(Ordering::SeqCst) {
            self.interrupt();
        }
    }

    /// From now on the store runs what can pause.
    pub(crate) fn can_pause(&self) {
        self.can_pause.store(true, Ordering::SeqCst);
        if self.snapshot.load(Ordering::SeqCst) {
            self.interrupt();
        }
    }

    /// The store has paused: a new interruption is for a new request. Called before the flags are looked at.
    pub(crate) fn paused(&self) {
        if let Some(store) = &*self.store.lock().unwrap_or_else(PoisonError::into_inner) {
            store.clear();
        }
    }

    /// Whether a snapshot was asked for; not any more then.
    pub(crate) fn take_snapshot(&self) -> bool {
        self.snapshot.swap(false, Ordering::SeqCst)
    }

    /// Whether the program's time is over.
    pub(crate) fn has_ended(&self) -> bool {
        self.timeout.load(Ordering::SeqCst)
    }
}

/// A signal by its name.
#[cfg(unix)]
pub(super) fn signal(name: &str) -> Result<i32, String> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
    let upper = name.to_ascii_uppercase();
    match upper.strip_prefix("SIG").unwrap_or(&upper) {
        "USR1" => Ok(SIGUSR1),
        "USR2" => Ok(SIGUSR2),
        "HUP" => Ok(SIGHUP),
        "INT" => Ok(SIGINT),
        "TERM" => Ok(SIGTERM),
        _ => Err("there are USR1, USR2, HUP, INT and TERM".to_owned()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_with_or_without_sig() {
        assert_eq!(signal("SIGUSR1"), signal("usr1"));
        assert_ne!(signal("USR1"), signal("USR2"));
        assert!(signal("KILL").is_err());
    }
}
