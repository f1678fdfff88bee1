//! Host functions that sleep in continuations: dropped, on other threads, in snapshots, and other ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::engines;
use super::futures::block_on;
use super::host_frames::{Host, all_engines, call, cont, run, run_with, set_up, set_up_with, tag};
use super::suspensions::{on, suspended, trap};
use sheave_hostcalls::*;

#[test]
fn a_dropped_continuation_ends_the_host_function_at_the_next_collection() {
    for engine in all_engines() {
        let (mut store, instance) = set_up(&engine);
        run_with(&mut store, &instance, "begin", 3).unwrap();
        store.gc(None).unwrap();
        assert!(store.data().log.is_empty(), "a global leads to it");
        instance
            .get_typed_func::<(), ()>(&mut store, "forget")
            .unwrap()
            .call(&mut store, ())
            .unwrap();
        store.gc(None).unwrap();
        assert_eq!(store.data().log, ["failed: the continuation was dropped"]);
        store.gc(None).unwrap();
        assert_eq!(store.data().log.len(), 1);
        assert_eq!(run(&mut store, &instance, "drive_called").unwrap(), 1120);
    }
}

#[test]
fn dropping_the_store_ends_what_sleeps() {
    let ends = Arc::new(AtomicU32::new(0));
    for (round, engine) in (1..).zip(all_engines()) {
        let n = Arc::clone(&ends);
        let counts = move |mut caller: Host<'_>, k: i32| -> Result<i32> {
            let error = call(&mut caller, "ask", k).unwrap_err();
            assert_eq!(error.downcast_ref(), Some(&HostFrameError::Dropped));
            // The store is there still, and wasm runs.
            let wasm = caller.get_export("forget").unwrap().into_func().unwrap();
            wasm.call(&mut caller, &[], &mut [])?;
            caller.data_mut().log.push("ended".to_owned());
            n.fetch_add(1, Ordering::Relaxed);
            Ok(1)
        };
        let (mut store, instance) = set_up_with(&engine, counts.clone());
        let (mut other, other_instance) = set_up_with(&engine, counts);
        for k in 0..3 {
            run_with(&mut store, &instance, "begin", k).unwrap();
        }
        run_with(&mut other, &other_instance, "begin", 1).unwrap();
        drop(store);
        assert_eq!(other.into_data().log, ["ended"]);
        assert_eq!(ends.load(Ordering::Relaxed), 4 * round);
    }
}

#[test]
fn those_that_sleep_in_one_another_end_from_the_inside() {
    fn down(mut caller: Host<'_>, n: i32) -> Result<i32> {
        let (name, m) = if n == 0 {
            ("ask", 7)
        } else {
            ("called", n - 1)
        };
        let error = call(&mut caller, name, m).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&HostFrameError::Dropped));
        caller.data_mut().log.push(format!("{n}"));
        if n == 1 { Ok(1) } else { Err(error) }
    }
    for engine in all_engines() {
        let (mut store, instance) = set_up_with(&engine, down);
        run_with(&mut store, &instance, "begin", 2).unwrap();
        assert_eq!(store.into_data().log, ["0", "1", "2"]);
    }
}

#[test]
fn what_is_ended_does_not_sleep_again() {
    fn stubborn(mut caller: Host<'_>, n: i32) -> Result<i32> {
        call(&mut caller, "ask", n).unwrap_err();
        for _ in 0..3 {
            let error = call(&mut caller, "ask", n).unwrap_err();
            assert_eq!(trap(&error), Trap::UnhandledTag);
            caller.data_mut().log.push("again".to_owned());
        }
        // What it begins itself is another matter.
        let drive = caller
            .get_export("drive_host")
            .unwrap()
            .into_func()
            .unwrap();
        let inner = drive.typed::<(), i32>(&caller)?.call(&mut caller, ());
        caller.data_mut().log.push(format!("{inner:?}"));
        bail!("no")
    }
    for engine in engines(on) {
        let (mut store, instance) =
            set_up_with(
                &engine,
                |caller: Host<'_>, n: i32| {
                    if n == 3 { stubborn(caller, n) } else { Ok(n) }
                },
            );
        run_with(&mut store, &instance, "begin", 3).unwrap();
        let log = store.into_data().log;
        assert_eq!(log, ["again", "again", "again", "Ok(1)"]);
    }
}

