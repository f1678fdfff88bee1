//! Snapshots of stores with suspended continuations, and of calls that wait in one.

use super::engines;
use super::snapshots::{HEAD, seal};
use sheave_hostcalls::{
    Backend, CallOutcome, Caller, Config, Engine, Instance, Linker, Module, Result, Snapshot,
    Store, Trap, Val,
};

fn settings(config: &mut Config) {
    config.wasm_stack_switching(true).consume_fuel(true);
}

/// Two generators, one inside the other, and a task that is switched to; sums what they give, with pauses anywhere.
const PROGRAM: &str = r#"(module
    (type $f (func (param i64))) (type $c (cont $f))
    (type $r (func)) (type $k (cont $r))
    (rec (type $t (func (param (ref null $s)))) (type $s (cont $t)))
    (type $box (struct (field (mut i64))))
    (tag $yield (param (ref $box)))
    (tag $swap)
    (table $waiting 4 (ref null $k))
    (global $peer (mut (ref null $s)) (ref.null $s))
    (elem declare func $numbers $evens $ping $pong)
    (func $numbers (param $n i64) (local $i i64)
        (loop $l
            (suspend $yield (struct.new $box (local.get $i)))
            (br_if $l (i64.lt_u (local.tee $i (i64.add (local.get $i) (i64.const 1))) (local.get $n)))))
    ;; Handles what is inside, and gives half of it on, doubled.
    (func $evens (param $n i64) (local $k (ref null $k)) (local $b (ref null $box))
        (local.set $k (cont.bind $c $k (local.get $n) (cont.new $c (ref.func $numbers))))
        (loop $l
            (block $on (result (ref $box) (ref $k))
                (resume $k (on $yield $on) (local.get $k))
                (return))
            (local.set $k) (local.set $b)
            (if (i64.eqz (i64.and (i64.const 1) (struct.get $box 0 (local.get $b))))
                (then
                    (struct.set $box 0 (local.get $b) (i64.mul (i64.const 2) (struct.get $box 0 (local.get $b))))
                    (suspend $yield (ref.as_non_null (local.get $b)))))
            (br $l)))
    (func $ping (type $t) (local $i i32)
        (local.set $i (i32.const 10))
        (loop $l
            (local.set 0 (switch $s $swap (local.get 0)))
            (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        (global.set $peer (local.get 0)))
    (func $pong (type $t)
        (loop $l
            (local.set 0 (switch $s $swap (local.get 0)))
            (br $l)))
    (func (export "run") (param $n i64) (result i64) (local $sum i64) (local $i i32) (local $k (ref null $k))
        (table.set $waiting (i32.const 1)
            (cont.bind $c $k (local.get $n) (cont.new $c (ref.func $evens))))
        (table.set $waiting (i32.const 2)
            (cont.bind $c $k (local.get $n) (cont.new $c (ref.func $numbers))))
        (resume $s (on $swap switch) (cont.new $s (ref.func $pong)) (cont.new $s (ref.func $ping)))
        (loop $l
            (block $done
                (block $on (result (ref $box) (ref $k))
                    (resume $k (on $yield $on) (table.get $waiting (i32.add (i32.const 1) (i32.and (local.get $i) (i32.const 1)))))
                    (br $done))
                (local.set $k)
                (struct.get $box 0)
                (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 3))))
                (table.set $waiting (i32.add (i32.const 1) (i32.and (local.get $i) (i32.const 1))) (local.get $k))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br $l)))
        (local.get $sum)))"#;

fn start(engine: &Engine) -> Store<()> {
    let module = Module::new(engine, PROGRAM).unwrap();
    let mut store = Store::new(engine, ());
    store.set_fuel(1 << 20).unwrap();
    Instance::new(&mut store, &module, &[]).unwrap();
    store
}

fn call(store: &mut Store<()>, fuel: u64, results: &mut [Val]) -> CallOutcome {
    let instance = store.instances().next().unwrap();
    let run = instance.get_func(&mut *store, "run").unwrap();
    store.set_fuel(fuel).unwrap();
    let n = if cfg!(miri) { 6 } else { 20 };
    run.call_resumable(store, &[Val::I64(n)], results).unwrap()
}

