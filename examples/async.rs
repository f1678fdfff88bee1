//! Guests that wait: each asks a slow service a hundred times, all on one thread, and a busy one shares it.
//!
//! `cargo run --release --example async -p sheave`

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use sheave::{Caller, Config, Engine, Linker, Module, Result, Store};

const GUEST: &str = r#"(module
    (import "service" "ask" (func $ask (param i64) (result i64)))
    (func (export "patient") (param i64) (result i64) (local i64)
        (loop $l
            (local.set 1 (i64.add (local.get 1) (call $ask (local.get 0))))
            (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))
        (local.get 1))
    (func (export "busy") (param i64) (result i64)
        (loop $l
            (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))
        (local.get 0)))"#;

/// An answer that is there after a while. (With tokio, this would be a timer or a socket.)
async fn answer(question: u64) -> u64 {
    let there = Instant::now() + Duration::from_micros(500);
    poll_fn(|_| {
        if Instant::now() < there {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    question * 2
}

/// Polls all in turn until all are ready: an executor as small as can be.
fn run_all(mut tasks: Vec<Pin<Box<dyn Future<Output = Result<u64>> + Send + '_>>>) -> Result<u64> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut sum = 0;
    while !tasks.is_empty() {
        let mut failed = None;
        tasks.retain_mut(|task| match pin!(task).poll(&mut cx) {
            Poll::Pending => true,
            Poll::Ready(Ok(n)) => {
                sum += n;
                false
            }
            Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(sum)
}

fn main() -> Result<()> {
    let engine = Engine::new(Config::new().consume_fuel(true))?;
    let module = Module::new(&engine, GUEST)?;
    let asked = Arc::new(AtomicU64::new(0));

    let mut linker = Linker::<u64>::new(&engine);
    let counter = Arc::clone(&asked);
    linker.func_wrap_async(
        "service",
        "ask",
        move |mut caller: Caller<'_, u64>, (question,): (u64,)| {
            let asked = Arc::clone(&counter);
            Box::new(async move {
                asked.fetch_add(1, Ordering::Relaxed);
                let answer = answer(question).await;
                *caller.data_mut() += 1;
                answer
            })
        },
    )?;
    let pre = linker.instantiate_pre(&module)?;

    let start = Instant::now();
    let mut tasks: Vec<Pin<Box<dyn Future<Output = Result<u64>> + Send>>> = Vec::new();
    for guest in 0..200 {
        let (engine, pre) = (engine.clone(), pre.clone());
        let (name, n) = if guest == 0 {
            ("busy", 20_000_000)
        } else {
            ("patient", 100)
        };
        tasks.push(Box::pin(async move {
            let mut store = Store::new(&engine, 0);
            store.set_fuel(1 << 40)?;
            store.fuel_async_yield_interval(Some(10_000))?;
            let instance = pre.instantiate_async(&mut store).await?;
            let guest = instance.get_typed_func::<u64, u64>(&mut store, name)?;
            guest.call_async(&mut store, n).await
        }));
    }
    let sum = run_all(tasks)?;
    let (asked, took) = (asked.load(Ordering::Relaxed), start.elapsed());
    println!("199 guests asked {asked} times and got {sum} in all, beside a busy one: {took:.0?}");
    assert_eq!((asked, sum), (19_900, 199 * 100 * 101));
    Ok(())
}

#[test]
fn it_runs() {
    main().unwrap();
}
