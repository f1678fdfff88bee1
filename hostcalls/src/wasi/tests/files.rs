//! Opening, reading, writing, seeking and the metadata of files.

use super::*;

const RW: u64 = READ | WRITE;

#[test]
fn write_seek_read() {
    let mut g = Guest::new();
    let fd = g.open("file", CREAT | EXCL, RW).unwrap();
    assert_eq!(fd, 4, "the lowest free number");
    assert_eq!(g.write(fd, "hello, world"), Ok(12));
    assert_eq!(g.seek(fd, 7, 0), Ok(7));
    assert_eq!(g.read(fd, 100).unwrap(), b"world");
    assert_eq!(g.read(fd, 100).unwrap(), b"", "the end");
    assert_eq!(g.seek(fd, -5, 2), Ok(7));
    assert_eq!(g.seek(fd, 1, 1), Ok(8));
    assert_eq!(g.seek(fd, -1, 0), Err(Errno::INVAL));
    assert_eq!(g.seek(fd, -100, 1), Err(Errno::INVAL));
    assert_eq!(g.seek(fd, 0, 3), Err(Errno::INVAL));
    let out = g.alloc(8);
    wasi!(g, fd_tell, fd, out).unwrap();
    assert_eq!(g.u64_at(out), 8);
    // The numbers of the older module: 2 is from the start.
    wasi!(g, fd_seek_unstable, fd, 3, 2, out).unwrap();
    assert_eq!(g.u64_at(out), 3);
    assert_eq!(g.close(fd), Ok(()));
    assert_eq!(g.close(fd), Err(Errno::BADF));
    assert_eq!(std::fs::read(g.host("file")).unwrap(), b"hello, world");
}

#[test]
fn open_flags() {
    let mut g = Guest::new();
    assert_eq!(g.open("file", 0, READ), Err(Errno::NOENT));
    let fd = g.open("file", CREAT, WRITE).unwrap();
    g.write(fd, "data").unwrap();
    assert_eq!(g.open("file", CREAT | EXCL, RW), Err(Errno::EXIST));
    assert_eq!(g.open("file", DIRECTORY, READ), Err(Errno::NOTDIR));
    assert_eq!(g.open("file", DIRECTORY | CREAT, READ), Err(Errno::INVAL));
    assert_eq!(g.open("file", 16, READ), Err(Errno::INVAL));
    assert_eq!(g.open_at(ROOT, "file", 2, 0, READ, 0), Err(Errno::INVAL));
    assert_eq!(g.open_at(ROOT, "file", 0, 0, READ, 32), Err(Errno::INVAL));
    assert_eq!(g.open_at(fd, "file", 0, 0, READ, 0), Err(Errno::NOTDIR));
    assert_eq!(g.open_at(77, "file", 0, 0, READ, 0), Err(Errno::BADF));
    // Without rights, to create and to look at only.
    let bare = g.open("bare", CREAT, 0).unwrap();
    assert_eq!(g.read(bare, 1), Err(Errno::BADF));
    assert_eq!(g.write(bare, "x"), Err(Errno::BADF));
    // To truncate is to write, whatever the rights say.
    let fd = g.open("file", TRUNC, READ).unwrap();
    assert_eq!(g.read(fd, 10).unwrap(), b"");
    assert_eq!(g.stat("file", 0).unwrap()[4], 0);
}

#[test]
fn created_read_only() {
    let mut g = Guest::new();
    std::fs::write(g.host("old"), "old").unwrap();
    let mut permissions = std::fs::metadata(g.host("old")).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(g.host("old"), permissions).unwrap();
    let fd = g.open("old", CREAT, READ).unwrap();
    assert_eq!(g.read(fd, 10).unwrap(), b"old");
    let fd = g.open("new", CREAT, READ).unwrap();
    assert_eq!(g.write(fd, "x"), Err(Errno::BADF));
}

