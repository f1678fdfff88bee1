//! Finding imports, and whether they fit.

use super::{instance, on_both};
use sheave_hostcalls::{
    Engine, Func, Global, GlobalType, Instance, Linker, Memory, MemoryType, Module, Mutability,
    Ref, RefType, Store, Table, TableType, Trap, UnknownImportError, Val, ValType,
};

#[test]
fn unknown_imports_are_named() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (import "a" "b" (func (param i32))) (import "c" "d" (memory 1)))"#,
    )
    .unwrap();
    let error = Linker::<()>::new(&engine)
        .instantiate(Store::new(&engine, ()), &module)
        .unwrap_err();
    let unknown = error.downcast_ref::<UnknownImportError>().unwrap();
    assert_eq!((unknown.module(), unknown.name()), ("a", "b"));
    assert!(unknown.ty().func().is_some());
    let text = format!("{error:#}");
    assert!(
        text.contains("unknown import: `a::b` has not been defined") && text.contains("`c::d`"),
        "{text}"
    );
}

#[test]
fn imports_of_other_types_are_refused() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let func = Func::wrap(&mut store, |_: i32| {});
    let constant = Global::new(
        &mut store,
        GlobalType::new(ValType::I32, Mutability::Const),
        Val::I32(1),
    )
    .unwrap();
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(3))).unwrap();
    let table = Table::new(
        &mut store,
        TableType::new(RefType::FUNCREF, 2, Some(4)),
        Ref::Func(None),
    )
    .unwrap();
    let mut fits = |wanted: &str, item: sheave_hostcalls::Extern| {
        let module =
            Module::new(&engine, format!(r#"(module (import "m" "n" {wanted}))"#)).unwrap();
        match Instance::new(&mut store, &module, &[item]) {
            Ok(_) => true,
            Err(error) => {
                assert!(
                    format!("{error:#}").starts_with("incompatible import type for `m::n`"),
                    "{error:#}"
                );
                false
            }
        }
    };
    assert!(fits("(func (param i32))", func.into()));
    assert!(!fits("(func (param i64))", func.into()));
    assert!(!fits("(func)", func.into()));
    assert!(!fits("(memory 1)", func.into()));
    assert!(fits("(global i32)", constant.into()));
    assert!(!fits("(global (mut i32))", constant.into()));
    assert!(!fits("(global i64)", constant.into()));
    assert!(fits("(memory 0)", memory.into()));
    assert!(fits("(memory 1 3)", memory.into()));
    assert!(fits("(memory 1 4)", memory.into()));
    assert!(!fits("(memory 1 2)", memory.into()));
    assert!(!fits("(memory 2)", memory.into()));
    assert!(fits("(table 2 4 funcref)", table.into()));
    assert!(!fits("(table 3 funcref)", table.into()));
    assert!(!fits("(table 2 4 externref)", table.into()));
}

#[test]
fn the_size_that_counts_is_the_one_now() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let mut linker = Linker::new(&engine);
    linker.define(&store, "m", "n", memory).unwrap();
    let module = Module::new(&engine, r#"(module (import "m" "n" (memory 2)))"#).unwrap();
    assert!(linker.instantiate(&mut store, &module).is_err());
    memory.grow(&mut store, 1).unwrap();
    assert!(linker.instantiate(&mut store, &module).is_ok());
}

#[test]
fn names_are_defined_once_unless_shadowing_is_allowed() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("a", "b", || 1).unwrap();
    assert_eq!(
        linker.func_wrap("a", "b", || 2).unwrap_err().to_string(),
        "import of `a::b` defined twice"
    );
    linker
        .allow_shadowing(true)
        .func_wrap("a", "b", || 3)
        .unwrap();
    linker.alias("a", "b", "c", "d").unwrap();
    linker.alias_module("a", "e").unwrap();
    let mut store = Store::new(&engine, ());
    for (module, name) in [("a", "b"), ("c", "d"), ("e", "b")] {
        let f = linker
            .get(&mut store, module, name)
            .unwrap()
            .into_func()
            .unwrap();
        assert_eq!(
            f.typed::<(), i32>(&store)
                .unwrap()
                .call(&mut store, ())
                .unwrap(),
            3
        );
    }
    let mut all: Vec<(&str, &str)> = linker
        .iter(&mut store)
        .map(|(module, name, _)| (module, name))
        .collect();
    all.sort_unstable();
    assert_eq!(all, [("a", "b"), ("c", "d"), ("e", "b")]);
    assert!(linker.get(&mut store, "a", "x").is_none());
    assert!(linker.alias("a", "x", "a", "y").is_err());
}

#[test]
fn one_linker_serves_many_stores_and_threads() {
    let engine = Engine::default();
    let mut linker = Linker::<u64>::new(&engine);
    linker
        .func_wrap("", "id", |caller: sheave_hostcalls::Caller<'_, u64>| {
            *caller.data()
        })
        .unwrap();
    let module = Module::new(&engine, r#"(module (import "" "id" (func $id (result i64))) (func (export "f") (result i64) (call $id)))"#).unwrap();
    let pre = linker.instantiate_pre(&module).unwrap();
    std::thread::scope(|scope| {
        for id in 0..4 {
            let (pre, engine) = (&pre, &engine);
            scope.spawn(move || {
                let mut store = Store::new(engine, id);
                for _ in 0..3 {
                    let i = pre.instantiate(&mut store).unwrap();
                    assert_eq!(
                        i.get_typed_func::<(), u64>(&mut store, "f")
                            .unwrap()
                            .call(&mut store, ())
                            .unwrap(),
                        id
                    );
                }
            });
        }
    });
}

