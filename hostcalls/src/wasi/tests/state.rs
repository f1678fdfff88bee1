//! Contexts that go on in another process.

use super::*;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The guest's context made again from its bytes, with the same root and what `more` gives.
fn again(
    g: &mut Guest,
    lost: LostDescriptors,
    more: impl FnOnce(&mut WasiCtxBuilder) -> &mut WasiCtxBuilder,
) -> core::result::Result<(), WasiStateError> {
    let mut builder = WasiCtxBuilder::new();
    let root = g.host("");
    builder
        .preopened_dir(root, "/sandbox", DirPerms::all(), FilePerms::all())
        .unwrap();
    g.cx = more(&mut builder).build_from(&g.cx.state(), lost)?;
    Ok(())
}

#[test]
fn files_and_directories_are_opened_again_where_they_were() {
    let mut g = Guest::new();
    g.mkdir("dir").unwrap();
    std::fs::write(g.host("dir/a"), "0123456789").unwrap();
    let dir = g.open("dir", DIRECTORY, 0).unwrap();
    let a = g.open_at(dir, "a", FOLLOW, 0, READ, 0).unwrap();
    assert_eq!(g.read(a, 4).unwrap(), b"0123");
    let gone = g.open("dir/a", 0, READ).unwrap();
    let b = g.open("b", CREAT | TRUNC, WRITE | READ).unwrap();
    g.write(b, "written").unwrap();
    let log = g
        .open_at(ROOT, "log", FOLLOW, CREAT | EXCL, WRITE, 1)
        .unwrap();
    g.write(log, "one ").unwrap();
    g.close(gone).unwrap();
    let before = g.cx.descriptors();
    let rights = Rights::FD_READ | Rights::FD_TELL;
    wasi!(g, fd_fdstat_set_rights, a, rights.bits(), 0).unwrap();

    again(&mut g, LostDescriptors::Refuse, |b| b).unwrap();
    let after = g.cx.descriptors();
    assert_eq!(after.len(), before.len());
    for (old, new) in before.iter().zip(&after) {
        let mut old = old.clone();
        if old.fd == a {
            (old.rights, old.inheriting) = (rights, Rights::empty());
        }
        assert_eq!(old, *new);
    }
    assert_eq!(g.read(a, 4).unwrap(), b"4567");
    assert_eq!(g.seek(a, 0, 0), Err(Errno::NOTCAPABLE));
    g.write(b, " more").unwrap();
    g.write(log, "two").unwrap();
    assert_eq!(std::fs::read(g.host("b")).unwrap(), b"written more");
    assert_eq!(std::fs::read(g.host("log")).unwrap(), b"one two");
    assert_eq!(g.open("b", 0, READ), Ok(gone), "the lowest free number");
    assert_eq!(g.open_at(dir, "a", FOLLOW, 0, READ, 0), Ok(log + 1));
}

#[test]
fn arguments_environment_and_random_bytes_go_on() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.args(&["program", "x"])
            .env("A", "1")
            .env("B", "2")
            .random_seed(7)
    });
    let at = g.alloc(16);
    wasi!(g, random_get, at, 8).unwrap();
    let mut straight = SeededRandom::new(7);
    let mut expected = [0; 16];
    straight.fill(&mut expected);
    again(&mut g, LostDescriptors::Refuse, |b| {
        b.env("B", "3").env("C", "4")
    })
    .unwrap();
    wasi!(g, random_get, at + 8, 8).unwrap();
    assert_eq!(g.bytes(at, 16), expected);
    assert_eq!(g.cx.args(), [b"program".to_vec(), b"x".to_vec()]);
    assert_eq!(
        g.cx.env(),
        [b"A=1".to_vec(), b"B=3".to_vec(), b"C=4".to_vec()]
    );
    again(&mut g, LostDescriptors::Refuse, |b| {
        b.arg("other").random_seed(1)
    })
    .unwrap();
    assert_eq!(g.cx.args(), [b"other".to_vec()]);
    assert_eq!(g.cx.random_state(), Some(1));

    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.random(SeededRandom::new(2))
    });
    let error = again(&mut g, LostDescriptors::Refuse, |b| b).unwrap_err();
    assert!(matches!(error, WasiStateError::Random), "{error}");
    again(&mut g, LostDescriptors::Refuse, |b| {
        b.random(SeededRandom::new(3))
    })
    .unwrap();
}

