//! Fuel, and stopping a guest from outside.

use std::time::{Duration, Instant};

use super::{instance, on_both_with};
use sheave_hostcalls::{
    Caller, Config, Engine, Instance, Linker, Module, Store, Trap, UpdateDeadline,
};

const LOOP: &str = r#"(module
    (func (export "forever") (loop $l (br $l)))
    (func (export "count") (param i32) (result i32) (local i32)
        (loop $l (local.set 1 (i32.add (local.get 1) (i32.const 1))) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1)))"#;

fn fuel(config: &mut Config) {
    config.consume_fuel(true);
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn fuel_runs_out_and_can_be_filled_up() {
    on_both_with(fuel, |engine| {
        let (mut store, i) = instance(engine, LOOP);
        let forever = i.get_typed_func::<(), ()>(&mut store, "forever").unwrap();
        let count = i.get_typed_func::<i32, i32>(&mut store, "count").unwrap();
        assert_eq!(
            count.call(&mut store, 1).unwrap_err().downcast_ref(),
            Some(&Trap::OutOfFuel)
        );
        store.set_fuel(10_000).unwrap();
        assert_eq!(
            forever.call(&mut store, ()).unwrap_err().downcast_ref(),
            Some(&Trap::OutOfFuel)
        );
        assert!(store.get_fuel().unwrap() < 10);
        store.set_fuel(10_000).unwrap();
        assert_eq!(count.call(&mut store, 100).unwrap(), 100);
        assert!((8_000..9_900).contains(&store.get_fuel().unwrap()));
    });
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn both_executors_use_the_same_fuel() {
    let used = std::cell::RefCell::new(Vec::new());
    on_both_with(fuel, |engine| {
        let (mut store, i) = instance(engine, LOOP);
        store.set_fuel(1 << 40).unwrap();
        i.get_typed_func::<i32, i32>(&mut store, "count")
            .unwrap()
            .call(&mut store, 1234)
            .unwrap();
        used.borrow_mut()
            .push((1 << 40) - store.get_fuel().unwrap());
    });
    let used = used.into_inner();
    assert!(used.iter().all(|u| *u == used[0]), "{used:?}");
}

#[test]
fn fuel_is_an_error_where_it_is_off() {
    let mut store = Store::new(&Engine::default(), ());
    assert!(store.get_fuel().is_err());
    assert!(store.set_fuel(1).is_err());
}

#[test]
fn a_host_function_sees_and_sets_fuel() {
    on_both_with(fuel, |engine| {
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap("", "refuel", |mut caller: Caller<'_, ()>| {
                let left = caller.get_fuel()?;
                caller.set_fuel(left + 1000)
            })
            .unwrap();
        let module = Module::new(
            engine,
            r#"(module (import "" "refuel" (func $f)) (func (export "f") (call $f) (nop)))"#,
        )
        .unwrap();
        let mut store = Store::new(engine, ());
        let i = linker.instantiate(&mut store, &module).unwrap();
        store.set_fuel(100).unwrap();
        i.get_typed_func::<(), ()>(&mut store, "f")
            .unwrap()
            .call(&mut store, ())
            .unwrap();
        assert!((1000..1100).contains(&store.get_fuel().unwrap()));
    });
}

fn interruption(config: &mut Config) {
    config.interruption(true);
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn a_tight_loop_is_interrupted_from_another_thread() {
    on_both_with(interruption, |engine| {
        let (mut store, i) = instance(engine, LOOP);
        let handle = store.interrupt_handle();
        let forever = i.get_typed_func::<(), ()>(&mut store, "forever").unwrap();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            handle.interrupt();
            Instant::now()
        });
        let error = forever.call(&mut store, ()).unwrap_err();
        let took = thread.join().unwrap().elapsed();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Interrupt));
        // Far less on an idle machine.
        assert!(took < Duration::from_secs(2), "{took:?}");
        // One interruption ends one call.
        assert_eq!(
            i.get_typed_func::<i32, i32>(&mut store, "count")
                .unwrap()
                .call(&mut store, 10)
                .unwrap(),
            10
        );
    });
}

