//! `sheave run`.

use crate::{Folder, program};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

fn arithmetic(folder: &Folder) {
    folder.file(
        "a.wat",
        r#"(module
             (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
             (func (export "div") (param i64 i64) (result i64) (i64.div_s (local.get 0) (local.get 1)))
             (func (export "half") (param f32) (result f32) (f32.mul (local.get 0) (f32.const 0.5)))
             (func (export "swap") (param f64 i32) (result i32 f64) (local.get 1) (local.get 0))
             (func (export "is_null") (param externref) (result i32) (ref.is_null (local.get 0)))
             (func (export "nothing")))"#,
    );
}

#[test]
fn hello_world_says_hello() {
    Folder::new()
        .sheave(&["run", &format!("{EXAMPLES}/hello.wat")])
        .prints("Hello, sheave!\n");
}

#[test]
fn the_mandelbrot_example_draws_32_lines() {
    let ended = Folder::new().sheave(&["run", &format!("{EXAMPLES}/mandelbrot.wat")]);
    assert_eq!(
        (ended.code, ended.stdout.lines().count()),
        (Some(0), 32),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout.matches('▀').count(), 96 * 32);
}

#[test]
fn an_invoked_function_prints_its_results() {
    let folder = Folder::new();
    arithmetic(&folder);
    let run = |args: &[&str]| folder.sheave(&[&["run", "a.wat", "--invoke"], args].concat());
    run(&["add", "--", "2", "40"]).prints("42\n");
    run(&["add", "--", "-1", "0x10"]).prints("15\n");
    run(&["add", "4294967295", "0"]).prints("-1\n");
    run(&["half", "--", "3"]).prints("1.5\n");
    run(&["half", "--", "-inf"]).prints("-inf\n");
    run(&["swap", "--", "2.5", "7"]).prints("7\n2.5\n");
    run(&["is_null", "null"]).prints("1\n");
    run(&["nothing"]).prints("");
    folder
        .sheave(&["run", "--invoke", "add", "a.wat", "1", "2"])
        .prints("3\n");
}

#[test]
fn both_executors_give_the_same() {
    let folder = Folder::new();
    let fib = format!("{EXAMPLES}/fib.wat");
    folder
        .sheave(&[
            "run",
            &fib,
            "--invoke",
            "fib",
            "--executor",
            "portable",
            "--",
            "20",
        ])
        .prints("6765\n");
    folder
        .sheave(&["run", &fib, "--invoke", "fib", "--", "20"])
        .prints("6765\n");
}

#[test]
fn wrong_arguments_of_a_function_exit_with_2() {
    let folder = Folder::new();
    arithmetic(&folder);
    let run = |args: &[&str]| folder.sheave(&[&["run", "a.wat", "--invoke"], args].concat());
    run(&["add", "1"]).fails(2, "`add` takes 2 arguments, 1 were given");
    run(&["add", "1", "two"]).fails(2, "`two` is no i32");
    run(&["add", "1", "4294967296"]).fails(2, "`4294967296` is no i32");
    run(&["is_null", "7"]).fails(
        2,
        "an argument of type externref cannot be given on the command line",
    );
    run(&["sub"]).fails(1, "a.wat: no function `sub` is exported");
}

#[test]
fn a_reactor_is_initialised_before_a_function_is_invoked() {
    let folder = Folder::new();
    folder.file(
        "r.wat",
        r#"(module
             (global $ready (mut i32) (i32.const 0))
             (func (export "_initialize") (global.set $ready (i32.const 7)))
             (func (export "ready") (result i32) (global.get $ready)))"#,
    );
    folder
        .sheave(&["run", "r.wat", "--invoke", "ready"])
        .prints("7\n");
}

#[test]
fn the_guests_exit_code_is_passed_on() {
    let folder = Folder::new();
    for code in [0, 1, 7, 255] {
        folder.file(
            "exit.wat",
            program("", &format!("(call $exit (i32.const {code}))")),
        );
        let ended = folder.sheave(&["run", "exit.wat"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(code), ""));
    }
}