#[test]
fn access_modes() {
    let mut g = Guest::new();
    let w = g.open("file", CREAT, WRITE).unwrap();
    assert_eq!(g.read(w, 1), Err(Errno::BADF));
    g.write(w, "abc").unwrap();
    let r = g.open("file", 0, READ).unwrap();
    assert_eq!(g.write(r, ""), Err(Errno::BADF), "also nothing at all");
    assert_eq!(wasi!(g, fd_filestat_set_size, r, 0), Err(Errno::INVAL));
    assert_eq!(wasi!(g, fd_allocate, r, 0, 1), Err(Errno::BADF));
    let (_, _, rights, _) = g.fdstat(r).unwrap();
    assert!(rights.contains(Rights::FD_READ | Rights::FD_SEEK | Rights::FD_TELL));
    assert!(!rights.intersects(Rights::WRITING | Rights::FD_READDIR));
    let (filetype, flags, rights, inheriting) = g.fdstat(w).unwrap();
    assert_eq!((filetype, flags), (4, 0));
    assert!(!rights.contains(Rights::FD_READ) && rights.contains(Rights::WRITING));
    assert!(inheriting.is_empty());
}

#[test]
fn append_and_flags() {
    let mut g = Guest::new();
    let fd = g.open_at(ROOT, "log", 0, CREAT, RW, 1).unwrap();
    g.write(fd, "one").unwrap();
    g.seek(fd, 0, 0).unwrap();
    g.write(fd, "two").unwrap();
    g.seek(fd, 0, 0).unwrap();
    assert_eq!(g.read(fd, 10).unwrap(), b"onetwo");
    assert_eq!(g.fdstat(fd).unwrap().1, 1);
    wasi!(g, fd_fdstat_set_flags, fd, 4).unwrap();
    assert_eq!(g.fdstat(fd).unwrap().1, 4);
    g.seek(fd, 0, 0).unwrap();
    g.write(fd, "ONE").unwrap();
    assert_eq!(std::fs::read(g.host("log")).unwrap(), b"ONEtwo");
    assert_eq!(wasi!(g, fd_fdstat_set_flags, fd, 2), Err(Errno::NOTSUP));
    assert_eq!(wasi!(g, fd_fdstat_set_flags, fd, 99), Err(Errno::INVAL));
    assert_eq!(wasi!(g, fd_fdstat_set_flags, ROOT, 4), Err(Errno::BADF));
    let sync = g.open_at(ROOT, "log", 0, 0, RW, 2 | 8 | 16).unwrap();
    g.write(sync, "S").unwrap();
    wasi!(g, fd_fdstat_set_flags, sync, 2 | 8 | 16 | 1).unwrap();
}

#[test]
fn positioned() {
    let mut g = Guest::new();
    let fd = g.open("file", CREAT, RW).unwrap();
    g.write(fd, "0123456789").unwrap();
    let (a, b) = (g.put("AB"), g.put("CDE"));
    let (iovs, out) = (g.iovecs(&[a, (0, 0), b]), g.alloc(4));
    wasi!(g, fd_pwrite, fd, iovs, 3, 4, out).unwrap();
    assert_eq!(g.u32_at(out), 5);
    let (x, y) = (g.alloc(3), g.alloc(100));
    let iovs = g.iovecs(&[(x, 3), (y, 100)]);
    wasi!(g, fd_pread, fd, iovs, 2, 3, out).unwrap();
    assert_eq!(g.u32_at(out), 7);
    assert_eq!((g.bytes(x, 3), g.bytes(y, 4)), (&b"3AB"[..], &b"CDE9"[..]));
    assert_eq!(g.seek(fd, 0, 1), Ok(10), "it did not move");
    assert_eq!(
        wasi!(g, fd_pread, fd, iovs, 2, u64::MAX, out),
        Err(Errno::INVAL)
    );
    assert_eq!(
        wasi!(g, fd_pwrite, fd, iovs, 2, u64::MAX, out),
        Err(Errno::INVAL)
    );
    assert_eq!(wasi!(g, fd_pread, 0, iovs, 2, 0, out), Err(Errno::SPIPE));
    assert_eq!(wasi!(g, fd_pwrite, 1, iovs, 2, 0, out), Err(Errno::SPIPE));
}

