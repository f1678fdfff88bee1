//! Arguments, environment, clocks, random bytes, the end, preopens, sockets.

use super::*;
use core::time::Duration;

#[test]
fn arguments_and_environment() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.args(&["prog", "", "äöü"])
            .env("A", "1")
            .envs(&[("B", "x=y")])
    });
    let (n, size) = (g.alloc(4), g.alloc(4));
    wasi!(g, args_sizes_get, n, size).unwrap();
    assert_eq!((g.u32_at(n), g.u32_at(size)), (3, 5 + 1 + 7));
    let (argv, buf) = (g.alloc(12), g.alloc(13));
    wasi!(g, args_get, argv, buf).unwrap();
    assert_eq!(g.bytes(buf, 13), "prog\0\0äöü\0".as_bytes());
    assert_eq!([0, 4, 8].map(|i| g.u32_at(argv + i) - buf), [0, 5, 6]);
    wasi!(g, environ_sizes_get, n, size).unwrap();
    assert_eq!((g.u32_at(n), g.u32_at(size)), (2, 4 + 6));
    wasi!(g, environ_get, argv, buf).unwrap();
    assert_eq!(g.bytes(buf, 10), b"A=1\0B=x=y\0");
    assert_eq!([0, 4].map(|i| g.u32_at(argv + i) - buf), [0, 4]);
    assert_eq!(g.cx.env(), [b"A=1".to_vec(), b"B=x=y".to_vec()]);
    assert_eq!(g.cx.args().len(), 3);
}

#[test]
fn none_of_them() {
    let mut g = Guest::new();
    let (n, size) = (g.alloc(4), g.alloc(4));
    wasi!(g, args_sizes_get, n, size).unwrap();
    assert_eq!((g.u32_at(n), g.u32_at(size)), (0, 0));
    wasi!(g, args_get, u32::MAX, u32::MAX).unwrap();
    wasi!(g, environ_get, u32::MAX, u32::MAX).unwrap();
}

#[test]
fn inherited() {
    let mut b = WasiCtxBuilder::new();
    let cx = b.inherit_args().inherit_env().build();
    assert_eq!(cx.args().len(), std::env::args_os().count());
    assert_eq!(cx.env().len(), std::env::vars_os().count());
    assert!(b.build().args().is_empty(), "as new");
}

#[test]
fn system_clocks() {
    let mut g = Guest::new();
    let out = g.alloc(8);
    for id in 0..4 {
        wasi!(g, clock_res_get, id, out).unwrap();
        assert!((1..1_000_000).contains(&g.u64_at(out)));
        wasi!(g, clock_time_get, id, 0, out).unwrap();
        let first = g.u64_at(out);
        assert_ne!(first, 0);
        wasi!(g, clock_time_get, id, 1, out).unwrap();
        assert!(g.u64_at(out) >= first);
    }
    wasi!(g, clock_time_get, 0, 0, out).unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!(now.abs_diff(Duration::from_nanos(g.u64_at(out))) < Duration::from_secs(60));
    assert_eq!(wasi!(g, clock_time_get, 4, 0, out), Err(Errno::INVAL));
    assert_eq!(wasi!(g, clock_res_get, u32::MAX, out), Err(Errno::INVAL));
}

struct At(u64);

impl HostWallClock for At {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl HostMonotonicClock for At {
    fn resolution(&self) -> u64 {
        7
    }

    fn now(&self) -> u64 {
        self.0
    }
}

#[test]
fn clocks_of_the_embedder() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.wall_clock(At(1_000_000)).monotonic_clock(At(42))
    });
    let out = g.alloc(8);
    for (id, now, resolution) in [
        (0, 1_000_000_000_000_000, 1_000_000_000),
        (1, 42, 7),
        (2, 42, 7),
        (3, 42, 7),
    ] {
        wasi!(g, clock_time_get, id, 0, out).unwrap();
        assert_eq!(g.u64_at(out), now);
        wasi!(g, clock_res_get, id, out).unwrap();
        assert_eq!(g.u64_at(out), resolution);
    }
    // Also where a file is stamped with the time of now.
    g.open("file", CREAT, WRITE).unwrap();
    wasi!(g, fd_filestat_set_times, 4, 0, 0, 2 | 8).unwrap();
    assert_eq!(g.stat("file", 0).unwrap()[6], 1_000_000_000_000_000);
}