#[test]
fn a_trap_prints_its_wasm_backtrace_and_exits_with_134() {
    let folder = Folder::new();
    folder.file(
        "trap.wat",
        r#"(module $crash
             (memory 1)
             (func $inner (param i32) (result i32) (i32.load (local.get 0)))
             (func $outer (result i32) (i32.add (i32.const 1) (call $inner (i32.const -1))))
             (func (export "_start") (drop (call $outer))))"#,
    );
    let ended = folder.sheave(&["run", "trap.wat"]);
    assert_eq!(ended.code, Some(134), "{ended:?}");
    assert!(
        ended
            .stderr
            .starts_with("sheave: trap: out of bounds memory access\n"),
        "{ended:?}"
    );
    let frames: Vec<_> = ended
        .stderr
        .lines()
        .filter(|line| line.contains("0x"))
        .collect();
    assert_eq!(frames.len(), 3, "{ended:?}");
    for (frame, name) in
        frames
            .iter()
            .zip(["crash!inner", "crash!outer", "crash!<wasm function 2>"])
    {
        assert!(frame.contains(name), "{frame} should hold {name}");
    }
}

#[test]
fn a_trap_of_an_invoked_function_exits_with_134() {
    let folder = Folder::new();
    arithmetic(&folder);
    let ended = folder.sheave(&["run", "a.wat", "--invoke", "div", "--", "1", "0"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(134), ""),
        "{ended:?}"
    );
    assert!(
        ended
            .stderr
            .starts_with("sheave: trap: integer divide by zero\n"),
        "{ended:?}"
    );
}

#[test]
fn a_trap_in_the_start_function_exits_with_134() {
    let folder = Folder::new();
    folder.file("s.wat", "(module (func $begin unreachable) (start $begin))");
    let ended = folder.sheave(&["run", "s.wat"]);
    assert_eq!(ended.code, Some(134), "{ended:?}");
    assert!(ended.stderr.contains("unreachable"), "{ended:?}");
}

#[test]
fn endless_recursion_is_a_trap() {
    let folder = Folder::new();
    folder.file(
        "deep.wat",
        r#"(module (func $f (export "_start") (call $f) (call $f)))"#,
    );
    let ended = folder.sheave(&["run", "deep.wat"]);
    assert_eq!(ended.code, Some(134), "{ended:?}");
    assert!(
        ended
            .stderr
            .starts_with("sheave: trap: call stack exhausted\n"),
        "{ended:?}"
    );
    assert!(
        ended.stderr.lines().count() < 100,
        "a backtrace of bounded length"
    );
}

#[test]
fn arguments_and_environment_reach_the_guest() {
    let folder = Folder::new();
    // Prints the strings' bytes, zeros included; their total length stands at 20.
    folder.file(
        "args.wat",
        program(
            "",
            "(drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
             (drop (call $args_get (i32.const 1024) (i32.const 4096)))
             (call $print (i32.const 4096) (i32.load (i32.const 20)))
             (drop (call $env_sizes_get (i32.const 16) (i32.const 20)))
             (drop (call $env_get (i32.const 1024) (i32.const 4096)))
             (call $print (i32.const 4096) (i32.load (i32.const 20)))",
        ),
    );
    folder.sheave(&["run", "args.wat"]).prints("args.wat\0");
    folder
        .sheave(&["run", "args.wat", "--", "-c", "a b", "--fuel"])
        .prints("args.wat\0-c\0a b\0--fuel\0");
    folder
        .sheave(&[
            "run",
            "--env",
            "A=1=2",
            "--env",
            "FROM_OUTSIDE",
            "args.wat",
            "x",
        ])
        .prints("args.wat\0x\0A=1=2\0FROM_OUTSIDE=seen\0");
    folder
        .sheave(&["run", "--env", "NO_SUCH", "args.wat"])
        .fails(2, "--env NO_SUCH: no such variable here");
}

