//! The `sheave` command from outside: what it prints, and how it exits.

mod commands;
mod errors;
mod inspect;
mod run;
mod snapshots;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own for a test's files.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file and gives its path.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, content).expect("a file for the test");
        path
    }

    /// Runs the command in this folder.
    fn sheave(&self, args: &[&str]) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_sheave"))
            .args(args)
            .current_dir(self.path())
            .env("FROM_OUTSIDE", "seen")
            .output()
            .expect("the command starts");
        Ended::from(output)
    }
}

/// How the command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ended {
    /// It must have succeeded with this output.
    #[track_caller]
    fn prints(&self, stdout: &str) {
        assert_eq!(
            (self.code, self.stdout.as_str()),
            (Some(0), stdout),
            "{self:?}"
        );
    }

    /// It must have failed with this exit code and this one line.
    #[track_caller]
    fn fails(&self, code: i32, line: &str) {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (Some(code), format!("sheave: {line}\n").as_str()),
            "{self:?}"
        );
    }

    /// It must have failed with this exit code and one line that holds this text.
    #[track_caller]
    fn fails_with(&self, code: i32, text: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(
            self.stderr.starts_with("sheave: ") && self.stderr.contains(text),
            "{self:?}"
        );
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
    }
}

/// A module of WASI preview 1 that runs these instructions as `_start`.
fn program(functions: &str, start: &str) -> String {
    format!(
        r#"(module
             (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
             (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "environ_get" (func $env_get (param i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes_get (param i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "path_open"
               (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
             (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
             (memory (export "memory") 2)
             ;; Prints so many bytes from there.
             (func $print (param $at i32) (param $len i32)
               (i32.store (i32.const 0) (local.get $at))
               (i32.store (i32.const 4) (local.get $len))
               (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
             {functions}
             (func (export "_start") {start}))"#
    )
}