#[test]
fn an_interruption_before_a_call_ends_that_call() {
    on_both_with(interruption, |engine| {
        let (mut store, i) = instance(engine, LOOP);
        let count = i.get_typed_func::<i32, i32>(&mut store, "count").unwrap();
        store.interrupt_handle().interrupt();
        assert_eq!(
            count.call(&mut store, 10).unwrap_err().downcast_ref(),
            Some(&Trap::Interrupt)
        );
        assert_eq!(count.call(&mut store, 10).unwrap(), 10);
    });
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn epochs_end_what_is_past_its_deadline() {
    let epochs = |config: &mut Config| {
        config.epoch_interruption(true);
    };
    on_both_with(epochs, |engine| {
        let (mut store, i) = instance(engine, LOOP);
        let count = i.get_typed_func::<i32, i32>(&mut store, "count").unwrap();
        store.set_epoch_deadline(2);
        engine.increment_epoch();
        assert_eq!(count.call(&mut store, 10).unwrap(), 10);
        engine.increment_epoch();
        assert_eq!(
            count.call(&mut store, 10).unwrap_err().downcast_ref(),
            Some(&Trap::Interrupt)
        );
        store.set_epoch_deadline(1);
        assert_eq!(count.call(&mut store, 10).unwrap(), 10);
        let clock = engine.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(10));
            clock.increment_epoch();
        });
        let forever = i.get_typed_func::<(), ()>(&mut store, "forever").unwrap();
        assert_eq!(
            forever.call(&mut store, ()).unwrap_err().downcast_ref(),
            Some(&Trap::Interrupt)
        );
        thread.join().unwrap();
    });
}

#[test]
fn a_callback_says_whether_a_call_goes_on_at_its_deadline() {
    let epochs = |config: &mut Config| {
        config.epoch_interruption(true);
    };
    on_both_with(epochs, |engine| {
        let module = Module::new(engine, LOOP).unwrap();
        let mut store = Store::new(engine, 0_u32);
        let i = Instance::new(&mut store, &module, &[]).unwrap();
        let count = i.get_typed_func::<i32, i32>(&mut store, "count").unwrap();
        // The callback uses the store, wasm included, while the call waits.
        store.epoch_deadline_callback(move |mut store| {
            *store.data_mut() += 1;
            if *store.data() == 1 {
                assert_eq!(count.call(&mut store, 3)?, 3);
                return Ok(UpdateDeadline::Continue(0));
            }
            if *store.data() == 4 {
                sheave_hostcalls::bail!("no more");
            }
            Ok(UpdateDeadline::Continue(0))
        });
        store.set_epoch_deadline(0);
        let error = count.call(&mut store, 1000).unwrap_err();
        assert!(format!("{error:#}").contains("no more"), "{error:#}");
        assert_eq!(*store.data(), 4);
        store.set_epoch_deadline(1);
        assert_eq!(count.call(&mut store, 10).unwrap(), 10);

        store.epoch_deadline_callback(|_| panic!("as wanted"));
        store.set_epoch_deadline(0);
        let call = || count.call(&mut store, 10);
        std::panic::catch_unwind(core::panic::AssertUnwindSafe(call)).unwrap_err();
        assert_eq!(count.call(&mut store, 10).unwrap(), 10);

        store.epoch_deadline_trap();
        store.set_epoch_deadline(0);
        let error = count.call(&mut store, 10).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
    });
}

#[test]
fn a_new_deadline_does_not_take_an_interruption_back() {
    let epochs = |config: &mut Config| {
        config.epoch_interruption(true);
    };
    on_both_with(epochs, |engine| {
        let (mut store, i) = instance(engine, LOOP);
        let count = i.get_typed_func::<i32, i32>(&mut store, "count").unwrap();
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Continue(1)));
        store.interrupt_handle().interrupt();
        store.set_epoch_deadline(5);
        let error = count.call(&mut store, 10).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
        store.set_epoch_deadline(0);
        store.interrupt_handle().clear();
        assert_eq!(count.call(&mut store, 10).unwrap(), 10);
    });
}
