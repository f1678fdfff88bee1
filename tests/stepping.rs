//! Programs that are stopped at every k-th step of fuel, saved, and gone on with in another store, of another engine, on
//! the other backend and executor in turn, give what they give undisturbed.

use sheave::{
    Backend, CallOutcome, Config, Engine, Executor, Linker, Module, Modules, Restore, Snapshot,
    Store, Val,
};

/// Name, text, argument of `run`, which gives an i64, and fuel between two stops.
const PROGRAMS: [(&str, &str, i32, u64); 6] = [
    (
        "binary trees",
        include_str!("../benches/compare/programs/gc/binary_trees.wat"),
        4,
        97,
    ),
    (
        "chains",
        include_str!("../benches/compare/programs/gc/chains.wat"),
        3,
        997,
    ),
    (
        "builder",
        include_str!("../benches/compare/programs/gc/builder.wat"),
        2,
        499,
    ),
    (
        "memory, table and globals",
        include_str!("../fuzz/src/snapshots/plain.wat"),
        13,
        3,
    ),
    (
        "two instances and exceptions",
        include_str!("../fuzz/src/snapshots/instances.wat"),
        6,
        5,
    ),
    (
        "objects and exceptions",
        include_str!("../fuzz/src/snapshots/objects.wat"),
        12,
        7,
    ),
];

/// Stops that are enough for one program.
const MOST_STOPS: u32 = if cfg!(miri) { 4 } else { 400 };

/// Stops that an engine is good for, as translated code takes room in it.
const STOPS_AN_ENGINE: usize = 50;

fn engine(turn: usize) -> Engine {
    let executors = [Executor::best(), Executor::Portable];
    let backends = [Backend::Auto, Backend::Heap];
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .executor(executors[turn % 2])
        .arena_backend(backends[turn / 2 % 2])
        .gc_stress(turn % 4 == 1);
    Engine::new(&config).expect("an engine")
}

fn linker(engine: &Engine) -> Linker<()> {
    let mut linker = Linker::new(engine);
    let note = |x: i32| i64::from(x) + 100;
    linker.func_wrap("host", "note", note).expect("a new name");
    linker
}

fn begun(engine: &Engine, text: &str) -> Store<()> {
    let (mut store, mut linker) = (Store::new(engine, ()), linker(engine));
    store.set_fuel(1 << 30).expect("fuel");
    for (i, text) in text.split(";; ----").enumerate() {
        let module = Module::new(engine, text).expect("a valid module");
        let instance = linker
            .instantiate(&mut store, &module)
            .expect("an instance");
        let name = format!("module {i}");
        linker
            .instance(&mut store, &name, instance)
            .expect("a new name");
    }
    store
}

fn run(store: &mut Store<()>, n: i32, results: &mut [Val]) -> CallOutcome {
    let last = store.instances().last().expect("an instance");
    let run = last.get_func(&mut *store, "run").expect("it has `run`");
    run.call_resumable(store, &[Val::I32(n)], results)
        .expect("no trap")
}

#[test]
fn programs_saved_at_every_kth_step_give_what_they_give_undisturbed() {
    let mut engines: Vec<Engine> = (0..4).map(engine).collect();
    for (name, text, n, step) in PROGRAMS {
        let mut results = [Val::I64(0)];
        let mut store = begun(&engines[0], text);
        assert_eq!(run(&mut store, n, &mut results), CallOutcome::Finished);
        let want = results[0].unwrap_i64();
        let fuel = (1 << 30) - store.get_fuel().expect("fuel");
        let step = step.max(fuel / u64::from(MOST_STOPS));

        let mut store = begun(&engines[0], text);
        store.set_fuel(step).expect("fuel");
        let mut outcome = run(&mut store, n, &mut results);
        let mut stops = 0;
        while outcome != CallOutcome::Finished {
            stops += 1;
            let turn = stops % engines.len();
            if stops % STOPS_AN_ENGINE == 0 {
                engines[turn] = engine(turn);
            }
            let snapshot = store.snapshot().expect("a snapshot");
            let bytes = snapshot.to_bytes_with(Modules::Embedded);
            let snapshot = Snapshot::from_bytes(&bytes).expect("its bytes");
            let (engine, linker) = (&engines[turn], linker(&engines[turn]));
            store = Restore::new(engine, &snapshot, &linker)
                .store(())
                .expect("a store");
            let left = store.get_fuel().expect("fuel");
            store.set_fuel(left + step).expect("fuel");
            outcome = store.resume_call(&mut results).expect("no trap");
        }
        assert_eq!(results[0].unwrap_i64(), want, "{name}");
        let enough = if cfg!(miri) { 3 } else { 20 };
        assert!(stops >= enough, "{name}: {stops} stops");
    }
}
