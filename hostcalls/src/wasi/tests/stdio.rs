//! Standard streams in memory and of the process.

use super::*;
use std::io;

#[test]
fn in_memory() {
    let (out, err) = (MemoryOutputPipe::new(1000), MemoryOutputPipe::new(8));
    let input = MemoryInputPipe::new("line one\nline two\n");
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.stdin(input.clone())
            .stdout(out.clone())
            .stderr(err.clone())
    });
    assert_eq!(g.read(0, 5).unwrap(), b"line ");
    assert_eq!(g.read(0, 500).unwrap(), b"one\nline two\n");
    assert_eq!(g.read(0, 500).unwrap(), b"");
    input.push(b"more");
    assert_eq!(g.read(0, 500).unwrap(), b"more");
    assert_eq!(g.write(1, "out"), Ok(3));
    assert_eq!(out.contents(), b"out", "at once");
    assert_eq!(g.write(2, "errors of any kind"), Ok(8), "as much as fits");
    assert_eq!(g.write(2, "more"), Err(Errno::NOSPC));
    assert_eq!(err.contents(), b"errors o");
    assert_eq!(g.write(0, "x"), Err(Errno::BADF));
    assert_eq!(g.read(1, 1), Err(Errno::BADF));
    assert_eq!(g.seek(1, 0, 1), Err(Errno::SPIPE));
    let at = g.alloc(8);
    assert_eq!(wasi!(g, fd_tell, 0, at), Err(Errno::SPIPE));
    assert_eq!(wasi!(g, fd_prestat_get, 0, at), Err(Errno::BADF));
    g.close(1).unwrap();
    assert_eq!(g.write(1, "x"), Err(Errno::BADF));
    drop(g);
    assert_eq!(out.try_into_inner().unwrap(), b"out");
}

#[test]
fn a_read_stops_at_the_first_buffer() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.stdin(MemoryInputPipe::new("abcdef"))
    });
    let (a, b, out) = (g.alloc(2), g.alloc(2), g.alloc(4));
    let iovs = g.iovecs(&[(a, 0), (a, 2), (b, 2)]);
    wasi!(g, fd_read, 0, iovs, 3, out).unwrap();
    assert_eq!((g.u32_at(out), g.bytes(a, 2)), (2, &b"ab"[..]));
    assert_eq!(g.bytes(b, 2), [0, 0]);
}

#[test]
fn null_and_stat() {
    let mut g = Guest::new();
    assert_eq!(g.read(0, 10).unwrap(), b"");
    assert_eq!(g.write(1, "x".repeat(5000)), Ok(5000));
    for fd in 0..3 {
        let (filetype, flags, rights, inheriting) = g.fdstat(fd).unwrap();
        assert_eq!((filetype, flags), (0, 0), "not a terminal");
        assert!(!rights.intersects(Rights::FD_SEEK | Rights::FD_TELL));
        assert!(inheriting.is_empty());
        let out = g.alloc(64);
        wasi!(g, fd_filestat_get, fd, out).unwrap();
        assert_eq!(g.record(out), [0; 8]);
        wasi!(g, fd_fdstat_set_flags, fd, 4).unwrap();
        assert_eq!(g.fdstat(fd).unwrap().1, 4);
    }
}

/// Without a buffer, with short writes, a terminal, and failing.
struct Odd;

impl StdoutStream for Odd {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match buf {
            b"fail" => Err(io::ErrorKind::BrokenPipe.into()),
            _ => Ok(buf.len().min(3)),
        }
    }

    fn is_terminal(&self) -> bool {
        true
    }
}

impl StdinStream for Odd {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }

    fn ready(&self) -> Option<u64> {
        None
    }
}

#[test]
fn of_the_embedder() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.stdin(Odd).stdout(Odd).stderr(Odd)
    });
    assert_eq!(g.fdstat(1).unwrap().0, 2);
    assert_eq!(g.write(1, "abcdef"), Ok(3));
    assert_eq!(g.write(1, "fail"), Err(Errno::PIPE));
    let (a, b) = (g.put("abc"), g.put("fail"));
    let (iovs, out) = (g.iovecs(&[a, b]), g.alloc(4));
    wasi!(g, fd_write, 1, iovs, 2, out).unwrap();
    assert_eq!(g.u32_at(out), 3, "what was written before it failed");
    assert_eq!(g.read(0, 1), Err(Errno::IO));
    wasi!(g, fd_fdstat_set_flags, 0, 4).unwrap();
    assert_eq!(g.read(0, 1), Err(Errno::AGAIN));
}

#[test]
fn inherited() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| b.inherit_stdio());
    assert_eq!(g.write(1, ""), Ok(0));
    assert_eq!(g.write(2, ""), Ok(0));
    for fd in 0..3 {
        assert!(matches!(g.fdstat(fd).unwrap().0, 0 | 2));
    }
}
