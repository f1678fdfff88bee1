//! Async host functions, and calls that wait for them.

use core::future::poll_fn;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::on_both;
use sheave_hostcalls::{
    Caller, Engine, Error, Func, FuncType, Instance, Linker, Module, Store, Trap, Val, ValType,
    WasmBacktrace,
};

/// Polls until it is ready; says how often that was.
pub(super) fn polled<F: Future>(future: F) -> (F::Output, u32) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    let mut polls = 0;
    loop {
        polls += 1;
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return (output, polls);
        }
    }
}

pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    polled(future).0
}

/// Polls so often; it must not be ready then, and is dropped.
pub(super) fn dropped_after<F: Future>(future: F, polls: u32) {
    let mut cx = Context::from_waker(Waker::noop());
    let mut future = pin!(future);
    for _ in 0..polls {
        assert!(future.as_mut().poll(&mut cx).is_pending());
    }
}

/// Is pending so often.
pub(super) fn pending(times: u32) -> impl Future<Output = ()> + Send {
    let mut left = times;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Counts what is dropped.
pub(super) struct Counted(pub(super) Arc<AtomicU32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// `sum(n)` adds up what `host.next(i)` gives for i from n down to 1; its locals and the stack must outlive the waits.
pub(super) const SUM: &str = r#"(module
    (import "host" "next" (func $next (param i64) (result i64)))
    (memory (export "memory") 1)
    (func (export "sum") (param i64) (result i64) (local i64)
        (loop $l
            (local.set 1 (i64.add (local.get 1) (call $next (local.get 0))))
            (i64.store (i32.const 8) (local.get 1))
            (br_if $l (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0))))
        (local.get 1))
    (func (export "tail") (param i64) (result i64) (return_call $next (local.get 0)))
    (func (export "through-tail") (param i64) (result i64)
        (i64.add (call 2 (local.get 0)) (i64.const 100)))
    (func (export "trap") (param i64) (result i64) (drop (call $next (local.get 0))) (unreachable)))"#;

/// An instance of `SUM` whose `next(i)` is pending i times, then gives 10 * i, and counts calls in the store's data.
pub(super) fn summing(engine: &Engine) -> (Store<u64>, Instance) {
    let mut linker = Linker::<u64>::new(engine);
    linker
        .func_wrap_async(
            "host",
            "next",
            |mut caller: Caller<'_, u64>, (i,): (u64,)| {
                Box::new(async move {
                    *caller.data_mut() += 1;
                    pending(i as u32).await;
                    *caller.data_mut() += 100;
                    i * 10
                })
            },
        )
        .unwrap();
    let mut store = Store::new(engine, 0);
    let module = Module::new(engine, SUM).unwrap();
    let instance = block_on(linker.instantiate_async(&mut store, &module)).unwrap();
    (store, instance)
}

#[test]
fn a_call_waits_for_host_functions_and_goes_on_where_it_was() {
    on_both(|engine| {
        let (mut store, instance) = summing(engine);
        let sum = instance
            .get_typed_func::<u64, u64>(&mut store, "sum")
            .unwrap();
        let (result, polls) = polled(sum.call_async(&mut store, 4));
        assert_eq!(result.unwrap(), 100);
        assert_eq!(polls, 1 + 4 + 3 + 2 + 1);
        assert_eq!(*store.data(), 404);
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        assert_eq!(memory.data(&store)[8..10], [100, 0]);

        let sum = instance.get_func(&mut store, "sum").unwrap();
        let mut results = [Val::I64(0)];
        block_on(sum.call_async(&mut store, &[Val::I64(3)], &mut results)).unwrap();
        assert_eq!(results[0].unwrap_i64(), 60);
    });
}

#[test]
fn a_call_that_never_waits_is_ready_at_the_first_poll() {
    on_both(|engine| {
        let text = r#"(module (func (export "f") (param i32) (result i32) (local.get 0)))"#;
        let (mut store, instance) = super::instance(engine, text);
        let f = instance
            .get_typed_func::<i32, i32>(&mut store, "f")
            .unwrap();
        let (result, polls) = polled(f.call_async(&mut store, 7));
        assert_eq!((result.unwrap(), polls), (7, 1));
    });
}

#[test]
fn a_tail_call_of_an_async_function_returns_to_the_callers_caller() {
    on_both(|engine| {
        let (mut store, instance) = summing(engine);
        let mut call = |name| {
            let f = instance.get_typed_func::<u64, u64>(&mut store, name);
            block_on(f.unwrap().call_async(&mut store, 2)).unwrap()
        };
        assert_eq!(call("tail"), 20);
        assert_eq!(call("through-tail"), 120);
    });
}