#[test]
fn sizes_and_room() {
    let mut g = Guest::new();
    let fd = g.open("file", CREAT, RW).unwrap();
    wasi!(g, fd_filestat_set_size, fd, 100).unwrap();
    wasi!(g, fd_allocate, fd, 50, 100).unwrap();
    let out = g.alloc(64);
    wasi!(g, fd_filestat_get, fd, out).unwrap();
    let stat = g.record(out);
    assert_eq!((stat[2], stat[3], stat[4]), (4, 1, 150));
    assert_eq!(stat, g.stat("file", 0).unwrap());
    // The older record: 32-bit links, then the rest 8 bytes earlier.
    wasi!(g, fd_filestat_get_unstable, fd, out).unwrap();
    assert_eq!((g.u32_at(out + 20), g.u64_at(out + 24)), (1, 150));
    assert_eq!(g.u64_at(out + 40), stat[6], "mtim");
    assert_eq!(wasi!(g, fd_allocate, fd, 0, 0), Err(Errno::INVAL));
    assert_eq!(wasi!(g, fd_allocate, fd, u64::MAX, 2), Err(Errno::FBIG));
    assert_eq!(
        wasi!(g, fd_filestat_set_size, fd, u64::MAX),
        Err(Errno::INVAL)
    );
    for advice in 0..6 {
        wasi!(g, fd_advise, fd, 0, 10, advice).unwrap();
    }
    assert_eq!(wasi!(g, fd_advise, fd, 0, 10, 6), Err(Errno::INVAL));
    assert_eq!(wasi!(g, fd_advise, fd, u64::MAX, 10, 0), Err(Errno::INVAL));
    for fd in [fd, ROOT, 1] {
        wasi!(g, fd_sync, fd).unwrap();
        wasi!(g, fd_datasync, fd).unwrap();
    }
}

#[test]
fn times() {
    const S: u64 = 1_000_000_000;
    let mut g = Guest::new();
    let fd = g.open("file", CREAT, RW).unwrap();
    wasi!(g, fd_filestat_set_times, fd, 11 * S, 22 * S + 7, 1 | 4).unwrap();
    let stat = g.stat("file", 0).unwrap();
    assert_eq!((stat[5], stat[6]), (11 * S, 22 * S + 7));
    let p = g.put("file");
    wasi!(
        g,
        path_filestat_set_times,
        ROOT,
        FOLLOW,
        p.0,
        p.1,
        33 * S,
        0,
        1 | 8
    )
    .unwrap();
    let stat = g.stat("file", 0).unwrap();
    assert_eq!(stat[5], 33 * S);
    assert!(stat[6] > 1_600_000_000 * S, "now");
    for (flags, expected) in [
        (1 | 2, Errno::INVAL),
        (4 | 8, Errno::INVAL),
        (16, Errno::INVAL),
    ] {
        assert_eq!(
            wasi!(g, fd_filestat_set_times, fd, 0, 0, flags),
            Err(expected)
        );
    }
    assert_eq!(
        wasi!(g, fd_filestat_set_times, 0, 0, 0, 1),
        Err(Errno::BADF)
    );
    wasi!(g, fd_filestat_set_times, ROOT, 44 * S, 44 * S, 1 | 4).unwrap();
    assert_eq!(g.stat(".", 0).unwrap()[6], 44 * S);
    // Of a link itself, and of what it leads to.
    g.symlink("file", "link").unwrap();
    let p = g.put("link");
    wasi!(g, path_filestat_set_times, ROOT, 0, p.0, p.1, 0, 55 * S, 4).unwrap();
    assert_eq!(g.stat("link", 0).unwrap()[6], 55 * S);
    wasi!(
        g,
        path_filestat_set_times,
        ROOT,
        FOLLOW,
        p.0,
        p.1,
        0,
        66 * S,
        4
    )
    .unwrap();
    assert_eq!(
        (
            g.stat("link", FOLLOW).unwrap()[6],
            g.stat("link", 0).unwrap()[6]
        ),
        (66 * S, 55 * S)
    );
    // Extremes do not overflow anything.
    let _ = wasi!(g, fd_filestat_set_times, fd, u64::MAX, u64::MAX, 1 | 4);
    g.stat("file", 0).unwrap();
}

