//! Programs that live on garbage collection, under sheave and wasmtime: `cargo run --release --bin gc`, in this folder.
//! Then the pauses of sheave's collector with a heap of 256 MB.

use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Name, text, argument of `run`. Each `run` gives the number of small objects it made.
const PROGRAMS: [(&str, &str, i32); 3] = [
    ("binary_trees", include_str!("../../programs/gc/binary_trees.wat"), 14),
    ("chains", include_str!("../../programs/gc/chains.wat"), 2000),
    ("builder", include_str!("../../programs/gc/builder.wat"), 1000),
];

fn sheave(wasm: &[u8]) -> Result<Box<dyn FnMut(i32) -> Result<i64>>> {
    let engine = sheave::Engine::default();
    let module = sheave::Module::new(&engine, wasm)?;
    let mut store = sheave::Store::new(&engine, ());
    let instance = sheave::Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<i32, i64>(&mut store, "run")?;
    Ok(Box::new(move |n| Ok(run.call(&mut store, n)?)))
}

fn wasmtime(wasm: &[u8], pulley: bool, collector: wasmtime::Collector) -> Result<Box<dyn FnMut(i32) -> Result<i64>>> {
    let mut config = wasmtime::Config::new();
    config.wasm_gc(true).wasm_function_references(true).collector(collector);
    if pulley {
        config.target("pulley64")?;
    }
    let engine = wasmtime::Engine::new(&config)?;
    let module = wasmtime::Module::new(&engine, wasm)?;
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<i32, i64>(&mut store, "run")?;
    Ok(Box::new(move |n| Ok(run.call(&mut store, n)?)))
}

fn pauses() -> Result<()> {
    println!("\n| objects in sheave's heap | bytes | pause |\n|---|---|---|");
    let wasm = wat::parse_str(PROGRAMS[0].1)?;
    for depth in [15, 19, 23] {
        let engine = sheave::Engine::default();
        let module = sheave::Module::new(&engine, &wasm)?;
        let mut store = sheave::Store::new(&engine, ());
        let instance = sheave::Instance::new(&mut store, &module, &[])?;
        let keep = instance.get_typed_func::<i32, ()>(&mut store, "keep")?;
        keep.call(&mut store, depth)?;
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let begun = Instant::now();
            store.gc(None)?;
            best = best.min(begun.elapsed());
        }
        let objects = (2_u64 << depth) - 1;
        println!("| {objects} | {:.0} MB | {:.1} ms |", objects as f64 * 16e-6, best.as_secs_f64() * 1e3);
    }
    Ok(())
}

fn main() -> Result<()> {
    use wasmtime::Collector::{Copying, DeferredReferenceCounting as Drc};
    println!("| program | objects | engine | ms | ns an object |\n|---|---|---|---|---|");
    for (name, text, n) in PROGRAMS {
        let wasm = wat::parse_str(text)?;
        let engines = [
            ("sheave", sheave(&wasm)),
            ("wasmtime, Pulley, drc", wasmtime(&wasm, true, Drc)),
            ("wasmtime, Pulley, copying", wasmtime(&wasm, true, Copying)),
            ("wasmtime, JIT, drc", wasmtime(&wasm, false, Drc)),
            ("wasmtime, JIT, copying", wasmtime(&wasm, false, Copying)),
        ];
        let mut engines: Vec<_> = engines.into_iter().map(|(e, run)| (e, run, Duration::MAX, 0)).collect();
        // Turn by turn, so that whatever else the machine does meets all of them.
        for _ in 0..3 {
            for (engine, run, best, objects) in &mut engines {
                let Ok(f) = run else { continue };
                let begun = Instant::now();
                match f(n) {
                    Ok(made) => {
                        *best = begun.elapsed().min(*best);
                        *objects = made;
                    }
                    Err(error) => {
                        eprintln!("{name} on {engine}: {error}");
                        *run = Err(error);
                    }
                }
            }
        }
        for (engine, run, best, objects) in &engines {
            match run {
                Ok(_) => println!(
                    "| {name} | {objects} | {engine} | {:.1} | {:.1} |",
                    best.as_secs_f64() * 1e3,
                    best.as_secs_f64() * 1e9 / *objects as f64
                ),
                Err(error) => println!("| {name} | | {engine} | {} | |", error.to_string().lines().next().unwrap_or("")),
            }
        }
    }
    pauses()
}
