//! Programs that are killed at random times, again and again, and go on from their last snapshot: what they print must be
//! what they print undisturbed, and at no time may the file be anything but a whole snapshot.
//!
//! A short version runs with the others. The long one: `SHEAVE_KILLS=300 cargo test --release -p sheave-cli --test kill`; with
//! CPython too if `SHEAVE_PYTHON` names its module (`tests/programs/run.sh` fetches it). `SHEAVE_SEED` repeats a run, `SHEAVE` names
//! another binary of the command.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Steps through a sequence in which everything depends on all that was before; its memory fills up on the way. Prints 8
/// letters of its state and a line's end after each of so many rounds.
const GUEST: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 20)
    (data (i32.const 0) "\10\00\00\00\09\00\00\00")
    (func $round (param $x i64) (param $n i32) (result i64) (local $at i32)
        (loop $l
            (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
            (local.set $at (i32.add (i32.const 65536) (i32.and (i32.wrap_i64 (i64.shr_u (local.get $x) (i64.const 20))) (i32.const 0xffff8))))
            (i64.store (local.get $at) (i64.xor (local.get $x) (i64.load (local.get $at))))
            (local.set $x (i64.add (local.get $x) (i64.load (local.get $at))))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $x))
    (func $print (param $x i64) (local $i i32)
        (loop $l
            (i32.store8 offset=16 (local.get $i) (i32.add (i32.const 97) (i32.and (i32.wrap_i64 (local.get $x)) (i32.const 15))))
            (local.set $x (i64.shr_u (local.get $x) (i64.const 8)))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 8))))
        (i32.store8 (i32.const 24) (i32.const 10))
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func (export "_start") (local $x i64) (local $rounds i32)
        (local.set $x (i64.const 1))
        (local.set $rounds (i32.const ROUNDS))
        (loop $l
            (local.set $x (call $round (local.get $x) (i32.const 200000)))
            (call $print (local.get $x))
            (br_if $l (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))))"#;

/// As above, in Python: objects, strings, big numbers.
const SCRIPT: &str = r#"
import hashlib, sys
class Node:
    def __init__(self, value, before): self.value, self.before = value, before
seen, last, number = {}, None, 3
for i in range(ROUNDS):
    for k in range(400):
        number = number * 6364136223846793005 % (1 << 89) + k
        last = Node(number, last if k % 50 else None)
        seen[number % 500] = seen.get(number % 500, "") + chr(97 + number % 26)
        if len(seen[number % 500]) > 20: seen[number % 500] = seen[number % 500][7:]
    text = "".join(v for _, v in sorted(seen.items())) + str(last.value)
    print(i, hashlib.sha256(text.encode()).hexdigest()[:16])
    sys.stdout.flush()
"#;

/// A sequence of numbers from a seed, which is printed with what fails.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number")),
    )
}

struct Victim {
    folder: tempfile::TempDir,
    /// What `sheave run` gets.
    arguments: Vec<String>,
    every: &'static str,
    modules: &'static str,
    /// The latest that it is killed, in milliseconds.
    latest: u64,
}

