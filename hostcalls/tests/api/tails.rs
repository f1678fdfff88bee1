//! Tail calls across instances.

use sheave_hostcalls::{Engine, Error, Instance, Linker, Module, Store, Trap};

use super::on_both_with;

/// Two instances whose functions go on in each other: through an import one way, through a shared table the other way.
fn pair(engine: &Engine) -> Result<(Store<u32>, Instance), Error> {
    let even = Module::new(
        engine,
        r#"(module
            (type $f (func (param i64) (result i32)))
            (table (export "t") 2 funcref)
            (memory (export "m") 1)
            (func (export "even") (param i64) (result i32)
                (if (i64.eqz (local.get 0)) (then (return (i32.load (i32.const 0)))))
                (return_call_indirect (type $f) (i64.sub (local.get 0) (i64.const 1)) (i32.const 0)))
            (data (i32.const 0) "\01"))"#,
    )?;
    let odd = Module::new(
        engine,
        r#"(module
            (type $f (func (param i64) (result i32)))
            (import "even" "t" (table 2 funcref))
            (import "even" "even" (func $even (type $f)))
            (import "host" "seen" (func $seen (param i32) (result i32)))
            (memory (export "m") 1)
            (func $odd (export "odd") (type $f)
                (if (i64.eqz (local.get 0)) (then (return_call $seen (i32.load (i32.const 0)))))
                (return_call $even (i64.sub (local.get 0) (i64.const 1))))
            (func (export "odd and one") (type $f) (i32.add (call $odd (local.get 0)) (i32.load (i32.const 4))))
            (func $trap (type $f) (unreachable))
            (func (export "into trap") (type $f) (return_call_indirect (type $f) (local.get 0) (i32.const 1)))
            (elem (i32.const 0) $odd $trap)
            (data (i32.const 0) "\02\00\00\00\64"))"#,
    )?;
    let mut store = Store::new(engine, 0);
    let mut linker = Linker::new(engine);
    linker.func_wrap(
        "host",
        "seen",
        |mut caller: sheave_hostcalls::Caller<'_, u32>, n: i32| {
            *caller.data_mut() += 1;
            n
        },
    )?;
    let first = linker.instantiate(&mut store, &even)?;
    linker.instance(&mut store, "even", first)?;
    let second = linker.instantiate(&mut store, &odd)?;
    Ok((store, second))
}

const TURNS: i64 = if cfg!(miri) { 200 } else { 1_000_000 };

#[test]
fn instances_go_on_in_each_other_without_end_in_a_small_stack() {
    on_both_with(
        |config| {
            config.max_wasm_stack(32 << 10);
        },
        |engine| {
            let (mut store, i) = pair(engine).unwrap();
            let odd = i.get_typed_func::<i64, i32>(&mut store, "odd").unwrap();
            assert_eq!(odd.call(&mut store, TURNS).unwrap(), 2);
            assert_eq!(odd.call(&mut store, TURNS + 1).unwrap(), 1);
            assert_eq!(
                *store.data(),
                1,
                "the host function was called at the end of one of them"
            );
        },
    );
}

#[test]
fn a_caller_has_its_own_instance_again_after_tail_calls_through_others() {
    on_both_with(
        |_| {},
        |engine| {
            let (mut store, i) = pair(engine).unwrap();
            let f = i
                .get_typed_func::<i64, i32>(&mut store, "odd and one")
                .unwrap();
            for n in 0..5 {
                // The memory that `100` is read from is the caller's.
                assert_eq!(
                    f.call(&mut store, n).unwrap(),
                    if n % 2 == 0 { 102 } else { 101 }
                );
            }
        },
    );
}

#[test]
fn a_trap_after_tail_calls_leaves_the_store_usable() {
    on_both_with(
        |_| {},
        |engine| {
            let (mut store, i) = pair(engine).unwrap();
            let f = i
                .get_typed_func::<i64, i32>(&mut store, "odd and one")
                .unwrap();
            let into_trap = i
                .get_typed_func::<i64, i32>(&mut store, "into trap")
                .unwrap();
            assert_eq!(f.call(&mut store, 4).unwrap(), 102);
            let error = into_trap.call(&mut store, 0).unwrap_err();
            assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Unreachable));
            assert_eq!(f.call(&mut store, 5).unwrap(), 101);
        },
    );
}
