//! `poll_oneoff`.

use super::*;
use core::cell::Cell;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

const MS: u64 = 1_000_000;

/// A subscription as it lies in memory, in the form of preview 1.
fn clock(userdata: u64, id: u32, timeout: u64, flags: u16) -> [u8; 48] {
    let mut s = [0; 48];
    s[..8].copy_from_slice(&userdata.to_le_bytes());
    s[16..20].copy_from_slice(&id.to_le_bytes());
    s[24..32].copy_from_slice(&timeout.to_le_bytes());
    s[40..42].copy_from_slice(&flags.to_le_bytes());
    s
}

fn fd(userdata: u64, fd: u32, write: bool) -> [u8; 48] {
    let mut s = [0; 48];
    s[..8].copy_from_slice(&userdata.to_le_bytes());
    s[8] = 1 + u8::from(write);
    s[16..20].copy_from_slice(&fd.to_le_bytes());
    s
}

/// (userdata, error, type, bytes)
type Got = (u64, u16, u8, u64);

fn poll(g: &mut Guest, list: &[[u8; 48]]) -> Result<Vec<Got>> {
    let (subscriptions, count) = (g.put(list.concat()).0, list.len() as u32);
    let (events, out) = (g.alloc(32 * count), g.alloc(4));
    wasi!(g, poll_oneoff, subscriptions, events, count, out)?;
    Ok(collect(g, events, out))
}

fn collect(g: &Guest, events: u32, out: u32) -> Vec<Got> {
    let event = |i| {
        let at = events + 32 * i;
        let error = u16::from_le_bytes([g.mem[at as usize + 8], g.mem[at as usize + 9]]);
        (
            g.u64_at(at),
            error,
            g.mem[at as usize + 10],
            g.u64_at(at + 16),
        )
    };
    (0..g.u32_at(out)).map(event).collect()
}

#[test]
fn sleeping() {
    let mut g = Guest::new();
    for id in [0, 1] {
        let start = Instant::now();
        assert_eq!(
            poll(&mut g, &[clock(7, id, 20 * MS, 0)]),
            Ok(vec![(7, 0, 0, 0)])
        );
        assert!(start.elapsed() >= Duration::from_millis(20));
        let out = g.alloc(8);
        wasi!(g, clock_time_get, id, 0, out).unwrap();
        let until = g.u64_at(out) + 20 * MS;
        let start = Instant::now();
        assert_eq!(
            poll(&mut g, &[clock(8, id, until, 1)]),
            Ok(vec![(8, 0, 0, 0)])
        );
        wasi!(g, clock_time_get, id, 0, out).unwrap();
        assert!(g.u64_at(out) >= until && start.elapsed() < Duration::from_secs(5));
        assert_eq!(
            poll(&mut g, &[clock(9, id, 1, 1)]),
            Ok(vec![(9, 0, 0, 0)]),
            "the past"
        );
    }
    let both = [clock(1, 1, 10_000 * MS, 0), clock(2, 1, 5 * MS, 0)];
    assert_eq!(
        poll(&mut g, &both),
        Ok(vec![(2, 0, 0, 0)]),
        "the first only"
    );
}

#[test]
fn errors() {
    let mut g = Guest::new();
    assert_eq!(poll(&mut g, &[]), Err(Errno::INVAL));
    let inval = Errno::INVAL.raw();
    assert_eq!(
        poll(&mut g, &[clock(1, 99, 0, 0)]),
        Ok(vec![(1, inval, 0, 0)])
    );
    assert_eq!(
        poll(&mut g, &[clock(1, 0, 0, 2)]),
        Ok(vec![(1, inval, 0, 0)])
    );
    let mut unknown = clock(1, 0, 0, 0);
    unknown[8] = 3;
    assert_eq!(poll(&mut g, &[unknown]), Err(Errno::INVAL));
    let badf = Errno::BADF.raw();
    let list = [
        fd(1, 99, false),
        fd(2, ROOT, false),
        fd(3, 0, true),
        fd(4, 1, false),
    ];
    let expected = vec![
        (1, badf, 1, 0),
        (2, badf, 1, 0),
        (3, badf, 2, 0),
        (4, badf, 1, 0),
    ];
    assert_eq!(poll(&mut g, &list), Ok(expected));
}

#[test]
fn files_and_streams() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.stdin(MemoryInputPipe::new("abc"))
            .stdout(MemoryOutputPipe::new(10))
    });
    let file = g.open("file", CREAT, READ | WRITE).unwrap();
    g.write(file, "0123456789").unwrap();
    g.seek(file, 4, 0).unwrap();
    let list = [
        fd(1, 0, false),
        fd(2, 1, true),
        fd(3, file, false),
        fd(4, file, true),
        clock(5, 1, 60_000 * MS, 0),
    ];
    let start = Instant::now();
    let expected = vec![(1, 0, 1, 3), (2, 0, 2, 1), (3, 0, 1, 6), (4, 0, 2, 1)];
    assert_eq!(poll(&mut g, &list), Ok(expected));
    assert!(start.elapsed() < Duration::from_secs(10));
    let (_, _, rights, _) = g.fdstat(file).unwrap();
    let less = rights - Rights::POLL_FD_READWRITE;
    wasi!(g, fd_fdstat_set_rights, file, less.bits(), 0).unwrap();
    let expected = vec![(1, Errno::NOTCAPABLE.raw(), 1, 0)];
    assert_eq!(poll(&mut g, &[fd(1, file, false)]), Ok(expected));
}

