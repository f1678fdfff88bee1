//! Continuations that the host makes and resumes, host functions that suspend, and what is around both.

use super::{engines, instance};
use sheave_hostcalls::*;

fn on(config: &mut Config) {
    config.wasm_stack_switching(true);
}

/// Collects at every allocation.
fn stressed(config: &mut Config) {
    config.wasm_stack_switching(true).gc_stress(true);
}

fn func(store: &mut Store<()>, instance: &Instance, name: &str) -> Func {
    instance.get_func(&mut *store, name).unwrap()
}

fn tag(store: &mut Store<()>, instance: &Instance, name: &str) -> Tag {
    instance.get_tag(&mut *store, name).unwrap()
}

/// A continuation of an exported function.
fn cont(store: &mut Store<()>, instance: &Instance, name: &str) -> Rooted<ContRef> {
    let func = func(store, instance, name);
    let ty = ContType::new(store.engine(), func.ty(&*store)).unwrap();
    ContRef::new(store, &ty, &func).unwrap()
}

fn suspended(resumed: Result<Resumed>) -> Suspension {
    match resumed.unwrap() {
        Resumed::Suspended(suspension) => suspension,
        Resumed::Returned(values) => panic!("returned {values:?}"),
    }
}

fn returned(resumed: Result<Resumed>) -> Vec<Val> {
    match resumed.unwrap() {
        Resumed::Returned(values) => values,
        Resumed::Suspended(suspension) => panic!("suspended with {:?}", suspension.payload),
    }
}

fn trap(error: &Error) -> Trap {
    *error
        .downcast_ref()
        .unwrap_or_else(|| panic!("a trap, not {error:?}"))
}

const GENERATOR: &str = r#"(module
    (type $none (func))
    (tag $yield (export "yield") (param i64))
    (tag $other (export "other") (param i64))
    (func (export "count") (param $n i64) (result i32) (local $i i64)
        (loop $more
            (suspend $yield (local.get $i))
            (br_if $more (i64.lt_u
                (local.tee $i (i64.add (local.get $i) (i64.const 1))) (local.get $n))))
        (i32.const 7))
    (func (export "trap") (suspend $yield (i64.const 1)) (unreachable))
    (func $deep (export "deep") (param $n i32) (result i32)
        (if (i32.eqz (local.get $n)) (then (suspend $yield (i64.const 3)) (return (i32.const 0))))
        (i32.add (i32.const 1) (call $deep (i32.sub (local.get $n) (i32.const 1))))))"#;

