//! Many stores from one snapshot, and the restoring of a large one, beside instances that Wasmtime's pooling allocator
//! makes of the same module: `cargo run --release --manifest-path benches/fork/Cargo.toml [-- MIB]`.
//!
//! What is timed ends with a call into the guest and the end of the store. Rounds of the engines alternate; the tables
//! have medians.

use std::time::Instant;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A module with what programs have: a memory with data, a table of functions, globals, an imported function.
const SMALL: &str = r#"(module
    (import "host" "f" (func $f (param i32) (result i32)))
    (memory (export "memory") 16)
    (table 64 funcref)
    (global $count (mut i32) (i32.const 0))
    (elem (i32.const 0) $get $add $f)
    (func $get (result i32) (global.get $count))
    (func $add (param i32) (result i32) (i32.add (local.get 0) (i32.load (i32.const 1024))))
    (func (export "run") (param i32) (result i32)
        (global.set $count (i32.add (global.get $count) (local.get 0)))
        (i32.store (i32.const 4096) (call $add (global.get $count)))
        (i32.load (i32.const 4096))))"#;

const ROUNDS: usize = 9;

/// Seconds that `work` takes, on the wall and of this thread.
fn time(mut work: impl FnMut() -> Result<()>) -> Result<(f64, f64)> {
    let (wall, cpu) = (Instant::now(), thread_seconds());
    work()?;
    Ok((wall.elapsed().as_secs_f64(), thread_seconds() - cpu))
}

fn thread_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "no clock of this thread's CPU time");
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Resident and private bytes of this process.
fn resident() -> Result<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let of = |name: &str| {
        let lines = text.lines().filter(|l| l.starts_with(name));
        lines.filter_map(|l| l.split_whitespace().nth(1)?.parse::<u64>().ok()).sum::<u64>() * 1024
    };
    Ok((of("Rss:"), of("Private_")))
}

/// `text` as a module with `bytes` bytes of data from `at` on.
fn with_data(text: &str, at: u32, bytes: usize) -> Result<Vec<u8>> {
    let leb = |mut n: u64| {
        let mut bytes = Vec::new();
        while n >= 128 {
            bytes.push(n as u8 | 128);
            n >>= 7;
        }
        bytes.push(n as u8);
        bytes
    };
    // One active segment: its offset as a constant expression, its bytes.
    let mut section = vec![1, 0, 0x41];
    let mut signed = leb(at.into());
    if signed.last().is_some_and(|b| b & 64 != 0) {
        *signed.last_mut().ok_or("no bytes")? |= 128;
        signed.push(0);
    }
    section.extend(signed);
    section.push(0x0b);
    section.extend(leb(bytes as u64));
    section.extend((0..bytes).map(|i| (i % 251) as u8 + 1));
    let mut wasm = wat::parse_str(text)?;
    wasm.push(11);
    wasm.extend(leb(section.len() as u64));
    wasm.append(&mut section);
    Ok(wasm)
}

fn sheave_template(wasm: &[u8]) -> Result<(sheave::Engine, sheave::Template<()>)> {
    let engine = sheave::Engine::default();
    let module = sheave::Module::from_binary(&engine, wasm)?;
    let mut linker = sheave::Linker::new(&engine);
    linker.func_wrap("host", "f", |x: i32| x + 1)?;
    let mut store = sheave::Store::new(&engine, ());
    linker.instantiate(&mut store, &module)?;
    let snapshot = store.snapshot()?;
    let template = sheave::Restore::new(&engine, &snapshot, &linker).template()?;
    Ok((engine, template))
}

fn sheave_call(store: &mut sheave::Store<()>) -> Result<()> {
    let instance = store.instances().next().ok_or("no instance")?;
    let run = instance.get_typed_func::<i32, i32>(&mut *store, "run")?;
    run.call(store, 5)?;
    Ok(())
}

struct Wasmtime {
    engine: wasmtime::Engine,
    pre: wasmtime::InstancePre<()>,
}

impl Wasmtime {
    fn new(wasm: &[u8], stores: u32) -> Result<Wasmtime> {
        let mut pool = wasmtime::PoolingAllocationConfig::default();
        pool.total_memories(stores).total_tables(stores).total_core_instances(stores).max_memory_size(1 << 30);
        let mut config = wasmtime::Config::new();
        config.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(pool));
        config.memory_init_cow(true).memory_guaranteed_dense_image_size(1 << 31);
        let engine = wasmtime::Engine::new(&config)?;
        let module = wasmtime::Module::new(&engine, wasm)?;
        let mut linker = wasmtime::Linker::new(&engine);
        linker.func_wrap("host", "f", |x: i32| x + 1)?;
        let pre = linker.instantiate_pre(&module)?;
        Ok(Wasmtime { engine, pre })
    }

    fn store(&self) -> Result<wasmtime::Store<()>> {
        let mut store = wasmtime::Store::new(&self.engine, ());
        let instance = self.pre.instantiate(&mut store)?;
        let run = instance.get_typed_func::<i32, i32>(&mut store, "run")?;
        run.call(&mut store, 5)?;
        Ok(store)
    }
}