/// Opens `secret.txt` in the first preopened directory and exits with the error number.
fn opener() -> String {
    program(
        r#"(data (i32.const 64) "secret.txt")"#,
        "(call $exit (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 10) (i32.const 0)
           (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 128)))",
    )
}

#[test]
fn a_directory_is_reached_only_when_given() {
    const BADF: i32 = 8;
    const NOENT: i32 = 44;
    let folder = Folder::new();
    folder.file("open.wat", opener());
    folder.file("secret.txt", "hush");
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    assert_eq!(folder.sheave(&["run", "open.wat"]).code, Some(BADF));
    assert_eq!(
        folder.sheave(&["run", "--dir", ".", "open.wat"]).code,
        Some(0)
    );
    assert_eq!(
        folder
            .sheave(&["run", "--dir", ".::/data", "open.wat"])
            .code,
        Some(0)
    );
    assert_eq!(
        folder
            .sheave(&["run", "--dir", "empty::/", "open.wat"])
            .code,
        Some(NOENT)
    );
    folder
        .sheave(&["run", "--dir", "nowhere::/", "open.wat"])
        .fails(1, "nowhere: No such file or directory");
}

#[test]
fn fuel_runs_out_with_a_trap() {
    let folder = Folder::new();
    folder.file(
        "loop.wat",
        r#"(module (func (export "_start") (loop (br 0))))"#,
    );
    let ended = folder.sheave(&["run", "--fuel", "100000", "loop.wat"]);
    assert_eq!(ended.code, Some(134), "{ended:?}");
    assert!(
        ended
            .stderr
            .starts_with("sheave: trap: all fuel consumed by WebAssembly\n"),
        "{ended:?}"
    );
}

#[test]
fn enough_fuel_is_no_matter_and_is_counted() {
    let folder = Folder::new();
    arithmetic(&folder);
    let run = |executor| {
        let args = [
            "run",
            "--fuel",
            "1000",
            "--stats",
            "--executor",
            executor,
            "a.wat",
            "--invoke",
            "add",
            "1",
            "2",
        ];
        folder.sheave(&args)
    };
    let ended = run("portable");
    ended.prints("3\n");
    let fuel = ended
        .stderr
        .lines()
        .find(|line| line.starts_with("fuel used"))
        .expect("a line for fuel");
    let fuel: u64 = fuel
        .split_whitespace()
        .last()
        .expect("a number")
        .parse()
        .expect("a number");
    assert!((1..1000).contains(&fuel));
}

