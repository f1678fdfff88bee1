//! `sheave snapshot`, `sheave resume`, and the snapshot options of `sheave run`.

use crate::{Ended, Folder, program};
#[cfg(unix)]
use std::io::Read as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Asks for a snapshot, and prints the answer: `=` (0), `>` (1) or `-`; then what it had prepared before.
fn asks() -> String {
    let functions = r#"
        (import "sheave" "snapshot" (func $snapshot (result i32)))
        (data (i32.const 101) "-=> ready\n")"#;
    let start = r#"
        (i32.store8 (i32.const 200) (i32.const 33))
        (call $print (i32.add (i32.const 102) (call $snapshot)) (i32.const 1))
        (call $print (i32.const 104) (i32.const 7))
        (call $print (i32.const 200) (i32.const 1))"#;
    // Imports come first in a module.
    let text = program("", start);
    let (head, tail) = text.split_once("(memory").unwrap();
    let (import, data) = functions.split_once("(data").unwrap();
    format!(
        "{head}{import}(memory{}",
        tail.replacen("(func (export", &format!("(data{data} (func (export"), 1)
    )
}

/// Counts down from its argument, in a way that takes time, and gives a number that depends on each step.
pub(crate) const COUNT: &str = r#"(module
    (memory (export "memory") 2)
    (func (export "count") (param i64) (result i64) (local i64)
        (loop $l
            (local.set 1 (i64.add (i64.mul (local.get 1) (i64.const 6364136223846793005)) (local.get 0)))
            (i64.store (i32.and (i32.wrap_i64 (local.get 1)) (i32.const 0xfff8))
                (i64.xor (local.get 1) (i64.load (i32.const 8))))
            (br_if $l (i64.ne (i64.const 0) (local.tee 0 (i64.sub (local.get 0) (i64.const 1))))))
        (i64.add (local.get 1) (i64.load (i32.const 64)))))"#;

const MANY: &str = if cfg!(debug_assertions) {
    "30000000"
} else {
    "60000000"
};