#[test]
fn a_generator_in_wasm_is_driven_from_rust() {
    for engine in engines(on) {
        let (mut store, instance) = instance(&engine, GENERATOR);
        let r#yield = tag(&mut store, &instance, "yield");
        let mut next = cont(&mut store, &instance, "count");
        let mut args = vec![Val::I64(20)];
        let mut seen = Vec::new();
        let results = loop {
            match next.resume(&mut store, &args, &[r#yield]).unwrap() {
                Resumed::Suspended(s) => {
                    assert!(Tag::eq(&s.tag, &r#yield, &store));
                    seen.push(s.payload[0].unwrap_i64());
                    next = s.continuation;
                }
                Resumed::Returned(results) => break results,
            }
            args.clear();
        };
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
        assert_eq!(results[0].unwrap_i32(), 7);
    }
}

#[test]
fn a_continuation_is_used_once() {
    for engine in engines(on) {
        let (mut store, instance) = instance(&engine, GENERATOR);
        let r#yield = tag(&mut store, &instance, "yield");
        let first = cont(&mut store, &instance, "count");
        let second = suspended(first.resume(&mut store, &[Val::I64(2)], &[r#yield])).continuation;
        let error = first
            .resume(&mut store, &[Val::I64(2)], &[r#yield])
            .unwrap_err();
        assert_eq!(trap(&error), Trap::ContinuationConsumed);
        assert!(
            error.to_string().contains("continuation already consumed"),
            "{error:?}"
        );
        let third = suspended(second.resume(&mut store, &[], &[r#yield])).continuation;
        assert_eq!(
            trap(&second.resume(&mut store, &[], &[]).unwrap_err()),
            Trap::ContinuationConsumed
        );
        assert_eq!(
            returned(third.resume(&mut store, &[], &[]))[0].unwrap_i32(),
            7
        );
    }
}

#[test]
fn arguments_that_do_not_fit_leave_the_continuation_as_it_was() {
    for engine in engines(on) {
        let (mut store, instance) = instance(&engine, GENERATOR);
        let r#yield = tag(&mut store, &instance, "yield");
        let cont = cont(&mut store, &instance, "count");
        assert!(cont.resume(&mut store, &[], &[r#yield]).is_err());
        assert!(cont.resume(&mut store, &[Val::I32(1)], &[r#yield]).is_err());
        suspended(cont.resume(&mut store, &[Val::I64(1)], &[r#yield]));
        let count = func(&mut store, &instance, "count");
        let other = FuncType::new(store.engine(), [], []);
        let other = ContType::new(store.engine(), other).unwrap();
        assert!(ContRef::new(&mut store, &other, &count).is_err());
    }
}

#[test]
fn the_type_of_a_suspended_continuation_is_what_it_waits_for_and_gives() {
    for engine in engines(on) {
        let (mut store, instance) = instance(&engine, GENERATOR);
        let r#yield = tag(&mut store, &instance, "yield");
        let cont = cont(&mut store, &instance, "count");
        let ty = cont.ty(&store).unwrap().func_type();
        assert_eq!((ty.params().len(), ty.results().len()), (1, 1));
        let next = suspended(cont.resume(&mut store, &[Val::I64(1)], &[r#yield])).continuation;
        let ty = next.ty(&store).unwrap().func_type();
        assert_eq!((ty.params().len(), ty.results().len()), (0, 1));
    }
}

#[test]
fn a_tag_that_the_host_does_not_handle_ends_the_resumption() {
    for engine in engines(on) {
        let (mut store, instance) = instance(&engine, GENERATOR);
        let other = tag(&mut store, &instance, "other");
        let count = cont(&mut store, &instance, "count");
        let error = count
            .resume(&mut store, &[Val::I64(1)], &[other])
            .unwrap_err();
        assert_eq!(trap(&error), Trap::UnhandledTag);
        // The store can be used on.
        let again = cont(&mut store, &instance, "deep");
        let r#yield = tag(&mut store, &instance, "yield");
        suspended(again.resume(&mut store, &[Val::I32(3)], &[other, r#yield]));
    }
}

#[test]
fn a_trap_in_a_continuation_shows_the_whole_chain_of_stacks() {
    for engine in engines(on) {
        let wat = r#"(module
        (type $f (func)) (type $c (cont $f))
        (tag $t)
        (elem declare func $inner $outer)
        (func $inner (call $leaf))
        (func $leaf (unreachable))
        (func $outer (resume $c (cont.new $c (ref.func $inner))))
        (func $run (export "run") (resume $c (cont.new $c (ref.func $outer))))
        (func (export "fine") (result i32) (i32.const 5)))"#;
        let (mut store, instance) = instance(&engine, wat);
        let run = instance
            .get_typed_func::<(), ()>(&mut store, "run")
            .unwrap();
        let fine = instance
            .get_typed_func::<(), i32>(&mut store, "fine")
            .unwrap();
        for _ in 0..3 {
            let error = run.call(&mut store, ()).unwrap_err();
            assert_eq!(trap(&error), Trap::Unreachable);
            let backtrace = error.downcast_ref::<WasmBacktrace>().unwrap();
            let names: Vec<_> = backtrace
                .frames()
                .iter()
                .map(|f| f.func_name().unwrap())
                .collect();
            assert_eq!(names, ["leaf", "inner", "outer", "run"]);
            assert_eq!(fine.call(&mut store, ()).unwrap(), 5);
        }
    }
}

#[test]
fn frames_that_need_more_room_move_the_stack_and_nothing_else() {
    for engine in engines(on) {
        let (mut store, instance) = instance(&engine, GENERATOR);
        let r#yield = tag(&mut store, &instance, "yield");
        let n = if cfg!(miri) { 40 } else { 3000 };
        let deep = cont(&mut store, &instance, "deep");
        let deep = suspended(deep.resume(&mut store, &[Val::I32(n)], &[r#yield])).continuation;
        let other = cont(&mut store, &instance, "deep");
        let other = suspended(other.resume(&mut store, &[Val::I32(5)], &[r#yield])).continuation;
        assert_eq!(
            returned(deep.resume(&mut store, &[], &[]))[0].unwrap_i32(),
            n
        );
        assert_eq!(
            returned(other.resume(&mut store, &[], &[]))[0].unwrap_i32(),
            5
        );
    }
}

#[test]
fn stacks_that_wait_for_each_other_count_against_one_limit() {
    let settings = |config: &mut Config| {
        config.wasm_stack_switching(true).max_wasm_stack(64 << 10);
    };
    for engine in engines(settings) {
        let wat = r#"(module
        (type $f (func (param i32) (result i32))) (type $c (cont $f))
        (elem declare func $nest)
        (func $nest (export "nest") (param $n i32) (result i32)
            (if (i32.eqz (local.get $n)) (then (return (i32.const 0))))
            (i32.add (i32.const 1) (resume $c (i32.sub (local.get $n) (i32.const 1)) (cont.new $c (ref.func $nest))))))"#;
        let (mut store, instance) = instance(&engine, wat);
        let nest = instance
            .get_typed_func::<i32, i32>(&mut store, "nest")
            .unwrap();
        for _ in 0..2 {
            assert_eq!(nest.call(&mut store, 20).unwrap(), 20);
            let error = nest.call(&mut store, 1_000_000).unwrap_err();
            assert_eq!(trap(&error), Trap::StackOverflow);
        }
    }
}

#[test]
fn a_call_that_pauses_in_a_continuation_goes_on_there() {
    let settings = |config: &mut Config| {
        config.wasm_stack_switching(true).consume_fuel(true);
    };
    for engine in engines(settings) {
        let wat = r#"(module
        (type $f (func (param i64) (result i64))) (type $c (cont $f))
        (elem declare func $sum)
        (func $sum (param $n i64) (result i64) (local $s i64)
            (loop $l
                (local.set $s (i64.add (local.get $s) (local.get $n)))
                (br_if $l (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
            (local.get $s))
        (func (export "run") (param i64) (result i64)
            (resume $c (local.get 0) (cont.new $c (ref.func $sum)))))"#;
        let (mut store, instance) = instance(&engine, wat);
        let run = func(&mut store, &instance, "run");
        let (mut results, mut pauses) = ([Val::I64(0)], 0);
        let mut outcome = run
            .call_resumable(&mut store, &[Val::I64(100)], &mut results)
            .unwrap();
        while outcome != CallOutcome::Finished {
            pauses += 1;
            store.set_fuel(50).unwrap();
            outcome = store.resume_call(&mut results).unwrap();
        }
        assert_eq!(results[0].unwrap_i64(), 5050);
        assert!(pauses > 5, "{pauses}");
        // A call that is given up leaves nothing behind.
        store.set_fuel(50).unwrap();
        let outcome = run
            .call_resumable(&mut store, &[Val::I64(100)], &mut results)
            .unwrap();
        assert_eq!(outcome, CallOutcome::Paused(PauseReason::OutOfFuel));
        assert!(store.cancel_call());
        store.set_fuel(10_000).unwrap();
        run.call(&mut store, &[Val::I64(3)], &mut results).unwrap();
        assert_eq!(results[0].unwrap_i64(), 6);
    }
}

/// Continuations that pass references of every kind in and out.
const REFERENCES: &str = r#"(module
    (type $box (struct (field i64)))
    (type $f (func (param (ref $box) (ref $box)) (result (ref $box))))
    (type $c (cont $f))
    (type $g (func (param (ref $box)) (result (ref $box))))
    (type $d (cont $g))
    (tag $swap (param (ref $box)) (result (ref $box)))
    (elem declare func $work)
    (func $new (param i64) (result (ref $box)) (struct.new $box (local.get 0)))
    (func $get (param (ref $box)) (result i64) (struct.get $box 0 (local.get 0)))
    (func $garbage (param $n i32)
        (loop $l (drop (call $new (i64.const -1)))
            (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    ;; Its own box lives across suspensions.
    (func $work (param $a (ref $box)) (param $b (ref $box)) (result (ref $box)) (local $own (ref $box))
        (local.set $own (call $new (i64.const 1000)))
        (call $garbage (i32.const 3))
        (local.set $a (suspend $swap (call $new (i64.add (call $get (local.get $a)) (i64.const 1)))))
        (call $garbage (i32.const 3))
        (call $new (i64.add (call $get (local.get $own))
            (i64.add (call $get (local.get $a)) (call $get (local.get $b))))))
    (func (export "run") (result i64) (local $d (ref null $d)) (local $box (ref null $box))
        (local.set $d (cont.bind $c $d (call $new (i64.const 10)) (cont.new $c (ref.func $work))))
        (call $garbage (i32.const 3))
        (block $on (result (ref $box) (ref $d))
            (resume $d (on $swap $on) (call $new (i64.const 200)) (local.get $d))
            (unreachable))
        (local.set $d) (local.set $box)
        (call $garbage (i32.const 3))
        ;; 11 came out, 211 goes in.
        (call $get (resume $d
            (call $new (i64.add (call $get (ref.as_non_null (local.get $box))) (i64.const 200)))
            (local.get $d)))))"#;

#[test]
fn references_survive_collections_wherever_they_are() {
    for engine in engines(on).into_iter().chain(engines(stressed)) {
        let (mut store, instance) = instance(&engine, REFERENCES);
        let run = instance
            .get_typed_func::<(), i64>(&mut store, "run")
            .unwrap();
        for _ in 0..3 {
            assert_eq!(run.call(&mut store, ()).unwrap(), 1000 + 211 + 200);
        }
    }
}

#[test]
fn continuations_that_are_dropped_are_reclaimed_with_their_stacks() {
    for engine in engines(on) {
        let wat = r#"(module
        (type $f (func (param i64))) (type $c (cont $f))
        (type $r (func)) (type $k (cont $r))
        (tag $wait)
        (elem declare func $task)
        (func $task (param i64) (suspend $wait) (call $task (i64.const 1)))
        (func (export "run") (param $n i32)
            (loop $l
                (block $on (result (ref $k))
                    (resume $c (on $wait $on) (i64.const 1) (cont.new $c (ref.func $task)))
                    (unreachable))
                (drop)
                (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;
        let (mut store, instance) = instance(&engine, wat);
        let run = instance
            .get_typed_func::<i32, ()>(&mut store, "run")
            .unwrap();
        run.call(&mut store, 1000).unwrap();
        store.gc(None).unwrap();
        let n = if cfg!(miri) { 1000 } else { 200_000 };
        run.call(&mut store, n).unwrap();
        store.gc(None).unwrap();
        let used = store.gc_stats();
        assert!(used.collections > 2, "{used:?}");
        // Were they kept, each would take 256 bytes.
        let arena = store.used_bytes();
        assert!(arena < 64 << 20, "{arena}");
    }
}

#[test]
fn a_continuation_lives_as_long_as_something_leads_to_it() {
    for engine in engines(stressed) {
        let (mut store, instance) = instance(&engine, GENERATOR);
        let r#yield = tag(&mut store, &instance, "yield");
        let kept = {
            let mut scope = RootScope::new(&mut store);
            let count = instance.get_func(&mut scope, "count").unwrap();
            let ty = ContType::new(&engine, count.ty(&scope)).unwrap();
            let cont = ContRef::new(&mut scope, &ty, &count).unwrap();
            let next = suspended(cont.resume(&mut scope, &[Val::I64(2)], &[r#yield])).continuation;
            next.to_owned_rooted(&mut scope).unwrap()
        };
        store.gc(None).unwrap();
        let next = suspended(kept.resume(&mut store, &[], &[r#yield]));
        assert_eq!(next.payload[0].unwrap_i64(), 1);
        drop(kept);
        store.gc(None).unwrap();
        assert_eq!(
            returned(next.continuation.resume(&mut store, &[], &[]))[0].unwrap_i32(),
            7
        );
    }
}

/// A module that drives a continuation whose function calls the host's `ask`, by `call`, by `return_call`, or is it.
const ASKING: &str = r#"(module
    (type $f (func (param i32) (result i32))) (type $c (cont $f))
    (tag $ask (import "host" "ask") (param i32) (result i32))
    (func $host (import "host" "read") (param i32) (result i32))
    (elem declare func $called $tail $host)
    (func $called (param i32) (result i32)
        (i32.add (i32.const 100) (call $host (local.get 0))))
    (func $tail (param i32) (result i32) (return_call $host (local.get 0)))
    (func $drive (param $f (ref $f)) (result i32) (local $c (ref null $c)) (local $asked i32)
        (local.set $c (cont.new $c (local.get $f)))
        (local.set $asked (i32.const 1))
        (loop $again
            (block $on (result i32 (ref $c))
                (return (resume $c (on $ask $on) (local.get $asked) (local.get $c))))
            (local.set $c)
            (local.set $asked (i32.mul (i32.const 10)))
            (br $again))
        (unreachable))
    (func (export "called") (result i32) (call $drive (ref.func $called)))
    (func (export "tail") (result i32) (call $drive (ref.func $tail)))
    (func (export "host") (result i32) (call $drive (ref.func $host)))
    (func (export "unhandled") (result i32) (call $called (i32.const 4))))"#;

fn asking(engine: &Engine) -> (Store<()>, Instance) {
    let mut store = Store::new(engine, ());
    let ty = FuncType::new(engine, [ValType::I32], [ValType::I32]);
    let ask = Tag::new(&mut store, &TagType::new(ty)).unwrap();
    let mut linker = Linker::new(engine);
    linker.define(&store, "host", "ask", ask).unwrap();
    linker
        .func_wrap(
            "host",
            "read",
            move |mut caller: Caller<'_, ()>, n: i32| -> Result<i32> {
                caller.suspend(&ask, &[Val::I32(n + 1)])
            },
        )
        .unwrap();
    let module = Module::new(engine, ASKING).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

#[test]
fn a_host_function_suspends_and_is_resumed_with_its_results() {
    for engine in engines(on).into_iter().chain(engines(stressed)) {
        let (mut store, instance) = asking(&engine);
        // It asks with 2, and gets 20.
        for (name, want) in [("called", 120), ("tail", 20), ("host", 20)] {
            let run = instance
                .get_typed_func::<(), i32>(&mut store, name)
                .unwrap();
            assert_eq!(run.call(&mut store, ()).unwrap(), want, "{name}");
        }
        let run = instance
            .get_typed_func::<(), i32>(&mut store, "unhandled")
            .unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(trap(&error), Trap::UnhandledTag);
        // Neither does a call without wasm in it suspend anything.
        let read = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| -> Result<()> {
            let ty = TagType::new(FuncType::new(caller.engine(), [], []));
            let tag = Tag::new(&mut caller, &ty)?;
            caller.suspend(&tag, &[])
        });
        let error = read.call(&mut store, &[], &mut []).unwrap_err();
        assert_eq!(trap(&error), Trap::UnhandledTag);
    }
}

#[test]
fn a_host_function_that_gives_other_results_than_the_tag_cannot_suspend() {
    for engine in engines(on) {
        let mut store = Store::new(&engine, ());
        let ty = FuncType::new(&engine, [ValType::I32], [ValType::I64]);
        let ask = Tag::new(&mut store, &TagType::new(ty)).unwrap();
        let mut linker = Linker::new(&engine);
        let other = FuncType::new(&engine, [ValType::I32], [ValType::I32]);
        let other = Tag::new(&mut store, &TagType::new(other)).unwrap();
        linker.define(&store, "host", "ask", other).unwrap();
        linker
            .func_wrap(
                "host",
                "read",
                move |mut caller: Caller<'_, ()>, n: i32| -> Result<i32> {
                    assert!(caller.suspend::<()>(&ask, &[]).is_err());
                    caller.suspend(&ask, &[Val::I32(n)])
                },
            )
            .unwrap();
        let module = Module::new(&engine, ASKING).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance
            .get_typed_func::<(), i32>(&mut store, "called")
            .unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(trap(&error), Trap::BadSignature);
    }
}

#[test]
fn a_suspension_does_not_go_beyond_a_host_function_which_the_error_names() {
    for engine in engines(on) {
        let wat = r#"(module
        (type $f (func)) (type $c (cont $f))
        (tag $t)
        (func $callback (import "env" "callback"))
        (elem declare func $inner)
        (func (export "suspend") (suspend $t))
        (func $inner (call $callback))
        (func (export "run") (result i32)
            (block $on (result (ref $c))
                (resume $c (on $t $on) (cont.new $c (ref.func $inner)))
                (return (i32.const 1)))
            (drop) (i32.const 2))
        (func (export "near") (result i32)
            (block $on (result (ref $c))
                (resume $c (on $t $on) (cont.new $c (ref.func $near)))
                (return (i32.const 1)))
            (drop) (i32.const 2))
        (elem declare func $near)
        (func $near (suspend $t)))"#;
        let module = Module::new(&engine, wat).unwrap();
        let mut linker = Linker::<bool>::new(&engine);
        linker
            .func_wrap(
                "env",
                "callback",
                |mut caller: Caller<'_, bool>| -> Result<()> {
                    let near = caller.get_export("near").unwrap().into_func().unwrap();
                    let mut results = [Val::I32(0)];
                    // A handler on this side of the host function works.
                    near.call(&mut caller, &[], &mut results)?;
                    assert_eq!(results[0].unwrap_i32(), 2);
                    let suspend = caller.get_export("suspend").unwrap().into_func().unwrap();
                    let result = suspend.call(&mut caller, &[], &mut []);
                    if *caller.data() { Ok(()) } else { result }
                },
            )
            .unwrap();
        let mut store = Store::new(&engine, false);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance
            .get_typed_func::<(), i32>(&mut store, "run")
            .unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(trap(&error), Trap::UnhandledTag);
        assert!(format!("{error:#}").contains("`env.callback`"), "{error:#}");
        // A host function that takes the failure for its own goes on, in its continuation.
        *store.data_mut() = true;
        assert_eq!(run.call(&mut store, ()).unwrap(), 1);
    }
}

#[test]
fn an_exception_thrown_into_a_continuation_is_caught_there() {
    for engine in engines(on) {
        let wat = r#"(module
        (tag $e (export "e") (param i32))
        (tag $yield (export "yield"))
        (func (export "catches") (result i32)
            (block $h (result i32)
                (try_table (catch $e $h) (suspend $yield) (return (i32.const -1)))
                (unreachable)))
        (func (export "does_not") (result i32) (suspend $yield) (i32.const -1)))"#;
        let (mut store, instance) = instance(&engine, wat);
        let (e, r#yield) = (
            tag(&mut store, &instance, "e"),
            tag(&mut store, &instance, "yield"),
        );
        let throw = |store: &mut Store<()>, n| {
            let ty = ExnType::from_tag_type(&e.ty(&*store)).unwrap();
            let pre = ExnRefPre::new(&mut *store, ty);
            ExnRef::new(store, &pre, &e, &[Val::I32(n)]).unwrap()
        };
        let next = cont(&mut store, &instance, "catches");
        let next = suspended(next.resume(&mut store, &[], &[r#yield])).continuation;
        let exn = throw(&mut store, 5);
        let results = returned(next.resume_throw(&mut store, exn, &[r#yield]));
        assert_eq!(results[0].unwrap_i32(), 5);

        let next = cont(&mut store, &instance, "does_not");
        let next = suspended(next.resume(&mut store, &[], &[r#yield])).continuation;
        for next in [next, cont(&mut store, &instance, "does_not")] {
            let exn = throw(&mut store, 6);
            let error = next.resume_throw(&mut store, exn, &[]).unwrap_err();
            assert!(error.is::<ThrownException>(), "{error:?}");
            let exn = store.take_pending_exception().unwrap();
            assert_eq!(exn.field(&mut store, 0).unwrap().unwrap_i32(), 6);
            let error = next.resume(&mut store, &[], &[]).unwrap_err();
            assert_eq!(trap(&error), Trap::ContinuationConsumed);
        }
    }
}

#[test]
fn a_host_function_resumes_what_wasm_gives_it() {
    let wat = r#"(module
        (type $f (func (result i32))) (type $c (cont $f))
        (tag $yield (export "yield") (param i32) (result i32))
        (import "host" "drive" (func $drive (param (ref null $c)) (result i32)))
        (elem declare func $work)
        (func $work (result i32) (i32.add (suspend $yield (i32.const 3)) (suspend $yield (i32.const 4))))
        (func (export "run") (result i32) (call $drive (cont.new $c (ref.func $work)))))"#;
    for engine in engines(on).into_iter().chain(engines(stressed)) {
        let module = Module::new(&engine, wat).unwrap();
        let mut store = Store::new(&engine, ());
        let ty = module.imports().next().unwrap().ty().unwrap_func().clone();
        let drive = Func::new(&mut store, ty, |mut caller, args, results| {
            let r#yield = caller.get_export("yield").unwrap().into_tag().unwrap();
            let Val::ContRef(Some(mut cont)) = args[0] else {
                bail!("no continuation")
            };
            let mut answer = Vec::new();
            loop {
                match cont.resume(&mut caller, &answer, &[r#yield])? {
                    Resumed::Returned(values) => {
                        results[0] = values[0];
                        return Ok(());
                    }
                    Resumed::Suspended(s) => {
                        answer = vec![Val::I32(s.payload[0].unwrap_i32() * 10)];
                        cont = s.continuation;
                    }
                }
            }
        });
        let instance = Instance::new(&mut store, &module, &[drive.into()]).unwrap();
        let run = instance
            .get_typed_func::<(), i32>(&mut store, "run")
            .unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 70);
    }
}