#[test]
fn random_bytes() {
    let mut g = Guest::new();
    let buf = g.alloc(5000);
    wasi!(g, random_get, buf, 5000).unwrap();
    assert!(g.bytes(buf, 5000).iter().filter(|&&b| b == 0).count() < 100);
    wasi!(g, random_get, buf, 0).unwrap();
    let mut seen = Vec::new();
    for seed in [1, 1, 2] {
        let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| b.random_seed(seed));
        let mut bytes = Vec::new();
        for len in [3, 8, 100] {
            let buf = g.alloc(len);
            wasi!(g, random_get, buf, len).unwrap();
            bytes.extend_from_slice(g.bytes(buf, len));
        }
        assert_ne!(g.cx.random_state(), Some(seed));
        seen.push(bytes);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    struct Fours;
    impl HostRandom for Fours {
        fn fill(&mut self, buf: &mut [u8]) {
            buf.fill(4);
        }
    }
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| b.random(Fours));
    let buf = g.alloc(4);
    wasi!(g, random_get, buf, 4).unwrap();
    assert_eq!(g.bytes(buf, 4), [4; 4]);
}

#[test]
fn the_end() {
    assert_eq!(calls::proc_exit(3), I32Exit(3));
    assert_eq!(calls::proc_exit(u32::MAX).process_exit_code(), 255);
    assert_eq!(I32Exit(3).to_string(), "Exited with i32 exit status 3");
    assert_eq!(calls::proc_raise(0), Ok(Ok(())));
    assert_eq!(calls::proc_raise(6), Ok(Err(I32Exit(134))));
    assert_eq!(calls::proc_raise(99), Err(Errno::INVAL));
    let mut g = Guest::new();
    assert_eq!(wasi!(g, sched_yield), Ok(()));
}

#[test]
fn preopens() {
    let mut g = Guest::new();
    let out = g.alloc(8);
    wasi!(g, fd_prestat_get, ROOT, out).unwrap();
    assert_eq!((g.u32_at(out), g.u32_at(out + 4)), (0, 8));
    let buf = g.alloc(16);
    wasi!(g, fd_prestat_dir_name, ROOT, buf, 8).unwrap();
    assert_eq!(g.bytes(buf, 9), b"/sandbox\0");
    wasi!(g, fd_prestat_dir_name, ROOT, buf, 12).unwrap();
    assert_eq!(
        wasi!(g, fd_prestat_dir_name, ROOT, buf, 7),
        Err(Errno::NAMETOOLONG)
    );
    for fd in [0, 4, u32::MAX] {
        assert_eq!(wasi!(g, fd_prestat_get, fd, out), Err(Errno::BADF));
        assert_eq!(wasi!(g, fd_prestat_dir_name, fd, buf, 8), Err(Errno::BADF));
    }
    // The same directory opened by the guest is not one.
    let fd = g.open(".", DIRECTORY, 0).unwrap();
    assert_eq!(wasi!(g, fd_prestat_get, fd, out), Err(Errno::BADF));
    g.close(ROOT).unwrap();
    assert_eq!(g.open("x", CREAT, READ), Err(Errno::BADF));
    assert!(g.open_at(fd, "x", 0, CREAT, READ, 0).is_ok());
}

#[test]
fn no_sockets() {
    let mut g = Guest::new();
    for (fd, expected) in [
        (0, Errno::NOTSOCK),
        (ROOT, Errno::NOTSOCK),
        (9, Errno::BADF),
    ] {
        assert_eq!(wasi!(g, sock_accept, fd, 0, 0), Err(expected));
        assert_eq!(wasi!(g, sock_recv, fd, 0, 0, 0, 0, 0), Err(expected));
        assert_eq!(wasi!(g, sock_send, fd, 0, 0, 0, 0), Err(expected));
        assert_eq!(wasi!(g, sock_shutdown, fd, 3), Err(expected));
    }
}

/// A store can go to another thread, and the context with it.
#[test]
fn can_be_sent() {
    fn send<T: Send>() {}
    send::<WasiCtx>();
    send::<WasiCtxBuilder>();
}

#[test]
fn all_of_preview1() {
    // With the two that end the guest, which the table leaves out.
    assert_eq!(NAMES.len() + 2, 46);
}
