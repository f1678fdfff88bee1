//! Programs that make and switch continuations, under sheave and wasmtime's native code, in one run:
//! `cargo run --release --manifest-path benches/stacks/Cargo.toml [-- [--chart FILE] NAME…]`. Every process runs one program on one
//! engine (wasmtime frees no continuation before its store goes), turn by turn, and the best of the rounds is shown.

mod chart;

use std::process::Command;
use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A program: its text, how often it does what it measures, and how often where that takes a native stack each.
struct Program {
    name: &'static str,
    text: &'static str,
    n: i64,
    n_native: i64,
    /// What is counted.
    unit: &'static str,
}

macro_rules! program {
    ($name:literal, $n:expr, $n_native:expr, $unit:literal) => {
        Program {
            name: $name,
            text: include_str!(concat!("../programs/", $name, ".wat")),
            n: $n,
            n_native: $n_native,
            unit: $unit,
        }
    };
}

const PROGRAMS: &[Program] = &[
    program!(
        "generator",
        10_000_000,
        10_000_000,
        "a value by suspend and resume"
    ),
    program!("create", 5_000_000, 20_000, "cont.new, resume, return"),
    program!(
        "ring",
        10_000_000,
        10_000_000,
        "a switch, among 1,000 tasks"
    ),
    program!(
        "nested",
        20_000,
        20_000,
        "suspend and resume through 1,000 handlers"
    ),
    program!(
        "c10m",
        1_000_000,
        20_000,
        "made, suspended with all others, resumed"
    ),
    program!("drops", 5_000_000, 20_000, "made, suspended, dropped"),
    program!(
        "state",
        10_000_000,
        10_000_000,
        "get or put of a state kept by a handler"
    ),
    program!("sieve", 2_000, 2_000, "a prime by a chain of generators"),
    program!(
        "skynet",
        1_000_000,
        10_000,
        "a leaf of a tree of continuations"
    ),
];

const ROUNDS: usize = 5;

fn sheave(wasm: &[u8], n: i64) -> Result<(f64, i64)> {
    let mut config = sheave::Config::new();
    config.wasm_stack_switching(true).max_wasm_stack(8 << 20);
    let engine = sheave::Engine::new(&config)?;
    let module = sheave::Module::new(&engine, wasm)?;
    let mut store = sheave::Store::new(&engine, ());
    let instance = sheave::Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<i64, i64>(&mut store, "run")?;
    let begun = Instant::now();
    let result = run.call(&mut store, n)?;
    Ok((begun.elapsed().as_secs_f64(), result))
}

