//! Async host functions, under sheave and wasmtime, in interleaved rounds of one process:
//! `cargo run --release --manifest-path benches/stacks/Cargo.toml --bin waits`. A guest calls a host function again and
//! again; the function is a plain one, or async and ready at once, or async and pending once. The executor is a loop that
//! polls.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

const GUEST: &str = r#"(module
    (import "host" "plain" (func $plain (param i64) (result i64)))
    (import "host" "ready" (func $ready (param i64) (result i64)))
    (import "host" "pending" (func $pending (param i64) (result i64)))
    (func (export "plain") (param i64) (result i64) (local i64)
        (loop $l
            (local.set 1 (i64.add (local.get 1) (call $plain (local.get 0))))
            (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))
        (local.get 1))
    (func (export "ready") (param i64) (result i64) (local i64)
        (loop $l
            (local.set 1 (i64.add (local.get 1) (call $ready (local.get 0))))
            (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))
        (local.get 1))
    (func (export "pending") (param i64) (result i64) (local i64)
        (loop $l
            (local.set 1 (i64.add (local.get 1) (call $pending (local.get 0))))
            (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))
        (local.get 1)))"#;

const CASES: [&str; 3] = ["plain", "ready", "pending"];
const CALLS: i64 = 200_000;
const ROUNDS: usize = 31;

/// Is pending once.
fn once() -> impl Future<Output = ()> + Send {
    let mut was_pending = false;
    poll_fn(move |_| {
        if was_pending {
            return Poll::Ready(());
        }
        was_pending = true;
        Poll::Pending
    })
}

/// Polls until it is ready.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut cx = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

/// A guest under the engine of crate `$engine`: a closure that runs the case of a name, and gives nanoseconds a call.
macro_rules! guest {
    ($engine:ident, $wasm:expr) => {{
        let engine = $engine::Engine::new(&$engine::Config::new())?;
        let module = $engine::Module::new(&engine, $wasm)?;
        let mut linker = $engine::Linker::<u64>::new(&engine);
        linker.func_wrap(
            "host",
            "plain",
            |mut caller: $engine::Caller<'_, u64>, i: i64| {
                *caller.data_mut() += 1;
                i
            },
        )?;
        linker.func_wrap_async(
            "host",
            "ready",
            |mut caller: $engine::Caller<'_, u64>, (i,): (i64,)| {
                Box::new(async move {
                    *caller.data_mut() += 1;
                    i
                })
            },
        )?;
        linker.func_wrap_async(
            "host",
            "pending",
            |mut caller: $engine::Caller<'_, u64>, (i,): (i64,)| {
                Box::new(async move {
                    once().await;
                    *caller.data_mut() += 1;
                    i
                })
            },
        )?;
        let mut store = $engine::Store::new(&engine, 0);
        let instance = block_on(linker.instantiate_async(&mut store, &module))?;
        move |case: &str| -> Result<f64, Box<dyn std::error::Error>> {
            let run = instance.get_typed_func::<i64, i64>(&mut store, case)?;
            let begun = Instant::now();
            let sum = block_on(run.call_async(&mut store, CALLS))?;
            let took = begun.elapsed().as_secs_f64() * 1e9 / CALLS as f64;
            assert_eq!(sum, CALLS * (CALLS + 1) / 2);
            Ok(took)
        }
    }};
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wasm = wat::parse_str(GUEST)?;
    let mut ours = guest!(sheave, &wasm);
    let mut theirs = guest!(wasmtime, &wasm);
    println!(
        "{:<10} {:>10} {:>10} {:>8}",
        "a call", "sheave", "wasmtime", "ratio"
    );
    for case in CASES {
        let (mut a, mut b, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let (x, y) = if round % 2 == 0 {
                let x = ours(case)?;
                (x, theirs(case)?)
            } else {
                let y = theirs(case)?;
                (ours(case)?, y)
            };
            a.push(x);
            b.push(y);
            ratios.push(x / y);
        }
        let (a, b, ratio) = (median(a), median(b), median(ratios));
        println!("{case:<10} {a:>7.1} ns {b:>7.1} ns {ratio:>8.2}");
    }
    Ok(())
}
