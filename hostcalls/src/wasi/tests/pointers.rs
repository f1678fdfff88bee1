//! Pointers and lengths that are not in the memory: errors, never panics, and
//! no effect that the guest would not hear of.

use super::*;

/// Every function with every argument in turn at the end of the memory, past
/// it and at the end of 32 bits, both forms of it.
#[test]
fn every_argument_of_every_function() {
    let end = MEM_BYTES as u64;
    let bad = [
        end - 1,
        end,
        end + 1,
        u64::from(u32::MAX) - 3,
        u64::from(u32::MAX),
        u64::MAX,
    ];
    for &(name, count) in NAMES {
        if matches!(name, "fd_sync" | "fd_datasync" | "fd_allocate") {
            continue; // They take no pointer, but time and disk.
        }
        for unstable in [false, true] {
            let mut g = Guest::new();
            std::fs::write(g.host("file"), "some data").unwrap();
            g.open("file", 0, READ | WRITE).unwrap();
            g.open(".", DIRECTORY, 0).unwrap();
            for (at, fd) in (0..count).flat_map(|at| [0, 1, ROOT, 4, 5].map(|fd| (at, fd))) {
                for value in bad {
                    // A path, an iovec and small numbers are plausible at
                    // the addresses that the other arguments name.
                    g.mem[64..68].copy_from_slice(b"file");
                    g.mem[128..136].copy_from_slice(&[0, 4, 0, 0, 4, 0, 0, 0]);
                    let mut args = vec![[1, 4, 64, 128][at % 4]; count];
                    args[0] = fd.into();
                    args[at] = value;
                    let _ = call(&mut g, name, unstable, &args);
                }
            }
        }
    }
}

fn fault<T: core::fmt::Debug + PartialEq>(result: Result<T>, what: &str) {
    assert_eq!(result, Err(Errno::FAULT), "{what}");
}