#[test]
fn unknown_functions_can_be_traps_or_defaults() {
    on_both(|engine| {
        let module = Module::new(
            engine,
            r#"(module (import "a" "f" (func $f (param i32) (result i64))) (import "a" "g" (global i32)) (import "a" "m" (memory 1)) (import "a" "t" (table 1 funcref))
                (func (export "f") (result i64) (call $f (i32.const 1))))"#,
        )
        .unwrap();
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        linker
            .define_unknown_imports_as_default_values(&mut store, &module)
            .unwrap();
        let i = linker.instantiate(&mut store, &module).unwrap();
        assert_eq!(
            i.get_typed_func::<(), i64>(&mut store, "f")
                .unwrap()
                .call(&mut store, ())
                .unwrap(),
            0
        );

        let module = Module::new(
            engine,
            r#"(module (import "a" "f" (func $f)) (func (export "f") (call $f)))"#,
        )
        .unwrap();
        let mut linker = Linker::new(engine);
        linker.define_unknown_imports_as_traps(&module).unwrap();
        let i = linker.instantiate(&mut store, &module).unwrap();
        let error = i
            .get_typed_func::<(), ()>(&mut store, "f")
            .unwrap()
            .call(&mut store, ())
            .unwrap_err();
        assert!(error.is::<UnknownImportError>());
    });
}

#[test]
fn commands_are_instantiated_for_each_call_and_reactors_once() {
    on_both(|engine| {
        let counter = r#"(global $n (mut i32) (i32.const 0))
            (func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n))"#;
        let command = Module::new(
            engine,
            format!(r#"(module (memory (export "memory") 1) {counter} (func (export "_start")))"#),
        )
        .unwrap();
        let reactor = Module::new(
            engine,
            format!(
                r#"(module {counter} (func (export "_initialize") (global.set $n (i32.const 10))))"#
            ),
        )
        .unwrap();
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        linker.module(&mut store, "command", &command).unwrap();
        linker.module(&mut store, "reactor", &reactor).unwrap();
        let mut next = |module| {
            let f = linker
                .get(&mut store, module, "next")
                .unwrap()
                .into_func()
                .unwrap();
            f.typed::<(), i32>(&store)
                .unwrap()
                .call(&mut store, ())
                .unwrap()
        };
        assert_eq!(
            [
                next("command"),
                next("command"),
                next("reactor"),
                next("reactor")
            ],
            [1, 1, 11, 12]
        );
        let default = linker.get_default(&mut store, "command").unwrap();
        default.call(&mut store, &[], &mut []).unwrap();
    });
}

#[test]
fn a_segment_that_does_not_fit_traps_and_earlier_ones_stay() {
    on_both(|engine| {
        let mut store = Store::new(engine, ());
        let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
        let table = Table::new(
            &mut store,
            TableType::new(RefType::FUNCREF, 2, None),
            Ref::Func(None),
        )
        .unwrap();
        let module = Module::new(
            engine,
            r#"(module (import "" "m" (memory 1)) (import "" "t" (table 2 funcref)) (func $f (result i32) (i32.const 3))
                (elem (i32.const 0) func $f) (data (i32.const 8) "first") (data (i32.const 65535) "xy"))"#,
        )
        .unwrap();
        let error = Instance::new(&mut store, &module, &[memory.into(), table.into()]).unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::MemoryOutOfBounds));
        assert_eq!(&memory.data(&store)[8..13], b"first");
        assert_eq!(memory.data(&store)[65535], 0);
        // The function of the instance that failed is alive.
        let f = *table
            .get(&mut store, 0)
            .unwrap()
            .as_func()
            .unwrap()
            .unwrap();
        assert_eq!(
            f.typed::<(), i32>(&store)
                .unwrap()
                .call(&mut store, ())
                .unwrap(),
            3
        );
        let module = Module::new(engine, r#"(module (import "" "t" (table 2 funcref)) (func $f) (elem (i32.const 1) func $f $f))"#).unwrap();
        let error = Instance::new(&mut store, &module, &[table.into()]).unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::TableOutOfBounds));
        assert!(table.get(&mut store, 1).unwrap().is_null());
    });
}

#[test]
fn the_start_function_runs_last_and_its_trap_is_reported() {
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module (memory (export "m") 1) (data (i32.const 0) "\05") (global $g (export "g") (mut i32) (i32.const 0))
                (func $start (global.set $g (i32.load8_u (i32.const 0)))) (start $start))"#,
        );
        assert_eq!(
            i.get_global(&mut store, "g").unwrap().get(&mut store).i32(),
            Some(5)
        );
        let module = Module::new(
            engine,
            r#"(module (func $start unreachable) (start $start))"#,
        )
        .unwrap();
        let error = Instance::new(&mut store, &module, &[]).unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Unreachable));
        assert!(error.is::<sheave_hostcalls::WasmBacktrace>());
    });
}

#[test]
fn the_number_of_imports_is_checked() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Module::new(&engine, r#"(module (import "" "" (func)))"#).unwrap();
    assert_eq!(
        Instance::new(&mut store, &module, &[])
            .unwrap_err()
            .to_string(),
        "expected 1 imports, found 0"
    );
    let other = Engine::default();
    assert!(Instance::new(Store::new(&other, ()), &module, &[]).is_err());
}