#[test]
fn clocks_do_not_go_back() {
    let mut g = Guest::new();
    let out = g.alloc(8);
    let now = |g: &mut Guest, id| {
        wasi!(g, clock_time_get, id, 0, out).unwrap();
        g.u64_at(out)
    };
    std::thread::sleep(Duration::from_millis(3));
    let before = [1, 2, 3].map(|id| now(&mut g, id));
    again(&mut g, LostDescriptors::Refuse, |b| b).unwrap();
    let after = [1, 2, 3].map(|id| now(&mut g, id));
    for (before, after) in before.iter().zip(after) {
        assert!(*before <= after, "{before} {after}");
    }
    // Processor time of the process that ended counts, and that of this one.
    assert!(after[1] >= 2 * before[1], "{after:?} {before:?}");
    let apart = Duration::from_nanos(after[0] - before[0]);
    assert!(apart < Duration::from_secs(20), "{apart:?}");
}

#[test]
fn streams_in_memory_keep_what_was_in_them() {
    let input = MemoryInputPipe::new("first second ");
    let out = MemoryOutputPipe::new(100);
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.stdin(input.clone()).stdout(out.clone())
    });
    assert_eq!(g.read(0, 6).unwrap(), b"first ");
    g.write(1, "written ").unwrap();
    // A stream under another number, and one that is closed.
    wasi!(g, fd_renumber, 1, ROOT).unwrap();
    g.close(2).unwrap();
    let out = MemoryOutputPipe::new(20);
    again(&mut g, LostDescriptors::Refuse, |b| {
        b.stdin(MemoryInputPipe::new("third")).stdout(out.clone())
    })
    .unwrap();
    assert_eq!(g.read(0, 50).unwrap(), b"second third");
    assert_eq!(g.write(ROOT, "more"), Ok(4));
    assert_eq!(g.write(1, "x"), Err(Errno::BADF));
    assert_eq!(g.write(2, "x"), Err(Errno::BADF));
    assert_eq!(out.contents(), b"written more");
    let error = again(&mut g, LostDescriptors::Refuse, |b| {
        b.stdout(MemoryOutputPipe::new(3))
    });
    assert!(error.unwrap_err().to_string().contains("descriptor 3"));
}

#[test]
fn what_cannot_be_opened_again_is_named_or_a_bad_descriptor() {
    let mut g = Guest::new();
    for name in ["kept", "removed", "replaced"] {
        std::fs::write(g.host(name), name).unwrap();
    }
    let fds = ["kept", "removed", "replaced"].map(|name| g.open(name, 0, READ).unwrap());
    g.unlink("removed").unwrap();
    g.unlink("replaced").unwrap();
    g.mkdir("replaced").unwrap();
    let state = g.cx.state();
    let error = again(&mut g, LostDescriptors::Refuse, |b| b).unwrap_err();
    let WasiStateError::Lost(lost) = &error else {
        panic!("{error}");
    };
    let named: Vec<_> = lost.iter().map(|l| (l.fd, l.path.as_str())).collect();
    assert_eq!(named, [(fds[1], "removed"), (fds[2], "replaced")]);
    assert!(error.to_string().contains("`/sandbox/removed`"), "{error}");

    again(&mut g, LostDescriptors::BadDescriptor, |b| b).unwrap();
    assert_eq!(g.read(fds[0], 9).unwrap(), b"kept");
    for fd in &fds[1..] {
        assert_eq!(g.read(*fd, 1), Err(Errno::BADF));
        assert_eq!(g.fdstat(*fd), Err(Errno::BADF));
    }
    // It is still so after another journey; its number is free once it is closed.
    again(&mut g, LostDescriptors::Refuse, |b| b).unwrap();
    assert_eq!(g.open("kept", 0, READ), Ok(fds[2] + 1));
    g.close(fds[1]).unwrap();
    assert_eq!(g.open("kept", 0, READ), Ok(fds[1]));

    // Nobody gives the directory.
    let error = WasiCtxBuilder::new().build_from(&state, LostDescriptors::Refuse);
    let text = error.err().map(|e| e.to_string()).unwrap();
    assert!(
        text.contains("descriptor 3 `/sandbox`: no directory is given"),
        "{text}"
    );
}

#[test]
fn permissions_are_those_of_the_new_builder() {
    let mut g = Guest::new();
    let file = g.open("file", CREAT, WRITE).unwrap();
    let state = g.cx.state();
    let mut builder = WasiCtxBuilder::new();
    builder
        .preopened_dir(g.host(""), "/sandbox", DirPerms::READ, FilePerms::READ)
        .unwrap();
    g.cx = builder
        .build_from(&state, LostDescriptors::BadDescriptor)
        .unwrap();
    assert_eq!(g.write(file, "x"), Err(Errno::BADF));
    assert_eq!(g.mkdir("d"), Err(Errno::PERM));
    assert_eq!(g.open("other", CREAT, WRITE), Err(Errno::PERM));
}

