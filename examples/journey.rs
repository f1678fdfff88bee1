//! One call that is interrupted again and again in the middle of its recursion, written to a file, and goes on in
//! another engine: on the other executor, with another kind of memory underneath. It never knows.
//!
//! `cargo run --release --example journey -p sheave`

use sheave::{
    Backend, CallOutcome, Config, Engine, Executor, Instance, Linker, Module, Result, Snapshot,
    Store, Val,
};

/// Counts the ways to put queens on a board, by recursion; the board is in linear memory.
const QUEENS: &str = r#"(module
    (memory (export "memory") 1)
    (func $place (param $n i32) (param $row i32) (result i32)
        (local $column i32) (local $r i32) (local $q i32) (local $found i32)
        (if (i32.eq (local.get $row) (local.get $n)) (then (return (i32.const 1))))
        (loop $columns
            (local.set $r (i32.const 0))
            (block $attacked
                (block $safe
                    (loop $rows
                        (br_if $safe (i32.ge_u (local.get $r) (local.get $row)))
                        (local.set $q (i32.sub (i32.load8_u (local.get $r)) (local.get $column)))
                        (br_if $attacked (i32.eqz (local.get $q)))
                        (br_if $attacked (i32.eq
                            (i32.mul (local.get $q) (local.get $q))
                            (i32.mul (i32.sub (local.get $row) (local.get $r)) (i32.sub (local.get $row) (local.get $r)))))
                        (local.set $r (i32.add (local.get $r) (i32.const 1)))
                        (br $rows)))
                (i32.store8 (local.get $row) (local.get $column))
                (local.set $found (i32.add (local.get $found)
                    (call $place (local.get $n) (i32.add (local.get $row) (i32.const 1))))))
            (br_if $columns (i32.lt_u
                (local.tee $column (i32.add (local.get $column) (i32.const 1)))
                (local.get $n))))
        (local.get $found))
    (func (export "queens") (param i32) (result i32) (call $place (local.get 0) (i32.const 0))))"#;

const N: i32 = 8;
const FUEL: u64 = 400_000;

fn engine(executor: Executor, backend: Backend) -> Result<Engine> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .executor(executor)
        .arena_backend(backend);
    Engine::new(&config)
}

fn main() -> Result<()> {
    let path = std::env::temp_dir().join(format!("sheave-journey-{}.snapshot", std::process::id()));
    let places = [
        (Executor::best(), Backend::Auto),
        (Executor::Portable, Backend::Heap),
    ];
    let start = engine(places[0].0, places[0].1)?;
    let module = Module::new(&start, QUEENS)?;
    let mut store = Store::new(&start, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let queens = instance
        .get_func(&mut store, "queens")
        .expect("it is exported");

    let mut results = [Val::I32(0)];
    store.set_fuel(FUEL)?;
    let mut outcome = queens.call_resumable(&mut store, &[Val::I32(N)], &mut results)?;
    let mut legs = 0;
    while outcome != CallOutcome::Finished {
        let depth = store
            .paused_backtrace()
            .map_or(0, |trace| trace.frames().len());
        store.snapshot()?.write_to(&path)?;
        drop(store);

        legs += 1;
        let (executor, backend) = places[legs % places.len()];
        let snapshot = Snapshot::open(&path)?;
        println!(
            "leg {legs}: {depth} frames deep, {} bytes on disk, going on with {executor:?} on {backend:?}",
            std::fs::metadata(&path)?.len()
        );
        let engine = engine(executor, backend)?;
        store = Store::restore(&engine, &snapshot, &Linker::new(&engine), ())?;
        store.set_fuel(FUEL)?;
        outcome = store.resume_call(&mut results)?;
    }
    std::fs::remove_file(&path)?;
    let found = results[0].unwrap_i32();
    println!("{N} queens: {found} ways");
    assert_eq!(found, 92);
    Ok(())
}