#[test]
fn the_host_can_call_an_async_function_itself() {
    on_both(|engine| {
        let mut store = Store::new(engine, 5);
        let func = Func::wrap_async(&mut store, |caller: Caller<'_, i32>, (a, b): (i32, f64)| {
            Box::new(async move {
                pending(1).await;
                (*caller.data() + a, b * 2.0)
            })
        });
        let typed = func.typed::<(i32, f64), (i32, f64)>(&store).unwrap();
        let (result, polls) = polled(typed.call_async(&mut store, (1, 4.5)));
        assert_eq!((result.unwrap(), polls), ((6, 9.0), 2));
        let refused = typed
            .call(&mut store, (1, 1.0))
            .unwrap_err()
            .root_cause()
            .to_string();
        assert!(refused.contains("call_async"), "{refused}");
    });
}

#[test]
fn an_untyped_function_borrows_its_arguments_and_results() {
    on_both(|engine| {
        let ty = FuncType::new(engine, [ValType::I32, ValType::V128], [ValType::I64]);
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_new_async("", "f", ty.clone(), |_, params, results| {
                Box::new(async move {
                    pending(2).await;
                    results[0] = Val::I64(i64::from(params[0].unwrap_i32()) * 2);
                    Ok(())
                })
            })
            .unwrap();
        linker
            .func_new_async("", "wrong", ty, |_, _, results| {
                Box::new(async move {
                    results[0] = Val::I32(1);
                    Ok(())
                })
            })
            .unwrap();
        let text = r#"(module
            (import "" "f" (func $f (param i32 v128) (result i64)))
            (import "" "wrong" (func $wrong (param i32 v128) (result i64)))
            (func (export "right") (result i64) (call $f (i32.const 21) (v128.const i64x2 1 2)))
            (func (export "wrong") (result i64) (call $wrong (i32.const 21) (v128.const i64x2 1 2))))"#;
        let mut store = Store::new(engine, ());
        let module = Module::new(engine, text).unwrap();
        let instance = block_on(linker.instantiate_async(&mut store, &module)).unwrap();
        let right = instance.get_typed_func::<(), i64>(&mut store, "right");
        let right = right.unwrap();
        assert_eq!(block_on(right.call_async(&mut store, ())).unwrap(), 42);
        let wrong = instance.get_typed_func::<(), i64>(&mut store, "wrong");
        let error = block_on(wrong.unwrap().call_async(&mut store, ())).unwrap_err();
        assert!(
            error.root_cause().to_string().contains("incompatible"),
            "{error}"
        );
        let ty = FuncType::new(engine, [], []);
        let direct = Func::new_async(&mut store, ty, |_, _, _| Box::new(async { Ok(()) }));
        block_on(direct.call_async(&mut store, &[], &mut [])).unwrap();
    });
}

#[test]
fn a_call_that_is_dropped_while_it_waits_leaves_the_store_as_it_was() {
    on_both(|engine| {
        let (mut store, instance) = summing(engine);
        let sum = instance
            .get_typed_func::<u64, u64>(&mut store, "sum")
            .unwrap();
        // At each point where it can wait, and before the first.
        for polls in 0..=6 {
            dropped_after(sum.call_async(&mut store, 3), polls);
            assert_eq!(block_on(sum.call_async(&mut store, 2)).unwrap(), 30);
        }
        let rounds = if cfg!(miri) { 10 } else { 2000 };
        for _ in 0..rounds {
            dropped_after(sum.call_async(&mut store, 3), 2);
        }
        assert_eq!(block_on(sum.call_async(&mut store, 3)).unwrap(), 60);
    });
}

#[test]
fn what_a_host_functions_future_holds_is_dropped_with_the_call() {
    on_both(|engine| {
        let drops = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&drops);
        let mut store = Store::new(engine, 0);
        let func = Func::wrap_async(&mut store, move |mut caller: Caller<'_, u32>, (): ()| {
            let counted = Counted(Arc::clone(&counter));
            Box::new(async move {
                pending(3).await;
                *caller.data_mut() += 1;
                drop(counted);
            })
        });
        let func = func.typed::<(), ()>(&store).unwrap();
        dropped_after(func.call_async(&mut store, ()), 2);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(*store.data(), 0);
        block_on(func.call_async(&mut store, ())).unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 2);
        assert_eq!(*store.data(), 1);
    });
}

/// `outer(n)` calls the host, which calls `outer(n - 1)`, and so on.
const NESTED: &str = r#"(module
    (import "host" "again" (func $again (param i32) (result i32)))
    (func (export "outer") (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (i32.add (call $again (i32.sub (local.get 0) (i32.const 1))) (local.get 0)))
            (else (i32.const 1000)))))"#;

