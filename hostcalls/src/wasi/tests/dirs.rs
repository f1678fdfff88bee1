//! Directories, links, renaming.

use super::*;
use std::collections::BTreeSet;

struct Dirent {
    next: u64,
    ino: u64,
    filetype: u8,
    name: String,
}

/// One `fd_readdir`: its whole entries, and how much of the buffer was used.
fn readdir(g: &mut Guest, fd: u32, len: u32, cookie: u64) -> Result<(Vec<Dirent>, u32)> {
    let top = g.top;
    let (buf, out) = (g.alloc(len), g.alloc(4));
    wasi!(g, fd_readdir, fd, buf, len, cookie, out)?;
    g.top = top;
    let used = g.u32_at(out);
    let (mut at, mut entries) = (0, Vec::new());
    while at + 24 <= used {
        let name_len = g.u32_at(buf + at + 16);
        if at + 24 + name_len > used {
            break;
        }
        entries.push(Dirent {
            next: g.u64_at(buf + at),
            ino: g.u64_at(buf + at + 8),
            filetype: g.mem[(buf + at + 20) as usize],
            name: String::from_utf8(g.bytes(buf + at + 24, name_len).to_vec()).unwrap(),
        });
        at += 24 + name_len;
    }
    Ok((entries, used))
}

#[test]
fn listing() {
    let mut g = Guest::new();
    let (entries, used) = readdir(&mut g, ROOT, 4096, 0).unwrap();
    assert_eq!(
        entries.iter().map(|e| &*e.name).collect::<Vec<_>>(),
        [".", ".."]
    );
    assert_eq!(used, 24 + 1 + 24 + 2);
    g.open("file", CREAT, READ).unwrap();
    g.mkdir("dir").unwrap();
    g.symlink("file", "link").unwrap();
    let (entries, _) = readdir(&mut g, ROOT, 4096, 0).unwrap();
    let found: Vec<_> = entries.iter().map(|e| (&*e.name, e.filetype)).collect();
    assert_eq!(
        found,
        [(".", 3), ("..", 3), ("dir", 3), ("file", 4), ("link", 7)]
    );
    for e in &entries[2..] {
        assert_eq!(g.stat(&e.name, 0).unwrap()[1], e.ino);
    }
    assert_eq!(g.stat(".", 0).unwrap()[1], entries[0].ino);
    // From the middle, and past the end.
    let (rest, _) = readdir(&mut g, ROOT, 4096, entries[2].next).unwrap();
    assert_eq!(
        rest.iter().map(|e| &*e.name).collect::<Vec<_>>(),
        ["file", "link"]
    );
    for cookie in [5, 6, u64::MAX] {
        assert_eq!(readdir(&mut g, ROOT, 4096, cookie).unwrap().1, 0);
    }
    assert_eq!(readdir(&mut g, 4, 64, 0).err(), Some(Errno::NOTDIR));
    assert_eq!(readdir(&mut g, 0, 64, 0).err(), Some(Errno::NOTDIR));
    assert_eq!(readdir(&mut g, 99, 64, 0).err(), Some(Errno::BADF));
}

#[test]
fn listing_in_tiny_pieces() {
    let mut g = Guest::new();
    for len in 0..60 {
        let (entries, used) = readdir(&mut g, ROOT, len, 0).unwrap();
        assert_eq!(used, len.min(51));
        assert_eq!(
            entries.len(),
            usize::from(len >= 25) + usize::from(len >= 51)
        );
    }
    let names: BTreeSet<String> = (0..300).map(|i| format!("file.{i}.Действие")).collect();
    for name in &names {
        std::fs::write(g.host(name), "").unwrap();
    }
    let (mut seen, mut cookie) = (Vec::new(), 0);
    loop {
        let (entries, used) = readdir(&mut g, ROOT, 100, cookie).unwrap();
        seen.extend(entries.iter().map(|e| e.name.clone()));
        // What is removed while reading does not shift the cookies.
        for e in entries.iter().filter(|e| e.name.starts_with('f')) {
            g.unlink(&e.name).unwrap();
        }
        cookie = entries.last().map_or(cookie, |e| e.next);
        if used < 100 {
            break;
        }
    }
    assert_eq!(seen.len(), names.len() + 2, "each once");
    assert_eq!(
        seen.into_iter()
            .filter(|n| n.starts_with('f'))
            .collect::<BTreeSet<_>>(),
        names
    );
    assert_eq!(
        readdir(&mut g, ROOT, 4096, 0).unwrap().0.len(),
        2,
        "all gone"
    );
}

