//! Programs in C, compiled with clang and wasi-libc where they are installed, run on the engine with WASI.

#![cfg(all(feature = "wasi", unix))]

use sheave_hostcalls::wasi::{
    self, DirPerms, FilePerms, I32Exit, MemoryInputPipe, MemoryOutputPipe, WasiCtx, WasiCtxBuilder,
};
use sheave_hostcalls::{Config, Engine, Executor, Linker, Module, Result, Store, Trap};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A program from `tests/wasi`, or `None` with a message where it can't be compiled.
fn compile(name: &str, into: &TempDir) -> Option<Vec<u8>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/wasi/{name}.c"));
    let out = into.path().join("program.wasm");
    let clang = Command::new("clang")
        .args(["--target=wasm32-wasi", "--sysroot=/usr", "-O1", "-o"])
        .args([&out, &source])
        .output();
    match clang {
        Ok(o) if o.status.success() => Some(std::fs::read(out).unwrap()),
        Ok(o) => {
            eprintln!(
                "skipped: clang can't compile for wasm32-wasi: {}",
                String::from_utf8_lossy(&o.stderr)
            );
            None
        }
        Err(e) => {
            eprintln!("skipped: no clang: {e}");
            None
        }
    }
}

/// What a program has written, and how it ended.
struct Run {
    stdout: String,
    stderr: String,
    result: Result<()>,
}

fn run(wasm: &[u8], config: &Config, root: &Path, ctx: impl FnOnce(&mut WasiCtxBuilder)) -> Run {
    let (out, err) = (
        MemoryOutputPipe::new(1 << 20),
        MemoryOutputPipe::new(1 << 20),
    );
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(out.clone())
        .stderr(err.clone())
        .arg("program");
    builder
        .preopened_dir(root, "/", DirPerms::all(), FilePerms::all())
        .unwrap();
    ctx(&mut builder);
    let result = start(wasm, config, builder.build());
    let text = |pipe: MemoryOutputPipe| String::from_utf8(pipe.contents()).unwrap();
    Run {
        stdout: text(out),
        stderr: text(err),
        result,
    }
}

fn start(wasm: &[u8], config: &Config, ctx: WasiCtx) -> Result<()> {
    let engine = Engine::new(config)?;
    let module = Module::new(&engine, wasm)?;
    let mut linker = Linker::new(&engine);
    wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
    let mut store = Store::new(&engine, ctx);
    let instance = linker.instantiate(&mut store, &module)?;
    instance
        .get_typed_func::<(), ()>(&mut store, "_start")?
        .call(&mut store, ())
}

/// On each executor that there is.
fn each(name: &str, check: impl Fn(&[u8], &Config, &Path)) {
    let tmp = tempfile::tempdir().unwrap();
    let Some(wasm) = compile(name, &tmp) else {
        return;
    };
    for executor in [Executor::Threaded, Executor::Portable]
        .into_iter()
        .filter(|e| e.available())
    {
        let root = tempfile::tempdir().unwrap();
        let mut config = Config::new();
        config.executor(executor);
        check(&wasm, &config, root.path());
    }
}

#[test]
fn files() {
    each("files", |wasm, config, root| {
        let run = run(wasm, config, root, |_| {});
        assert_eq!(
            (run.stdout.as_str(), run.stderr.as_str()),
            ("files ok\n", "")
        );
        run.result.unwrap();
        assert_eq!(
            std::fs::read_to_string(root.join("text.txt"))
                .unwrap()
                .lines()
                .count(),
            10_000
        );
    });
}

#[test]
fn dirs() {
    each("dirs", |wasm, config, root| {
        let run = run(wasm, config, root, |_| {});
        assert_eq!(
            (run.stdout.as_str(), run.stderr.as_str()),
            ("dirs ok\n", "")
        );
        run.result.unwrap();
        assert_eq!(std::fs::read_dir(root).unwrap().count(), 0);
    });
}

#[test]
fn process() {
    each("process", |wasm, config, root| {
        let run = run(wasm, config, root, |b| {
            b.args(&["a b", ""])
                .env("KEY", "value")
                .stdin(MemoryInputPipe::new("one\ntwo\n"));
        });
        let expected = "arg 0: program\narg 1: a b\narg 2: \nKEY=value NONE=0\nin: one\nin: two\nno newline at the end";
        assert_eq!(
            (run.stdout.as_str(), run.stderr.as_str()),
            (expected, "to stderr\n")
        );
        assert_eq!(run.result.unwrap_err().downcast_ref(), Some(&I32Exit(42)));
    });
}

#[test]
fn nothing_is_lost_in_a_trap() {
    each("trap", |wasm, config, root| {
        let run = run(wasm, config, root, |_| {});
        assert_eq!(run.stdout, "before");
        assert_eq!(
            run.result.unwrap_err().downcast_ref(),
            Some(&Trap::Unreachable)
        );
    });
}

#[test]
fn the_older_module() -> Result<()> {
    let wat = r#"(module
        (import "wasi_unstable" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
        (import "wasi_unstable" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_unstable" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\08\00\00\00\02\00\00\00hi")
        (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
            (call $exit (call $seek (i32.const 9) (i64.const 0) (i32.const 0) (i32.const 16)))))"#;
    let out = MemoryOutputPipe::new(100);
    let ctx = WasiCtxBuilder::new().stdout(out.clone()).build();
    let error = start(wat.as_bytes(), &Config::new(), ctx).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&I32Exit(8)));
    assert_eq!(out.contents(), b"hi");
    Ok(())
}

#[test]
fn without_a_memory() -> Result<()> {
    let wat = r#"(module
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (func (export "_start") (drop (call $yield))))"#;
    let error = start(
        wat.as_bytes(),
        &Config::new(),
        WasiCtxBuilder::new().build(),
    )
    .unwrap_err();
    assert!(
        format!("{error:?}").contains("exports no memory"),
        "{error:?}"
    );
    Ok(())
}

/// A guest that sleeps for years and then loops is stopped all the same.
#[test]
fn a_sleeping_guest_can_be_interrupted() -> Result<()> {
    let wat = r#"(module
        (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 16) "\01")
        (data (i32.const 24) "\ff\ff\ff\ff\ff\ff\ff\7f")
        (func (export "_start")
            (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
            (loop (br 0))))"#;
    let mut config = Config::new();
    config.interruption(true);
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, wat)?;
    let mut linker = Linker::new(&engine);
    wasi::add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
    let mut store = Store::new(&engine, WasiCtxBuilder::new().build());
    let handle = store.interrupt_handle();
    let start = Instant::now();
    let timer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        handle.interrupt();
    });
    let instance = linker.instantiate(&mut store, &module)?;
    let error = instance
        .get_typed_func::<(), ()>(&mut store, "_start")?
        .call(&mut store, ())
        .unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
    assert!(start.elapsed() < Duration::from_secs(20));
    timer.join().unwrap();
    Ok(())
}
