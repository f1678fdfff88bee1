//! Traps, errors and panics, and what they leave behind.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{instance, on_both, on_both_with};
use sheave_hostcalls::{
    Caller, Error, Func, Instance, Linker, Module, Store, Trap, Val, WasmBacktrace,
};

fn names(error: &Error) -> Vec<String> {
    let frames = error
        .downcast_ref::<WasmBacktrace>()
        .expect("a backtrace")
        .frames();
    frames
        .iter()
        .map(|f| f.func_name().unwrap_or("?").to_string())
        .collect()
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn every_trap_is_told_apart() {
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module (memory 1) (table 1 funcref) (type $t (func))
                (func (export "unreachable") unreachable)
                (func (export "memory") (drop (i32.load (i32.const -1))))
                (func (export "divide") (drop (i32.div_u (i32.const 1) (i32.const 0))))
                (func (export "overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
                (func (export "convert") (drop (i32.trunc_f32_s (f32.const nan))))
                (func (export "null") (call_indirect (type $t) (i32.const 0)))
                (func (export "table") (call_indirect (type $t) (i32.const 1)))
                (func $deep (export "deep") (call $deep)))"#,
        );
        for (name, trap) in [
            ("unreachable", Trap::UnreachableCodeReached),
            ("memory", Trap::MemoryOutOfBounds),
            ("divide", Trap::IntegerDivisionByZero),
            ("overflow", Trap::IntegerOverflow),
            ("convert", Trap::BadConversionToInteger),
            ("null", Trap::IndirectCallToNull),
            ("table", Trap::TableOutOfBounds),
            ("deep", Trap::StackOverflow),
        ] {
            let f = i.get_typed_func::<(), ()>(&mut store, name).unwrap();
            for _ in 0..2 {
                let error = f.call(&mut store, ()).unwrap_err();
                assert_eq!(error.downcast_ref::<Trap>(), Some(&trap), "{name}");
            }
        }
    });
}

#[test]
fn a_backtrace_names_functions_and_offsets() {
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module $m
                (func $inner (param i32) (drop (i32.div_u (i32.const 1) (local.get 0))))
                (func $middle (param i32) (call $inner (local.get 0)) (nop))
                (func $outer (export "f") (call $middle (i32.const 0)) (nop)))"#,
        );
        let error = i
            .get_typed_func::<(), ()>(&mut store, "f")
            .unwrap()
            .call(&mut store, ())
            .unwrap_err();
        assert_eq!(names(&error), ["inner", "middle", "outer"]);
        let backtrace = error.downcast_ref::<WasmBacktrace>().unwrap();
        let module = i.module(&store);
        for frame in backtrace.frames() {
            let offset = frame.module_offset().unwrap();
            assert!(frame.func_offset().unwrap() < offset);
            let op = module.wasm()[offset];
            // i32.div_u, or call.
            assert_eq!(
                op,
                if frame.func_index() == 0 { 0x6e } else { 0x10 },
                "{backtrace}"
            );
        }
        let text = backtrace.to_string();
        assert!(
            text.starts_with("error while executing at wasm backtrace:\n"),
            "{text}"
        );
        assert!(text.contains(" - m!inner"), "{text}");
        assert_eq!(error.root_cause().to_string(), "integer divide by zero");
    });
}

#[test]
fn a_backtrace_goes_through_other_instances_and_host_functions() {
    on_both(|engine| {
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap(
                "host",
                "call",
                |mut caller: Caller<'_, ()>, f: Option<Func>| -> Result<(), Error> {
                    // Something else first, so that the machine has been elsewhere.
                    let quiet = caller.get_export("quiet").unwrap().into_func().unwrap();
                    quiet.call(&mut caller, &[], &mut [])?;
                    f.unwrap().call(&mut caller, &[], &mut [])
                },
            )
            .unwrap();
        let mut store = Store::new(engine, ());
        let lower = Module::new(
            engine,
            r#"(module (func $boom (export "boom") unreachable))"#,
        )
        .unwrap();
        linker.module(&mut store, "lower", &lower).unwrap();
        let upper = Module::new(
            engine,
            r#"(module (import "host" "call" (func $call (param funcref))) (import "lower" "boom" (func $boom))
                (func $quiet (export "quiet")) (func $step (call $boom)) (elem declare func $step)
                (func $run (export "run") (call $call (ref.func $step)) (nop)))"#,
        )
        .unwrap();
        let i = linker.instantiate(&mut store, &upper).unwrap();
        let error = i
            .get_typed_func::<(), ()>(&mut store, "run")
            .unwrap()
            .call(&mut store, ())
            .unwrap_err();
        assert_eq!(names(&error), ["boom", "step", "run"]);
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Unreachable));
    });
}