#[test]
fn make_and_remove() {
    let mut g = Guest::new();
    g.mkdir("a").unwrap();
    assert_eq!(g.mkdir("a"), Err(Errno::EXIST));
    g.mkdir("a/b/").unwrap();
    assert_eq!(g.rmdir("a"), Err(Errno::NOTEMPTY));
    assert_eq!(g.unlink("a"), Err(Errno::ISDIR));
    assert_eq!(g.unlink("a/"), Err(Errno::ISDIR));
    g.rmdir("a/b").unwrap();
    g.rmdir("a/").unwrap();
    assert_eq!(g.rmdir("a"), Err(Errno::NOENT));
    g.open("file", CREAT, READ).unwrap();
    assert_eq!(g.rmdir("file"), Err(Errno::NOTDIR));
    assert_eq!(g.rmdir("file/"), Err(Errno::NOTDIR));
    assert_eq!(g.unlink("file/"), Err(Errno::NOTDIR));
    assert_eq!(g.open("file/", 0, READ), Err(Errno::NOTDIR));
    assert_eq!(g.stat("file/", 0), Err(Errno::NOTDIR));
    g.unlink("file").unwrap();
    assert_eq!(g.unlink("file"), Err(Errno::NOENT));
    assert_eq!(g.unlink(""), Err(Errno::NOENT));
    assert_eq!(g.unlink("a\0b"), Err(Errno::INVAL));
    assert_eq!(g.unlink(&"x".repeat(5000)), Err(Errno::NAMETOOLONG));
    let (ptr, len) = g.put(b"\xff\xfe");
    assert_eq!(
        wasi!(g, path_unlink_file, ROOT, ptr, len),
        Err(Errno::ILSEQ)
    );
    assert_eq!(wasi!(g, path_unlink_file, 1, ptr, len), Err(Errno::NOTDIR));
}

#[test]
fn below_an_opened_directory() {
    let mut g = Guest::new();
    g.mkdir("a").unwrap();
    g.mkdir("a/b").unwrap();
    // With and without saying that it is a directory, with all rights.
    let a = g.open("a", DIRECTORY, !WRITE).unwrap();
    let fd = g.open_at(a, "b/../file", 0, CREAT, WRITE, 0).unwrap();
    g.write(fd, "x").unwrap();
    let b = g.open_at(a, "b", 0, 0, READ, 0).unwrap();
    assert_eq!(g.fdstat(b).unwrap().0, 3);
    assert_eq!(
        g.open_at(b, "../file", 0, 0, READ, 0),
        Err(Errno::PERM),
        "above it"
    );
    assert_eq!(g.open("a", 0, WRITE), Err(Errno::ISDIR));
    assert_eq!(g.open("a", DIRECTORY, WRITE), Err(Errno::ISDIR));
    for (result, what) in [
        (g.read(a, 1).map(drop), "read"),
        (g.write(a, "x").map(drop), "write"),
        (g.seek(a, 0, 0).map(drop), "seek"),
        (wasi!(g, fd_advise, a, 0, 0, 0), "advise"),
        (wasi!(g, fd_allocate, a, 0, 1), "allocate"),
        (wasi!(g, fd_filestat_set_size, a, 0), "set_size"),
    ] {
        assert_eq!(result, Err(Errno::BADF), "{what}");
    }
    let out = g.alloc(64);
    wasi!(g, fd_filestat_get, a, out).unwrap();
    assert_eq!(g.record(out), g.stat("a", 0).unwrap());
}

