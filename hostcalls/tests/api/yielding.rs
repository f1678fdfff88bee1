//! Busy guests that share a thread.

use core::pin::pin;
use core::task::{Context, Poll, Waker};

use super::futures::{block_on, dropped_after, pending, polled};
use super::{instance, on_both_with};
use sheave_hostcalls::{Caller, Config, Linker, Module, Store, Trap, UpdateDeadline, Val};

const LOOP: &str = r#"(module
    (func (export "forever") (loop $l (br $l)))
    (func (export "count") (param i32) (result i32) (local i32)
        (loop $l
            (local.set 1 (i32.add (local.get 1) (i32.const 1)))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1)))"#;

fn fuel(config: &mut Config) {
    config.consume_fuel(true);
}

fn epochs(config: &mut Config) {
    config.epoch_interruption(true);
}

#[test]
fn a_call_yields_whenever_so_much_fuel_is_used() {
    on_both_with(fuel, |engine| {
        let (mut store, i) = instance(engine, LOOP);
        let count = i.get_typed_func::<i32, i32>(&mut store, "count").unwrap();
        store.set_fuel(100_000).unwrap();
        let (result, polls) = polled(count.call_async(&mut store, 100));
        assert_eq!((result.unwrap(), polls), (100, 1));
        let used = 100_000 - store.get_fuel().unwrap();

        store.fuel_async_yield_interval(Some(100)).unwrap();
        assert_eq!(store.get_fuel().unwrap(), 100_000 - used);
        let before = store.get_fuel().unwrap();
        let (result, polls) = polled(count.call_async(&mut store, 100));
        assert_eq!(result.unwrap(), 100);
        // The same fuel, in as many pieces as it takes.
        assert_eq!(before - store.get_fuel().unwrap(), used);
        assert!(u64::from(polls).abs_diff(used / 100) <= 1, "{polls}");

        // Without a future there is nobody to yield to.
        assert_eq!(count.call(&mut store, 100).unwrap(), 100);
        assert_eq!(before - store.get_fuel().unwrap(), 2 * used);
        let mut results = [Val::I32(0)];
        let outcome = { count.func() }.call_resumable(&mut store, &[Val::I32(9)], &mut results);
        assert_eq!(outcome.unwrap(), sheave_hostcalls::CallOutcome::Finished);

        store.fuel_async_yield_interval(None).unwrap();
        assert_eq!(polled(count.call_async(&mut store, 100)).1, 1);
        assert!(store.fuel_async_yield_interval(Some(0)).is_err());
    });
}

#[test]
fn fuel_that_comes_in_pieces_ends_too() {
    on_both_with(fuel, |engine| {
        let (mut store, i) = instance(engine, LOOP);
        let forever = i.get_typed_func::<(), ()>(&mut store, "forever").unwrap();
        let count = i.get_typed_func::<i32, i32>(&mut store, "count").unwrap();
        store.fuel_async_yield_interval(Some(50)).unwrap();
        store.set_fuel(1000).unwrap();
        let (result, polls) = polled(forever.call_async(&mut store, ()));
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&Trap::OutOfFuel));
        assert!((15..=25).contains(&polls), "{polls}");
        store.set_fuel(1000).unwrap();
        let error = forever.call(&mut store, ()).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::OutOfFuel));
        store.set_fuel(1000).unwrap();
        dropped_after(forever.call_async(&mut store, ()), 7);
        store.set_fuel(1000).unwrap();
        assert_eq!(block_on(count.call_async(&mut store, 5)).unwrap(), 5);
    });
}

#[test]
fn two_busy_guests_take_turns_on_one_thread() {
    on_both_with(fuel, |engine| {
        let mut stores: Vec<_> = (0..2).map(|_| instance(engine, LOOP)).collect();
        let mut calls = stores.iter_mut().map(|(store, i)| {
            let count = i.get_typed_func::<i32, i32>(&mut *store, "count").unwrap();
            store.set_fuel(1 << 40).unwrap();
            store.fuel_async_yield_interval(Some(60)).unwrap();
            Box::pin(async move { count.call_async(store, 50).await })
        });
        let (mut a, mut b) = (calls.next().unwrap(), calls.next().unwrap());
        let mut cx = Context::from_waker(Waker::noop());
        let mut turns = 0;
        loop {
            let polls = (a.as_mut().poll(&mut cx), b.as_mut().poll(&mut cx));
            turns += 1;
            match polls {
                (Poll::Pending, Poll::Pending) => {}
                (Poll::Ready(a), Poll::Ready(b)) => {
                    assert_eq!((a.unwrap(), b.unwrap()), (50, 50));
                    break;
                }
                other => panic!("not in turns: {other:?}"),
            }
        }
        assert!(turns > 3);
    });
}