/// Echoes standard input until it ends, each piece in brackets.
fn echoes() -> String {
    let text = program(
        "(data (i32.const 100) \"[]\")",
        r#"(loop $l
             (i32.store (i32.const 0) (i32.const 1000))
             (i32.store (i32.const 4) (i32.const 100))
             (if (i32.eqz (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
               (then (if (i32.load (i32.const 8)) (then
                 (i32.store (i32.const 16) (i32.load (i32.const 8)))
                 (call $print (i32.const 100) (i32.const 1))
                 (call $print (i32.const 1000) (i32.load (i32.const 16)))
                 (call $print (i32.const 101) (i32.const 1))
                 (br $l))))))"#,
    );
    let import = r#"(import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (memory"#;
    text.replacen("(memory", import, 1)
}

fn sheave(folder: &Folder, args: &[&str], input: &str) -> Ended {
    let mut child = spawn(folder, args);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap().into()
}

fn spawn(folder: &Folder, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sheave"));
    command.args(args).current_dir(folder.path());
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Prints `[`, counts to ten thousand again and again until the file `snap` is there, and prints `]` if each time gave the same.
#[cfg(unix)]
fn counts_until_the_snapshot() -> String {
    let functions = r#"
        (data (i32.const 100) "[]?snap")
        (func $count (result i64) (local i64 i64)
          (loop $l
            (local.set 0 (i64.add (i64.mul (local.get 0) (i64.const 6364136223846793005)) (local.get 1)))
            (br_if $l (i64.ne (i64.const 10000) (local.tee 1 (i64.add (local.get 1) (i64.const 1))))))
          (local.get 0))
        (func $there (result i32)
          (i32.eqz (call $open (i32.const 3) (i32.const 0) (i32.const 103) (i32.const 4)
            (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 16))))"#;
    let start = r#"(local $first i64) (local $say i32)
        (call $print (i32.const 100) (i32.const 1))
        (local.set $first (call $count))
        (local.set $say (i32.const 101))
        (loop $l
          (if (i64.ne (call $count) (local.get $first)) (then (local.set $say (i32.const 102))))
          (br_if $l (i32.eqz (call $there))))
        (call $print (local.get $say) (i32.const 1))"#;
    program(functions, start)
}

/// Waits until a file is there.
fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{}",
            path.display()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_program_asks_for_a_snapshot_and_knows_where_it_goes_on() {
    let folder = Folder::new();
    folder.file("a.wat", asks());
    folder.sheave(&["run", "a.wat"]).prints("- ready\n!");
    folder
        .sheave(&["run", "--snapshot-to", "snap", "a.wat"])
        .prints("= ready\n!");
    for _ in 0..2 {
        folder.sheave(&["resume", "snap"]).prints("> ready\n!");
    }
    folder
        .sheave(&["snapshot", "a.wat", "-o", "other"])
        .prints("");
    folder.sheave(&["resume", "other"]).prints("> ready\n!");
    // Where it cannot be written, the program goes on and is told.
    std::fs::create_dir(folder.path().join("taken")).unwrap();
    let ended = folder.sheave(&["run", "--snapshot-to", "taken", "a.wat"]);
    assert_eq!((ended.code, &*ended.stdout), (Some(0), "- ready\n!"));
    assert!(
        ended.stderr.starts_with("sheave: no snapshot: "),
        "{ended:?}"
    );
}

#[test]
fn a_program_waits_for_input_in_a_snapshot_and_reads_that_of_the_new_process() {
    let folder = Folder::new();
    folder.file("echo.wat", echoes());
    sheave(
        &folder,
        &["snapshot", "--at-input", "echo.wat", "-o", "snap"],
        "old",
    )
    .prints("");
    sheave(&folder, &["resume", "snap"], "one").prints("[one]");
    sheave(&folder, &["resume", "snap"], "two").prints("[two]");
    // Such a program also goes on in the process itself.
    let args = [
        "run",
        "--snapshot-to",
        "snap2",
        "--snapshot-at-input",
        "echo.wat",
    ];
    sheave(&folder, &args, "three").prints("[three]");
    sheave(&folder, &["resume", "snap2"], "four").prints("[four]");
}

#[test]
fn a_program_that_is_killed_goes_on_from_its_last_snapshot() {
    let folder = Folder::new();
    folder.file("count.wat", COUNT);
    let straight = folder.sheave(&["run", "--invoke", "count", "count.wat", MANY]);
    assert_eq!(straight.code, Some(0), "{straight:?}");
    for executor in ["threaded", "portable"] {
        let every = ["--snapshot-to", "snap", "--snapshot-every", "10ms"];
        let run = ["run", "--invoke", "count", "--executor", executor];
        let mut child = spawn(&folder, &[&run[..], &every, &["count.wat", MANY]].concat());
        wait_for(&folder.path().join("snap"));
        child.kill().unwrap();
        child.wait().unwrap();
        // Once more in the middle, now as a process that was resumed.
        let mut child = spawn(&folder, &[&["resume", "snap"], &every[..]].concat());
        std::thread::sleep(Duration::from_millis(50));
        child.kill().unwrap();
        child.wait().unwrap();
        folder.sheave(&["resume", "snap"]).prints(&straight.stdout);
        std::fs::remove_file(folder.path().join("snap")).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_signal_asks_for_a_snapshot_and_does_not_disturb_the_program() {
    let folder = Folder::new();
    folder.file("count.wat", counts_until_the_snapshot());
    folder.file("wait.wat", {
        let text = echoes();
        text.replacen(
            "(loop $l",
            "(call $print (i32.const 100) (i32.const 1)) (loop $l",
            1,
        )
    });
    let signal = |child: &mut Child| {
        // Until it has a handler, the signal would end it: when the program runs, it has.
        let mut first = [0];
        let stdout = child.stdout.as_mut().unwrap();
        stdout.read_exact(&mut first).unwrap();
        assert_eq!(first, *b"[");
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-USR1", &pid])
                .status()
                .unwrap()
                .success()
        );
        wait_for(&folder.path().join("snap"));
    };
    let on = ["--snapshot-to", "snap", "--snapshot-on", "SIGUSR1"];
    let dir = ["--dir", ".::."];
    let mut child = spawn(&folder, &[&["run"], &dir[..], &on, &["count.wat"]].concat());
    signal(&mut child);
    Ended::from(child.wait_with_output().unwrap()).prints("]");
    folder
        .sheave(&[&["resume", "snap"], &dir[..]].concat())
        .prints("]");

    // Also while it waits for input.
    std::fs::remove_file(folder.path().join("snap")).unwrap();
    let mut child = spawn(&folder, &[&["run"], &on[..], &["wait.wat"]].concat());
    signal(&mut child);
    child.stdin.take().unwrap().write_all(b"later").unwrap();
    Ended::from(child.wait_with_output().unwrap()).prints("[later]");
    sheave(&folder, &["resume", "snap"], "elsewhere").prints("[elsewhere]");
}

#[test]
fn fuel_is_for_each_leg() {
    let folder = Folder::new();
    folder.file("count.wat", COUNT);
    let straight = folder.sheave(&["run", "--invoke", "count", "count.wat", "1000"]);
    let take = [
        "snapshot",
        "--fuel",
        "5000",
        "--invoke",
        "count",
        "-o",
        "snap",
        "count.wat",
        "1000",
    ];
    folder.sheave(&take).prints("");
    let ended = folder.sheave(&["resume", "snap", "--fuel", "50"]);
    assert_eq!(ended.code, Some(134), "{ended:?}");
    assert!(
        ended.stderr.starts_with("sheave: trap: all fuel consumed"),
        "{ended:?}"
    );
    folder
        .sheave(&["resume", "snap", "--fuel", "1000000"])
        .prints(&straight.stdout);
    // After a time, too.
    let take = [
        "snapshot",
        "--after",
        "20ms",
        "--invoke",
        "count",
        "-o",
        "snap",
        "count.wat",
        MANY,
    ];
    folder.sheave(&take).prints("");
    folder
        .sheave(&["resume", "snap", "--fuel", "1"])
        .fails_with(2, "was started without it");
    let ended = folder.sheave(&["resume", "snap", "--timeout", "1ms"]);
    assert_eq!(ended.code, Some(134), "{ended:?}");
    assert!(ended.stderr.contains("timed out after 1ms"), "{ended:?}");
}

#[test]
fn a_library_is_initialised_once_and_called_often() {
    let folder = Folder::new();
    folder.file(
        "lib.wat",
        r#"(module
             (global $g (mut i32) (i32.const 0))
             (func (export "_initialize") (global.set $g (i32.add (global.get $g) (i32.const 40))))
             (func (export "add") (param i32) (result i32)
               (global.set $g (i32.add (global.get $g) (local.get 0))) (global.get $g)))"#,
    );
    folder
        .sheave(&["snapshot", "lib.wat", "-o", "snap"])
        .prints("");
    folder
        .sheave(&["resume", "snap", "--invoke", "add", "2"])
        .prints("42\n");
    folder
        .sheave(&["resume", "snap", "--invoke", "add", "3"])
        .prints("43\n");
    let again = [
        "resume",
        "snap",
        "--invoke",
        "add",
        "--snapshot-to",
        "snap2",
        "--snapshot-after-start",
        "5",
    ];
    folder.sheave(&again).prints("45\n");
    folder
        .sheave(&["resume", "snap", "--invoke", "none"])
        .fails(1, "snap: no function `none` is exported");
    // The function and its arguments can be in the snapshot.
    let take = [
        "snapshot",
        "--after-start",
        "--invoke",
        "add",
        "-o",
        "snap3",
        "lib.wat",
        "7",
    ];
    folder.sheave(&take).prints("");
    folder.sheave(&["resume", "snap3"]).prints("47\n");
    folder
        .sheave(&["resume", "snap3", "--", "-7"])
        .prints("33\n");
}

#[test]
fn arguments_and_variables_can_be_given_anew_to_a_program_that_has_not_looked() {
    let folder = Folder::new();
    // Prints its arguments behind each other, then its environment.
    let start = r#"
        (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
        (drop (call $args_get (i32.const 1000) (i32.const 2000)))
        (call $print (i32.const 2000) (i32.load (i32.const 20)))
        (drop (call $env_sizes_get (i32.const 16) (i32.const 20)))
        (drop (call $env_get (i32.const 1000) (i32.const 2000)))
        (call $print (i32.const 2000) (i32.load (i32.const 20)))"#;
    folder.file("a.wat", program("", start));
    let take = [
        "snapshot",
        "--after-start",
        "--env",
        "A=1",
        "-o",
        "snap",
        "a.wat",
        "x",
        "y",
    ];
    folder.sheave(&take).prints("");
    folder
        .sheave(&["resume", "snap"])
        .prints("a.wat\0x\0y\0A=1\0");
    folder
        .sheave(&["resume", "snap", "--env", "A=2", "--env", "B=3", "z"])
        .prints("a.wat\0z\0A=2\0B=3\0");
}

/// Opens `file` to write, writes `one`, spins, writes `two`.
fn writes() -> String {
    program(
        r#"(data (i32.const 100) "fileonetwo")
           (func $to_file (param $fd i32) (param $at i32)
             (i32.store (i32.const 0) (local.get $at))
             (i32.store (i32.const 4) (i32.const 3))
             (if (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable)))"#,
        r#"(local i32)
           (if (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 4) (i32.const 9)
                 (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 16)) (then unreachable))
           (call $to_file (i32.load (i32.const 16)) (i32.const 104))
           (call $print (i32.const 104) (i32.const 3))
           (local.set 0 (i32.const 100000))
           (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
           (call $to_file (i32.load (i32.const 16)) (i32.const 107))
           (call $print (i32.const 107) (i32.const 3))"#,
    )
}

#[test]
fn files_are_opened_again_below_the_directories_of_the_new_process() {
    let folder = Folder::new();
    folder.file("a.wat", writes());
    let [one, two] = ["one", "two"].map(|name| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    });
    let take = [
        "snapshot", "--fuel", "50000", "--dir", "one::/", "-o", "snap", "a.wat",
    ];
    folder.sheave(&take).prints("one");
    assert_eq!(std::fs::read(one.join("file")).unwrap(), b"one");
    std::fs::copy(one.join("file"), two.join("file")).unwrap();
    let resume =
        |dir: &[&str]| folder.sheave(&[&["resume", "snap", "--fuel", "1000000"], dir].concat());
    resume(&["--dir", "two::/"]).prints("two");
    assert_eq!(std::fs::read(one.join("file")).unwrap(), b"one");
    assert_eq!(std::fs::read(two.join("file")).unwrap(), b"onetwo");
    resume(&[]).fails_with(1, "descriptor 3 `/`: no directory is given");
    std::fs::remove_file(one.join("file")).unwrap();
    resume(&["--dir", "one::/"]).fails_with(1, "descriptor 4 `//file`");
    // The program meets a bad descriptor, and traps as it is written.
    assert_eq!(
        resume(&["--dir", "one::/", "--allow-lost-files"]).code,
        Some(134)
    );
}

#[test]
fn output_after_the_snapshot_can_be_cut_off() {
    let folder = Folder::new();
    folder.file("a.wat", writes());
    std::fs::create_dir(folder.path().join("dir")).unwrap();
    let out = folder.path().join("out");
    let run = |args: &[&str]| {
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&out)
            .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sheave"));
        command.args(args).args(["--dir", "dir::/"]);
        let command = command
            .current_dir(folder.path())
            .stdout(file)
            .stderr(Stdio::piped());
        Ended::from(command.output().unwrap())
    };
    std::fs::write(&out, "before ").unwrap();
    let take = ["snapshot", "--fuel", "50000", "-o", "snap", "a.wat"];
    assert_eq!(run(&take).code, Some(0));
    let text = || std::fs::read_to_string(&out).unwrap();
    assert_eq!(text(), "before one");
    let resume = ["resume", "snap", "--fuel", "1000000"];
    assert_eq!(run(&resume).code, Some(0));
    assert_eq!(text(), "before onetwo");
    assert_eq!(run(&resume).code, Some(0));
    assert_eq!(text(), "before onetwotwo");
    let rewind = ["resume", "snap", "--fuel", "1000000", "--rewind-output"];
    assert_eq!(run(&rewind).code, Some(0));
    assert_eq!(text(), "before onetwo");
    std::fs::write(&out, "short").unwrap();
    run(&rewind).fails_with(1, "standard output cannot be cut off");
}

#[test]
fn what_is_no_snapshot_of_a_program_is_an_error_of_one_line() {
    let folder = Folder::new();
    folder.file("count.wat", COUNT);
    folder.file("text", "something else");
    folder
        .sheave(&["resume", "text"])
        .fails(1, "text: not a snapshot");
    folder.sheave(&["resume", "none"]).fails_with(1, "none: ");
    let take = [
        "snapshot",
        "--invoke",
        "count",
        "-o",
        "snap",
        "count.wat",
        "3",
    ];
    let ended = folder.sheave(&take);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("ended before it paused"), "{ended:?}");
    assert!(!folder.path().join("snap").exists());
    let take: Vec<&str> = [&take[..1], &["--fuel", "7"], &take[1..7]].concat();
    folder.sheave(&take).prints("");
    folder
        .sheave(&["resume", "snap", "--invoke", "count", "1"])
        .fails_with(2, "a call waits");
    let bytes = std::fs::read(folder.path().join("snap")).unwrap();
    for len in [0, 7, 40, 150, bytes.len() / 2, bytes.len() - 1] {
        folder.file("cut", &bytes[..len]);
        let ended = folder.sheave(&["resume", "cut"]);
        assert_eq!(
            (ended.code, ended.stderr.lines().count()),
            (Some(1), 1),
            "{len}: {ended:?}"
        );
    }
    folder
        .sheave(&["run", "count.wat", "--snapshot-every", "1s"])
        .code
        .map(|code| assert_eq!(code, 2))
        .unwrap();
    folder
        .sheave(&["run", "count.wat", "--snapshot-to", "no/where"])
        .fails(1, "no/where: no snapshot can be written there");
}