#[test]
fn a_host_error_names_the_calling_op_after_inner_calls() {
    on_both(|engine| {
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap("", "f", |mut caller: Caller<'_, ()>| -> Result<(), Error> {
                let quiet = caller.get_export("quiet").unwrap().into_func().unwrap();
                quiet.call(&mut caller, &[], &mut [])?;
                sheave_hostcalls::bail!("no")
            })
            .unwrap();
        let module = Module::new(engine, r#"(module (import "" "f" (func $f)) (func $quiet (export "quiet")) (func $run (export "run") (nop) (call $f)))"#).unwrap();
        let mut store = Store::new(engine, ());
        let i = linker.instantiate(&mut store, &module).unwrap();
        let error = i
            .get_typed_func::<(), ()>(&mut store, "run")
            .unwrap()
            .call(&mut store, ())
            .unwrap_err();
        assert_eq!(names(&error), ["run"]);
        let offset = error.downcast_ref::<WasmBacktrace>().unwrap().frames()[0]
            .module_offset()
            .unwrap();
        assert_eq!(module.wasm()[offset], 0x10);
    });
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn an_overflow_at_entry_and_a_host_function_have_no_invented_frames() {
    on_both_with(
        |config| {
            config.max_wasm_stack(1 << 14);
        },
        |engine| {
            let locals = "(local i64 i64 i64 i64)".repeat(1000);
            let (mut store, i) = instance(
                engine,
                &format!(
                    r#"(module (func $small (export "small") unreachable) (func $big (export "big") {locals} (drop (local.get 3999))))"#
                ),
            );
            assert!(
                i.get_typed_func::<(), ()>(&mut store, "small")
                    .unwrap()
                    .call(&mut store, ())
                    .is_err()
            );
            let error = i
                .get_typed_func::<(), ()>(&mut store, "big")
                .unwrap()
                .call(&mut store, ())
                .unwrap_err();
            assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::StackOverflow));
            assert!(
                error
                    .downcast_ref::<WasmBacktrace>()
                    .is_none_or(|b| b.frames().is_empty())
            );
            let host = Func::wrap(&mut store, || -> Result<(), Error> {
                sheave_hostcalls::bail!("no")
            });
            let error = host.call(&mut store, &[], &mut []).unwrap_err();
            assert!(error.downcast_ref::<WasmBacktrace>().is_none());
            assert_eq!(error.to_string(), "no");
        },
    );
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn a_deep_backtrace_is_cut() {
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module (func $deep (export "f") (call $deep) (nop)))"#,
        );
        let error = i
            .get_typed_func::<(), ()>(&mut store, "f")
            .unwrap()
            .call(&mut store, ())
            .unwrap_err();
        let frames = error
            .downcast_ref::<WasmBacktrace>()
            .unwrap()
            .frames()
            .len();
        assert!((2..=100).contains(&frames), "{frames}");
    });
}

#[derive(Debug, PartialEq)]
struct Mine(u32);

impl core::fmt::Display for Mine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "mine {}", self.0)
    }
}

impl core::error::Error for Mine {}

#[test]
fn a_host_error_of_any_type_is_found_again() {
    on_both(|engine| {
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap("", "own", || Err::<i32, Mine>(Mine(5)))
            .unwrap();
        linker
            .func_wrap("", "trap", || Err::<i32, Trap>(Trap::MemoryOutOfBounds))
            .unwrap();
        linker
            .func_wrap("", "io", || Err::<i32, _>(std::io::Error::other("disk")))
            .unwrap();
        let module = Module::new(
            engine,
            r#"(module (import "" "own" (func $own (result i32))) (import "" "trap" (func $trap (result i32))) (import "" "io" (func $io (result i32)))
                (func (export "own") (drop (call $own))) (func (export "trap") (drop (call $trap))) (func (export "io") (drop (call $io))))"#,
        )
        .unwrap();
        let mut store = Store::new(engine, ());
        let i = linker.instantiate(&mut store, &module).unwrap();
        let mut call = |name| {
            i.get_typed_func::<(), ()>(&mut store, name)
                .unwrap()
                .call(&mut store, ())
                .unwrap_err()
        };
        let own = call("own");
        assert_eq!(own.downcast_ref::<Mine>(), Some(&Mine(5)));
        assert!(own.is::<Mine>());
        assert_eq!(own.root_cause().to_string(), "mine 5");
        assert_eq!(
            call("trap").downcast_ref::<Trap>(),
            Some(&Trap::MemoryOutOfBounds)
        );
        assert!(call("io").is::<std::io::Error>());
    });
}