#[test]
fn a_time_limit_stops_a_loop() {
    let folder = Folder::new();
    folder.file(
        "loop.wat",
        r#"(module (func (export "_start") (loop (br 0))))"#,
    );
    let started = std::time::Instant::now();
    let ended = folder.sheave(&["run", "--timeout", "200ms", "loop.wat"]);
    assert_eq!(ended.code, Some(134), "{ended:?}");
    assert!(
        ended
            .stderr
            .starts_with("sheave: trap: timed out after 200ms\n"),
        "{ended:?}"
    );
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn a_time_limit_ends_a_sleep_in_the_host() {
    let folder = Folder::new();
    // One subscription at 256: a monotonic clock, an hour away.
    let start = "(i32.store (i32.const 272) (i32.const 1))
                 (i64.store (i32.const 280) (i64.const 3600000000000))
                 (drop (call $poll (i32.const 256) (i32.const 512) (i32.const 1) (i32.const 600)))
                 (loop (br 0))";
    folder.file("sleep.wat", program("", start));
    let ended = folder.sheave(&["run", "--timeout", "100ms", "sleep.wat"]);
    assert_eq!(ended.code, Some(134), "{ended:?}");
    assert!(
        ended
            .stderr
            .starts_with("sheave: trap: timed out after 100ms"),
        "{ended:?}"
    );
}

#[test]
fn a_time_limit_that_is_not_reached_is_no_matter() {
    let folder = Folder::new();
    arithmetic(&folder);
    folder
        .sheave(&[
            "run",
            "--timeout",
            "1h",
            "a.wat",
            "--invoke",
            "add",
            "1",
            "2",
        ])
        .prints("3\n");
}

#[test]
fn memory_is_limited() {
    let folder = Folder::new();
    folder.file(
        "grow.wat",
        r#"(module (memory 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#,
    );
    let run = |limit, pages| {
        folder.sheave(&[
            "run",
            "--max-memory",
            limit,
            "grow.wat",
            "--invoke",
            "grow",
            pages,
        ])
    };
    run("1MiB", "15").prints("1\n");
    run("1MiB", "16").prints("-1\n");
    run("32KiB", "0").fails_with(1, "memory");
}

#[test]
fn stats_say_what_a_run_took() {
    let folder = Folder::new();
    arithmetic(&folder);
    let ended = folder.sheave(&["run", "--stats", "a.wat", "--invoke", "add", "1", "2"]);
    ended.prints("3\n");
    for part in ["load", "instantiate", "execute", "memory"] {
        assert!(
            ended.stderr.lines().any(|line| line.starts_with(part)),
            "{ended:?}"
        );
    }
    assert!(
        !ended.stderr.contains("fuel"),
        "fuel is not counted unless asked for"
    );
}

/// Writes `hello` to standard output.
const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "\10\00\00\00\06\00\00\00hello\n")
    (func (export "_start") (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))))"#;

#[test]
fn a_report_tells_the_stack_of_each_host_function() {
    let folder = Folder::new();
    folder.file("hello.wat", HELLO);
    let ended = folder.sheave(&["run", "--host-stack-report", "hello.wat"]);
    assert_eq!(
        (ended.code, &*ended.stdout),
        (Some(0), "hello\n"),
        "{ended:?}"
    );
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{ended:?}");
    let row: Vec<_> = lines[1].split_whitespace().collect();
    assert_eq!(
        row[1..],
        ["1048576", "1", "wasi_snapshot_preview1::fd_write"]
    );
    if cfg!(all(unix, target_arch = "x86_64")) {
        let most: usize = row[0].parse().unwrap();
        assert!((200..200_000).contains(&most), "{ended:?}");
    }
    let ended = folder.sheave(&["run", "--host-stack-limit", "64KiB", "hello.wat"]);
    assert_eq!(
        (ended.code, &*ended.stdout, &*ended.stderr),
        (Some(0), "hello\n", ""),
        "{ended:?}"
    );
}

#[test]
fn tasks_take_turns_where_stack_switching_is_switched_on() {
    let tasks = format!("{EXAMPLES}/tasks.wat");
    let folder = Folder::new();
    let turns = [
        "a, turn 0",
        "b, turn 0",
        "c, turn 0",
        "b, turn 1",
        "c, turn 1",
        "c, turn 2",
    ];
    let lines: String = turns.iter().map(|t| format!("task {t}\n")).collect();
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_string).collect();
        lines.sort();
        lines
    };
    let ended = folder.sheave(&["run", "--features", "stack-switching", &tasks]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(sorted(&ended.stdout), sorted(&lines));
    assert_eq!(
        folder.sheave(&["run", "--features", "all", &tasks]).stdout,
        ended.stdout
    );
    for off in [
        &["run", &tasks][..],
        &["run", "--features=-stack-switching", &tasks],
    ] {
        let refused = folder.sheave(off);
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        assert!(refused.stderr.contains("tasks.wat"), "{}", refused.stderr);
    }
    let refused = folder.sheave(&["run", "--features", "teleportation", &tasks]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("stack-switching"),
        "{}",
        refused.stderr
    );
}