#[test]
fn a_module_can_stay_in_its_file() {
    let folder = Folder::new();
    let file = folder.file("count.wat", COUNT);
    let straight = folder.sheave(&["run", "--invoke", "count", "count.wat", "1000"]);
    let take = |modules| {
        let fuel = [
            "snapshot", "--fuel", "5000", "--invoke", "count", "-o", "snap",
        ];
        folder
            .sheave(&[&fuel[..], &["--modules", modules, "count.wat", "1000"]].concat())
            .prints("");
        let bytes = std::fs::read(folder.path().join("snap")).unwrap();
        ["\0asm", "sheave\x1a\n"]
            .map(|magic| bytes.windows(magic.len()).any(|b| b == magic.as_bytes()))
    };
    let contained = ["absent", "embedded", "translated"].map(take);
    assert_eq!(contained, [[false, false], [true, false], [true, true]]);
    let resume = ["resume", "snap", "--fuel", "1000000"];
    folder.sheave(&resume).prints(&straight.stdout);
    take("absent");
    folder.sheave(&resume).prints(&straight.stdout);
    std::fs::rename(&file, folder.path().join("moved")).unwrap();
    folder.sheave(&resume).fails_with(1, "count.wat: ");
    let moved = [&resume[..], &["--module", "moved"]].concat();
    folder.sheave(&moved).prints(&straight.stdout);
    folder.file("moved", "(module)");
    folder
        .sheave(&moved)
        .fails_with(1, "does not contain module");
    take_of(&folder);
}

/// A program that is resumed writes its module as it is told, too.
fn take_of(folder: &Folder) {
    folder.file("count.wat", COUNT);
    let take = [
        "snapshot",
        "--fuel",
        "5000",
        "--invoke",
        "count",
        "-o",
        "snap",
        "count.wat",
        "1000",
    ];
    folder.sheave(&take).prints("");
    let straight = folder.sheave(&["resume", "snap", "--fuel", "1000000"]);
    let again = [
        "resume",
        "snap",
        "--fuel",
        "1000000",
        "--snapshot-to",
        "again",
        "--snapshot-after-start",
    ];
    folder
        .sheave(&[&again[..], &["--snapshot-modules", "translated"]].concat())
        .prints(&straight.stdout);
    folder
        .sheave(&["resume", "again", "--fuel", "1000000"])
        .prints(&straight.stdout);
}
