//! The same programs under sheave and its peers: interleaved rounds, a table of ratios, a chart.
//!
//! `cargo run --release --manifest-path benches/compare/Cargo.toml -- --help` tells the options.

mod calls;
mod chart;
mod clock;
mod engines;
mod execute;
mod programs;
mod report;
mod startup;
mod stats;

use std::{path::PathBuf, process::ExitCode};

const HELP: &str = "\
Runs the same programs under several WebAssembly engines and compares their times.

  --groups LIST     execute, startup, calls (all of them)
  --programs LIST   only programs whose name or kind contains one of these words
  --engines LIST    only these: sheave, wasmi, wasm3, pulley, jit
  --base NAME       the engine whose time is 1 (wasmi)
  --rounds N        rounds of the execute group (7; 3 with --quick)
  --quick           less work in each program
  --startup FILE    the module of the startup group (target/startup.wasm beside this package)
  --out DIR         where comparison.md and comparison.svg go (target/comparison beside this package)
  --list            list the programs and end
";

struct Options {
    groups: Vec<String>,
    programs: Vec<String>,
    engines: Vec<String>,
    base: String,
    rounds: Option<u32>,
    quick: bool,
    startup: PathBuf,
    out: PathBuf,
    list: bool,
    probe: Vec<String>,
}

fn options() -> Result<Options, String> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target");
    let mut options = Options {
        groups: ["execute", "startup", "calls"].map(String::from).into(),
        programs: Vec::new(),
        engines: Vec::new(),
        base: "wasmi".into(),
        rounds: None,
        quick: false,
        startup: here.join("startup.wasm"),
        out: here.join("comparison"),
        list: false,
        probe: Vec::new(),
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} wants a value"));
        let list = |text: String| text.split(',').map(|s| s.trim().to_string()).collect();
        match arg.as_str() {
            "--groups" => options.groups = list(value()?),
            "--programs" => options.programs = list(value()?),
            "--engines" => options.engines = list(value()?),
            "--base" => options.base = value()?,
            "--rounds" => options.rounds = Some(value()?.parse().map_err(|_| "--rounds wants a number")?),
            "--quick" => options.quick = true,
            "--startup" => options.startup = value()?.into(),
            "--out" => options.out = value()?.into(),
            "--list" => options.list = true,
            "--probe" => options.probe = vec![value()?, value()?, value()?],
            "--help" | "-h" => return Err(HELP.into()),
            _ => return Err(format!("{arg} is no option\n\n{HELP}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(text) => {
            eprint!("{text}");
            return ExitCode::from(2);
        }
    };
    // wasm3 recurses on the native stack for the guest's calls.
    let thread = std::thread::Builder::new().stack_size(1 << 30).spawn(move || compare(&options));
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        _ => ExitCode::FAILURE,
    }
}

/// `--probe ENGINE FILE N`, used by the runner itself: one run in a process of its own, since an engine may crash.
fn probe(engine: &str, file: &str, n: &str) -> engines::Result<()> {
    let engine = engines::all().into_iter().find(|e| e.name() == engine).ok_or("no such engine")?;
    engine.load(&std::fs::read(file)?)?.run(n.parse()?)?;
    Ok(())
}

fn compare(options: &Options) -> ExitCode {
    if let [engine, file, n] = &options.probe[..] {
        return match probe(engine, file, n) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let vectors = if cfg!(feature = "simd") { programs::VECTORS } else { &[] };
    let wanted: Vec<&'static programs::Program> = programs::ALL
        .iter()
        .chain(vectors)
        .filter(|p| options.programs.is_empty() || options.programs.iter().any(|w| p.name == w || p.kind.contains(w.as_str()) || w.len() > 2 && p.name.contains(w.as_str())))
        .collect();
    if options.list {
        wanted.iter().for_each(|p| println!("{:16} {}", p.name, p.kind));
        return ExitCode::SUCCESS;
    }
    let mut engines = engines::all();
    engines.retain(|engine| options.engines.is_empty() || options.engines.iter().any(|name| name == engine.name()));
    if engines.is_empty() {
        eprintln!("none of these engines is in this build: {}", options.engines.join(", "));
        return ExitCode::from(2);
    }
    let base = engines.iter().position(|engine| engine.name() == options.base).unwrap_or(0);
    let has = |group: &str| options.groups.iter().any(|g| g == group);
    let rounds = options.rounds.unwrap_or(if options.quick { 3 } else { 7 }).max(1);

    let (mut rows, mut wrong) = (Vec::new(), false);
    if has("execute") {
        programs::build_if_missing(&wanted);
        (rows, wrong) = execute::run(&engines, &wanted, rounds, options.quick);
    }
    let starts = if has("startup") { startup::run(&engines, &options.startup, rounds, options.quick) } else { Vec::new() };
    let calls = if has("calls") { calls::run(&engines, rounds, options.quick) } else { Vec::new() };

    let megabytes = std::fs::metadata(&options.startup).map_or(0.0, |m| m.len() as f64 / 1e6);
    let about = report::About { engines: &engines, base, rounds, startup: format!("a module of {megabytes:.1} MB") };
    let text = report::markdown(&about, &rows, &starts, &calls);
    println!("{text}");
    let written = std::fs::create_dir_all(&options.out)
        .and_then(|()| std::fs::write(options.out.join("comparison.md"), &text))
        .and_then(|()| if rows.is_empty() { Ok(()) } else { std::fs::write(options.out.join("comparison.svg"), chart::svg(&engines, base, &rows)) });
    if let Err(error) = written {
        eprintln!("{}: {error}", options.out.display());
        return ExitCode::FAILURE;
    }
    eprintln!("written to {}", options.out.display());
    if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
