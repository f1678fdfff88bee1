//! Differential fuzzing: modules made by wasm-smith and by a generator of our own (`dense.rs`), under sheave (both executors, lazy and eager, with and without fuel,
//! moving between calls) and under wasmi. Results, traps, host calls, memories, globals and tables must be the same.
//!
//! ```text
//! cargo run --release --manifest-path fuzz/Cargo.toml -- --seconds 60 --seed 1
//! cargo run --release --manifest-path fuzz/Cargo.toml -- --case 0x1234          # one seed again
//! cargo run --release --manifest-path fuzz/Cargo.toml -- --wasm FILE --case 0x1234 --shrink
//! cargo run --release --manifest-path fuzz/Cargo.toml -- --corpus DIR --times 3 # programs that export run(i32) -> i64
//! cargo run --release --manifest-path fuzz/Cargo.toml -- --damaged --seconds 60 # damaged images, opened and run
//! cargo run --release --manifest-path fuzz/Cargo.toml -- --snapshots --seconds 60 # damaged snapshots, restored and run
//! cargo run --release --manifest-path fuzz/Cargo.toml -- --objects --seconds 60 # garbage collection at every allocation
//! cargo run --release --manifest-path fuzz/Cargo.toml --features wasmtime -- --references --seconds 60 # objects, typed references, exceptions
//! ```

mod case;
mod check;
mod conts;
mod damage;
mod dense;
mod edit;
mod objects;
mod ours;
mod peer;
mod random;
mod references;
mod snapshots;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use case::Case;
use check::{Verdict, check};

struct Args {
    seconds: u64,
    seed: u64,
    case: Option<u64>,
    wasm: Option<PathBuf>,
    corpus: Option<PathBuf>,
    times: i32,
    shrink: bool,
    damaged: bool,
    snapshots: bool,
    objects: bool,
    references: bool,
    damaged_child: Option<u64>,
    damaged_case: Option<u64>,
    out: PathBuf,
}

impl Args {
    fn subject(&self) -> damage::Subject {
        if self.snapshots {
            damage::Subject::Snapshots
        } else {
            damage::Subject::Images
        }
    }

    fn make(&self, seed: u64) -> Option<Case> {
        if self.references {
            references::case(seed)
        } else {
            Case::new(seed)
        }
    }

    fn check(&self, wasm: &[u8], seed: u64) -> Result<Verdict> {
        if self.references {
            references::check(wasm, seed)
        } else {
            check(wasm, seed)
        }
    }
}

fn number(text: &str) -> Result<u64> {
    Ok(match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16)?,
        None => text.parse()?,
    })
}

fn args() -> Result<Args> {
    let mut a = Args {
        seconds: 60,
        seed: 1,
        case: None,
        wasm: None,
        corpus: None,
        times: 3,
        shrink: false,
        damaged: false,
        snapshots: false,
        objects: false,
        references: false,
        damaged_child: None,
        damaged_case: None,
        out: Path::new(env!("CARGO_MANIFEST_DIR")).join("found"),
    };
    let mut all = std::env::args().skip(1);
    while let Some(name) = all.next() {
        let mut value = || all.next().with_context(|| format!("{name} wants a value"));
        match name.as_str() {
            "--seconds" => a.seconds = number(&value()?)?,
            "--seed" => a.seed = number(&value()?)?,
            "--case" => a.case = Some(number(&value()?)?),
            "--wasm" => a.wasm = Some(value()?.into()),
            "--corpus" => a.corpus = Some(value()?.into()),
            "--times" => a.times = number(&value()?)? as i32,
            "--out" => a.out = value()?.into(),
            "--shrink" => a.shrink = true,
            "--damaged" => a.damaged = true,
            "--snapshots" => a.snapshots = true,
            "--objects" => a.objects = true,
            "--references" => a.references = true,
            "--damaged-child" => a.damaged_child = Some(number(&value()?)?),
            "--damaged-case" => a.damaged_case = Some(number(&value()?)?),
            _ => bail!("unknown option {name}"),
        }
    }
    Ok(a)
}

/// A panic is a finding too.
fn guarded(a: &Args, wasm: &[u8], seed: u64) -> Verdict {
    match catch_unwind(AssertUnwindSafe(|| a.check(wasm, seed))) {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(e)) => Verdict::Differ(format!("error: {e:#}")),
        Err(payload) => {
            let text = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied());
            Verdict::Differ(format!("panic: {}", text.unwrap_or("?")))
        }
    }
}

/// The case that runs now, and when it began: what is left of it when the process hangs.
static CURRENT: AtomicU64 = AtomicU64::new(0);
static TURN: AtomicU64 = AtomicU64::new(0);

fn watch() {
    std::thread::spawn(|| {
        let mut last = u64::MAX;
        loop {
            std::thread::sleep(Duration::from_secs(120));
            let turn = TURN.load(Ordering::Relaxed);
            if turn == last {
                eprintln!("hangs: --case {:#x}", CURRENT.load(Ordering::Relaxed));
                std::process::abort();
            }
            last = turn;
        }
    });
}

fn report(a: &Args, seed: u64, wasm: &[u8], text: &str) -> Result<()> {
    std::fs::create_dir_all(&a.out)?;
    let file = a.out.join(format!("{seed:016x}.wasm"));
    std::fs::write(&file, wasm)?;
    println!(
        "FOUND --case {seed:#x} ({} bytes, {}): {text}",
        wasm.len(),
        file.display()
    );
    Ok(())
}

