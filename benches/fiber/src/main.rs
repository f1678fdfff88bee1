//! The same work on fibers of this project and on corosensei's coroutines, in interleaved rounds: a table of times and
//! of paired ratios. Arguments: how many rounds, and the names of the cases wanted. `--only NAME COUNT SIDE` runs one of them so often and prints nothing, for counting instructions.

use std::hint::black_box;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, ScopedCoroutine};
use sheave_fiber::{Fiber, NativeStack, PoolConfig, StackMemory, StackPool, Step, Suspender};

/// A piece of work, done `count` times on one side.
type Work = fn(count: u64);

struct Case {
    name: &'static str,
    what: &'static str,
    ours: Work,
    theirs: Work,
}

const CASES: &[Case] = &[
    Case {
        name: "switch",
        what: "resume and suspend, a word each way",
        ours: switch_ours,
        theirs: switch_theirs,
    },
    Case {
        name: "switch-wide",
        what: "resume and suspend, four words each way",
        ours: wide_ours,
        theirs: wide_theirs,
    },
    Case {
        name: "switch-deep",
        what: "resume and suspend by a function three calls deep",
        ours: deep_ours,
        theirs: deep_theirs,
    },
    Case {
        name: "call",
        what: "a plain call on another stack",
        ours: call_ours,
        theirs: call_theirs,
    },
    Case {
        name: "run",
        what: "make, run to its end, drop, on one stack",
        ours: run_ours,
        theirs: run_theirs,
    },
    Case {
        name: "run-handed",
        what: "make, run, take the stack out for the next",
        ours: handed_ours,
        theirs: handed_theirs,
    },
    Case {
        name: "run-pooled",
        what: "make, run, drop; a stack of the shared pool, there (no pool) a new one",
        ours: pooled_ours,
        theirs: fresh_theirs,
    },
    Case {
        name: "unwind",
        what: "make, run, drop while suspended, on one stack",
        ours: unwind_ours,
        theirs: unwind_theirs,
    },
    Case {
        name: "run-fresh",
        what: "make with a new mapping, run, drop and unmap",
        ours: fresh_ours,
        theirs: fresh_theirs,
    },
];

fn stack() -> NativeStack {
    NativeStack::new(1 << 20).expect("memory for a stack")
}

fn switch_ours(count: u64) {
    let body = |fiber: &Suspender<u64, u64>, mut n: u64| -> u64 {
        loop {
            n = fiber.suspend(n);
            if n == u64::MAX {
                return n;
            }
        }
    };
    let mut fiber = Fiber::new(stack(), body).expect("a fiber");
    for n in 0..count {
        black_box(fiber.resume(black_box(n)).expect("suspended"));
    }
    assert_eq!(fiber.resume(u64::MAX), Ok(Step::Returned(u64::MAX)));
}

fn switch_theirs(count: u64) {
    let mut fiber = Coroutine::<u64, u64, u64>::new(|yielder, mut n| {
        loop {
            n = yielder.suspend(n);
            if n == u64::MAX {
                return n;
            }
        }
    });
    for n in 0..count {
        black_box(fiber.resume(black_box(n)));
    }
    assert!(matches!(
        fiber.resume(u64::MAX),
        CoroutineResult::Return(u64::MAX)
    ));
}

fn wide_ours(count: u64) {
    let body = |fiber: &Suspender<[u64; 4], [u64; 4]>, mut n: [u64; 4]| loop {
        n = fiber.suspend(n);
        if n[0] == u64::MAX {
            return;
        }
    };
    let mut fiber = Fiber::new(stack(), body).expect("a fiber");
    for n in 0..count {
        black_box(fiber.resume(black_box([n; 4])).expect("suspended"));
    }
    assert_eq!(fiber.resume([u64::MAX; 4]), Ok(Step::Returned(())));
}

fn wide_theirs(count: u64) {
    let mut fiber = Coroutine::<[u64; 4], [u64; 4], ()>::new(|yielder, mut n| {
        loop {
            n = yielder.suspend(n);
            if n[0] == u64::MAX {
                return;
            }
        }
    });
    for n in 0..count {
        black_box(fiber.resume(black_box([n; 4])));
    }
    assert!(matches!(
        fiber.resume([u64::MAX; 4]),
        CoroutineResult::Return(())
    ));
}

#[inline(never)]
fn deep<T>(depth: u32, at_bottom: &mut dyn FnMut() -> T) -> T {
    if depth == 0 {
        return at_bottom();
    }
    let value = deep(depth - 1, at_bottom);
    black_box(());
    value
}

fn deep_ours(count: u64) {
    let body = |fiber: &Suspender<u64, u64>, mut n: u64| {
        while n != u64::MAX {
            n = deep(3, &mut || fiber.suspend(n));
        }
    };
    let mut fiber = Fiber::new(stack(), body).expect("a fiber");
    for n in 0..count {
        black_box(fiber.resume(black_box(n)).expect("suspended"));
    }
    assert_eq!(fiber.resume(u64::MAX), Ok(Step::Returned(())));
}

fn deep_theirs(count: u64) {
    let mut fiber = Coroutine::<u64, u64, ()>::new(|yielder, mut n| {
        while n != u64::MAX {
            n = deep(3, &mut || yielder.suspend(n));
        }
    });
    for n in 0..count {
        black_box(fiber.resume(black_box(n)));
    }
    assert!(matches!(
        fiber.resume(u64::MAX),
        CoroutineResult::Return(())
    ));
}

fn call_ours(count: u64) {
    let mut stack = stack();
    for n in 0..count {
        let n = black_box(n);
        black_box(sheave_fiber::call_on(&mut stack, |_| n + 1).expect("a fiber"));
    }
}