#[test]
fn a_panic_of_what_is_ended_goes_on_where_it_was_ended() {
    fn panics(mut caller: Host<'_>, n: i32) -> Result<i32> {
        call(&mut caller, "ask", n).unwrap_err();
        panic!("{n}")
    }
    for engine in engines(on) {
        let (mut store, instance) = set_up_with(&engine, panics);
        run_with(&mut store, &instance, "begin", 3).unwrap();
        let store = std::panic::AssertUnwindSafe(|| drop(store));
        let payload = std::panic::catch_unwind(store).unwrap_err();
        assert_eq!(payload.downcast_ref::<String>().unwrap(), "3");
    }
}

#[test]
fn a_cycle_through_a_host_functions_handles_is_collected() {
    // It holds the continuation that it sleeps in.
    fn holds_itself(mut caller: Host<'_>, n: i32) -> Result<i32> {
        let array = caller.get_export("array").unwrap().into_global().unwrap();
        let _held = array.get(&mut caller);
        let result = call(&mut caller, "ask", n);
        caller.data_mut().log.push("ended".to_owned());
        result
    }
    let wat = r#"(module
        (type $f (func (param i32) (result i32))) (type $c (cont $f))
        (type $a (array (mut (ref null $c))))
        (tag $ask (param i32) (result i32))
        (func $add (import "host" "add") (param i32) (result i32))
        (elem declare func $add)
        (global $array (export "array") (mut (ref null $a)) (ref.null $a))
        (func (export "ask") (param i32) (result i32) (suspend $ask (local.get 0)))
        (func (export "begin")
            (local $k (ref null $c))
            (global.set $array (array.new_default $a (i32.const 1)))
            (block $on (result i32 (ref $c))
                (drop (resume $c (on $ask $on) (i32.const 1) (cont.new $c (ref.func $add))))
                (return))
            (local.set $k) (drop)
            (array.set $a (global.get $array) (i32.const 0) (local.get $k))
            (global.set $array (ref.null $a))))"#;
    for engine in all_engines() {
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "add", holds_itself).unwrap();
        linker.capturable("host", "add").unwrap();
        let mut store = Store::new(&engine, super::host_frames::Seen::default());
        let module = Module::new(&engine, wat).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let begin = instance
            .get_typed_func::<(), ()>(&mut store, "begin")
            .unwrap();
        begin.call(&mut store, ()).unwrap();
        store.gc(None).unwrap();
        assert_eq!(store.data().log, ["ended"]);
    }
}

#[test]
fn a_snapshot_does_not_hold_what_sleeps() {
    for engine in engines(on) {
        let (mut store, instance) = set_up(&engine);
        store.snapshot().unwrap();
        run_with(&mut store, &instance, "begin", 3).unwrap();
        let error = store.snapshot().unwrap_err();
        let want = HostFrameError::InSnapshot("host::add".to_owned());
        assert_eq!(error.downcast_ref(), Some(&want));
        assert!(error.to_string().contains("`host::add`"), "{error}");
        assert_eq!(run_with(&mut store, &instance, "go_on", 40).unwrap(), 41);
        // What nothing leads to is ended first.
        run_with(&mut store, &instance, "begin", 3).unwrap();
        assert_eq!(run_with(&mut store, &instance, "go_on", 1).unwrap(), 2);
        assert_eq!(run_with(&mut store, &instance, "go_on", 1).unwrap(), 1002);
        store.snapshot().unwrap();
    }
}