/// One argument wrong, all the others right, for each pointer there is.
#[test]
fn each_pointer_alone() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.arg("a").env("k", "v")
    });
    let fd = g.open("file", CREAT, READ | WRITE).unwrap();
    g.write(fd, "0123456789").unwrap();
    g.symlink("file", "link").unwrap();
    let end = MEM_BYTES as u32;
    let (file, link, new) = (g.put("file"), g.put("link"), g.put("new"));
    let buf = g.alloc(256);
    let iovs = g.iovecs(&[(buf, 4)]);
    let out = g.alloc(64);
    let bad_buf = g.iovecs(&[(buf, 2), (end - 1, 2)]);
    for bad in [end - 1, end, u32::MAX - 7, u32::MAX] {
        fault(wasi!(g, args_get, bad, out), "argv");
        fault(wasi!(g, args_get, out, bad), "argv_buf");
        fault(wasi!(g, args_sizes_get, bad, out), "argc");
        fault(wasi!(g, args_sizes_get, out, bad), "argv_size");
        fault(wasi!(g, environ_get, bad, out), "environ");
        fault(wasi!(g, environ_get, out, bad), "environ_buf");
        fault(wasi!(g, environ_sizes_get, bad, out), "environ count");
        fault(wasi!(g, environ_sizes_get, out, bad), "environ size");
        fault(wasi!(g, clock_res_get, 0, bad), "clock_res");
        fault(wasi!(g, clock_time_get, 0, 0, bad), "clock_time");
        fault(wasi!(g, random_get, bad, 8), "random");
        fault(wasi!(g, random_get, 0, bad.max(end + 1)), "random length");
        fault(wasi!(g, fd_fdstat_get, fd, bad), "fdstat");
        fault(wasi!(g, fd_filestat_get, fd, bad), "filestat");
        fault(wasi!(g, fd_filestat_get_unstable, fd, bad), "filestat");
        fault(wasi!(g, fd_prestat_get, ROOT, bad), "prestat");
        fault(wasi!(g, fd_prestat_dir_name, ROOT, bad, 8), "prestat name");
        fault(wasi!(g, fd_read, fd, bad, 1, out), "read iovs");
        fault(wasi!(g, fd_read, fd, iovs, 1, bad), "read out");
        fault(wasi!(g, fd_read, fd, bad_buf, 2, out), "read buffer");
        fault(wasi!(g, fd_write, fd, bad, 1, out), "write iovs");
        fault(wasi!(g, fd_write, fd, iovs, 1, bad), "write out");
        fault(wasi!(g, fd_write, fd, bad_buf, 2, out), "write buffer");
        fault(wasi!(g, fd_pread, fd, bad, 1, 0, out), "pread iovs");
        fault(wasi!(g, fd_pread, fd, iovs, 1, 0, bad), "pread out");
        fault(wasi!(g, fd_pread, fd, bad_buf, 2, 0, out), "pread buffer");
        fault(wasi!(g, fd_pwrite, fd, bad, 1, 0, out), "pwrite iovs");
        fault(wasi!(g, fd_pwrite, fd, iovs, 1, 0, bad), "pwrite out");
        fault(wasi!(g, fd_pwrite, fd, bad_buf, 2, 0, out), "pwrite buffer");
        fault(
            wasi!(g, fd_readdir, ROOT, bad, 64, 0, out),
            "readdir buffer",
        );
        fault(wasi!(g, fd_readdir, ROOT, buf, 64, 0, bad), "readdir out");
        fault(wasi!(g, fd_seek, fd, 0, 0, bad), "seek");
        fault(wasi!(g, fd_tell, fd, bad), "tell");
        fault(wasi!(g, path_create_directory, ROOT, bad, 8), "mkdir");
        fault(
            wasi!(g, path_filestat_get, ROOT, 0, bad, 8, out),
            "stat path",
        );
        fault(
            wasi!(g, path_filestat_get, ROOT, 0, file.0, file.1, bad),
            "stat out",
        );
        fault(
            wasi!(g, path_filestat_set_times, ROOT, 0, bad, 8, 0, 0, 1),
            "utimes",
        );
        fault(
            wasi!(g, path_link, ROOT, 0, bad, 8, ROOT, new.0, new.1),
            "link old",
        );
        fault(
            wasi!(g, path_link, ROOT, 0, file.0, file.1, ROOT, bad, 8),
            "link new",
        );
        fault(
            wasi!(g, path_open, ROOT, 0, bad, 8, 0, 2, 0, 0, out),
            "open path",
        );
        fault(
            wasi!(g, path_open, ROOT, 0, new.0, new.1, 1, 2, 0, 0, bad),
            "open out",
        );
        fault(
            wasi!(g, path_readlink, ROOT, bad, 8, buf, 8, out),
            "readlink path",
        );
        fault(
            wasi!(g, path_readlink, ROOT, link.0, link.1, bad, 8, out),
            "readlink buffer",
        );
        fault(
            wasi!(g, path_readlink, ROOT, link.0, link.1, buf, 8, bad),
            "readlink out",
        );
        fault(wasi!(g, path_remove_directory, ROOT, bad, 8), "rmdir");
        fault(
            wasi!(g, path_rename, ROOT, bad, 8, ROOT, new.0, new.1),
            "rename old",
        );
        fault(
            wasi!(g, path_rename, ROOT, file.0, file.1, ROOT, bad, 8),
            "rename new",
        );
        fault(
            wasi!(g, path_symlink, bad, 8, ROOT, new.0, new.1),
            "symlink old",
        );
        fault(
            wasi!(g, path_symlink, file.0, file.1, ROOT, bad, 8),
            "symlink new",
        );
        fault(wasi!(g, path_unlink_file, ROOT, bad, 8), "unlink");
        fault(wasi!(g, poll_oneoff, bad, buf, 1, out), "poll in");
        fault(wasi!(g, poll_oneoff, buf, bad, 1, out), "poll events");
        fault(wasi!(g, poll_oneoff, buf, buf, 1, bad), "poll out");
        fault(wasi!(g, poll_oneoff_unstable, bad, buf, 1, out), "poll in");
    }
    // None of these had an effect.
    assert!(!g.host("new").exists());
    assert_eq!(std::fs::read(g.host("file")).unwrap(), b"0123456789");
    assert_eq!(g.seek(fd, 0, 1), Ok(10));
    assert_eq!(g.cx.descriptors().len(), 5);
}

