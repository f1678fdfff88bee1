//! The clocks that a guest sees: the system's, or the embedder's own.

use super::errno::Errno;
use core::time::Duration;
use std::thread;
use std::time::{Instant, SystemTime};

/// A clock that tells the time of day.
pub trait HostWallClock: Send {
    /// The smallest step of the clock.
    fn resolution(&self) -> Duration;
    /// The time since 1970-01-01 00:00 UTC.
    fn now(&self) -> Duration;
}

/// A clock that only goes forward, and that waits.
pub trait HostMonotonicClock: Send {
    /// The smallest step of the clock, in nanoseconds.
    fn resolution(&self) -> u64;
    /// Nanoseconds since some moment in the past.
    fn now(&self) -> u64;
    /// Waits until `duration` has passed on this clock. A clock of simulated
    /// time moves itself forward here and returns at once.
    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }
}

/// The time of day of the system.
pub(super) struct SystemWallClock;

impl HostWallClock for SystemWallClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(if cfg!(windows) { 100 } else { 1 })
    }

    fn now(&self) -> Duration {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
    }
}

/// Time since the context was made.
pub(super) struct SystemMonotonicClock {
    start: Instant,
    /// What it showed then.
    first: u64,
}

/// What the system's monotonic clock starts from, in nanoseconds: some guests
/// (Go) take 0 for a broken clock.
const MONOTONIC_START: u64 = 1_000_000;

impl SystemMonotonicClock {
    pub(super) fn new() -> Self {
        SystemMonotonicClock {
            start: Instant::now(),
            first: MONOTONIC_START,
        }
    }

    /// Goes on from what another one showed.
    pub(super) fn from(shown: u64) -> Self {
        SystemMonotonicClock {
            start: Instant::now(),
            first: shown.max(MONOTONIC_START),
        }
    }
}

impl HostMonotonicClock for SystemMonotonicClock {
    fn resolution(&self) -> u64 {
        if cfg!(windows) { 100 } else { 1 }
    }

    fn now(&self) -> u64 {
        self.first.saturating_add(nanos(self.start.elapsed()))
    }
}

/// Nanoseconds, at most `u64::MAX`.
pub(super) fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// The clocks of one context.
pub(super) struct Clocks {
    pub wall: Box<dyn HostWallClock>,
    pub monotonic: Box<dyn HostMonotonicClock>,
    /// Whether `monotonic` is the embedder's: then no other source of time
    /// is shown to the guest.
    pub simulated: bool,
    /// Processor time of the process and of the thread that the guest had used
    /// when it came from another process.
    pub cpu_before: [u64; 2],
}

/// One of the four clocks of WASI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ClockId {
    Realtime,
    Monotonic,
    ProcessCpu,
    ThreadCpu,
}

impl ClockId {
    pub(super) fn from_guest(id: u32) -> Result<ClockId, Errno> {
        Ok(match id {
            0 => ClockId::Realtime,
            1 => ClockId::Monotonic,
            2 => ClockId::ProcessCpu,
            3 => ClockId::ThreadCpu,
            _ => return Err(Errno::INVAL),
        })
    }
}

impl Clocks {
    pub(super) fn now(&self, id: ClockId) -> Result<u64, Errno> {
        Ok(match id {
            ClockId::Realtime => nanos(self.wall.now()),
            ClockId::Monotonic => self.monotonic.now(),
            _ if self.simulated => self.monotonic.now(),
            _ => {
                let thread = id == ClockId::ThreadCpu;
                super::sys::cpu_time(thread)?.saturating_add(self.cpu_before[usize::from(thread)])
            }
        })
    }

    pub(super) fn resolution(&self, id: ClockId) -> Result<u64, Errno> {
        Ok(match id {
            ClockId::Realtime => nanos(self.wall.resolution()),
            _ => self.monotonic.resolution(),
        })
    }
}