fn fuzz(a: &Args) -> Result<u64> {
    watch();
    std::fs::create_dir_all(&a.out)?;
    let current = a.out.join(format!("current-{}", a.seed));
    let mut seeds = case::Random(a.seed);
    let start = Instant::now();
    let mut said = start;
    let [
        mut modules,
        mut rejected,
        mut calls,
        mut returned,
        mut skipped,
        mut found,
    ] = [0_u64; 6];
    while start.elapsed() < Duration::from_secs(a.seconds) {
        let seed = seeds.next();
        CURRENT.store(seed, Ordering::Relaxed);
        TURN.fetch_add(1, Ordering::Relaxed);
        // If the process dies, the file says where.
        std::fs::write(&current, format!("--case {seed:#x}\n"))?;
        let Some(case) = a.make(seed) else {
            continue;
        };
        modules += 1;
        match guarded(a, &case.wasm, case.seed) {
            Verdict::Agree { calls: 0, .. } => rejected += 1,
            Verdict::Agree {
                calls: c,
                returned: r,
            } => {
                calls += c;
                returned += r;
            }
            Verdict::Skipped => skipped += 1,
            Verdict::Differ(text) => {
                found += 1;
                report(a, seed, &case.wasm, &text)?;
            }
        }
        if said.elapsed() > Duration::from_secs(60) {
            said = Instant::now();
            println!(
                "{} s: {modules} modules, {rejected} without calls, {calls} calls, {returned} returned, {skipped} skipped, {found} found",
                start.elapsed().as_secs()
            );
        }
    }
    std::fs::remove_file(&current)?;
    println!(
        "{} s: {modules} modules, {rejected} without calls, {calls} calls, {returned} returned, {skipped} skipped, {found} found",
        start.elapsed().as_secs()
    );
    Ok(found)
}

/// The kind of a difference, so that shrinking does not wander to another.
fn kind(text: &str) -> &str {
    text.split([':', '{', '(']).next().unwrap_or(text)
}

fn one(a: &Args, seed: u64) -> Result<u64> {
    let wasm = match &a.wasm {
        Some(path) => std::fs::read(path)?,
        None => a.make(seed).context("no module has this seed")?.wasm,
    };
    let Verdict::Differ(text) = guarded(a, &wasm, seed) else {
        println!("nothing found");
        return Ok(0);
    };
    report(a, seed, &wasm, &text)?;
    if a.shrink {
        let same = |w: &[u8]| {
            Ok(matches!(guarded(a, w, seed), Verdict::Differ(t) if kind(&t) == kind(&text)))
        };
        let shrunk = wasm_shrink::WasmShrink::default()
            .attempts(a.seconds as u32 * 50)
            .run(wasm, same)?
            .output;
        let file = a.out.join(format!("{seed:016x}.small.wasm"));
        std::fs::write(&file, &shrunk)?;
        println!("{}\n{}", file.display(), wasmprinter::print_bytes(&shrunk)?);
        if let Verdict::Differ(text) = guarded(a, &shrunk, seed) {
            println!("{text}");
        }
    }
    Ok(1)
}

/// Programs that export `run(i32) -> i64` give the same under everything.
fn corpus(dir: &Path, times: i32) -> Result<u64> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|f| f.extension().is_some_and(|e| e == "wasm"));
    files.sort();
    let mut found = 0;
    for file in files {
        let wasm = std::fs::read(&file)?;
        let mut line = Vec::new();
        for n in 1..=times {
            let say = |r: Result<i64>| r.map_or_else(|_| "an error".into(), |v| format!("{v:#x}"));
            let theirs = say(peer::program(&wasm, n));
            for mode in check::program_modes() {
                let ours = say(ours::program(&wasm, n, &mode));
                if ours != theirs {
                    found += 1;
                    println!(
                        "FOUND {}: run({n}) gives {ours} with {mode:?}, {theirs} under wasmi",
                        file.display()
                    );
                }
            }
            line.push(theirs);
        }
        println!("{}: {}", file.display(), line.join(" "));
    }
    Ok(found)
}

fn main() -> Result<()> {
    let a = args()?;
    if let Some(seed) = a.damaged_case {
        return damage::single(a.subject(), seed);
    }
    // What panics is said once, with the seed.
    if a.case.is_none() {
        std::panic::set_hook(Box::new(|_| {}));
    }
    if let Some(skip) = a.damaged_child {
        damage::child(a.subject(), a.seed, skip, a.seconds);
        return Ok(());
    }
    let found = match (&a.corpus, a.case) {
        _ if a.damaged || a.snapshots => damage::fuzz(a.subject(), a.seed, a.seconds)?,
        (None, Some(seed)) if a.objects => {
            println!("{}", objects::module(seed));
            match objects::check(seed) {
                Ok(_) => 0,
                Err(text) => {
                    println!("{text}");
                    1
                }
            }
        }
        _ if a.objects => objects::fuzz(a.seed, a.seconds),
        (Some(dir), _) => corpus(dir, a.times)?,
        (None, Some(seed)) => one(&a, seed)?,
        (None, None) => fuzz(&a)?,
    };
    if found > 0 {
        println!("{found} found");
        std::process::exit(1);
    }
    Ok(())
}
