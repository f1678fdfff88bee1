//! Calls that pause and go on.

use super::{instance, on_both_with};
use sheave_hostcalls::{
    CallOutcome, Caller, Config, Linker, Module, PauseReason, Store, Trap, Val, WasmBacktrace,
};

/// Calls, floats, a table and a memory: enough that something would be lost if anything were.
const WORK: &str = r#"(module
    (memory 1)
    (table funcref (elem $twice $half))
    (type $f (func (param f64) (result f64)))
    (func $twice (type $f) (f64.mul (local.get 0) (f64.const 2)))
    (func $half (type $f) (f64.div (local.get 0) (f64.const 4)))
    (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
            (then (local.get 0))
            (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                           (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
    (func (export "work") (param i32) (result f64 i32) (local f64 f32)
        (local.set 1 (f64.const 1))
        (local.set 2 (f32.const 0.5))
        (loop $l
            (local.set 1 (f64.add (local.get 1)
                (call_indirect (type $f) (local.get 1) (i32.and (local.get 0) (i32.const 1)))))
            (local.set 2 (f32.add (local.get 2) (f32.const 0.25)))
            (if (f32.gt (local.get 2) (f32.const 3)) (then (local.set 2 (f32.sub (local.get 2) (f32.const 2.5)))))
            (i32.store (i32.and (i32.mul (local.get 0) (i32.const 8)) (i32.const 0xfff8)) (local.get 0))
            (local.set 1 (f64.mul (local.get 1) (f64.promote_f32 (local.get 2))))
            (local.set 1 (f64.div (local.get 1) (f64.const 3)))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1) (i32.load (i32.const 80)))
    (func (export "forever") (loop $l (br $l)))
    (func (export "fail") (param i32)
        (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        unreachable))"#;

fn fuel(config: &mut Config) {
    config.consume_fuel(true);
}

/// Calls, and resumes with `fuel` each time; gives how often it paused.
fn in_steps(
    store: &mut Store<()>,
    func: sheave_hostcalls::Func,
    params: &[Val],
    results: &mut [Val],
    fuel: u64,
) -> u32 {
    store.set_fuel(fuel).unwrap();
    let mut outcome = func.call_resumable(store, params, results).unwrap();
    let mut pauses = 0;
    while outcome != CallOutcome::Finished {
        assert_eq!(outcome, CallOutcome::Paused(PauseReason::OutOfFuel));
        assert_eq!(
            store.paused_call().unwrap().reason(),
            PauseReason::OutOfFuel
        );
        pauses += 1;
        // What a block needs, at least.
        let fuel = store.get_fuel().unwrap() + fuel;
        store.set_fuel(fuel).unwrap();
        outcome = store.resume_call(results).unwrap();
    }
    assert!(store.paused_call().is_none());
    pauses
}

#[test]
fn a_call_in_small_steps_gives_what_it_gives_at_once() {
    on_both_with(fuel, |engine| {
        let (mut store, i) = instance(engine, WORK);
        for (name, n, results) in [("fib", 12, 1), ("work", 50, 2)] {
            let func = i.get_func(&mut store, name).unwrap();
            let mut whole = vec![Val::I32(0); results];
            store.set_fuel(1 << 40).unwrap();
            func.call(&mut store, &[Val::I32(n)], &mut whole).unwrap();
            let used = (1 << 40) - store.get_fuel().unwrap();
            for step in [1, 7, 100] {
                let mut parts = vec![Val::I32(0); results];
                let pauses = in_steps(&mut store, func, &[Val::I32(n)], &mut parts, step);
                assert!(
                    u64::from(pauses) >= used / (step + 40),
                    "{pauses} of {used}"
                );
                assert_eq!(format!("{parts:?}"), format!("{whole:?}"));
            }
        }
    });
}

#[test]
fn the_store_can_be_used_while_a_call_waits() {
    on_both_with(fuel, |engine| {
        let (mut store, i) = instance(engine, WORK);
        let fib = i.get_func(&mut store, "fib").unwrap();
        let typed = i.get_typed_func::<i32, i32>(&mut store, "fib").unwrap();
        store.set_fuel(300).unwrap();
        let mut results = [Val::I32(0)];
        let outcome = fib.call_resumable(&mut store, &[Val::I32(11)], &mut results);
        assert_eq!(
            outcome.unwrap(),
            CallOutcome::Paused(PauseReason::OutOfFuel)
        );
        let frames = store.paused_backtrace().unwrap().frames().len();
        assert!(frames > 3);
        store.set_fuel(1 << 20).unwrap();
        // Deeper than the waiting call, so that the stack grows and moves under it.
        assert_eq!(typed.call(&mut store, 14).unwrap(), 377);
        assert_eq!(store.paused_backtrace().unwrap().frames().len(), frames);
        let refused = fib.call_resumable(&mut store, &[Val::I32(1)], &mut results);
        assert!(refused.unwrap_err().to_string().contains("another call"));
        assert_eq!(
            store.resume_call(&mut results).unwrap(),
            CallOutcome::Finished
        );
        assert_eq!(results[0].unwrap_i32(), 89);
    });
}

#[test]
fn a_cancelled_call_leaves_the_store_as_it_was() {
    on_both_with(fuel, |engine| {
        let (mut store, i) = instance(engine, WORK);
        let forever = i.get_func(&mut store, "forever").unwrap();
        let fib = i.get_typed_func::<i32, i32>(&mut store, "fib").unwrap();
        for _ in 0..if cfg!(miri) { 3 } else { 300 } {
            store.set_fuel(20).unwrap();
            forever.call_resumable(&mut store, &[], &mut []).unwrap();
            assert!(store.cancel_call());
            assert!(!store.cancel_call());
        }
        store.set_fuel(1 << 20).unwrap();
        assert_eq!(fib.call(&mut store, 10).unwrap(), 55);
        assert!(store.resume_call(&mut []).is_err());
    });
}

#[test]
fn a_resumed_call_can_trap_and_says_where() {
    on_both_with(fuel, |engine| {
        let (mut store, i) = instance(engine, WORK);
        let fail = i.get_func(&mut store, "fail").unwrap();
        store.set_fuel(30).unwrap();
        fail.call_resumable(&mut store, &[Val::I32(20)], &mut [])
            .unwrap();
        store.set_fuel(1000).unwrap();
        let error = store.resume_call(&mut []).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
        assert_eq!(
            error
                .downcast_ref::<WasmBacktrace>()
                .unwrap()
                .frames()
                .len(),
            1
        );
        assert!(store.paused_call().is_none());
    });
}

#[test]
fn the_wrong_number_of_results_loses_nothing() {
    on_both_with(fuel, |engine| {
        let (mut store, i) = instance(engine, WORK);
        let fib = i.get_func(&mut store, "fib").unwrap();
        store.set_fuel(10).unwrap();
        let mut results = [Val::I32(0)];
        fib.call_resumable(&mut store, &[Val::I32(7)], &mut results)
            .unwrap();
        assert!(store.resume_call(&mut []).is_err());
        store.set_fuel(10_000).unwrap();
        store.resume_call(&mut results).unwrap();
        assert_eq!(results[0].unwrap_i32(), 13);
    });
}

#[test]
fn an_interrupted_call_goes_on() {
    on_both_with(
        |config| {
            config.interruption(true);
        },
        |engine| {
            let (mut store, i) = instance(engine, WORK);
            let fib = i.get_func(&mut store, "fib").unwrap();
            let handle = store.interrupt_handle();
            let mut results = [Val::I32(0)];
            handle.interrupt();
            let mut outcome = fib
                .call_resumable(&mut store, &[Val::I32(8)], &mut results)
                .unwrap();
            for _ in 0..5 {
                assert_eq!(outcome, CallOutcome::Paused(PauseReason::Interrupted));
                handle.interrupt();
                outcome = store.resume_call(&mut results).unwrap();
            }
            assert_eq!(outcome, CallOutcome::Paused(PauseReason::Interrupted));
            assert_eq!(
                store.resume_call(&mut results).unwrap(),
                CallOutcome::Finished
            );
            assert_eq!(results[0].unwrap_i32(), 21);
        },
    );
}

#[test]
fn a_pause_inside_a_host_function_ends_the_inner_call() {
    on_both_with(fuel, |engine| {
        let text = r#"(module
            (import "host" "call" (func $call))
            (func (export "forever") (loop $l (br $l)))
            (func (export "outer") (call $call)))"#;
        let module = Module::new(engine, text).unwrap();
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap("host", "call", |mut caller: Caller<'_, ()>| {
                let forever = caller.get_export("forever").unwrap().into_func().unwrap();
                let error = forever.call(&mut caller, &[], &mut []).unwrap_err();
                assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel));
                Err::<(), _>(error)
            })
            .unwrap();
        let mut store = Store::new(engine, ());
        let i = linker.instantiate(&mut store, &module).unwrap();
        let outer = i.get_func(&mut store, "outer").unwrap();
        store.set_fuel(100).unwrap();
        let error = outer.call_resumable(&mut store, &[], &mut []).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel));
        assert!(store.paused_call().is_none());
    });
}