fn wasmtime(wasm: &[u8], n: i64) -> Result<(f64, i64)> {
    let mut config = wasmtime::Config::new();
    config
        .wasm_stack_switching(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_exceptions(true);
    // A function that suspends takes more than 64 KiB of native stack there.
    config.async_stack_size(256 << 10).max_wasm_stack(128 << 10);
    let engine = wasmtime::Engine::new(&config)?;
    let module = wasmtime::Module::new(&engine, wasm).map_err(|e| format!("{e:#}"))?;
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<i64, i64>(&mut store, "run")?;
    let begun = Instant::now();
    let result = run.call(&mut store, n)?;
    Ok((begun.elapsed().as_secs_f64(), result))
}

/// What of the programs can be said with native coroutines.
fn corosensei(name: &str, n: i64) -> Result<(f64, i64)> {
    use corosensei::{Coroutine, CoroutineResult, stack::DefaultStack};
    let begun = Instant::now();
    let mut sum = 0;
    match name {
        "generator" => {
            let mut generator = Coroutine::new(|yielder, n: i64| {
                for i in 0..n {
                    yielder.suspend(i);
                }
            });
            while let CoroutineResult::Yield(v) = generator.resume(n) {
                sum += v;
            }
        }
        "create" => {
            let mut stack = DefaultStack::default();
            for i in 0..n {
                let mut once = Coroutine::<i64, (), i64, _>::with_stack(stack, |_, v| v << 1);
                if let CoroutineResult::Return(v) = once.resume(i) {
                    sum += v;
                }
                stack = once.into_stack();
            }
        }
        _ => return Err("not a program for native coroutines".into()),
    }
    Ok((begun.elapsed().as_secs_f64(), sum))
}

/// Most bytes of memory that this process had, about: the system counts in batches.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:"));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}

/// One program on one engine: prints seconds, result, and bytes.
fn one(engine: &str, name: &str, n: i64) -> Result<()> {
    let program = PROGRAMS
        .iter()
        .find(|p| p.name == name)
        .ok_or("no such program")?;
    let wasm = wat::parse_str(program.text)?;
    let before = peak_bytes();
    let (seconds, result) = match engine {
        "sheave" => sheave(&wasm, n)?,
        "wasmtime" => wasmtime(&wasm, n)?,
        _ => corosensei(name, n)?,
    };
    println!("{seconds} {result} {}", peak_bytes().saturating_sub(before));
    Ok(())
}

const ENGINES: [&str; 3] = ["sheave", "wasmtime", "corosensei"];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, engine, name, n] = &args[..]
        && flag == "--one"
    {
        return one(engine, name, n.parse()?);
    }
    let mut names = args;
    let chart = match names.iter().position(|a| a == "--chart") {
        Some(at) if at + 1 < names.len() => names.drain(at..at + 2).nth(1),
        _ => None,
    };
    let mut rows = Vec::new();
    println!("| program | counted | engine | n | ns each | of wasmtime | peak bytes each |");
    println!("|---|---|---|---:|---:|---:|---:|");
    for program in PROGRAMS {
        if !names.is_empty() && !names.iter().any(|a| a == program.name) {
            continue;
        }
        let mut best = [None::<f64>; 3];
        let mut last = [(0_i64, 0_u64); 3];
        let mut error = [const { String::new() }; 3];
        let times = |engine: usize| {
            if engine == 1 {
                program.n_native
            } else {
                program.n
            }
        };
        for _ in 0..ROUNDS {
            for (i, engine) in ENGINES.iter().enumerate() {
                let n = times(i).to_string();
                let run = Command::new(std::env::current_exe()?)
                    .args(["--one", engine, program.name, &n])
                    .output()?;
                let out = String::from_utf8_lossy(&run.stdout);
                let mut words = out.split_whitespace();
                match (
                    words.next().map(str::parse::<f64>),
                    words.next(),
                    words.next(),
                ) {
                    (Some(Ok(seconds)), Some(result), Some(bytes)) => {
                        best[i] = Some(best[i].unwrap_or(f64::MAX).min(seconds));
                        last[i] = (result.parse()?, bytes.parse()?);
                    }
                    _ => {
                        let text = String::from_utf8_lossy(&run.stderr);
                        let line = text.lines().find(|l| l.starts_with("Error"));
                        error[i] = line.or(text.lines().next()).unwrap_or("no result").into();
                    }
                }
            }
        }
        if let (Some(_), Some(_)) = (best[0], best[1])
            && program.n == program.n_native
            && last[0].0 != last[1].0
        {
            return Err(format!("{}: results differ: {last:?}", program.name).into());
        }
        let each = |i: usize| best[i].map(|s| s * 1e9 / times(i) as f64);
        rows.push((program.name, program.unit, [each(0), each(1), each(2)]));
        for (i, engine) in ENGINES.iter().enumerate() {
            match each(i) {
                Some(ns) => {
                    let ratio = each(1).map_or(String::new(), |base| format!("{:.3}", ns / base));
                    let bytes = last[i].1 as i64 / times(i);
                    println!(
                        "| {} | {} | {engine} | {} | {ns:.1} | {ratio} | {bytes} |",
                        program.name,
                        program.unit,
                        times(i)
                    );
                }
                None if i == 2 => {}
                None => println!("| {} | | {engine} | | {} | | |", program.name, error[i]),
            }
        }
    }
    if let Some(file) = chart {
        std::fs::write(file, chart::svg(ENGINES, &rows))?;
    }
    Ok(())
}
