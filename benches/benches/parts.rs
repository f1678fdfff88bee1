//! The parts by themselves: translation, instantiation, execution, calls. `cargo bench -p sheave-benches`

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sheave::{Config, Engine, Executor, Func, Instance, Linker, Module, Store, Val};
use sheave_benches::{KERNELS, state_module, wide_module};

/// Bytes of wasm to bytecode: eagerly, with translation on demand, with validation on demand too.
fn translate(c: &mut Criterion) {
    let mut group = c.benchmark_group("translate");
    let text = wide_module(2000);
    let wasm = Module::new(&Engine::default(), text)
        .expect("the module is valid")
        .wasm()
        .to_vec();
    group.throughput(Throughput::Bytes(wasm.len() as u64));
    for (name, lazy_translation, lazy_validation) in [
        ("eager", false, false),
        ("lazy", true, false),
        ("lazy validation", true, true),
    ] {
        let mut config = Config::new();
        config
            .parallel_compilation(false)
            .lazy_translation(lazy_translation)
            .lazy_validation(lazy_validation);
        let engine = Engine::new(&config).expect("the configuration is supported");
        group.bench_function(name, |b| {
            b.iter(|| Module::from_binary(&engine, black_box(&wasm)).expect("valid"))
        });
    }
    group.finish();
}

/// A translated module to an instance in a new store, by how much state it has.
fn instantiate(c: &mut Criterion) {
    let mut group = c.benchmark_group("instantiate");
    let shapes = [
        ("empty", state_module(0, 0, 0)),
        ("1 MiB of data", state_module(17, 1 << 20, 0)),
        ("1000 table entries", state_module(1, 0, 1000)),
    ];
    for (name, text) in shapes {
        let engine = Engine::default();
        let module = Module::new(&engine, text).expect("the module is valid");
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut store = Store::new(&engine, ());
                Instance::new(&mut store, &module, &[]).expect("it instantiates")
            });
        });
    }
    group.finish();
}

/// Kernels on both executors.
fn execute(c: &mut Criterion) {
    let mut group = c.benchmark_group("execute");
    for executor in [Executor::Threaded, Executor::Portable]
        .into_iter()
        .filter(|e| e.available())
    {
        let mut config = Config::new();
        config.executor(executor);
        let engine = Engine::new(&config).expect("the executor is available");
        for (name, n, text) in KERNELS {
            let module = Module::new(&engine, text).expect("the module is valid");
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).expect("it instantiates");
            let run = instance
                .get_typed_func::<u32, u32>(&mut store, "run")
                .expect("it exports `run`");
            group.bench_function(BenchmarkId::new(*name, format!("{executor:?}")), |b| {
                b.iter(|| run.call(&mut store, black_box(*n)).expect("it returns"))
            });
        }
    }
    group.finish();
}

/// Across the border: typed and untyped calls into the guest, a thousand calls of a host function.
fn call(c: &mut Criterion) {
    const MODULE: &str = r#"(module
        (import "host" "add" (func $add (param i32 i32) (result i32)))
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
        (func (export "out") (param $n i32) (result i32) (local $x i32)
          (loop $top
            (local.set $x (call $add (local.get $x) (local.get $n)))
            (br_if $top (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
          (local.get $x)))"#;
    let mut group = c.benchmark_group("call");
    let engine = Engine::default();
    let module = Module::new(&engine, MODULE).expect("the module is valid");
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker
        .func_wrap("host", "add", |a: u32, b: u32| a.wrapping_add(b))
        .expect("the name is free");
    let instance = linker
        .instantiate(&mut store, &module)
        .expect("it instantiates");
    let add = instance
        .get_typed_func::<(u32, u32), u32>(&mut store, "add")
        .expect("it is exported");
    group.bench_function("host to wasm, typed", |b| {
        b.iter(|| add.call(&mut store, black_box((1, 2))).expect("it returns"))
    });
    let untyped: Func = instance
        .get_func(&mut store, "add")
        .expect("it is exported");
    let mut results = [Val::I32(0)];
    group.bench_function("host to wasm, untyped", |b| {
        b.iter(|| {
            untyped
                .call(
                    &mut store,
                    black_box(&[Val::I32(1), Val::I32(2)]),
                    &mut results,
                )
                .expect("it returns")
        })
    });
    let out = instance
        .get_typed_func::<u32, u32>(&mut store, "out")
        .expect("it is exported");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("wasm to host, 1000", |b| {
        b.iter(|| out.call(&mut store, black_box(1000)).expect("it returns"))
    });
    group.finish();
}

criterion_group! {
    name = parts;
    config = Criterion::default().sample_size(30).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = translate, instantiate, execute, call
}
criterion_main!(parts);
