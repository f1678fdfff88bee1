//! Makes and drops fibers, a million unless told otherwise, of every kind there is: never started, suspended, finished,
//! panicked; on stacks of a pool, one stack used again, and stacks of their own. For leak checkers:
//!
//! `cargo build --release -p sheave-fiber --example many && valgrind --leak-check=full --error-exitcode=1 target/release/examples/many`

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sheave_fiber::{
    Fiber, NativeStack, PoolConfig, StackMemory, StackPool, Step, Suspender, call_on,
};

/// Counts what is dropped.
struct Counted<'a>(&'a AtomicU64);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// A fiber that holds a box and a guard, suspends itself twice, and may panic.
fn fiber<S: StackMemory + 'static>(stack: S, panics: bool) -> Fiber<u64, u64, u64, S> {
    let start = move |fiber: &Suspender<u64, u64>, first: u64| {
        let _guard = Counted(&DROPPED);
        let boxed = Box::new([first; 9]);
        let second = fiber.suspend(boxed[3] + 1);
        let third = fiber.suspend(boxed[8] + second);
        if panics {
            std::panic::resume_unwind(Box::new(third));
        }
        boxed[0] + third
    };
    Fiber::new(stack, start).expect("fibers on this target")
}

/// Makes a fiber and goes so far with it; says how many guards that takes.
fn one<S: StackMemory + 'static>(stack: S, kind: u64) -> u64 {
    let mut fiber = fiber(stack, kind == 4);
    for step in 0..kind.min(3) {
        let result = catch_unwind(AssertUnwindSafe(|| fiber.resume(step)));
        match (kind, step, result) {
            (4, 2, Err(payload)) => assert_eq!(payload.downcast_ref(), Some(&2_u64)),
            (_, 2, Ok(Ok(Step::Returned(sum)))) => assert_eq!(sum, 2),
            (_, _, Ok(Ok(Step::Yielded(n)))) => assert_eq!(n, 1),
            (_, _, result) => panic!("{kind}, {step}: {result:?}"),
        }
    }
    u64::from(kind > 0)
}

fn main() {
    let count = std::env::args().nth(1);
    let count: u64 = count.map_or(1_000_000, |n| n.parse().expect("a number"));
    let pool = StackPool::new(PoolConfig::default().stack_size(32 << 10).max_parked(8));
    let mut guards = 0;
    for n in 0..count {
        // Unwinding takes longest: every eighth is dropped while it is suspended, or panics.
        let kind = match n % 16 {
            0 => 1,
            8 => 2 + (n / 16) % 2 * 2,
            1..=4 => 0,
            _ => 3,
        };
        guards += match n % 64 {
            63 => one(NativeStack::new(32 << 10).expect("memory"), kind),
            62 => {
                // Several at a time, dropped in another order than they were made in.
                let stacks = (0..12).map(|_| pool.take().expect("a stack"));
                let mut fibers: Vec<_> = stacks.map(|stack| fiber(stack, false)).collect();
                for fiber in &mut fibers {
                    fiber.resume(0).expect("it has not ended");
                }
                fibers.swap(0, 7);
                12
            }
            61 => {
                let mut stack = pool.take().expect("a stack");
                call_on(&mut stack, |_| drop(Counted(&DROPPED))).expect("a call");
                1
            }
            _ => one(pool.take().expect("a stack"), kind),
        };
    }
    let counters = pool.counters();
    assert_eq!(counters.live, 0);
    assert!(counters.created <= count, "{counters:?}");
    assert_eq!(DROPPED.load(Ordering::Relaxed), guards);
    assert_eq!(Arc::strong_count(&pool), 1);
    println!("{count} rounds, {guards} guards dropped: {counters:?}");
}