fn call_theirs(count: u64) {
    let mut stack = DefaultStack::default();
    for n in 0..count {
        let n = black_box(n);
        black_box(corosensei::on_stack(&mut stack, || n + 1));
    }
}

fn run_ours(count: u64) {
    let mut stack = stack();
    for n in 0..count {
        let body = |_: &Suspender<u64, ()>, n: u64| n + 1;
        sheave_fiber::scope(&mut stack, body, |mut fiber| {
            black_box(fiber.resume(black_box(n)).expect("new"));
        })
        .expect("a fiber");
    }
}

fn run_theirs(count: u64) {
    let mut stack = DefaultStack::default();
    for n in 0..count {
        let fiber = ScopedCoroutine::<u64, (), u64, _>::with_stack(&mut stack, |_, n| n + 1);
        fiber.scope(|mut fiber| {
            black_box(fiber.resume(black_box(n)));
        });
    }
}

fn pooled_ours(count: u64) {
    let pool = StackPool::new(PoolConfig::default());
    for n in 0..count {
        let body = |_: &Suspender<u64, ()>, n: u64| n + 1;
        let mut fiber = Fiber::new(pool.take().expect("a stack"), body).expect("a fiber");
        black_box(fiber.resume(black_box(n)).expect("new"));
    }
}

fn handed_ours(count: u64) {
    let mut kept = Some(stack());
    for n in 0..count {
        let taken = kept.take().expect("it was put back");
        let body = |_: &Suspender<u64, ()>, n: u64| n + 1;
        let mut fiber = Fiber::new(taken, body).expect("a fiber");
        black_box(fiber.resume(black_box(n)).expect("new"));
        kept = fiber.into_stack().ok();
    }
}

fn handed_theirs(count: u64) {
    let mut stack = Some(DefaultStack::default());
    for n in 0..count {
        let taken = stack.take().expect("it was put back");
        let mut fiber = Coroutine::<u64, (), u64, _>::with_stack(taken, |_, n| n + 1);
        black_box(fiber.resume(black_box(n)));
        stack = Some(fiber.into_stack());
    }
}

struct Guard<'a>(&'a mut u64);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        *self.0 += 1;
    }
}

fn unwind_ours(count: u64) {
    let mut stack = stack();
    let mut dropped = 0;
    for _ in 0..count {
        let body = |fiber: &Suspender<(), ()>, ()| {
            let _guard = Guard(&mut dropped);
            fiber.suspend(());
        };
        sheave_fiber::scope(&mut stack, body, |mut fiber| {
            black_box(fiber.resume(()).expect("new"));
        })
        .expect("a fiber");
    }
    assert_eq!(dropped, count);
}

fn unwind_theirs(count: u64) {
    let mut stack = DefaultStack::default();
    let mut dropped = 0;
    for _ in 0..count {
        let fiber = ScopedCoroutine::<(), (), (), _>::with_stack(&mut stack, |yielder, ()| {
            let _guard = Guard(&mut dropped);
            yielder.suspend(());
        });
        fiber.scope(|mut fiber| {
            black_box(fiber.resume(()));
        });
    }
    assert_eq!(dropped, count);
}

fn fresh_ours(count: u64) {
    for n in 0..count {
        let body = |_: &Suspender<u64, ()>, n: u64| n + 1;
        let mut fiber = Fiber::new(stack(), body).expect("a fiber");
        black_box(fiber.resume(black_box(n)).expect("new"));
    }
}

fn fresh_theirs(count: u64) {
    for n in 0..count {
        let mut fiber = Coroutine::<u64, (), u64>::new(|_, n| n + 1);
        black_box(fiber.resume(black_box(n)));
    }
}

/// The CPU time of this thread in nanoseconds: other work on the machine counts little.
fn now() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: it writes to where it is told.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0, "a clock");
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// Nanoseconds for each of `count` times.
fn time(work: Work, count: u64) -> f64 {
    let start = now();
    work(count);
    (now() - start) / count as f64
}

/// The median, and the middle half.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}

fn main() {
    assert!(stack().guard_len() > 0);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [only, name, count, side] = &arguments[..]
        && only == "--only"
    {
        let case = CASES.iter().find(|case| case.name == name);
        let case = case.expect("the name of a case");
        let count = count.parse().expect("a number");
        return match &side[..] {
            "ours" => (case.ours)(count),
            _ => (case.theirs)(count),
        };
    }
    let rounds: usize = arguments
        .first()
        .map_or(41, |n| n.parse().expect("a number"));
    let wanted =
        |case: &&Case| arguments.len() < 2 || arguments[1..].iter().any(|a| a == case.name);
    println!("| case | | ours, ns | corosensei, ns | ratio |");
    println!("|---|---|--:|--:|--:|");
    for case in CASES.iter().filter(wanted) {
        // Rounds of about a millisecond: so short that the two of a pair meet the same conditions.
        let often = |work| (2e6 / time(work, 1000).max(1.0)) as u64 + 1;
        let (often_ours, often_theirs) = (often(case.ours), often(case.theirs));
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..rounds {
            let (a, b);
            if round % 2 == 0 {
                a = time(case.ours, often_ours);
                b = time(case.theirs, often_theirs);
            } else {
                b = time(case.theirs, often_theirs);
                a = time(case.ours, often_ours);
            }
            ours.push(a);
            theirs.push(b);
            ratios.push(a / b);
        }
        let [low, ratio, high] = quartiles(ratios);
        println!(
            "| `{}` | {} | {:.2} | {:.2} | {ratio:.3} [{low:.2}–{high:.2}] |",
            case.name,
            case.what,
            quartiles(ours)[1],
            quartiles(theirs)[1],
        );
    }
}