fn restored(engine: &Engine, snapshot: &Snapshot) -> Store<()> {
    Store::restore(engine, snapshot, &Linker::new(engine), ()).unwrap()
}

#[test]
fn a_call_is_moved_to_another_store_at_every_few_steps_wherever_it_is() {
    let all = engines(|config| {
        settings(config);
        config.arena_backend(Backend::Heap);
    });
    let all: Vec<_> = engines(settings).into_iter().chain(all).collect();
    let mut straight = [Val::I64(0)];
    assert_eq!(
        call(&mut start(&all[0]), 1 << 20, &mut straight),
        CallOutcome::Finished
    );
    let mut results = [Val::I64(0)];
    let step = if cfg!(miri) { 150 } else { 7 };
    let (mut store, mut moves) = (start(&all[0]), 0);
    let mut outcome = call(&mut store, step, &mut results);
    while outcome != CallOutcome::Finished {
        moves += 1;
        let bytes = store.snapshot().unwrap().to_bytes();
        let snapshot = Snapshot::from_bytes(&bytes).unwrap();
        let next = restored(&all[moves % all.len()], &snapshot);
        let frames = |s: &Store<()>| s.paused_backtrace().unwrap().frames().len();
        assert_eq!(frames(&next), frames(&store));
        store = next;
        let again = store.snapshot().unwrap().to_bytes();
        assert!(again == bytes, "the same state has the same bytes");
        // A block may take more than one step.
        let fuel = store.get_fuel().unwrap();
        store.set_fuel(fuel + step).unwrap();
        outcome = store.resume_call(&mut results).unwrap();
    }
    assert!(moves > if cfg!(miri) { 1 } else { 10 }, "{moves}");
    assert_eq!(results[0].unwrap_i64(), straight[0].unwrap_i64());
}

#[test]
fn a_suspended_continuation_is_used_once_in_each_store_that_has_it() {
    let wat = r#"(module
        (type $f (func (result i32))) (type $c (cont $f))
        (type $g (func (param i32) (result i32))) (type $d (cont $g))
        (tag $ask (result i32))
        (global $kept (mut (ref null $d)) (ref.null $d))
        (elem declare func $work)
        (func $work (result i32) (i32.add (suspend $ask) (suspend $ask)))
        (func (export "begin")
            (block $on (result (ref $d))
                (drop (resume $c (on $ask $on) (cont.new $c (ref.func $work))))
                (unreachable))
            (global.set $kept))
        (func (export "go") (param i32) (result i32)
            (block $on (result (ref $d))
                (return (resume $d (on $ask $on) (local.get 0) (global.get $kept))))
            (global.set $kept)
            (i32.const -1))
        (func (export "again") (result i32)
            (resume $d (i32.const 1) (global.get $kept))))"#;
    for engine in engines(settings) {
        let module = Module::new(&engine, wat).unwrap();
        let mut store = Store::new(&engine, ());
        store.set_fuel(1 << 20).unwrap();
        Instance::new(&mut store, &module, &[]).unwrap();
        let invoke = |store: &mut Store<()>, name: &str, args: &[Val], n| {
            let instance = store.instances().next().unwrap();
            let f = instance.get_func(&mut *store, name).unwrap();
            let mut results = vec![Val::I32(0); n];
            f.call(store, args, &mut results)?;
            Ok::<_, sheave_hostcalls::Error>(results.first().map_or(0, Val::unwrap_i32))
        };
        invoke(&mut store, "begin", &[], 0).unwrap();
        let snapshot = store.snapshot().unwrap();
        let file = Snapshot::from_bytes(&snapshot.to_bytes()).unwrap();
        for snapshot in [&snapshot, &file, &snapshot] {
            let mut other = restored(&engine, snapshot);
            assert_eq!(invoke(&mut other, "go", &[Val::I32(5)], 1).unwrap(), -1);
            let middle = other.snapshot().unwrap();
            for _ in 0..2 {
                let mut other = restored(&engine, &middle);
                assert_eq!(invoke(&mut other, "go", &[Val::I32(6)], 1).unwrap(), 11);
                let error = invoke(&mut other, "again", &[], 1).unwrap_err();
                assert_eq!(
                    error.downcast_ref::<Trap>(),
                    Some(&Trap::ContinuationConsumed)
                );
            }
        }
        assert_eq!(invoke(&mut store, "go", &[Val::I32(7)], 1).unwrap(), -1);
    }
}

