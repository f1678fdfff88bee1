//! Host functions that call wasm, grow memories and make instances.

use super::{on_both, on_both_with};
use sheave_hostcalls::{
    Caller, Error, Extern, Func, Instance, Linker, Memory, MemoryType, Module, Store, Trap,
};

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn host_and_wasm_call_each_other_many_levels_deep() {
    on_both(|engine| {
        let mut linker = Linker::<u32>::new(engine);
        linker
            .func_wrap(
                "",
                "down",
                |mut caller: Caller<'_, u32>, n: i32| -> Result<i32, Error> {
                    *caller.data_mut() += 1;
                    let f = caller
                        .get_export("f")
                        .and_then(Extern::into_func)
                        .unwrap()
                        .typed::<i32, i32>(&caller)?;
                    f.call(&mut caller, n - 1)
                },
            )
            .unwrap();
        let module = Module::new(
            engine,
            r#"(module (import "" "down" (func $down (param i32) (result i32)))
                (func (export "f") (param i32) (result i32)
                    (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
                        (else (i32.add (local.get 0) (call $down (local.get 0)))))))"#,
        )
        .unwrap();
        let mut store = Store::new(engine, 0);
        let i = linker.instantiate(&mut store, &module).unwrap();
        let f = i.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, 100).unwrap(), 5050);
        assert_eq!(*store.data(), 100);
        // Too deep for native frames: a trap, and everything is as before.
        let error = f.call(&mut store, 1_000_000).unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::StackOverflow));
        assert_eq!(f.call(&mut store, 10).unwrap(), 55);
    });
}

#[test]
fn a_memory_that_grows_under_a_running_guest_is_seen() {
    on_both_with(
        |config| {
            // Memories that move.
            config.arena_backend(sheave_hostcalls::Backend::Heap);
        },
        |engine| {
            let mut linker = Linker::<()>::new(engine);
            linker
                .func_wrap(
                    "",
                    "grow",
                    |mut caller: Caller<'_, ()>, pages: u64| -> Result<u64, Error> {
                        let memory = caller.get_export("m").unwrap().into_memory().unwrap();
                        let old = memory.grow(&mut caller, pages)?;
                        let end = memory.data_size(&caller) - 4;
                        memory.write(&mut caller, end, &7_u32.to_le_bytes())?;
                        // And another, so that things move twice.
                        Memory::new(&mut caller, MemoryType::new(3, None))?;
                        Ok(old)
                    },
                )
                .unwrap();
            let module = Module::new(
                engine,
                r#"(module (import "" "grow" (func $grow (param i64) (result i64))) (memory (export "m") 1)
                    (func (export "f") (result i32 i32) (local i32)
                        (i32.store (i32.const 16) (i32.const 5))
                        (drop (call $grow (i64.const 40)))
                        (i32.load (i32.const 16))
                        (i32.load (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)))))"#,
            )
            .unwrap();
            let mut store = Store::new(engine, ());
            let i = linker.instantiate(&mut store, &module).unwrap();
            let f = i.get_typed_func::<(), (i32, i32)>(&mut store, "f").unwrap();
            assert_eq!(f.call(&mut store, ()).unwrap(), (5, 7));
            assert_eq!(f.call(&mut store, ()).unwrap(), (5, 7));
        },
    );
}

#[test]
fn a_host_function_makes_instances_while_wasm_runs() {
    on_both(|engine| {
        let mut linker = Linker::<()>::new(engine);
        let inner = Module::new(engine, r#"(module (global (mut i32) (i32.const 41)) (memory 1) (func (export "f") (result i32) (global.set 0 (i32.add (global.get 0) (i32.const 1))) (global.get 0)))"#).unwrap();
        linker
            .func_wrap(
                "",
                "make",
                move |mut caller: Caller<'_, ()>| -> Result<i32, Error> {
                    let i = Instance::new(&mut caller, &inner, &[])?;
                    let extra: Vec<Func> = (0..50)
                        .map(|n| Func::wrap(&mut caller, move || n))
                        .collect();
                    assert_eq!(
                        extra[7].typed::<(), i32>(&caller)?.call(&mut caller, ())?,
                        7
                    );
                    i.get_typed_func::<(), i32>(&mut caller, "f")?
                        .call(&mut caller, ())
                },
            )
            .unwrap();
        let module = Module::new(
            engine,
            r#"(module (import "" "make" (func $make (result i32))) (global $g (mut i32) (i32.const 0)) (memory 1)
                (func (export "run") (param i32) (result i32)
                    (loop $l
                        (global.set $g (i32.add (global.get $g) (call $make)))
                        (i32.store (i32.const 0) (global.get $g))
                        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                    (i32.load (i32.const 0))))"#,
        )
        .unwrap();
        let mut store = Store::new(engine, ());
        let i = linker.instantiate(&mut store, &module).unwrap();
        assert_eq!(
            i.get_typed_func::<i32, i32>(&mut store, "run")
                .unwrap()
                .call(&mut store, 20)
                .unwrap(),
            840
        );
    });
}

#[test]
fn an_inner_call_may_fail_and_the_outer_go_on() {
    on_both(|engine| {
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap("", "try", |mut caller: Caller<'_, ()>| -> i32 {
                let boom = caller.get_export("boom").unwrap().into_func().unwrap();
                i32::from(boom.call(&mut caller, &[], &mut []).is_err())
            })
            .unwrap();
        let module = Module::new(
            engine,
            r#"(module (import "" "try" (func $try (result i32)))
                (func (export "boom") (local i64 i64 i64) unreachable)
                (func (export "run") (param i32 i32) (result i32)
                    (i32.add (i32.add (call $try) (call $try)) (i32.mul (local.get 0) (local.get 1)))))"#,
        )
        .unwrap();
        let mut store = Store::new(engine, ());
        let i = linker.instantiate(&mut store, &module).unwrap();
        assert_eq!(
            i.get_typed_func::<(i32, i32), i32>(&mut store, "run")
                .unwrap()
                .call(&mut store, (6, 7))
                .unwrap(),
            44
        );
    });
}

#[test]
fn a_caller_of_the_host_has_no_instance() {
    on_both(|engine| {
        let mut store = Store::new(engine, ());
        let f = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| {
            i32::from(caller.get_export("x").is_some())
        });
        assert_eq!(
            f.typed::<(), i32>(&store)
                .unwrap()
                .call(&mut store, ())
                .unwrap(),
            0
        );
    });
}
