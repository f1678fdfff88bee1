//! Host functions that pause the call that they are part of.

use super::{on_both, on_both_with};
use sheave_hostcalls::{
    CallOutcome, Caller, Config, Engine, Func, Linker, Module, PauseCall, PauseReason, Result,
    Snapshot, Store, Val,
};

/// Answers, and how often `ask` was called.
#[derive(Default)]
struct Data {
    answer: Option<i32>,
    calls: u32,
}

fn linker(engine: &Engine) -> Linker<Data> {
    let mut linker = Linker::new(engine);
    let ask = |mut caller: Caller<'_, Data>, x: i32| -> Result<i32> {
        caller.data_mut().calls += 1;
        Ok(x + caller.data_mut().answer.take().ok_or(PauseCall)?)
    };
    linker.func_wrap("host", "ask", ask).unwrap();
    let with_reference =
        |_: Caller<'_, Data>, _: Option<sheave_hostcalls::Rooted<sheave_hostcalls::AnyRef>>| {
            Result::<()>::Err(PauseCall.into())
        };
    linker.func_wrap("host", "look", with_reference).unwrap();
    let nested = |mut caller: Caller<'_, Data>, f: Option<Func>| -> Result<()> {
        f.expect("a function")
            .typed::<(), ()>(&caller)?
            .call(&mut caller, ())
    };
    linker.func_wrap("host", "nested", nested).unwrap();
    linker
}

const GUEST: &str = r#"(module
    (import "host" "ask" (func $ask (param i32) (result i32)))
    (import "host" "look" (func $look (param anyref)))
    (import "host" "nested" (func $nested (param funcref)))
    (type $ask (func (param i32) (result i32)))
    (memory (export "memory") 1)
    (table funcref (elem $ask))
    (elem declare func $inner)
    (func $deep (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.mul (i32.const 3) (call $deep (i32.sub (local.get 0) (i32.const 1)))))
            (else (i32.add (i32.load (i32.const 8)) (call $ask (i32.load (i32.const 16)))))))
    (func (export "deep") (param i32) (result i32)
        (i32.store (i32.const 8) (i32.const 100))
        (i32.store (i32.const 16) (i32.const 20))
        (i32.add (call $deep (local.get 0)) (call $deep (i32.const 0))))
    (func (export "looped") (result i32) (local i32)
        (loop $l (result i32)
            (local.set 0 (i32.add (local.get 0) (call $ask (local.get 0))))
            (br_if $l (i32.lt_u (local.get 0) (i32.const 50)))
            (local.get 0)))
    (func (export "tail") (result i32) (return_call $ask (i32.const 1)))
    (func (export "indirect") (result i32) (call_indirect (type $ask) (i32.const 1) (i32.const 0)))
    (func (export "reference") (result i32) (call $look (ref.i31 (i32.const 1))) (i32.const 0))
    (func $inner (drop (call $ask (i32.const 1))))
    (func (export "outer") (result i32) (call $nested (ref.func $inner)) (i32.const 0)))"#;

fn store(engine: &Engine) -> (Store<Data>, Linker<Data>) {
    let linker = linker(engine);
    let module = Module::new(engine, GUEST).unwrap();
    let mut store = Store::new(engine, Data::default());
    linker.instantiate(&mut store, &module).unwrap();
    (store, linker)
}

fn func(store: &mut Store<Data>, name: &str) -> Func {
    let instance = store.instances().next().unwrap();
    instance.get_func(&mut *store, name).unwrap()
}

#[test]
fn a_host_function_that_pauses_is_called_again_with_the_same_arguments() {
    on_both(|engine| {
        let (mut store, _) = store(engine);
        let deep = func(&mut store, "deep");
        let mut results = [Val::I32(0)];
        let mut outcome = deep.call_resumable(&mut store, &[Val::I32(4)], &mut results);
        for (answer, frames) in [(1, 6), (2, 2)] {
            let paused = CallOutcome::Paused(PauseReason::HostCall);
            assert_eq!(outcome.unwrap(), paused);
            // Once more, without an answer: nothing is lost.
            assert_eq!(store.resume_call(&mut results).unwrap(), paused);
            assert_eq!(store.paused_backtrace().unwrap().frames().len(), frames);
            store.data_mut().answer = Some(answer);
            outcome = store.resume_call(&mut results);
        }
        assert_eq!(outcome.unwrap(), CallOutcome::Finished);
        assert_eq!(results[0].unwrap_i32(), 81 * 121 + 122);
        assert_eq!(store.data().calls, 6);
    });
}

#[test]
fn a_pause_in_a_host_function_travels_in_snapshots() {
    let modes: [fn(&mut Config); 2] = [
        |_| {},
        |config| {
            config.interruption(true);
        },
    ];
    for mode in modes {
        on_both_with(mode, |engine| {
            let (mut store, linker) = store(engine);
            for name in ["deep", "looped"] {
                let f = func(&mut store, name);
                let params: &[Val] = if name == "deep" { &[Val::I32(3)] } else { &[] };
                let mut results = [Val::I32(0)];
                let mut outcome = f.call_resumable(&mut store, params, &mut results).unwrap();
                while outcome != CallOutcome::Finished {
                    assert_eq!(outcome, CallOutcome::Paused(PauseReason::HostCall));
                    let bytes = store.snapshot().unwrap().to_bytes();
                    let snapshot = Snapshot::from_bytes(&bytes).unwrap();
                    let data = Data {
                        answer: Some(5),
                        calls: 0,
                    };
                    store = Store::restore(engine, &snapshot, &linker, data).unwrap();
                    assert_eq!(store.snapshot().unwrap().to_bytes(), bytes);
                    outcome = store.resume_call(&mut results).unwrap();
                    assert!((1..=2).contains(&store.data().calls));
                }
                let want = if name == "deep" { 27 * 125 + 125 } else { 75 };
                assert_eq!(results[0].unwrap_i32(), want);
            }
        });
    }
}

#[test]
fn where_a_call_cannot_wait_a_pause_is_an_error() {
    on_both(|engine| {
        let (mut store, _) = store(engine);
        for name in ["tail", "indirect", "reference", "outer"] {
            let f = func(&mut store, name);
            let error = f.call_resumable(&mut store, &[], &mut [Val::I32(0)]);
            let error = error.unwrap_err();
            assert!(
                format!("{error:?}").contains("asked for a pause"),
                "{name}: {error:?}"
            );
            assert!(store.paused_call().is_none());
        }
        // Nor does a plain call wait.
        let f = func(&mut store, "looped");
        let error = f.call(&mut store, &[], &mut [Val::I32(0)]).unwrap_err();
        assert!(
            format!("{error:?}").contains("asked for a pause"),
            "{error:?}"
        );
        store.data_mut().answer = Some(50);
        let mut results = [Val::I32(0)];
        f.call(&mut store, &[], &mut results).unwrap();
        assert_eq!(results[0].unwrap_i32(), 50);
    });
}