#[test]
fn a_panic_in_a_host_function_goes_through_and_the_store_stays_usable() {
    on_both(|engine| {
        let mut linker = Linker::<u32>::new(engine);
        linker
            .func_wrap("", "f", |mut caller: Caller<'_, u32>, panic: i32| {
                *caller.data_mut() += 1;
                assert!(panic == 0, "on purpose");
            })
            .unwrap();
        let module = Module::new(engine, r#"(module (import "" "f" (func $f (param i32))) (func $a (export "a") (param i32) (call $f (local.get 0))))"#).unwrap();
        let mut store = Store::new(engine, 0);
        let i = linker.instantiate(&mut store, &module).unwrap();
        let a = i.get_typed_func::<i32, ()>(&mut store, "a").unwrap();
        for round in 1..=3 {
            let payload = catch_unwind(AssertUnwindSafe(|| a.call(&mut store, 1))).unwrap_err();
            assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
            a.call(&mut store, 0).unwrap();
            assert_eq!(*store.data(), round * 2);
        }
    });
}

#[test]
fn a_panic_that_a_host_function_catches_leaves_the_outer_call_going() {
    on_both(|engine| {
        let mut linker = Linker::<u32>::new(engine);
        linker
            .func_wrap("", "panic", || -> () { panic!("on purpose") })
            .unwrap();
        linker
            .func_wrap("", "catch", |mut caller: Caller<'_, u32>| {
                let inner = caller.get_export("inner").unwrap().into_func().unwrap();
                let caught =
                    catch_unwind(AssertUnwindSafe(|| inner.call(&mut caller, &[], &mut [])));
                assert!(caught.is_err());
            })
            .unwrap();
        linker
            .func_wrap("", "count", |mut caller: Caller<'_, u32>| {
                *caller.data_mut() += 1
            })
            .unwrap();
        let module = Module::new(
            engine,
            r#"(module (import "" "panic" (func $panic)) (import "" "catch" (func $catch)) (import "" "count" (func $count))
                (func (export "inner") (call $panic))
                (func (export "run") (param i32) (result i32) (call $catch) (call $count) (call $catch) (call $count) (local.get 0)))"#,
        )
        .unwrap();
        let mut store = Store::new(engine, 0);
        let i = linker.instantiate(&mut store, &module).unwrap();
        assert_eq!(
            i.get_typed_func::<i32, i32>(&mut store, "run")
                .unwrap()
                .call(&mut store, 9)
                .unwrap(),
            9
        );
        assert_eq!(*store.data(), 2);
    });
}

#[test]
#[should_panic(expected = "object used with the wrong store")]
fn a_function_of_another_store_panics() {
    let engine = sheave_hostcalls::Engine::default();
    let mut a = Store::new(&engine, ());
    let mut b = Store::new(&engine, ());
    let f = Func::wrap(&mut a, || {});
    let _ = f.call(&mut b, &[], &mut []);
}

#[test]
#[should_panic(expected = "object used with the wrong store")]
fn an_import_of_another_store_panics() {
    let engine = sheave_hostcalls::Engine::default();
    let mut a = Store::new(&engine, ());
    let mut b = Store::new(&engine, ());
    let f = Func::wrap(&mut a, || {});
    let module = Module::new(&engine, r#"(module (import "" "" (func)))"#).unwrap();
    let _ = Instance::new(&mut b, &module, &[f.into()]);
}

#[test]
fn a_reference_of_another_store_is_not_taken_for_one_of_this() {
    let engine = sheave_hostcalls::Engine::default();
    let mut a = Store::new(&engine, ());
    let f = Func::wrap(&mut a, || {});
    let (mut b, i) = instance(&engine, r#"(module (func (export "f") (param funcref)))"#);
    let take = i.get_func(&mut b, "f").unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        take.call(&mut b, &[Val::FuncRef(Some(f))], &mut [])
    }));
    assert!(outcome.is_err() || outcome.unwrap().is_err());
}

#[test]
fn a_lazily_found_invalid_function_fails_when_it_is_called() {
    on_both_with(
        |config| {
            config.lazy_validation(true);
        },
        |engine| {
            let (mut store, i) = instance(
                engine,
                r#"(module (func $bad (result i32) (i64.const 1)) (func (export "good") (result i32) (i32.const 2)) (func $call (export "bad") (drop (call $bad))))"#,
            );
            assert_eq!(
                i.get_typed_func::<(), i32>(&mut store, "good")
                    .unwrap()
                    .call(&mut store, ())
                    .unwrap(),
                2
            );
            let bad = i.get_typed_func::<(), ()>(&mut store, "bad").unwrap();
            for _ in 0..2 {
                let error = bad.call(&mut store, ()).unwrap_err();
                assert!(error.is::<sheave_hostcalls::LoadError>(), "{error:?}");
            }
        },
    );
}