#[test]
fn made_up_states_are_errors_or_give_nothing() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.args(&["a", "b"])
            .stdin(MemoryInputPipe::new("input"))
            .random_seed(3)
    });
    std::fs::write(g.tmp.path().join("secret"), "secret").unwrap();
    std::fs::write(g.host("open"), "open").unwrap();
    let fd = g.open("open", 0, READ).unwrap();
    let good = g.cx.state();
    let build = |bytes: &[u8], lost| {
        let mut builder = WasiCtxBuilder::new();
        let root = g.tmp.path().join("root");
        builder
            .preopened_dir(root, "/sandbox", DirPerms::READ, FilePerms::READ)
            .unwrap();
        builder.build_from(bytes, lost)
    };
    build(&good, LostDescriptors::Refuse).unwrap();
    for n in 0..good.len() {
        let error = build(&good[..n], LostDescriptors::BadDescriptor).unwrap_err();
        assert!(matches!(error, WasiStateError::Damaged), "{n}");
    }
    let mut version = good.clone();
    version[0] = 9;
    let error = build(&version, LostDescriptors::Refuse).unwrap_err();
    assert!(matches!(error, WasiStateError::Version(9)));
    // Whatever the flipped byte means, what comes out is within what was given.
    let mut made = 0;
    for at in 4..good.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            if let Ok(cx) = build(&bytes, LostDescriptors::BadDescriptor) {
                made += 1;
                assert!(cx.descriptors().len() <= 5);
                assert!(cx.descriptors().iter().all(|d| d.fd < 1024 && !d.write));
            }
        }
    }
    assert!(made > 100, "{made}");
    // A path that leads out of the directory.
    let at = good.windows(4).position(|w| w == b"open").unwrap();
    let mut bytes = good[..at - 8].to_vec();
    bytes.extend(9_u64.to_le_bytes());
    bytes.extend(b"../secret");
    bytes.extend(&good[at + 4..]);
    let error = build(&bytes, LostDescriptors::Refuse).unwrap_err();
    let WasiStateError::Lost(lost) = error else {
        panic!("{error}");
    };
    assert_eq!(lost[0].fd, fd);
    assert_eq!(lost[0].path, "../secret");
}

/// A clock that moves when somebody waits.
struct Simulated(Arc<AtomicU64>);

impl HostMonotonicClock for Simulated {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn sleep(&self, duration: Duration) {
        self.0
            .fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
    }
}

#[test]
fn a_wait_that_paused_goes_on_for_what_is_left() {
    let slept = Arc::new(AtomicU64::new(0));
    let asked = Arc::new(AtomicU32::new(0));
    let (clock, asked) = (Arc::clone(&slept), Arc::clone(&asked));
    let more = move |b: &mut WasiCtxBuilder| {
        let asked = Arc::clone(&asked);
        b.monotonic_clock(Simulated(Arc::clone(&clock)))
            .interrupt_waits(move || asked.fetch_add(1, Ordering::Relaxed) == 4);
    };
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        more(b);
        b
    });
    g.cx.pause_waits(true);
    // One clock, relative, 50 ms.
    let mut subscription = [0; 48];
    subscription[16] = 1;
    subscription[24..32].copy_from_slice(&50_000_000_u64.to_le_bytes());
    let (s, _) = g.put(subscription);
    let (events, out) = (g.alloc(32), g.alloc(4));
    assert_eq!(wasi!(g, poll_oneoff, s, events, 1, out), Err(Errno::INTR));
    assert!(core::mem::take(&mut g.cx.pausing.asked));
    let first = slept.load(Ordering::Relaxed);
    assert!(first > 0 && first < 50_000_000);
    again(&mut g, LostDescriptors::Refuse, |b| {
        more(b);
        b
    })
    .unwrap();
    wasi!(g, poll_oneoff, s, events, 1, out).unwrap();
    assert_eq!(g.u32_at(out), 1);
    assert_eq!(slept.load(Ordering::Relaxed), 50_000_000);
    // The next one is a wait of its own.
    wasi!(g, poll_oneoff, s, events, 1, out).unwrap();
    assert_eq!(slept.load(Ordering::Relaxed), 100_000_000);
}

#[test]
fn the_next_read_of_input_pauses_if_it_is_asked_to() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.stdin(MemoryInputPipe::new("abc"))
    });
    g.cx.pause_at_input(true);
    g.write(1, "x").unwrap();
    assert!(g.cx.pauses_at_input());
    assert_eq!(g.read(0, 2), Err(Errno::INTR));
    assert!(core::mem::take(&mut g.cx.pausing.asked) && !g.cx.pauses_at_input());
    assert_eq!(g.read(0, 2).unwrap(), b"ab");
}
