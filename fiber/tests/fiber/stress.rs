//! Many fibers, in orders that chance chooses.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;

use sheave_fiber::{Fiber, PoolConfig, PooledStack, StackPool, Step, Suspender};

use crate::IS_ASM;

/// Numbers that are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 40).expect("24 bits") % sides
    }
}

fn pool() -> Arc<StackPool> {
    StackPool::new(PoolConfig::default().stack_size(64 << 10))
}

/// What a fiber is told to do next.
enum Order {
    Suspend,
    /// By a function so many calls down.
    SuspendDeep(u32),
    Panic,
    Return,
}

/// Counts the values that live.
struct Alive(Rc<Cell<usize>>);

impl Alive {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn deep(f: &Suspender<Order, u64>, depth: u32, value: u64, count: &Rc<Cell<usize>>) -> Order {
    let _alive = Alive::new(count);
    if depth == 0 {
        return f.suspend(value);
    }
    let local = std::hint::black_box([value; 5]);
    let order = deep(f, depth - 1, value, count);
    assert_eq!(local, [value; 5]);
    order
}

fn obey(f: &Suspender<Order, u64>, mut order: Order, id: u64, count: &Rc<Cell<usize>>) -> u64 {
    let _alive = Alive::new(count);
    let mut steps = 0;
    loop {
        let value = id * 1000 + steps;
        steps += 1;
        order = match order {
            Order::Suspend => f.suspend(value),
            Order::SuspendDeep(depth) => deep(f, depth, value, count),
            Order::Panic => resume_unwind(Box::new(value)),
            Order::Return => return value,
        };
    }
}

/// A fiber and how often it was resumed.
struct Run {
    fiber: Fiber<Order, u64, u64, PooledStack>,
    id: u64,
    steps: u64,
}

#[test]
fn thousands_of_fibers_resumed_in_random_order_keep_their_state() {
    let (live, rounds) = match (cfg!(miri), IS_ASM) {
        (true, _) => (6, 60),
        (false, true) => (2000, 100_000),
        (false, false) => (50, 2000),
    };
    let pool = pool();
    let count = Rc::new(Cell::new(0));
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut runs: Vec<Run> = Vec::new();
    let mut next_id = 0;
    for _ in 0..rounds {
        if runs.len() < live && dice.roll(3) > 0 {
            let (id, count) = (next_id, Rc::clone(&count));
            next_id += 1;
            let body = move |f: &Suspender<Order, u64>, order| obey(f, order, id, &count);
            let fiber = Fiber::new(pool.take().expect("a stack"), body).expect("a fiber");
            let steps = 0;
            runs.push(Run { fiber, id, steps });
        }
        if runs.is_empty() {
            continue;
        }
        let index = dice.roll(runs.len());
        let run = &mut runs[index];
        let expected = run.id * 1000 + run.steps;
        run.steps += 1;
        match dice.roll(20) {
            0 => {
                let result = catch_unwind(AssertUnwindSafe(|| run.fiber.resume(Order::Panic)));
                let payload = result.map(|_| ()).expect_err("it panics");
                assert_eq!(payload.downcast_ref(), Some(&expected));
                assert!(run.fiber.is_finished());
                runs.swap_remove(index);
            }
            1 => {
                assert_eq!(
                    run.fiber.resume(Order::Return),
                    Ok(Step::Returned(expected))
                );
                runs.swap_remove(index);
            }
            2 => drop(runs.swap_remove(index)),
            sides => {
                let order = match sides % 2 {
                    0 => Order::Suspend,
                    _ => Order::SuspendDeep(u32::try_from(dice.roll(30)).expect("small")),
                };
                assert_eq!(run.fiber.resume(order), Ok(Step::Yielded(expected)));
            }
        }
    }
    assert!(pool.counters().live > 0);
    assert_eq!(pool.counters().live, runs.len());
    drop(runs);
    assert_eq!(count.get(), 0);
    assert_eq!(pool.counters().live, 0);
}

#[test]
fn a_ring_of_fibers_passes_a_token() {
    let (size, laps) = match (cfg!(miri), IS_ASM) {
        (true, _) => (4, 2),
        (false, true) => (1000, 50),
        (false, false) => (20, 10),
    };
    let pool = pool();
    let body = |f: &Suspender<u64, u64>, mut token| -> u64 {
        loop {
            token = f.suspend(token + 1);
        }
    };
    let mut ring: Vec<_> = (0..size)
        .map(|_| Fiber::new(pool.take().expect("a stack"), body).expect("a fiber"))
        .collect();
    let mut token = 0;
    for _ in 0..laps {
        for f in &mut ring {
            let Ok(Step::Yielded(next)) = f.resume(token) else {
                panic!("it goes on for ever");
            };
            token = next;
        }
    }
    assert_eq!(token, size * laps);
}

#[test]
fn a_million_fibers_come_and_go_on_one_stack() {
    let many = match (cfg!(miri), IS_ASM) {
        (true, _) => 5,
        (false, true) => 1_000_000,
        (false, false) => 300,
    };
    let pool = pool();
    let mut sum = 0_u64;
    for n in 0..many {
        let body = |f: &Suspender<u64, u64>, a| f.suspend(a) + a;
        let mut f = Fiber::new(pool.take().expect("a stack"), body).expect("a fiber");
        assert_eq!(f.resume(n), Ok(Step::Yielded(n)));
        if n % 64 != 0 {
            let Ok(Step::Returned(value)) = f.resume(1) else {
                panic!("it returns");
            };
            sum += value;
        }
    }
    assert!(sum > 0);
    assert_eq!(pool.counters().created, 1);
}

#[test]
fn many_stacks_live_at_a_time() {
    let many = match (cfg!(miri), IS_ASM) {
        (true, _) => 5,
        (false, true) => 5000,
        (false, false) => 50,
    };
    let pool = StackPool::new(PoolConfig::default().stack_size(16 << 10));
    let body = |f: &Suspender<usize, usize>, a| f.suspend(a) + 1;
    let mut all: Vec<_> = (0..many)
        .map(|_| Fiber::new(pool.take().expect("a stack"), body).expect("a fiber"))
        .collect();
    for (n, f) in all.iter_mut().enumerate() {
        assert_eq!(f.resume(n), Ok(Step::Yielded(n)));
    }
    for (n, f) in all.iter_mut().enumerate().rev() {
        assert_eq!(f.resume(n), Ok(Step::Returned(n + 1)));
    }
    assert_eq!(pool.counters().peak_live, many);
}
