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
    AsContextMut, Caller, Config, Engine, Executor, Instance, Module, RootScope, Store,
    ThrownException, Trap, Val,
};
use std::collections::BTreeMap;

fn engine(executor: Executor, gc_stress: bool) -> Engine {
    let mut config = Config::new();
    config
        .wasm_stack_switching(true)
        .executor(executor)
        .gc_stress(gc_stress);
    Engine::new(&config).expect("an engine")
}

/// What a store does with a program: how each invocation ends, and all the statements that are run.
fn run(engine: &Engine, program: &Program) -> (Vec<Outcome>, Vec<(u32, i32)>) {
    let module = Module::new(engine, wat::module(program)).expect("a valid module");
    let mut store = Store::new(engine, Vec::new());
    let log = sheave::Func::wrap(
        &mut store,
        |mut caller: Caller<'_, Vec<(u32, i32)>>, id: u32, x: i32| caller.data_mut().push((id, x)),
    );
    let instance = Instance::new(&mut store, &module, &[log.into()]).expect("an instance");
    let budget = instance.get_global(&mut store, "budget").expect("a global");
    let mut outcomes = Vec::new();
    for invocation in &program.invocations {
        let mut store = RootScope::new(&mut store);
        budget
            .set(&mut store, invocation.budget.into())
            .expect("an i32");
        if invocation.fill {
            let fill = instance.get_func(&mut store, "fill").expect("a function");
            fill.call(&mut store, &[], &mut []).expect("it cannot trap");
        }
        let func = format!("r{}", invocation.root);
        let func = instance.get_func(&mut store, &func).expect("a function");
        let mut results = [Val::I32(0)];
        let args = [invocation.x.into(), Val::ContRef(None)];
        let called = func.call(&mut store, &args, &mut results);
        outcomes.push(match called {
            Ok(()) => Outcome::Returned(results[0].unwrap_i32()),
            Err(error) => match error.downcast_ref::<Trap>() {
                Some(Trap::Unreachable) => Outcome::Trapped(model::Trap::Unreachable),
                Some(Trap::NullReference) => Outcome::Trapped(model::Trap::Null),
                Some(Trap::ContinuationConsumed) => Outcome::Trapped(model::Trap::Consumed),
                Some(Trap::UnhandledTag) => Outcome::Trapped(model::Trap::Unhandled),
                _ if error.is::<ThrownException>() => {
                    let thrown = store.as_context_mut().take_pending_exception();
                    let field = thrown.expect("an exception").field(&mut store, 0);
                    Outcome::Thrown(field.expect("a payload").unwrap_i32())
                }
                _ => panic!("{error:?}"),
            },
        });
    }
    (outcomes, store.into_data())
}

/// What should happen.
fn expected(program: &Program) -> (Vec<Outcome>, Vec<(u32, i32)>) {
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
            for gc_stress in [false, true] {
                if executor.available() {
                    let ours = run(&engine(executor, gc_stress), &program);
                    prop_assert_eq!(
                        &ours, &expected, "{:?}, {}\n{}", executor, gc_stress, wat::module(&program)
                    );
                }
            }
        }
    }
}