impl Victim {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, first: &[&str]) -> Command {
        let ours = || env!("CARGO_BIN_EXE_sheave").into();
        let mut command = Command::new(std::env::var_os("SHEAVE").unwrap_or_else(ours));
        command.args(first).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stderr(self.append("errors"));
        command
    }

    fn append(&self, name: &str) -> File {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        options.open(self.path(name)).unwrap()
    }

    fn undisturbed(&self) -> Vec<u8> {
        let output = self
            .command(&["run"])
            .args(&self.arguments)
            .output()
            .unwrap();
        let errors = || std::fs::read_to_string(self.path("errors")).unwrap();
        assert!(output.status.success(), "{}", errors());
        output.stdout
    }

    /// Starts it, or goes on with it if there is a snapshot.
    fn start(&self) -> Child {
        let snapshots = [
            "--snapshot-to",
            "snap",
            "--snapshot-every",
            self.every,
            "--snapshot-modules",
            self.modules,
        ];
        let mut command = if self.path("snap").exists() {
            self.command(&["resume", "snap", "--rewind-output"])
        } else {
            let _ = std::fs::remove_file(self.path("out"));
            self.command(&["run"])
        };
        command.args(snapshots);
        if !self.path("snap").exists() {
            command.args(&self.arguments);
        }
        command.stdout(self.append("out")).spawn().unwrap()
    }

    /// Every byte of the file must be as it was written, and say something.
    fn check(&self) {
        let output = self
            .command(&["inspect", "--verify", "snap"])
            .output()
            .unwrap();
        let errors = || std::fs::read_to_string(self.path("errors")).unwrap();
        assert!(output.status.success(), "{}", errors());
    }

    /// Kills it so many times.
    fn kill(&self, kills: u64, random: &mut Random) {
        let straight = self.undisturbed();
        let (mut killed, mut resumed, mut ended) = (0, 0, 0);
        while killed < kills || ended == 0 {
            resumed += u64::from(self.path("snap").exists());
            let mut child = self.start();
            if killed < kills && killed % 2 == 0 {
                // However slow the machine is, every other life leaves a snapshot.
                while !self.path("snap").exists() && child.try_wait().unwrap().is_none() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            let status = if killed < kills {
                let time = 10 + random.below(self.latest);
                wait(&mut child, Duration::from_millis(time))
            } else {
                Some(child.wait().unwrap())
            };
            match status {
                None => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    killed += 1;
                }
                Some(status) => {
                    let errors = std::fs::read_to_string(self.path("errors")).unwrap();
                    assert!(status.success(), "{status}, after {killed} kills: {errors}");
                    let out = std::fs::read(self.path("out")).unwrap();
                    assert!(out == straight, "the output differs after {killed} kills");
                    ended += 1;
                    std::fs::remove_file(self.path("snap")).unwrap();
                    continue;
                }
            }
            if self.path("snap").exists() {
                self.check();
            }
        }
        eprintln!("{killed} kills, {resumed} times resumed, {ended} times to the end");
        assert!(
            resumed >= kills / 3,
            "snapshots come too late: {resumed} of {kills}"
        );
        let errors = std::fs::read_to_string(self.path("errors")).unwrap();
        assert_eq!(errors, "");
        // Nothing but what was there, and what the last one that was killed was about to write.
        let files = std::fs::read_dir(self.folder.path()).unwrap().count();
        assert!(files <= 6, "{files} files");
    }
}

/// Waits for its end, but not longer than this.
fn wait(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + time;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        let left = end.checked_duration_since(Instant::now())?;
        std::thread::sleep(left.min(Duration::from_millis(5)));
    }
}

fn random() -> Random {
    let seed = number("SHEAVE_SEED").unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    eprintln!("SHEAVE_SEED={seed}");
    Random(seed)
}

#[test]
fn a_program_that_is_killed_at_random_times_prints_what_it_prints_undisturbed() {
    let kills = number("SHEAVE_KILLS");
    let folder = tempfile::tempdir().unwrap();
    let rounds = if kills.is_some() { "3000" } else { "250" };
    std::fs::write(
        folder.path().join("guest.wat"),
        GUEST.replace("ROUNDS", rounds),
    )
    .unwrap();
    let victim = Victim {
        folder,
        arguments: vec!["guest.wat".into()],
        every: if kills.is_some() { "200ms" } else { "50ms" },
        modules: "embedded",
        latest: if kills.is_some() { 900 } else { 200 },
    };
    victim.kill(kills.unwrap_or(20), &mut random());
}

#[test]
fn python_that_is_killed_at_random_times_prints_what_it_prints_undisturbed() {
    let (Some(python), Some(kills)) = (std::env::var_os("SHEAVE_PYTHON"), number("SHEAVE_KILLS"))
    else {
        eprintln!("skipped: SHEAVE_PYTHON and SHEAVE_KILLS are not set");
        return;
    };
    let module = PathBuf::from(python).canonicalize().unwrap();
    let module = module.to_str().expect("a path in UTF-8").to_owned();
    let script = SCRIPT.replace("ROUNDS", "150");
    let victim = Victim {
        folder: tempfile::tempdir().unwrap(),
        arguments: vec![module, "--".into(), "-c".into(), script],
        every: "300ms",
        modules: "absent",
        latest: 2500,
    };
    victim.kill(kills, &mut random());
}
