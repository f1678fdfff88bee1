//! Continuations that the host makes and resumes.

use super::{engines, instance};
use sheave_hostcalls::*;

pub(super) fn on(config: &mut Config) {
    config.wasm_stack_switching(true);
}

/// Collects at every allocation.
pub(super) fn stressed(config: &mut Config) {
    config.wasm_stack_switching(true).gc_stress(true);
}

pub(super) fn func(store: &mut Store<()>, instance: &Instance, name: &str) -> Func {
    instance.get_func(&mut *store, name).unwrap()
}

pub(super) fn tag(store: &mut Store<()>, instance: &Instance, name: &str) -> Tag {
    instance.get_tag(&mut *store, name).unwrap()
}

/// A continuation of an exported function.
pub(super) fn cont(store: &mut Store<()>, instance: &Instance, name: &str) -> Rooted<ContRef> {
    let func = func(store, instance, name);
    let ty = ContType::new(store.engine(), func.ty(&*store)).unwrap();
    ContRef::new(store, &ty, &func).unwrap()
}

pub(super) fn suspended(resumed: Result<Resumed>) -> Suspension {
    match resumed.unwrap() {
        Resumed::Suspended(suspension) => suspension,
        Resumed::Returned(values) => panic!("returned {values:?}"),
    }
}

pub(super) fn returned(resumed: Result<Resumed>) -> Vec<Val> {
    match resumed.unwrap() {
        Resumed::Returned(values) => values,
        Resumed::Suspended(suspension) => panic!("suspended with {:?}", suspension.payload),
    }
}

pub(super) fn trap(error: &Error) -> Trap {
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
