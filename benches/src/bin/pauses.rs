//! How long it takes from a request until a program stands still, until what it holds is copied, and until the snapshot is a
//! file: `cargo run --release -p sheave-benches --bin pauses -- [PYTHON.wasm [MIB]]`.
//!
//! The requests come from another thread at times that have nothing to do with what the program does; medians of all, and the most.

use sheave::{
    Config, Engine, Func, InterruptHandle, Linker, Module, Result, Store, Val, wasi::WasiCtx,
    wasi::WasiCtxBuilder,
};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;

/// Fills its memory, and then writes to a page after another for ever.
const BUSY: &str = r#"(module
    (memory PAGES)
    (func (export "_start") (local $at i64) (local $end i64)
        (local.set $end (i64.mul (i64.extend_i32_u (memory.size)) (i64.const 65536)))
        (loop $fill
            (i64.store (i32.wrap_i64 (local.get $at))
                (i64.mul (i64.add (local.get $at) (i64.const 1)) (i64.const 0x9e3779b97f4a7c15)))
            (br_if $fill (i64.lt_u (local.tee $at (i64.add (local.get $at) (i64.const 8))) (local.get $end))))
        (loop $ever
            (local.set $at (i64.rem_u (i64.add (local.get $at) (i64.const 4096)) (local.get $end)))
            (i64.store (i32.wrap_i64 (local.get $at)) (i64.add (local.get $at) (i64.const 1)))
            (br $ever))))"#;

/// A thread that interrupts a store when it is told to, a little later, and says when it did.
struct Asker(Sender<(InterruptHandle, Duration, Sender<Instant>)>);

impl Asker {
    fn new() -> Asker {
        let (send, orders) = channel::<(InterruptHandle, Duration, Sender<Instant>)>();
        std::thread::spawn(move || {
            for (handle, after, answer) in orders {
                std::thread::sleep(after);
                let asked = Instant::now();
                handle.interrupt();
                let _ = answer.send(asked);
            }
        });
        Asker(send)
    }
}

/// Times in milliseconds: median and most.
fn show(mut times: Vec<f64>) -> String {
    times.sort_by(f64::total_cmp);
    let (middle, most) = (times[times.len() / 2], times[times.len() - 1]);
    format!("{middle:.3} ({most:.3})")
}

fn measure(name: &str, wasm: &[u8], args: &[&str], start: Duration, file: &Path) -> Result<()> {
    let mut config = Config::new();
    config.interruption(true);
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, wasm)?;
    let mut linker: Linker<WasiCtx> = Linker::new(&engine);
    sheave::wasi::add_to_linker(&mut linker, |ctx| ctx)?;
    let wasi = WasiCtxBuilder::new().args(args).inherit_stdio().build();
    let mut store = Store::new(&engine, wasi);
    let instance = linker.instantiate(&mut store, &module)?;
    let run: Func = instance
        .get_func(&mut store, "_start")
        .ok_or_else(|| sheave::Error::msg("no `_start`"))?;
    let asker = Asker::new();
    let (mut pause, mut copy, mut write) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = 0;
    for round in 0..=ROUNDS {
        // The first time it gets to where it is busy.
        let after = match round {
            0 => start,
            _ => Duration::from_micros(3000 + 761 * round as u64),
        };
        let (answer, asked) = channel();
        let order = (store.interrupt_handle(), after, answer);
        asker.0.send(order).map_err(sheave::Error::msg)?;
        let mut results: [Val; 0] = [];
        match round {
            0 => run.call_resumable(&mut store, &[], &mut results)?,
            _ => store.resume_call(&mut results)?,
        };
        let paused = Instant::now();
        let asked = asked.recv()?;
        store.interrupt_handle().clear();
        if round == 0 {
            continue;
        }
        let begun = Instant::now();
        let snapshot = store.snapshot()?;
        let copied = Instant::now();
        snapshot.write_to(file)?;
        let written = Instant::now();
        let ms = |from: Instant, to: Instant| (to - from).as_secs_f64() * 1e3;
        pause.push(ms(asked, paused));
        copy.push(ms(begun, copied));
        write.push(ms(copied, written));
        bytes = std::fs::metadata(file)?.len();
    }
    std::fs::remove_file(file)?;
    let mib = bytes as f64 / f64::from(1 << 20);
    println!(
        "| {name} | {mib:.1} | {} | {} | {} |",
        show(pause),
        show(copy),
        show(write)
    );
    Ok(())
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mib: u32 = args.get(1).map_or(Ok(1024), |mib| mib.parse())?;
    let file = std::env::temp_dir().join(format!("sheave-pauses-{}.snapshot", std::process::id()));
    println!(
        "| | MiB of the file | ms from the request to the pause: median (most) | ms until it is copied | ms until it is a file |\n\
         |---|--:|--:|--:|--:|"
    );
    if let Some(python) = args.first().filter(|path| !path.is_empty()) {
        let wasm = std::fs::read(python)?;
        let busy = "n = 0\nwhile True: n = n * 3 % 1000003 + 1";
        let start = Duration::from_secs(10);
        measure("CPython 3.12", &wasm, &["python", "-c", busy], start, &file)?;
    }
    let text = BUSY.replace("PAGES", &(mib * 16).to_string());
    let start = Duration::from_secs(20);
    measure(
        &format!("{mib} MiB"),
        text.as_bytes(),
        &["busy"],
        start,
        &file,
    )
}