fn small() -> Result<()> {
    const STORES: u32 = 1000;
    let wasm = with_data(SMALL, 1024, 100_000)?;
    let (_engine, template) = sheave_template(&wasm)?;
    let wasmtime = Wasmtime::new(&wasm, STORES + 1)?;
    let fork = || -> Result<sheave::Store<()>> {
        let mut store = template.store(())?;
        sheave_call(&mut store)?;
        Ok(store)
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(time(|| (0..STORES).try_for_each(|_| fork().map(drop)))?.1);
        theirs.push(time(|| (0..STORES).try_for_each(|_| wasmtime.store().map(drop)))?.1);
    }
    let before = resident()?;
    let stores: Vec<_> = (0..STORES).map(|_| fork()).collect::<Result<_>>()?;
    let after = resident()?;
    drop(stores);
    let their_before = resident()?;
    let stores: Vec<_> = (0..STORES).map(|_| wasmtime.store()).collect::<Result<_>>()?;
    let their_after = resident()?;
    drop(stores);
    let n = f64::from(STORES);
    println!("| a small store | a second | µs | KiB resident | KiB private |\n|---|---:|---:|---:|---:|");
    let row = |name: &str, seconds: f64, before: (u64, u64), after: (u64, u64)| {
        let kib = |a: u64, b: u64| (a as f64 - b as f64) / n / 1024.0;
        let (all, private) = (kib(after.0, before.0), kib(after.1, before.1));
        println!("| {name} | {:.0} | {:.1} | {all:.0} | {private:.0} |", n / seconds, seconds / n * 1e6);
    };
    row("sheave, fork of a snapshot", median(ours), before, after);
    row("wasmtime, pooling, copy-on-write", median(theirs), their_before, their_after);
    let threads = std::thread::available_parallelism()?.get();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    (0..STORES * 5).try_for_each(|_| {
                        let store = template.store(()).map_err(|e| e.to_string())?;
                        drop(store);
                        Ok::<(), String>(())
                    })
                })
            })
            .collect();
        workers.into_iter().try_for_each(|w| w.join().map_err(|_| String::from("a thread panicked"))?)
    })?;
    let all = n * 5.0 * threads as f64;
    println!("\nsheave on {threads} threads at once: {:.0} forks a second (without the call)", all / begun.elapsed().as_secs_f64());
    Ok(())
}

fn large(mib: usize) -> Result<()> {
    let text = SMALL.replace("(memory (export \"memory\") 16)", &format!("(memory (export \"memory\") {})", mib * 16));
    let bytes = (mib << 20) - 4096;
    // Wasmtime has the bytes in its module, which must stay well below 1 GiB.
    let theirs = mib.min(512);
    let wasm = with_data(&text, 1024, (theirs << 20) - 4096)?;
    let wasmtime = Wasmtime::new(&wasm, 2)?;
    drop(wasm);
    let path = std::env::temp_dir().join(format!("sheave-fork-{}.snapshot", std::process::id()));
    let engine = sheave::Engine::default();
    let mut linker = sheave::Linker::new(&engine);
    linker.func_wrap("host", "f", |x: i32| x + 1)?;
    let module = sheave::Module::from_binary(&engine, &wat::parse_str(&text)?)?;
    let mut store = sheave::Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module)?;
    let memory = instance.get_memory(&mut store, "memory").ok_or("no memory")?;
    let data = &mut memory.data_mut(&mut store)[1024..][..bytes];
    data.iter_mut().enumerate().for_each(|(i, b)| *b = (i % 251) as u8 + 1);
    let begun = Instant::now();
    let snapshot = store.snapshot()?;
    let taken = begun.elapsed();
    drop(store);
    let begun = Instant::now();
    snapshot.write_to(&path)?;
    let written = begun.elapsed();
    drop(snapshot);

    let opened = sheave::Snapshot::open(&path)?;
    let template = sheave::Restore::new(&engine, &opened, &linker).template()?;
    let (mut file, mut fork, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // Only the first instruction is wanted: what drops the store is not timed.
        let begun = Instant::now();
        let snapshot = sheave::Snapshot::open(&path)?;
        let mut store = sheave::Store::restore(&engine, &snapshot, &linker, ())?;
        sheave_call(&mut store)?;
        file.push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let mut store = template.store(())?;
        sheave_call(&mut store)?;
        fork.push(begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        let store = wasmtime.store()?;
        peer.push(begun.elapsed().as_secs_f64());
        drop(store);
    }
    std::fs::remove_file(&path)?;
    println!("\n| a large store | MiB resident | ms to the first call's return |\n|---|---:|---:|");
    println!("| sheave, `Snapshot::open` and `Store::restore` | {mib} | {:.3} |", median(file) * 1e3);
    println!("| sheave, fork of a template | {mib} | {:.3} |", median(fork) * 1e3);
    println!("| wasmtime, pooling, copy-on-write | {theirs} | {:.3} |", median(peer) * 1e3);
    println!("\nTaking the snapshot took {:.2} s, writing it {:.2} s.", taken.as_secs_f64(), written.as_secs_f64());
    Ok(())
}

fn main() -> Result<()> {
    let mib = std::env::args().nth(1).map_or(Ok(1024), |n| n.parse())?;
    small()?;
    large(mib)
}
