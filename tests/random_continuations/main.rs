//! Random programs of nested continuations, step by step against a model of what they should do.
//!
//! Every statement tells the host its number and the value that it works on; so what is compared is not only how a program
//! ends, but all of its way there. `PROPTEST_CASES` says how many programs.
//!
//! Under Miri a few are run that are the same each time. Text takes it minutes: `SHEAVE_ASSEMBLED` names a folder in which a run without Miri
//! leaves the modules in binary for one with it.

mod model;
mod program;
mod wat;

use model::{Machine, Outcome};
use program::{Invocation, Program, program};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sheave::{
    AsContextMut, CallOutcome, Caller, Config, Context as _, Engine, Executor, Func, Linker,
    Module, Result, RootScope, Snapshot, Store, ThrownException, Trap, Val,
};
use std::collections::BTreeMap;
use std::hash::{Hash as _, Hasher as _};

/// In what ways programs are run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Way {
    Plain,
    /// Every allocation collects.
    Stress,
    /// That too, and calls stop again and again, with a collection each time.
    Pauses,
    /// The same, and goes on in a store that is restored from a snapshot.
    Snapshots,
}

type Log = Vec<(u32, i32)>;

/// A store, and how it is run.
struct Run {
    store: Store<Log>,
    linker: Linker<Log>,
    way: Way,
    pauses: u32,
}

impl Run {
    fn new(executor: Executor, way: Way, program: &Program) -> Result<Self> {
        let mut config = Config::new();
        config
            .wasm_stack_switching(true)
            .executor(executor)
            .gc_stress(way != Way::Plain)
            .consume_fuel(way >= Way::Pauses);
        let engine = Engine::new(&config)?;
        let mut linker = Linker::new(&engine);
        linker.func_wrap(
            "host",
            "log",
            |mut caller: Caller<'_, Log>, id: u32, x: i32| caller.data_mut().push((id, x)),
        )?;
        let mut run = Self {
            store: Store::new(&engine, Log::new()),
            linker,
            way,
            pauses: 0,
        };
        run.fuel(u64::MAX)?;
        let [first, second] = wat::modules(program).map(|text| assembled(&text));
        let mut linker = run.linker.clone();
        let first = linker.instantiate(&mut run.store, &Module::new(&engine, first)?)?;
        linker.instance(&mut run.store, "a", first)?;
        linker.instantiate(&mut run.store, &Module::new(&engine, second)?)?;
        Ok(run)
    }

    /// Sets the fuel, where it is counted.
    fn fuel(&mut self, fuel: u64) -> Result<()> {
        if self.way >= Way::Pauses {
            self.store.set_fuel(fuel)?;
        }
        Ok(())
    }

    /// An export of the first instance.
    fn func(&mut self, name: &str) -> Result<Func> {
        let instance = self.store.instances().next().context("an instance")?;
        let func = instance.get_func(&mut self.store, name);
        func.context("a function")
    }

    fn invoke(&mut self, invocation: Invocation) -> Result<i32> {
        self.fuel(u64::MAX)?;
        let instance = self.store.instances().next().context("an instance")?;
        let budget = instance.get_global(&mut self.store, "budget");
        budget
            .context("a global")?
            .set(&mut self.store, invocation.budget.into())?;
        if invocation.fill {
            self.func("fill")?.call(&mut self.store, &[], &mut [])?;
        }
        let func = self.func(&format!("r{}", invocation.root))?;
        let args = [invocation.x.into(), Val::ContRef(None)];
        if self.way >= Way::Pauses {
            return self.call_with_pauses(func, &args);
        }
        let mut results = [Val::I32(0)];
        func.call(&mut self.store, &args, &mut results)?;
        Ok(results[0].unwrap_i32())
    }

    /// Calls a function that is paused whenever it has run a few blocks.
    fn call_with_pauses(&mut self, func: Func, args: &[Val]) -> Result<i32> {
        const FUEL: u64 = 16;
        let mut results = [Val::I32(0)];
        let mut fuel = FUEL;
        self.fuel(fuel)?;
        let (first, before) = (self.store.data().len(), self.pauses);
        let mut outcome = func.call_resumable(&mut self.store, args, &mut results)?;
        while outcome != CallOutcome::Finished {
            self.pause()?;
            let done = self.store.data().len();
            self.fuel(fuel)?;
            outcome = self.store.resume_call(&mut results)?;
            // A block may want more than that.
            let on = self.store.data().len() > done;
            fuel = if on { FUEL } else { 2 * fuel };
        }
        // A statement is several operators.
        assert!(self.pauses > before || self.store.data().len() - first < 20);
        Ok(results[0].unwrap_i32())
    }

    /// What happens while a call waits.
    fn pause(&mut self) -> Result<()> {
        self.pauses += 1;
        self.store.gc(None)?;
        if self.way == Way::Snapshots && self.pauses.is_multiple_of(3) {
            let snapshot = self.store.snapshot()?;
            let snapshot = Snapshot::from_bytes(&snapshot.to_bytes())?;
            let log = std::mem::take(self.store.data_mut());
            let engine = self.store.engine().clone();
            self.store = Store::restore(&engine, &snapshot, &self.linker, log)?;
        }
        Ok(())
    }
}

/// A module in binary: from the folder that is named for it, or assembled, and left there.
fn assembled(text: &str) -> Vec<u8> {
    let assemble = || ::wat::parse_str(text).expect("a module");
    let Some(folder) = std::env::var_os("SHEAVE_ASSEMBLED") else {
        return assemble();
    };
    let mut hasher = std::hash::DefaultHasher::new();
    text.hash(&mut hasher);
    let file = std::path::Path::new(&folder).join(format!("{:016x}.wasm", hasher.finish()));
    std::fs::read(&file).unwrap_or_else(|_| {
        let binary = assemble();
        std::fs::write(&file, &binary).expect("a folder for modules");
        binary
    })
}

/// What a store does with a program: how each invocation ends, and all the statements that are run.
fn run(executor: Executor, way: Way, program: &Program) -> (Vec<Outcome>, Log) {
    let mut run = Run::new(executor, way, program).expect("two instances");
    let mut outcomes = Vec::new();
    for invocation in &program.invocations {
        let called = run.invoke(*invocation);
        outcomes.push(outcome(&mut run.store, called));
    }
    (outcomes, run.store.into_data())
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

const WAYS: [Way; 4] = [Way::Plain, Way::Stress, Way::Pauses, Way::Snapshots];

#[test]
fn a_few_programs_do_what_the_model_does() {
    let mut runner = TestRunner::deterministic();
    // Miri takes a minute for this way, and several for those with pauses.
    let ways = if cfg!(miri) { &WAYS[1..2] } else { &WAYS[..] };
    for way in ways {
        let tree = program().new_tree(&mut runner).expect("a program");
        let program = tree.current();
        assert_eq!(run(Executor::Portable, *way, &program), expected(&program));
    }
}

#[cfg(not(miri))]
proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_programs_do_what_the_model_does(program in program()) {
        let expected = expected(&program);
        for executor in [Executor::Threaded, Executor::Portable] {
            for way in WAYS {
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