fn nesting(engine: &Engine) -> (Store<u32>, Instance) {
    let mut linker = Linker::<u32>::new(engine);
    linker
        .func_wrap_async(
            "host",
            "again",
            |mut caller: Caller<'_, u32>, (n,): (i32,)| {
                Box::new(async move {
                    pending(1).await;
                    let outer = caller.get_export("outer").unwrap().into_func().unwrap();
                    let outer = outer.typed::<i32, i32>(&caller)?;
                    let result = outer.call_async(&mut caller, n).await?;
                    *caller.data_mut() += 1;
                    pending(1).await;
                    Ok::<_, Error>(result)
                })
            },
        )
        .unwrap();
    let mut store = Store::new(engine, 0);
    let module = Module::new(engine, NESTED).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

#[test]
fn a_host_function_that_waits_can_call_wasm_that_waits() {
    on_both(|engine| {
        let (mut store, instance) = nesting(engine);
        let outer = instance
            .get_typed_func::<i32, i32>(&mut store, "outer")
            .unwrap();
        let (result, polls) = polled(outer.call_async(&mut store, 10));
        assert_eq!((result.unwrap(), polls), (1055, 21));
        assert_eq!(*store.data(), 10);
    });
}

#[test]
fn nested_calls_are_given_up_from_the_inside_wherever_they_are() {
    on_both(|engine| {
        let (mut store, instance) = nesting(engine);
        let outer = instance
            .get_typed_func::<i32, i32>(&mut store, "outer")
            .unwrap();
        for polls in 0..=8 {
            dropped_after(outer.call_async(&mut store, 4), polls);
            assert_eq!(block_on(outer.call_async(&mut store, 1)).unwrap(), 1001);
        }
    });
}

#[test]
fn an_inner_call_that_is_forgotten_does_not_disturb_the_outer_one() {
    on_both(|engine| {
        let text = r#"(module
            (import "host" "wait" (func $wait))
            (import "host" "forget" (func $forget (param i32) (result i32)))
            (func (export "wait") (param i32) (result i32) (call $wait) (local.get 0))
            (func (export "outer") (param i32) (result i32) (local i32)
                (local.set 1 (i32.mul (local.get 0) (i32.const 3)))
                (i32.add (call $forget (local.get 0)) (local.get 1))))"#;
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap_async("host", "wait", |_, (): ()| Box::new(pending(9)))
            .unwrap();
        linker
            .func_wrap_async(
                "host",
                "forget",
                |mut caller: Caller<'_, ()>, (n,): (i32,)| {
                    Box::new(async move {
                        let wait = caller.get_export("wait").unwrap().into_func().unwrap();
                        let wait = wait.typed::<i32, i32>(&caller)?;
                        let mut inner = Box::pin(wait.call_async(&mut caller, n));
                        poll_fn(|cx| {
                            assert!(inner.as_mut().poll(cx).is_pending());
                            Poll::Ready(())
                        })
                        .await;
                        std::mem::forget(inner);
                        pending(1).await;
                        Ok::<_, Error>(n)
                    })
                },
            )
            .unwrap();
        let mut store = Store::new(engine, ());
        let module = Module::new(engine, text).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let outer = instance
            .get_typed_func::<i32, i32>(&mut store, "outer")
            .unwrap();
        // Miri would say of the boxes that they leak; that is what is asked for.
        let rounds = if cfg!(miri) { 0 } else { 5 };
        for n in 0..rounds {
            assert_eq!(block_on(outer.call_async(&mut store, n)).unwrap(), 4 * n);
        }
    });
}

#[test]
fn errors_and_traps_after_a_wait_end_the_call_with_a_backtrace() {
    on_both(|engine| {
        let (mut store, instance) = summing(engine);
        let trap = instance
            .get_typed_func::<u64, u64>(&mut store, "trap")
            .unwrap();
        let error = block_on(trap.call_async(&mut store, 2)).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));
        assert_eq!(
            error
                .downcast_ref::<WasmBacktrace>()
                .unwrap()
                .frames()
                .len(),
            1
        );

        let mut linker = Linker::<u64>::new(engine);
        linker
            .func_wrap_async("host", "next", |_, (_,): (u64,)| {
                Box::new(async move {
                    pending(1).await;
                    Err::<u64, _>(sheave_hostcalls::format_err!("no more"))
                })
            })
            .unwrap();
        let module = Module::new(engine, SUM).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        for name in ["sum", "tail", "through-tail"] {
            let f = instance.get_typed_func::<u64, u64>(&mut store, name);
            let error = block_on(f.unwrap().call_async(&mut store, 2)).unwrap_err();
            assert_eq!(error.root_cause().to_string(), "no more");
            let frames = error
                .downcast_ref::<WasmBacktrace>()
                .unwrap()
                .frames()
                .len();
            assert_eq!(frames, if name == "through-tail" { 2 } else { 1 });
        }
    });
}

