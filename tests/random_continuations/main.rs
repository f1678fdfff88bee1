//! Random programs of nested continuations, step by step against a model of what they should do.
//!
//! Every statement tells the host its number and the value that it works on; so what is compared is not only how a program
//! ends, but all of its way there. `PROPTEST_CASES` says how many programs.

mod model;
mod program;
mod wat;

use model::{Machine, Outcome};
use program::{Program, program};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sheave::{
    AsContextMut, CallOutcome, Caller, Config, Engine, Executor, Func, Linker, Module, Result,
    RootScope, Store, ThrownException, Trap, Val,
};
use std::collections::BTreeMap;

/// In what ways programs are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Plain,
    /// Every allocation collects.
    Stress,
    /// That too, and calls stop again and again, with a collection each time.
    Pauses,
}

fn engine(executor: Executor, way: Way) -> Engine {
    let mut config = Config::new();
    config
        .wasm_stack_switching(true)
        .executor(executor)
        .gc_stress(way != Way::Plain)
        .consume_fuel(way == Way::Pauses);
    Engine::new(&config).expect("an engine")
}

type Log = Vec<(u32, i32)>;

/// Calls a function that is paused whenever it has run a few blocks.
fn call_with_pauses(store: &mut Store<Log>, func: Func, args: &[Val]) -> Result<i32> {
    const FUEL: u64 = 16;
    let mut results = [Val::I32(0)];
    let mut fuel = FUEL;
    store.set_fuel(fuel)?;
    let (first, mut pauses) = (store.data().len(), 0);
    let mut outcome = func.call_resumable(store, args, &mut results)?;
    while outcome != CallOutcome::Finished {
        pauses += 1;
        store.gc(None)?;
        let done = store.data().len();
        store.set_fuel(fuel)?;
        outcome = store.resume_call(&mut results)?;
        // A block may want more than that.
        fuel = if store.data().len() > done {
            FUEL
        } else {
            2 * fuel
        };
    }
    // A statement is several operators.
    assert!(pauses > 0 || store.data().len() - first < 20);
    Ok(results[0].unwrap_i32())
}

/// What a store does with a program: how each invocation ends, and all the statements that are run.
fn run(executor: Executor, way: Way, program: &Program) -> (Vec<Outcome>, Log) {
    let engine = &engine(executor, way);
    let modules = wat::modules(program);
    let modules = modules.map(|text| Module::new(engine, text).expect("a valid module"));
    let mut store = Store::new(engine, Log::new());
    let pauses = way == Way::Pauses;
    let log = Func::wrap(
        &mut store,
        |mut caller: Caller<'_, Log>, id: u32, x: i32| {
            caller.data_mut().push((id, x));
        },
    );
    if pauses {
        store.set_fuel(u64::MAX).expect("fuel is counted");
    }
    let mut linker = Linker::new(engine);
    linker
        .define(&mut store, "host", "log", log)
        .expect("a new name");
    let [first, second] = &modules;
    let instance = linker.instantiate(&mut store, first).expect("an instance");
    linker
        .instance(&mut store, "a", instance)
        .expect("new names");
    linker.instantiate(&mut store, second).expect("an instance");
    let budget = instance.get_global(&mut store, "budget").expect("a global");
    let mut outcomes = Vec::new();
    for invocation in &program.invocations {
        budget
            .set(&mut store, invocation.budget.into())
            .expect("an i32");
        if invocation.fill {
            if pauses {
                store.set_fuel(u64::MAX).expect("fuel is counted");
            }
            let fill = instance.get_func(&mut store, "fill").expect("a function");
            fill.call(&mut store, &[], &mut []).expect("it cannot trap");
        }
        let func = format!("r{}", invocation.root);
        let func = instance.get_func(&mut store, &func).expect("a function");
        let args = [invocation.x.into(), Val::ContRef(None)];
        let called = if pauses {
            call_with_pauses(&mut store, func, &args)
        } else {
            let mut results = [Val::I32(0)];
            let called = func.call(&mut store, &args, &mut results);
            called.map(|()| results[0].unwrap_i32())
        };
        outcomes.push(outcome(&mut store, called));
    }
    (outcomes, store.into_data())
}

fn outcome(store: &mut Store<Log>, called: Result<i32>) -> Outcome {
    let error = match called {
        Ok(x) => return Outcome::Returned(x),
        Err(error) => error,
    };
    match error.downcast_ref::<Trap>() {
        Some(Trap::Unreachable) => Outcome::Trapped(model::Trap::Unreachable),
        Some(Trap::NullReference) => Outcome::Trapped(model::Trap::Null),
        Some(Trap::ContinuationConsumed) => Outcome::Trapped(model::Trap::Consumed),
        Some(Trap::UnhandledTag) => Outcome::Trapped(model::Trap::Unhandled),
        _ if error.is::<ThrownException>() => {
            let mut store = RootScope::new(store);
            let thrown = store.as_context_mut().take_pending_exception();
            let field = thrown.expect("an exception").field(&mut store, 0);
            Outcome::Thrown(field.expect("a payload").unwrap_i32())
        }
        _ => panic!("{error:?}"),
    }
}

/// What should happen.
fn expected(program: &Program) -> (Vec<Outcome>, Log) {
    let mut machine = Machine::new(program);
    let outcomes = program.invocations.iter();
    let outcomes = outcomes.map(|i| machine.invoke(*i));
    (outcomes.collect(), machine.log)
}

/// Otherwise the test below says little.
#[test]
#[cfg_attr(miri, ignore = "says nothing of memory")]
fn random_programs_do_all_kinds_of_things() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeMap::new();
    for _ in 0..200 {
        let tree = program().new_tree(&mut runner).expect("a program");
        let program = tree.current();
        let mut machine = Machine::new(&program);
        for i in &program.invocations {
            let outcome = machine.invoke(*i);
            let outcome = match outcome {
                Outcome::Returned(_) => "returned",
                Outcome::Thrown(_) => "thrown",
                Outcome::Trapped(model::Trap::Unreachable) => "unreachable",
                Outcome::Trapped(model::Trap::Null) => "null",
                Outcome::Trapped(model::Trap::Consumed) => "consumed",
                Outcome::Trapped(model::Trap::Unhandled) => "unhandled",
            };
            *seen.entry(outcome).or_insert(0) += 1;
        }
        for (what, times) in machine.seen {
            *seen.entry(what).or_insert(0) += times;
        }
    }
    println!("{seen:#?}");
    let wanted = [
        "returned",
        "thrown",
        "unreachable",
        "null",
        "consumed",
        "unhandled",
        "suspended",
        "driven",
        "switched",
        "several stacks captured",
        "several frames captured",
        "resumed again",
        "resumed with a bound argument",
        "thrown into",
        "caught around a resumption",
    ];
    for what in wanted {
        assert!(
            seen.get(what).is_some_and(|times| *times >= 3),
            "{what}: {seen:#?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { ProptestConfig::default().cases },
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_programs_do_what_the_model_does(program in program()) {
        let expected = expected(&program);
        for executor in [Executor::Threaded, Executor::Portable] {
            for way in [Way::Plain, Way::Stress, Way::Pauses] {
                if executor.available() {
                    let ours = run(executor, way, &program);
                    prop_assert_eq!(
                        &ours, &expected, "{:?}, {:?}\n{}", executor, way, wat::modules(&program).concat()
                    );
                }
            }
        }
    }
}