#[test]
fn a_continuation_with_a_host_function_is_resumed_on_its_thread_only() {
    for engine in engines(on) {
        let (mut store, instance) = set_up(&engine);
        let ask = tag(&mut store, &instance, "ask_tag");
        run_with(&mut store, &instance, "begin", 3).unwrap();
        let there = cont(&mut store, &instance, "called");
        let mut store = std::thread::scope(|s| {
            let other = s.spawn(|| {
                let want = HostFrameError::OtherThread("host::add".to_owned());
                let error = run_with(&mut store, &instance, "go_on", 40).unwrap_err();
                assert_eq!(error.downcast_ref(), Some(&want));
                // The store can be used there, and what is begun there goes on there.
                assert_eq!(run(&mut store, &instance, "drive_called").unwrap(), 1120);
                suspended(there.resume(&mut store, &[Val::I32(1)], &[ask]));
                store.gc(None).unwrap();
                store
            });
            other.join().unwrap()
        });
        assert_eq!(store.data().log.len(), 2, "nothing has ended");
        assert_eq!(run_with(&mut store, &instance, "go_on", 40).unwrap(), 41);
        assert_eq!(run_with(&mut store, &instance, "go_on", 1).unwrap(), 1041);
        // Of what was begun on the other thread, which is no more, nothing runs.
        if cfg!(miri) {
            core::mem::forget(store);
        } else {
            let log = store.into_data().log;
            assert_eq!(log.len(), 4, "{log:?}");
        }
    }
}

#[test]
fn a_host_function_does_not_sleep_for_a_thread_that_it_lent_the_store_to() {
    fn lends(mut caller: Host<'_>, n: i32) -> Result<i32> {
        let lent = &mut caller;
        let error = std::thread::scope(|s| {
            let other = s.spawn(move || call(lent, "ask", n).unwrap_err());
            other.join().unwrap()
        });
        assert_eq!(trap(&error), Trap::UnhandledTag);
        assert!(format!("{error:#}").contains("`host.add`"), "{error:#}");
        call(&mut caller, "ask", n)
    }
    for engine in engines(on) {
        let (mut store, instance) = set_up_with(&engine, lends);
        assert_eq!(run(&mut store, &instance, "drive_called").unwrap(), 1010);
    }
}

#[test]
fn async_calls_of_a_host_function_are_not_crossed_but_may_be_around_it() {
    fn waits(mut caller: Host<'_>, n: i32) -> Result<i32> {
        let func = caller.get_export("ask").unwrap().into_func().unwrap();
        let func = func.typed::<i32, i32>(&caller)?;
        let error = block_on(func.call_async(&mut caller, n)).unwrap_err();
        assert_eq!(trap(&error), Trap::UnhandledTag);
        func.call(&mut caller, n)
    }
    for engine in engines(on) {
        let (mut store, instance) = set_up_with(&engine, waits);
        let drive = instance
            .get_typed_func::<(), i32>(&mut store, "drive_called")
            .unwrap();
        assert_eq!(block_on(drive.call_async(&mut store, ())).unwrap(), 1010);
    }
}

#[test]
fn fuel_that_runs_out_within_ends_the_host_functions_call() {
    for engine in engines(|config| {
        on(config);
        config.consume_fuel(true);
    }) {
        let (mut store, instance) = set_up(&engine);
        store.set_fuel(10_000).unwrap();
        run_with(&mut store, &instance, "begin", 3).unwrap();
        store.set_fuel(2).unwrap();
        let error = run_with(&mut store, &instance, "go_on", 1).unwrap_err();
        assert_eq!(trap(&error), Trap::OutOfFuel);
        store.set_fuel(10_000).unwrap();
        assert_eq!(run(&mut store, &instance, "drive_called").unwrap(), 1120);
    }
}

