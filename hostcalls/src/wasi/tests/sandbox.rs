//! A guest reaches nothing outside of its directories, and nothing in them
//! that it was not allowed.

use super::*;
use std::fs;

/// A guest beside a secret that it must not reach, in `outside`.
fn beside_a_secret() -> Guest {
    let g = Guest::new();
    let outside = g.tmp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    g
}

/// Paths that lead from the root to the secret if nobody stops them.
fn ways_out(g: &mut Guest) -> Vec<String> {
    let outside = g.tmp.path().join("outside");
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, g.host(at)).unwrap();
    fs::create_dir_all(g.host("a/b")).unwrap();
    link("../outside/secret", "file_link");
    link("../outside", "dir_link");
    link("a/../../outside", "crooked_link");
    link("dir_link", "link_to_link");
    link("..", "a/up");
    link(outside.to_str().unwrap(), "absolute_link");
    link(
        outside.join("secret").to_str().unwrap(),
        "absolute_file_link",
    );
    link("/proc/self/root", "root_link");
    let absolute = outside.join("secret").to_str().unwrap().to_owned();
    let mut ways = vec![
        "../outside/secret".into(),
        "./../outside/secret".into(),
        "a/../../outside/secret".into(),
        "a/b/../../../outside/secret".into(),
        "a/up/../outside/secret".into(),
        "file_link".into(),
        "dir_link/secret".into(),
        "crooked_link/secret".into(),
        "link_to_link/secret".into(),
        "absolute_link/secret".into(),
        "absolute_file_link".into(),
        format!("/{absolute}"),
        format!("root_link{absolute}"),
        "//etc/passwd".into(),
    ];
    ways.push(absolute);
    ways
}

#[test]
fn no_way_out() {
    let mut g = beside_a_secret();
    for way in ways_out(&mut g) {
        for (oflags, rights) in [
            (0, READ),
            (0, WRITE),
            (CREAT, WRITE),
            (TRUNC, WRITE),
            (0, 0),
        ] {
            let got = g.open(&way, oflags, rights);
            assert_eq!(got, Err(Errno::PERM), "open {way} {oflags} {rights}");
        }
        assert_eq!(g.stat(&way, FOLLOW), Err(Errno::PERM), "stat {way}");
        let p = g.put(&way);
        let times = wasi!(
            g,
            path_filestat_set_times,
            ROOT,
            FOLLOW,
            p.0,
            p.1,
            0,
            0,
            1 | 4
        );
        assert_eq!(times, Err(Errno::PERM), "times {way}");
        if way.ends_with("file_link") {
            continue; // These may be looked at and removed themselves.
        }
        g.top = 1024;
        assert_eq!(g.stat(&way, 0), Err(Errno::PERM), "stat {way}");
        assert_eq!(g.unlink(&way), Err(Errno::PERM), "unlink {way}");
        assert_eq!(g.rmdir(&way), Err(Errno::PERM), "rmdir {way}");
        assert_eq!(g.mkdir(&format!("{way}2")), Err(Errno::PERM), "mkdir {way}");
        assert_eq!(g.readlink(&way, 10), Err(Errno::PERM), "readlink {way}");
        assert_eq!(
            g.symlink("x", &format!("{way}2")),
            Err(Errno::PERM),
            "symlink {way}"
        );
        assert_eq!(g.link(&way, "stolen"), Err(Errno::PERM), "link {way}");
        assert_eq!(g.rename(&way, "stolen"), Err(Errno::PERM), "rename {way}");
        fs::write(g.host("mine"), "").unwrap();
        assert_eq!(g.link("mine", &way), Err(Errno::PERM), "link to {way}");
        assert_eq!(
            g.link("mine", &format!("{way}2")),
            Err(Errno::PERM),
            "link to {way}"
        );
        assert_eq!(g.rename("mine", &way), Err(Errno::PERM), "rename to {way}");
        assert_eq!(
            g.open(&format!("{way}2"), CREAT, WRITE),
            Err(Errno::PERM),
            "create {way}"
        );
    }
    let outside = g.tmp.path().join("outside");
    assert_eq!(fs::read(outside.join("secret")).unwrap(), b"secret");
    assert_eq!(
        fs::read_dir(outside).unwrap().count(),
        1,
        "nothing new either"
    );
}

#[test]
fn directories_are_no_way_out() {
    let mut g = beside_a_secret();
    ways_out(&mut g);
    for way in [
        "..",
        "../",
        "a/../..",
        "dir_link",
        "a/up/..",
        "/",
        "absolute_link",
        "root_link",
    ] {
        assert_eq!(g.open(way, DIRECTORY, 0), Err(Errno::PERM), "{way}");
        assert_eq!(g.open(way, 0, READ), Err(Errno::PERM), "{way}");
    }
    // A directory that is moved does not take the guest with it: it stays
    // confined to what it has opened.
    let b = g.open("a/b", DIRECTORY, 0).unwrap();
    fs::rename(g.host("a/b"), g.tmp.path().join("outside/b")).unwrap();
    assert_eq!(
        g.open_at(b, "../secret", FOLLOW, 0, READ, 0),
        Err(Errno::PERM)
    );
    // `..` within it is no way out.
    assert!(g.open("a/up/a/../a", DIRECTORY, 0).is_ok());
}