/// Not ready until it was asked a few times.
struct Slow(AtomicU32);

impl StdinStream for Slow {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        buf[0] = b'x';
        Ok(1)
    }

    fn ready(&self) -> Option<u64> {
        (self.0.fetch_add(1, Ordering::Relaxed) > 3).then_some(1)
    }
}

#[test]
fn not_ready_yet() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.stdin(Slow(AtomicU32::new(0)))
    });
    let list = [fd(1, 0, false), clock(2, 1, 60_000 * MS, 0)];
    assert_eq!(poll(&mut g, &list), Ok(vec![(1, 0, 1, 1)]));
}

#[cfg(unix)]
#[test]
fn fifo() {
    let mut g = Guest::new();
    let path = g.host("fifo");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|s| s.success()) {
        eprintln!("skipped: no mkfifo");
        return;
    }
    // Open for both, so that opening does not wait.
    let fifo = g.open("fifo", 0, READ | WRITE).unwrap();
    let list = [fd(1, fifo, false), clock(2, 1, 10 * MS, 0)];
    assert_eq!(poll(&mut g, &list), Ok(vec![(2, 0, 0, 0)]));
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        std::fs::write(path, "abc").unwrap();
    });
    let list = [fd(1, fifo, false), clock(2, 1, 60_000 * MS, 0)];
    assert_eq!(poll(&mut g, &list), Ok(vec![(1, 0, 1, 3)]));
    late.join().unwrap();
    assert_eq!(g.read(fifo, 10).unwrap(), b"abc");
    assert_eq!(g.seek(fifo, 0, 0), Err(Errno::SPIPE));
    wasi!(g, fd_fdstat_set_flags, fifo, 4).unwrap();
    assert_eq!(g.read(fifo, 10), Err(Errno::AGAIN));
}

/// Time that passes only by sleeping.
struct Simulated(Cell<u64>);

impl HostMonotonicClock for Simulated {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.get()
    }

    fn sleep(&self, duration: Duration) {
        self.0.set(self.0.get() + duration.as_nanos() as u64);
    }
}

#[test]
fn simulated_time() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.monotonic_clock(Simulated(Cell::new(5)))
    });
    let start = Instant::now();
    let year = 31_557_600_000 * MS;
    assert_eq!(
        poll(&mut g, &[clock(1, 1, year, 0)]),
        Ok(vec![(1, 0, 0, 0)])
    );
    assert!(start.elapsed() < Duration::from_secs(10));
    let out = g.alloc(8);
    wasi!(g, clock_time_get, 1, 0, out).unwrap();
    assert_eq!(g.u64_at(out), year + 5);
    assert_eq!(
        poll(&mut g, &[clock(1, 1, year + 105, 1)]),
        Ok(vec![(1, 0, 0, 0)])
    );
    wasi!(g, clock_time_get, 1, 0, out).unwrap();
    assert_eq!(g.u64_at(out), year + 105);
}

#[test]
fn interrupted() {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.interrupt_waits(move || flag.load(Ordering::Relaxed))
    });
    let late = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(poll(&mut g, &[clock(1, 1, u64::MAX, 0)]), Err(Errno::INTR));
    late.join().unwrap();
}

/// Input that never comes.
struct Never;

impl StdinStream for Never {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("it was not ready");
    }

    fn ready(&self) -> Option<u64> {
        None
    }
}

#[test]
fn interrupted_while_reading() {
    let asked = AtomicU32::new(0);
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.stdin(Never)
            .interrupt_waits(move || asked.fetch_add(1, Ordering::Relaxed) > 3)
    });
    assert_eq!(g.read(0, 1), Err(Errno::INTR));
    assert_eq!(poll(&mut g, &[fd(1, 0, false)]), Err(Errno::INTR));
}

#[test]
fn the_older_record() {
    let mut g = Guest::new();
    let mut list = [0; 2 * 56];
    list[..8].copy_from_slice(&1_u64.to_le_bytes());
    list[24] = 1;
    list[32..40].copy_from_slice(&(5 * MS).to_le_bytes());
    list[56..64].copy_from_slice(&2_u64.to_le_bytes());
    list[56 + 24] = 1;
    list[56 + 32..56 + 40].copy_from_slice(&1_u64.to_le_bytes());
    list[56 + 48] = 1;
    let (subscriptions, events, out) = (g.put(list).0, g.alloc(64), g.alloc(4));
    wasi!(g, poll_oneoff_unstable, subscriptions, events, 2, out).unwrap();
    assert_eq!(collect(&g, events, out), [(2, 0, 0, 0)]);
}