#[test]
fn sleepers_that_are_woken_count_as_nested_calls() {
    // Each continuation's host function resumes the one that was kept before it.
    for engine in engines(on) {
        let (mut store, instance) = set_up_with(&engine, |mut caller: Host<'_>, n: i32| {
            call(&mut caller, "called", n)
        });
        let ask = tag(&mut store, &instance, "ask_tag");
        let deep = cont(&mut store, &instance, "called");
        let error = deep.resume(&mut store, &[Val::I32(1)], &[ask]).unwrap_err();
        assert_eq!(trap(&error), Trap::StackOverflow);
    }
}

#[test]
fn a_continuation_with_a_host_function_is_switched_to() {
    let wat = r#"(module
        (type $b (func (result i32))) (type $d (cont $b))
        (type $h (func (param i32 (ref null $d)) (result i32))) (type $e (cont $h))
        (tag $ask (export "ask_tag") (param i32) (result i32 (ref null $d)))
        (tag $swap (result i32))
        (func $add (import "host" "add") (param i32) (result i32))
        (elem declare func $sleeps $switches)
        (global $kept (mut (ref null $e)) (ref.null $e))
        (func (export "ask") (param i32) (result i32)
            (drop (suspend $ask (local.get 0))))
        (func $sleeps (result i32) (call $add (i32.const 4)))
        (func $switches (result i32)
            (switch $e $swap (i32.const 30) (global.get $kept))
            (i32.const -1))
        (func (export "run") (result i32)
            (block $on (result i32 (ref $e))
                (return (resume $d (on $ask $on) (cont.new $d (ref.func $sleeps)))))
            (global.set $kept) (drop)
            (resume $d (on $swap switch) (cont.new $d (ref.func $switches)))))"#;
    fn asks(mut caller: Host<'_>, n: i32) -> Result<i32> {
        Ok(call(&mut caller, "ask", n)? + n)
    }
    for engine in all_engines() {
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "add", asks).unwrap();
        linker.capturable("host", "add").unwrap();
        let mut store = Store::new(&engine, super::host_frames::Seen::default());
        let module = Module::new(&engine, wat).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        assert_eq!(run(&mut store, &instance, "run").unwrap(), 34);
    }
}

#[test]
fn an_exception_on_its_way_outlives_the_end_of_a_dropped_continuation() {
    // Under the host function that throws, another one is ended, which throws too.
    fn throws(mut caller: Host<'_>, n: i32) -> Result<i32> {
        if n == 0 {
            let forget = caller.get_export("forget").unwrap().into_func().unwrap();
            forget.call(&mut caller, &[], &mut [])?;
        } else {
            call(&mut caller, "ask", n).unwrap_err();
        }
        let e = caller.get_export("e").unwrap().into_tag().unwrap();
        let ty = ExnType::from_tag_type(&e.ty(&caller))?;
        let pre = ExnRefPre::new(&mut caller, ty);
        let exn = ExnRef::new(&mut caller, &pre, &e, &[Val::I32(70 + n)])?;
        let thrown = caller.as_context_mut().throw::<i32>(exn);
        if n == 0 {
            caller.gc(None)?;
        }
        thrown
    }
    for engine in all_engines() {
        let (mut store, instance) = set_up_with(&engine, throws);
        run_with(&mut store, &instance, "begin", 3).unwrap();
        assert_eq!(run_with(&mut store, &instance, "both", 0).unwrap(), 70);
        assert_eq!(store.as_context().data().log.len(), 0);
    }
}

#[test]
fn a_report_counts_host_functions_that_have_slept() {
    for engine in engines(|config| {
        on(config);
        config.host_stack_report(true);
    }) {
        let (mut store, instance) = set_up(&engine);
        assert_eq!(run(&mut store, &instance, "drive_twice").unwrap(), 240);
        let report = engine.host_stack_report();
        let add = report.iter().find(|row| row.name() == "host::add");
        assert_eq!(add.unwrap().calls(), 2);
    }
}