#[test]
fn a_host_function_that_suspended_is_gone_on_with_elsewhere() {
    let wat = r#"(module
        (type $f (func (param i32) (result i32))) (type $c (cont $f))
        (tag $ask (export "ask") (param i32) (result i32))
        (import "host" "read" (func $read (param i32) (result i32)))
        (global $kept (mut (ref null $c)) (ref.null $c))
        (elem declare func $called $tail $read)
        (func $called (param i32) (result i32) (i32.add (i32.const 100) (call $read (local.get 0))))
        (func $tail (param i32) (result i32) (return_call $read (local.get 0)))
        (func $begin (param (ref $f))
            (block $on (result i32 (ref $c))
                (drop (resume $c (on $ask $on) (i32.const 3) (cont.new $c (local.get 0))))
                (unreachable))
            (global.set $kept) (drop))
        (func (export "called") (call $begin (ref.func $called)))
        (func (export "tail") (call $begin (ref.func $tail)))
        (func (export "host") (call $begin (ref.func $read)))
        (func (export "go") (param i32) (result i32) (resume $c (local.get 0) (global.get $kept))))"#;
    for engine in engines(settings) {
        let module = Module::new(&engine, wat).unwrap();
        let mut linker = Linker::<()>::new(&engine);
        linker
            .func_wrap(
                "host",
                "read",
                |mut caller: Caller<'_, ()>, n: i32| -> Result<i32> {
                    let ask = caller.get_export("ask").and_then(|e| e.into_tag());
                    let ask = ask.ok_or_else(|| sheave_hostcalls::format_err!("no tag"))?;
                    caller.suspend(&ask, &[Val::I32(n)])
                },
            )
            .unwrap();
        for (name, want) in [("called", 105), ("tail", 5), ("host", 5)] {
            let mut store = Store::new(&engine, ());
            store.set_fuel(1 << 20).unwrap();
            let instance = linker.instantiate(&mut store, &module).unwrap();
            let begin = instance.get_typed_func::<(), ()>(&mut store, name).unwrap();
            begin.call(&mut store, ()).unwrap();
            let snapshot = Snapshot::from_bytes(&store.snapshot().unwrap().to_bytes()).unwrap();
            let mut other = Store::restore(&engine, &snapshot, &linker, ()).unwrap();
            let instance = other.instances().next().unwrap();
            let go = instance
                .get_typed_func::<i32, i32>(&mut other, "go")
                .unwrap();
            assert_eq!(go.call(&mut other, 5).unwrap(), want, "{name}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn a_damaged_list_of_stacks_gives_an_error_or_a_store_that_fools_itself() {
    let engine = &engines(settings)[0];
    let mut store = start(engine);
    let mut results = [Val::I64(0)];
    let outcome = call(&mut store, 700, &mut results);
    assert!(matches!(outcome, CallOutcome::Paused(_)));
    let bytes = store.snapshot().unwrap().to_bytes();
    let (mut refused, mut taken) = (0, 0);
    let step = if cfg!(miri) { 401 } else { 19 };
    for at in (HEAD..bytes.len()).step_by(step) {
        for value in [0, 1, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = damaged[at].wrapping_add(value).max(value);
            seal(&mut damaged);
            let Ok(snapshot) = Snapshot::from_bytes(&damaged) else {
                refused += 1;
                continue;
            };
            match Store::restore(engine, &snapshot, &Linker::new(engine), ()) {
                Ok(mut store) => {
                    taken += 1;
                    let _ = store.set_fuel(2000);
                    let _ = store.resume_call(&mut results);
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 0 && taken > 0, "{refused} {taken}");
}