#[test]
fn a_panic_in_a_host_functions_future_goes_on_in_who_polls() {
    on_both(|engine| {
        for late in [false, true] {
            let mut store = Store::new(engine, 0);
            let func = Func::wrap_async(&mut store, move |_: Caller<'_, i32>, (): ()| {
                assert!(late, "early");
                Box::new(async move {
                    pending(1).await;
                    assert!(!late, "late");
                })
            });
            let text = r#"(module (import "" "" (func $f)) (func (export "f") (call $f)))"#;
            let module = Module::new(engine, text).unwrap();
            let instance = Instance::new(&mut store, &module, &[func.into()]).unwrap();
            let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
            let call = std::panic::AssertUnwindSafe(|| block_on(f.call_async(&mut store, ())));
            let payload = std::panic::catch_unwind(call).unwrap_err();
            let text = payload.downcast_ref::<&str>().unwrap();
            assert_eq!(*text, if late { "late" } else { "early" });
            // Nothing is left of it.
            let one = Func::wrap(&mut store, || 1);
            let one = one.typed::<(), i32>(&store).unwrap();
            assert_eq!(one.call(&mut store, ()).unwrap(), 1);
        }
    });
}

#[test]
fn a_start_function_may_wait() {
    on_both(|engine| {
        let text = r#"(module
            (import "" "f" (func $f (result i32)))
            (global $g (export "g") (mut i32) (i32.const 0))
            (func $start (global.set $g (call $f)))
            (start $start))"#;
        let module = Module::new(engine, text).unwrap();
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap_async("", "f", |_, (): ()| {
                Box::new(async {
                    pending(3).await;
                    7
                })
            })
            .unwrap();
        let mut store = Store::new(engine, ());
        let (instance, polls) = polled(linker.instantiate_async(&mut store, &module));
        let g = instance.unwrap().get_global(&mut store, "g").unwrap();
        assert_eq!((g.get(&mut store).unwrap_i32(), polls), (7, 4));
        let pre = linker.instantiate_pre(&module).unwrap();
        block_on(pre.instantiate_async(&mut store)).unwrap();
        dropped_after(pre.instantiate_async(&mut store), 2);
        let error = linker.instantiate(&mut store, &module).unwrap_err();
        assert!(
            error.root_cause().to_string().contains("instantiate_async"),
            "{error}"
        );
    });
}

#[test]
fn a_call_that_cannot_wait_says_so() {
    on_both(|engine| {
        let (mut store, instance) = summing(engine);
        for name in ["sum", "tail", "through-tail"] {
            let f = instance.get_typed_func::<u64, u64>(&mut store, name);
            let error = f.unwrap().call(&mut store, 1).unwrap_err();
            assert!(
                error.root_cause().to_string().contains("call_async"),
                "{error}"
            );
        }
        assert_eq!(*store.data(), 0, "no host function has begun");
        let sum = instance.get_func(&mut store, "sum").unwrap();
        let mut results = [Val::I64(0)];
        let error = sum.call_resumable(&mut store, &[Val::I64(1)], &mut results);
        assert!(
            error
                .unwrap_err()
                .root_cause()
                .to_string()
                .contains("call_async")
        );
        assert!(store.paused_call().is_none());
    });
}

#[test]
fn a_synchronous_host_function_in_between_cannot_wait() {
    on_both(|engine| {
        let text = r#"(module
            (import "host" "wait" (func $wait))
            (import "host" "sync" (func $sync))
            (func (export "inner") (call $wait))
            (func (export "outer") (call $sync) (call $wait)))"#;
        let mut linker = Linker::<bool>::new(engine);
        linker
            .func_wrap_async("host", "wait", |_, (): ()| Box::new(pending(1)))
            .unwrap();
        linker
            .func_wrap("host", "sync", |mut caller: Caller<'_, bool>| {
                let inner = caller.get_export("inner").unwrap().into_func().unwrap();
                let error = inner.call(&mut caller, &[], &mut []).unwrap_err();
                *caller.data_mut() = error.root_cause().to_string().contains("call_async");
            })
            .unwrap();
        let mut store = Store::new(engine, false);
        let module = Module::new(engine, text).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let outer = instance.get_typed_func::<(), ()>(&mut store, "outer");
        let (result, polls) = polled(outer.unwrap().call_async(&mut store, ()));
        result.unwrap();
        assert!(*store.data() && polls == 2);
    });
}