#[test]
fn huge_counts() {
    let mut g = Guest::new();
    let fd = g.open("file", CREAT, READ | WRITE).unwrap();
    let out = g.alloc(4);
    for count in [u32::MAX, 1 << 31, 1 << 29, MEM_BYTES as u32 / 8 + 1] {
        fault(wasi!(g, fd_write, fd, 0, count, out), "write");
        fault(wasi!(g, fd_read, fd, 0, count, out), "read");
    }
    for count in [u32::MAX, 1 << 20, (1 << 14) + 1] {
        assert_eq!(wasi!(g, poll_oneoff, 0, 0, count, out), Err(Errno::NOMEM));
    }
    // As many as the memory has room for; all of them empty, then all of them
    // the whole memory, whose sum is too much.
    let top = MEM_BYTES - 8;
    let count = (top / 8) as u32;
    g.mem.fill(0);
    wasi!(g, fd_write, fd, 0, count, top as u32).unwrap();
    assert_eq!(g.u32_at(top as u32), 0);
    let whole = [0, (MEM_BYTES as u32).to_le_bytes()[2]];
    for iovec in g.mem.chunks_exact_mut(8) {
        iovec.copy_from_slice(&[0, 0, 0, 0, 0, 0, whole[1], 0]);
    }
    assert_eq!(
        wasi!(g, fd_write, fd, 0, count, top as u32),
        Err(Errno::INVAL)
    );
    assert_eq!(
        wasi!(g, fd_read, fd, 0, count, top as u32),
        Err(Errno::INVAL)
    );
    assert_eq!(g.stat("file", 0).map(|s| s[4]), Ok(0));
}

#[test]
fn many_and_overlapping_buffers() {
    let mut g = Guest::new();
    let fd = g.open("file", CREAT, READ | WRITE).unwrap();
    let text = g.put("abcdef");
    // More than go to the host at once, some empty, all over each other.
    let list: Vec<_> = (0..1000).map(|i| (text.0 + i % 4, i % 3)).collect();
    let (iovs, out) = (g.iovecs(&list), g.alloc(4));
    wasi!(g, fd_write, fd, iovs, 1000, out).unwrap();
    let expected: Vec<u8> = list
        .iter()
        .flat_map(|&(p, n)| b"abcdef"[(p - text.0) as usize..][..n as usize].to_vec())
        .collect();
    assert_eq!(g.u32_at(out) as usize, expected.len());
    assert_eq!(std::fs::read(g.host("file")).unwrap(), expected);
    g.seek(fd, 0, 0).unwrap();
    let buf = g.alloc(1000);
    let list: Vec<_> = (0..500).map(|i| (buf + i, 2)).collect();
    let iovs = g.iovecs(&list);
    wasi!(g, fd_read, fd, iovs, 500, out).unwrap();
    assert_eq!(g.u32_at(out), 999.min(expected.len() as u32));
    // A read over its own array: whatever comes out, nothing panics.
    g.seek(fd, 0, 0).unwrap();
    let at = g.iovecs(&[(0, 0), (0, 0), (0, 0)]);
    g.mem[at as usize..][..8].copy_from_slice(&[at.to_le_bytes(), 24_u32.to_le_bytes()].concat());
    let _ = wasi!(g, fd_read, fd, at, 3, out);
}

#[test]
fn no_memory_at_all() {
    for &(name, count) in NAMES {
        for fd in [0, 1, ROOT] {
            let mut g = Guest::new();
            g.mem = Vec::new();
            let mut args = vec![0; count];
            if let Some(first) = args.first_mut() {
                *first = fd.into();
            }
            let _ = call(&mut g, name, false, &args);
        }
    }
}