#[test]
fn rights_given_up() {
    let mut g = Guest::new();
    let fd = g.open("file", CREAT, RW).unwrap();
    let (_, _, rights, _) = g.fdstat(fd).unwrap();
    let less = rights - Rights::FD_SEEK - Rights::FD_WRITE;
    wasi!(g, fd_fdstat_set_rights, fd, less.bits(), 0).unwrap();
    assert_eq!(g.fdstat(fd).unwrap().2, less);
    assert_eq!(g.write(fd, "x"), Err(Errno::NOTCAPABLE));
    assert_eq!(g.seek(fd, 0, 0), Err(Errno::NOTCAPABLE));
    assert_eq!(
        wasi!(g, fd_fdstat_set_rights, fd, rights.bits(), 0),
        Err(Errno::NOTCAPABLE),
        "they do not come back"
    );
    // What is opened through a directory has no more than it hands down.
    let (_, _, base, inheriting) = g.fdstat(ROOT).unwrap();
    let less = inheriting - Rights::FD_WRITE - Rights::PATH_UNLINK_FILE;
    g.mkdir("sub").unwrap();
    wasi!(g, fd_fdstat_set_rights, ROOT, base.bits(), less.bits()).unwrap();
    assert_eq!(g.open("file", 0, WRITE), Err(Errno::NOTCAPABLE));
    let sub = g.open("sub", DIRECTORY, 0).unwrap();
    assert_eq!(
        g.open_at(sub, "new", 0, CREAT, WRITE, 0),
        Err(Errno::NOTCAPABLE)
    );
    let p = g.put("x");
    assert_eq!(
        wasi!(g, path_unlink_file, sub, p.0, p.1),
        Err(Errno::NOTCAPABLE)
    );
    g.unlink("file").unwrap();
    let none = (base - Rights::PATH_CREATE_FILE - Rights::PATH_FILESTAT_SET_SIZE).bits();
    wasi!(g, fd_fdstat_set_rights, ROOT, none, less.bits()).unwrap();
    assert_eq!(g.open("file", CREAT, READ), Err(Errno::NOTCAPABLE));
    assert_eq!(g.open("file", TRUNC, READ), Err(Errno::NOTCAPABLE));
}

#[test]
fn renumber() {
    let mut g = Guest::new();
    let a = g.open("a", CREAT, RW).unwrap();
    let b = g.open("b", CREAT, RW).unwrap();
    g.write(a, "in a").unwrap();
    wasi!(g, fd_renumber, a, b).unwrap();
    assert_eq!(g.write(a, "x"), Err(Errno::BADF));
    assert_eq!(g.seek(b, 0, 1), Ok(4));
    wasi!(g, fd_renumber, b, b).unwrap();
    for to in [a, 127, u32::MAX] {
        assert_eq!(wasi!(g, fd_renumber, b, to), Err(Errno::BADF));
        assert_eq!(wasi!(g, fd_renumber, to, b), Err(Errno::BADF));
    }
    // A preopen too, which is one no more.
    wasi!(g, fd_renumber, b, ROOT).unwrap();
    let out = g.alloc(8);
    assert_eq!(wasi!(g, fd_prestat_get, ROOT, out), Err(Errno::BADF));
    assert_eq!(g.seek(ROOT, 0, 1), Ok(4));
}

#[test]
fn as_many_as_allowed() {
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.max_open_descriptors(6)
    });
    assert_eq!(g.open("a", CREAT, RW), Ok(4));
    assert_eq!(g.open("b", CREAT, RW), Ok(5));
    assert_eq!(g.open("c", CREAT, RW), Err(Errno::MFILE));
    assert!(!g.host("c").exists(), "nothing happened");
    g.close(4).unwrap();
    assert_eq!(g.open("c", CREAT, RW), Ok(4));
}

#[test]
fn inspection() {
    let mut g = Guest::new();
    g.mkdir("sub").unwrap();
    let sub = g.open("sub", DIRECTORY, 0).unwrap();
    let fd = g.open_at(sub, "file", 0, CREAT, RW, 1).unwrap();
    g.write(fd, "12345").unwrap();
    let all = g.cx.descriptors();
    assert_eq!(
        all.iter().map(|d| d.fd).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5]
    );
    assert_eq!(all[0].kind, DescriptorKind::Input);
    assert_eq!(
        (all[3].preopen.as_deref(), &*all[3].path),
        (Some("/sandbox"), "")
    );
    assert_eq!(
        (all[4].kind, &*all[4].path),
        (DescriptorKind::Directory, "sub")
    );
    let file = &all[5];
    assert_eq!(
        (file.preopen.as_deref(), &*file.path),
        (Some("/sandbox"), "sub/file")
    );
    assert_eq!((file.flags, file.oflags), (FdFlags::APPEND, OFlags::CREAT));
    assert_eq!((file.offset, file.read, file.write), (Some(5), true, true));
    let stat = g.stat("sub/file", 0).unwrap();
    assert_eq!(file.file_id, Some((stat[0], stat[1])));
}
