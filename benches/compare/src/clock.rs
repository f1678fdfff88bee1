//! Two clocks: the CPU time of this thread, which other processes hardly disturb, and the time on the wall.

/// Nanoseconds of CPU time this thread has used.
#[cfg(unix)]
pub fn thread_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "no clock of this thread's CPU time");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Nanoseconds since some start (systems without a thread clock).
#[cfg(not(unix))]
pub fn thread_ns() -> u64 {
    wall_ns()
}

/// Nanoseconds since some start, on the wall.
pub fn wall_ns() -> u64 {
    use std::{sync::OnceLock, time::Instant};
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}
