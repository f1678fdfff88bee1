//! What must be equal for a module.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context as _, Result};
use sheave::Executor;

use crate::case::{Event, Failure, Random};
use crate::edit::for_wasmi;
use crate::ours::{self, Mode};
use crate::peer;

/// How a check ended.
pub enum Verdict {
    /// All runs agree; how many calls there were and how many of them gave results.
    Agree { calls: u64, returned: u64 },
    /// A limit that engines may have as they like was reached.
    Skipped,
    /// Runs differ: what was seen where.
    Differ(String),
}

/// The usual way, with the portable executor.
pub const PLAIN: Mode = Mode {
    executor: Executor::Portable,
    lazy: true,
    lazy_validation: false,
    interruption: false,
    heap: false,
    relocate: false,
    image: false,
    fuel: false,
    fuel_per_call: 1 << 40,
    pausing: false,
};

/// The ways that the seed chooses for sheave.
fn modes(seed: u64) -> Vec<Mode> {
    let mut random = Random(seed ^ 0x0dd5);
    let mut flip = || random.one_in(2);
    let first = Mode {
        executor: Executor::best(),
        interruption: flip(),
        heap: flip(),
        relocate: flip(),
        lazy_validation: flip(),
        image: flip(),
        ..PLAIN
    };
    let second = Mode {
        executor: Executor::Portable,
        lazy: false,
        interruption: flip(),
        relocate: flip(),
        ..PLAIN
    };
    vec![first, second]
}

fn difference(ours: &[Event], theirs: &[Event]) -> Option<String> {
    // Why an instantiation failed is not a trap in wasmi where a segment does not fit.
    let failed = |e: Option<&Event>| matches!(e, Some(Event::Instance(Err(_))));
    let same =
        |i: usize| ours.get(i) == theirs.get(i) || failed(ours.get(i)) && failed(theirs.get(i));
    let at = (0..ours.len().max(theirs.len())).find(|i| !same(*i))?;
    Some(format!(
        "event {at} of {}\n  sheave: {:?}\n  other:  {:?}",
        theirs.len(),
        ours.get(at),
        theirs.get(at)
    ))
}

fn exhausted(events: &[Event]) -> bool {
    events.iter().any(|e| {
        matches!(
            e,
            Event::Call(_, Err(Failure::Trap("call stack exhausted")))
                | Event::Instance(Err(Failure::Trap("call stack exhausted")))
        )
    })
}

/// Runs the module under everything.
pub fn check(wasm: &[u8], seed: u64) -> Result<Verdict> {
    // wasmi 2.0.0 panics while it translates some stores; that is no difference.
    let theirs = for_wasmi(wasm).unwrap_or_else(|_| wasm.to_vec());
    let Ok(theirs) = catch_unwind(AssertUnwindSafe(|| peer::run(&theirs, seed))) else {
        return Ok(Verdict::Skipped);
    };
    let theirs = theirs.context("under wasmi")?;
    let threaded = Executor::best();
    for mode in modes(seed) {
        let ours =
            ours::run(wasm, seed, &mode).with_context(|| format!("under sheave, {mode:?}"))?;
        if exhausted(&theirs) || exhausted(&ours.events) {
            return Ok(Verdict::Skipped);
        }
        if let Some(difference) = difference(&ours.events, &theirs) {
            return Ok(Verdict::Differ(format!("{mode:?}\n  {difference}")));
        }
    }
    let fueled = Mode {
        fuel: true,
        ..PLAIN
    };
    let portable = ours::run(wasm, seed, &fueled)?;
    let fast = ours::run(
        wasm,
        seed,
        &Mode {
            executor: threaded,
            lazy: false,
            ..fueled.clone()
        },
    )?;
    if let Some(difference) = difference(&portable.events, &theirs) {
        return Ok(Verdict::Differ(format!("with fuel\n  {difference}")));
    }
    if portable.fuel != fast.fuel || portable.events != fast.events {
        return Ok(Verdict::Differ(format!(
            "fuel: {:?} and {:?}",
            portable.fuel, fast.fuel
        )));
    }
    // Pausing in the middle of the calls, and going on.
    for executor in [Executor::Portable, threaded] {
        let mode = Mode {
            executor,
            pausing: true,
            relocate: seed & 1 == 0,
            ..fueled.clone()
        };
        let paused = ours::run(wasm, seed, &mode)?;
        if let Some(difference) = difference(&paused.events, &portable.events) {
            return Ok(Verdict::Differ(format!("{mode:?}\n  {difference}")));
        }
        if paused.fuel != portable.fuel {
            return Ok(Verdict::Differ(format!(
                "fuel of calls that pause: {:?} and {:?}",
                paused.fuel, portable.fuel
            )));
        }
    }
    // Running dry somewhere in the middle of the calls.
    let most = portable.fuel.iter().copied().max().unwrap_or(0);
    let mut random = Random(seed ^ 0xf0e1);
    for _ in 0..3 {
        let fuel_per_call = random.below(most + 1);
        let a = ours::run(
            wasm,
            seed,
            &Mode {
                fuel_per_call,
                ..fueled.clone()
            },
        )?;
        let b = ours::run(
            wasm,
            seed,
            &Mode {
                executor: threaded,
                fuel_per_call,
                ..fueled.clone()
            },
        )?;
        if let Some(difference) = difference(&a.events, &b.events) {
            return Ok(Verdict::Differ(format!(
                "with {fuel_per_call} units of fuel a call\n  {difference}"
            )));
        }
        if a.fuel != b.fuel {
            return Ok(Verdict::Differ(format!(
                "with {fuel_per_call} units of fuel a call: {:?} and {:?}",
                a.fuel, b.fuel
            )));
        }
    }
    let calls = theirs
        .iter()
        .filter(|e| matches!(e, Event::Call(..)))
        .count() as u64;
    let returned = theirs
        .iter()
        .filter(|e| matches!(e, Event::Call(_, Ok(_))))
        .count() as u64;
    Ok(Verdict::Agree { calls, returned })
}

/// The ways to run whole programs.
pub fn program_modes() -> Vec<Mode> {
    vec![
        Mode {
            executor: Executor::best(),
            ..PLAIN
        },
        Mode {
            executor: Executor::best(),
            lazy: false,
            fuel: true,
            interruption: true,
            heap: true,
            ..PLAIN
        },
        Mode {
            lazy: false,
            ..PLAIN
        },
    ]
}