#[test]
fn links_of_its_own_making() {
    let mut g = beside_a_secret();
    assert_eq!(g.symlink("/etc", "abs"), Err(Errno::PERM));
    g.symlink("../outside/secret", "rel").unwrap();
    assert_eq!(g.open("rel", 0, READ), Err(Errno::PERM));
    g.mkdir("d").unwrap();
    g.symlink("..", "d/up").unwrap();
    assert_eq!(
        g.open("d/up/d/up/../outside/secret", 0, READ),
        Err(Errno::PERM)
    );
    // A link that is moved to where it leads outside still does not.
    g.symlink("../x", "d/rel").unwrap();
    g.rename("d/rel", "rel2").unwrap();
    assert_eq!(g.open("rel2", CREAT, WRITE), Err(Errno::PERM));
    assert!(!g.tmp.path().join("x").exists());
}

#[test]
fn read_only() {
    let mut g = Guest::with(DirPerms::READ, FilePerms::READ, |b| b);
    fs::write(g.host("file"), "data").unwrap();
    fs::create_dir(g.host("dir")).unwrap();
    std::os::unix::fs::symlink("file", g.host("link")).unwrap();
    let fd = g.open("file", 0, READ).unwrap();
    assert_eq!(g.read(fd, 10).unwrap(), b"data");
    assert_eq!(g.readlink("link", 10).unwrap(), b"file");
    assert_eq!(
        wasi!(g, fd_filestat_set_times, fd, 0, 0, 1),
        Err(Errno::PERM)
    );
    let sub = g.open("dir", DIRECTORY, READ).unwrap();
    for (path, oflags, rights) in [
        ("file", 0, WRITE),
        ("file", 0, READ | WRITE),
        ("file", TRUNC, READ),
        ("file", CREAT, READ),
        ("new", CREAT, READ),
        ("new", CREAT | EXCL, WRITE),
    ] {
        assert_eq!(
            g.open(path, oflags, rights),
            Err(Errno::PERM),
            "{path} {oflags} {rights}"
        );
    }
    assert_eq!(g.open_at(sub, "new", 0, CREAT, WRITE, 0), Err(Errno::PERM));
    assert_eq!(g.mkdir("new"), Err(Errno::PERM));
    assert_eq!(g.rmdir("dir"), Err(Errno::PERM));
    assert_eq!(g.unlink("file"), Err(Errno::PERM));
    assert_eq!(g.rename("file", "new"), Err(Errno::PERM));
    assert_eq!(g.link("file", "new"), Err(Errno::PERM));
    assert_eq!(g.symlink("file", "new"), Err(Errno::PERM));
    let p = g.put("file");
    let times = wasi!(g, path_filestat_set_times, ROOT, 0, p.0, p.1, 0, 0, 1);
    assert_eq!(times, Err(Errno::PERM));
    assert_eq!(fs::read(g.host("file")).unwrap(), b"data");
    assert_eq!(fs::read_dir(g.host("")).unwrap().count(), 3);
}

#[test]
fn unreadable() {
    let mut g = Guest::with(DirPerms::MUTATE, FilePerms::WRITE, |b| b);
    fs::write(g.host("file"), "data").unwrap();
    assert_eq!(
        g.open("file", 0, WRITE),
        Err(Errno::PERM),
        "looking it up is reading"
    );
    assert_eq!(g.stat("file", 0), Err(Errno::PERM));
    g.mkdir("new").unwrap();
    let mut g = Guest::with(DirPerms::all(), FilePerms::WRITE, |b| b);
    fs::write(g.host("file"), "data").unwrap();
    assert_eq!(g.open("file", 0, READ), Err(Errno::PERM));
    assert!(g.open("file", 0, WRITE).is_ok());
    assert!(g.open(".", 0, READ).is_ok());
}

/// Moving a file into a directory with more permissions would give them.
#[test]
fn no_more_than_before() {
    let other = tempfile::tempdir().unwrap();
    for (dir, file) in [
        (DirPerms::READ, FilePerms::READ),
        (DirPerms::all(), FilePerms::READ),
    ] {
        let mut g = Guest::with(dir, file, |b| {
            let (dirs, files) = (DirPerms::all(), FilePerms::all());
            b.preopened_dir(other.path(), "/rw", dirs, files).unwrap()
        });
        fs::write(g.host("file"), "data").unwrap();
        let (old, new) = (g.put("file"), g.put("mine"));
        let link = wasi!(g, path_link, ROOT, 0, old.0, old.1, 4, new.0, new.1);
        assert_eq!(link, Err(Errno::PERM));
        let rename = wasi!(g, path_rename, ROOT, old.0, old.1, 4, new.0, new.1);
        assert_eq!(rename, Err(Errno::PERM));
    }
    let mut g = Guest::with(DirPerms::all(), FilePerms::all(), |b| {
        b.preopened_dir(other.path(), "/rw", DirPerms::all(), FilePerms::all())
            .unwrap()
    });
    fs::write(g.host("file"), "data").unwrap();
    let (old, new) = (g.put("file"), g.put("mine"));
    wasi!(g, path_rename, ROOT, old.0, old.1, 4, new.0, new.1).unwrap();
    assert_eq!(fs::read(other.path().join("mine")).unwrap(), b"data");
}