#[test]
fn symbolic_links() {
    let mut g = Guest::new();
    let fd = g.open("file", CREAT, WRITE).unwrap();
    g.write(fd, "data").unwrap();
    g.symlink("file", "link").unwrap();
    assert_eq!(g.symlink("file", "link"), Err(Errno::EXIST));
    assert_eq!(g.readlink("link", 100).unwrap(), b"file");
    assert_eq!(g.readlink("link", 2).unwrap(), b"fi");
    assert_eq!(g.readlink("link", 0).unwrap(), b"");
    assert_eq!(g.readlink("file", 10), Err(Errno::INVAL));
    assert_eq!(g.stat("link", 0).unwrap()[2], 7);
    assert_eq!(g.stat("link", FOLLOW).unwrap()[2], 4);
    assert_eq!(g.stat("link", 5), Err(Errno::INVAL));
    let fd = g.open("link", 0, READ).unwrap();
    assert_eq!(g.read(fd, 10).unwrap(), b"data");
    assert_eq!(g.open_at(ROOT, "link", 0, 0, READ, 0), Err(Errno::LOOP));
    g.symlink("loop", "loop").unwrap();
    assert_eq!(g.open("loop", 0, READ), Err(Errno::LOOP));
    g.symlink("nowhere", "dangling").unwrap();
    assert_eq!(g.open("dangling", 0, READ), Err(Errno::NOENT));
    g.mkdir("dir").unwrap();
    g.symlink("dir", "dirlink").unwrap();
    g.open("dirlink", DIRECTORY, 0).unwrap();
    let result = g.open_at(ROOT, "dirlink", 0, DIRECTORY, 0, 0);
    assert!(
        matches!(result, Err(Errno::NOTDIR | Errno::LOOP)),
        "{result:?}"
    );
    g.open("dirlink/in", CREAT, WRITE).unwrap();
    assert!(g.host("dir/in").exists());
    g.unlink("dirlink").unwrap();
    assert!(g.host("dir").exists());
}

#[test]
fn hard_links() {
    let mut g = Guest::new();
    g.open("file", CREAT, READ).unwrap();
    g.link("file", "other").unwrap();
    let (a, b) = (g.stat("file", 0).unwrap(), g.stat("other", 0).unwrap());
    assert_eq!((a, a[3]), (b, 2));
    assert_eq!(g.link("file", "other"), Err(Errno::EXIST));
    assert_eq!(g.link("none", "x"), Err(Errno::NOENT));
    g.mkdir("dir").unwrap();
    assert_eq!(g.link("dir", "x"), Err(Errno::PERM));
    g.symlink("nowhere", "link").unwrap();
    g.link("link", "link2").unwrap();
    assert_eq!(g.readlink("link2", 100).unwrap(), b"nowhere");
    let (old, new) = (g.put("link"), g.put("x"));
    let follow = wasi!(g, path_link, ROOT, FOLLOW, old.0, old.1, ROOT, new.0, new.1);
    assert_eq!(follow, Err(Errno::INVAL));
}

#[test]
fn renames() {
    let mut g = Guest::new();
    let fd = g.open("a", CREAT, WRITE).unwrap();
    g.write(fd, "from a").unwrap();
    g.open("b", CREAT, WRITE).unwrap();
    g.rename("a", "b").unwrap();
    assert_eq!(std::fs::read(g.host("b")).unwrap(), b"from a");
    assert_eq!(g.rename("a", "c"), Err(Errno::NOENT));
    g.mkdir("dir").unwrap();
    assert_eq!(g.rename("b", "dir"), Err(Errno::ISDIR));
    assert_eq!(g.rename("dir", "b"), Err(Errno::NOTDIR));
    g.rename("b", "dir/b").unwrap();
    g.mkdir("empty").unwrap();
    assert_eq!(g.rename("empty", "dir"), Err(Errno::NOTEMPTY));
    g.rename("dir/", "dir2/").unwrap();
    g.rename("dir2", "empty").unwrap();
    assert!(g.host("empty/b").exists());
    assert_eq!(g.rename("empty", "empty/in/itself"), Err(Errno::NOENT));
    assert_eq!(g.rename("empty", "empty/itself"), Err(Errno::INVAL));
}