#[test]
fn a_yield_wakes_its_task_at_once() {
    struct Flag(core::sync::atomic::AtomicU32);
    impl std::task::Wake for Flag {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        }
    }
    on_both_with(fuel, |engine| {
        let (mut store, i) = instance(engine, LOOP);
        let forever = i.get_typed_func::<(), ()>(&mut store, "forever").unwrap();
        store.fuel_async_yield_interval(Some(50)).unwrap();
        store.set_fuel(1000).unwrap();
        let flag = std::sync::Arc::new(Flag(0.into()));
        let waker = Waker::from(std::sync::Arc::clone(&flag));
        let mut future = pin!(forever.call_async(&mut store, ()));
        for polls in 1..4 {
            let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(poll.is_pending());
            assert_eq!(flag.0.load(core::sync::atomic::Ordering::Relaxed), polls);
        }
    });
}

#[test]
fn a_call_yields_at_each_deadline() {
    on_both_with(epochs, |engine| {
        let (mut store, i) = instance(engine, LOOP);
        let forever = i.get_typed_func::<(), ()>(&mut store, "forever").unwrap();
        store.set_epoch_deadline(0);
        store.epoch_deadline_async_yield_and_update(0);
        dropped_after(forever.call_async(&mut store, ()), 5);
        store.set_epoch_deadline(0);
        let error = forever.call(&mut store, ()).unwrap_err();
        assert!(
            error.root_cause().to_string().contains("call_async"),
            "{error}"
        );
        // A handle still ends it.
        let handle = store.interrupt_handle();
        store.set_epoch_deadline(1);
        handle.interrupt();
        let error = block_on(forever.call_async(&mut store, ())).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
    });
}

#[test]
fn a_deadline_can_wait_for_a_future_of_the_embedders() {
    on_both_with(epochs, |engine| {
        let (mut store, i) = instance(engine, LOOP);
        let forever = i.get_typed_func::<(), ()>(&mut store, "forever").unwrap();
        store.set_epoch_deadline(0);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::YieldCustom(0, Box::pin(pending(3)))));
        dropped_after(forever.call_async(&mut store, ()), 8);
        store.set_epoch_deadline(0);
        let mut rounds = 0;
        store.epoch_deadline_callback(move |_| {
            rounds += 1;
            match rounds {
                1 => Ok(UpdateDeadline::Continue(0)),
                2 => Ok(UpdateDeadline::YieldCustom(0, Box::pin(pending(3)))),
                3 => Ok(UpdateDeadline::Yield(0)),
                _ => Ok(UpdateDeadline::Interrupt),
            }
        });
        store.set_epoch_deadline(0);
        let (result, polls) = polled(forever.call_async(&mut store, ()));
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&Trap::Interrupt));
        assert_eq!(polls, 3 + 1 + 1);
    });
}

#[test]
fn inner_calls_yield_too() {
    on_both_with(fuel, |engine| {
        let text = r#"(module
            (import "host" "call" (func $call (result i32)))
            (func (export "count") (param i32) (result i32) (local i32)
                (loop $l
                    (local.set 1 (i32.add (local.get 1) (i32.const 1)))
                    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (local.get 1))
            (func (export "outer") (result i32) (i32.add (call $call) (i32.const 1))))"#;
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap_async("host", "call", |mut caller: Caller<'_, ()>, (): ()| {
                Box::new(async move {
                    let count = caller.get_export("count").unwrap().into_func().unwrap();
                    let count = count.typed::<i32, i32>(&caller)?;
                    count.call_async(&mut caller, 40).await
                })
            })
            .unwrap();
        let mut store = Store::new(engine, ());
        let module = Module::new(engine, text).unwrap();
        let i = linker.instantiate(&mut store, &module).unwrap();
        let outer = i.get_typed_func::<(), i32>(&mut store, "outer").unwrap();
        store.set_fuel(10_000).unwrap();
        store.fuel_async_yield_interval(Some(64)).unwrap();
        let (result, polls) = polled(outer.call_async(&mut store, ()));
        assert_eq!(result.unwrap(), 41);
        assert!(polls > 3, "{polls}");
    });
}

#[test]
fn an_interval_is_an_error_where_fuel_is_off() {
    on_both_with(epochs, |engine| {
        let mut store = Store::new(engine, ());
        assert!(store.fuel_async_yield_interval(Some(5)).is_err());
    });
}
