//! Garbage collection for hours: `cargo run --release -p sheave-benches --bin soak -- [MINUTES] [SECONDS]`
//!
//! Four programs run in turn, in one store and so in one heap, until `MINUTES` (10) are over; every `SECONDS` (60) a line
//! tells what was allocated, what the collector did, and how long heap and process are. It fails if a program gives another
//! answer than the first time, or if heap or process take more than twice at the end what they took after the first
//! fifth of the time.

use std::time::{Duration, Instant};

use sheave::{Engine, Instance, Module, Store, TypedFunc};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Name, text, argument of `run`, which gives the number of small objects it made.
const PROGRAMS: [(&str, &str, i32); 4] = [
    (
        "binary_trees",
        include_str!("../../compare/programs/gc/binary_trees.wat"),
        14,
    ),
    (
        "chains",
        include_str!("../../compare/programs/gc/chains.wat"),
        2000,
    ),
    (
        "builder",
        include_str!("../../compare/programs/gc/builder.wat"),
        1000,
    ),
    (
        "cache",
        include_str!("../../compare/programs/gc/cache.wat"),
        500,
    ),
];

/// Bytes of the process that are in memory; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) << 10
}

/// A program of the store, and what it gave the first time.
struct Program {
    name: &'static str,
    n: i32,
    run: TypedFunc<i32, i64>,
    first: Option<i64>,
}

struct Soak {
    store: Store<()>,
    programs: Vec<Program>,
    begun: Instant,
    turns: u64,
    objects: u64,
}

impl Soak {
    fn new() -> Result<Soak> {
        let engine = Engine::default();
        let mut store = Store::new(&engine, ());
        let mut programs = Vec::new();
        for (name, text, n) in PROGRAMS {
            let instance = Instance::new(&mut store, &Module::new(&engine, text)?, &[])?;
            let run = instance.get_typed_func(&mut store, "run")?;
            programs.push(Program {
                name,
                n,
                run,
                first: None,
            });
        }
        Ok(Soak {
            store,
            programs,
            begun: Instant::now(),
            turns: 0,
            objects: 0,
        })
    }

    fn turn(&mut self) -> Result<()> {
        for Program {
            name,
            n,
            run,
            first,
        } in &mut self.programs
        {
            let made = run.call(&mut self.store, *n)?;
            let first = *first.get_or_insert(made);
            if first != made {
                return Err(format!("{name} gave {made}, and {first} the first time").into());
            }
            self.objects += made.unsigned_abs();
        }
        self.turns += 1;
        Ok(())
    }

    /// Heap and process, in bytes.
    fn sizes(&self) -> (u64, u64) {
        (self.store.gc_stats().heap_bytes, resident())
    }

    fn report(&self) {
        let stats = self.store.gc_stats();
        let mb = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "{:.0} s: {} turns, {:.1} GB in {} million objects allocated, {} collections, {:.1} MB live, heap {:.1} MB, \
             resident {:.1} MB, longest pause {:.1} ms, all pauses {:.1} s",
            self.begun.elapsed().as_secs_f64(),
            self.turns,
            mb(stats.allocated_bytes) / 1e3,
            self.objects / 1_000_000,
            stats.collections,
            mb(stats.live_bytes),
            mb(stats.heap_bytes),
            mb(resident()),
            stats.longest_pause.as_secs_f64() * 1e3,
            stats.total_pause.as_secs_f64(),
        );
    }
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u64| args.next().map_or(Ok(default), |text| text.parse());
    let (time, every) = (
        Duration::from_secs(number(10)? * 60),
        Duration::from_secs(number(60)?),
    );
    let mut soak = Soak::new()?;
    let mut early = None;
    let mut next = Duration::ZERO;
    while soak.begun.elapsed() < time {
        soak.turn()?;
        if soak.begun.elapsed() >= next {
            soak.report();
            next += every;
        }
        if early.is_none() && soak.begun.elapsed() >= time / 5 {
            early = Some(soak.sizes());
        }
    }
    soak.report();
    let (heap, process) = soak.sizes();
    if early.is_some_and(|(h, p)| heap > 2 * h || process > 2 * p) {
        return Err(format!(
            "heap and process have grown: {early:?} bytes after a fifth of the time"
        )
        .into());
    }
    Ok(())
}
