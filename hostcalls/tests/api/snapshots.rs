//! Snapshots of stores, at rest and in the middle of a call.

use super::{engines, instance, on_both_with};
use sheave_hostcalls::{
    Backend, CallOutcome, Caller, Config, Engine, Func, Linker, Module, Snapshot, Store, Val,
};

/// Bytes of the file's header and table of sections.
pub(super) const HEAD: usize = 32 + 9 * 32;

const PROGRAM: &str = r#"(module
    (import "host" "note" (func $note (param i32) (result i64)))
    (import "host" "unused" (func))
    (memory (export "memory") 1 3)
    (table (export "table") 4 10 funcref)
    (global $g (export "g") (mut i64) (i64.const 7))
    (global $v (export "v") (mut v128) (v128.const i64x2 1 2))
    (global $after (export "after") (mut f32) (f32.const 1.5))
    (elem $kept func $double $note)
    (elem $gone func $double)
    (data $kept "kept")
    (data $gone "gone")
    (type $f (func (param i32) (result i64)))
    (func $double (type $f) (i64.extend_i32_s (i32.mul (local.get 0) (i32.const 2))))
    (func (export "change")
        (drop (memory.grow (i32.const 1)))
        (i32.store (i32.const 70000) (i32.const 42))
        (drop (table.grow (ref.null func) (i32.const 2)))
        (table.init $kept (i32.const 1) (i32.const 0) (i32.const 2))
        (elem.drop $gone)
        (data.drop $gone)
        (global.set $g (i64.const -3))
        (global.set $v (v128.const i32x4 9 8 7 6))
        (global.set $after (f32.const 2.25)))
    (func (export "look") (result i32 i32 i32 i64 f32 i32)
        (memory.size) (i32.load (i32.const 70000)) (table.size) (global.get $g) (global.get $after)
        (i32x4.extract_lane 3 (global.get $v)))
    (func (export "kept") (memory.init $kept (i32.const 0) (i32.const 0) (i32.const 4)))
    (func (export "gone") (memory.init $gone (i32.const 0) (i32.const 0) (i32.const 4)))
    (func (export "elem_gone") (table.init $gone (i32.const 0) (i32.const 0) (i32.const 1)))
    (func $deep (param i32) (result i64) (local i64)
        (if (i32.eqz (local.get 0)) (then (return (i64.const 1))))
        (local.set 1 (call_indirect (type $f) (local.get 0) (i32.add (i32.const 1) (i32.and (local.get 0) (i32.const 1)))))
        (i64.add (local.get 1) (i64.mul (i64.const 3) (call $deep (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "deep") (param i32) (result i64) (call $deep (local.get 0))))"#;

fn fuel(config: &mut Config) {
    config.consume_fuel(true);
}

fn linker(engine: &Engine) -> Linker<Vec<i32>> {
    let mut linker = Linker::new(engine);
    linker
        .func_wrap(
            "host",
            "note",
            |mut caller: Caller<'_, Vec<i32>>, x: i32| {
                caller.data_mut().push(x);
                i64::from(x) + 100
            },
        )
        .unwrap();
    linker.func_wrap("host", "unused", || {}).unwrap();
    linker
}

fn program(engine: &Engine) -> Store<Vec<i32>> {
    let module = Module::new(engine, PROGRAM).unwrap();
    let mut store = Store::new(engine, Vec::new());
    // An error where fuel is not counted, which is as well.
    let _ = store.set_fuel(1 << 20);
    linker(engine).instantiate(&mut store, &module).unwrap();
    store
}

fn func<T: 'static>(store: &mut Store<T>, name: &str) -> Func {
    let first = store.instances().next().unwrap();
    first.get_func(store, name).unwrap()
}

fn call<T: 'static>(store: &mut Store<T>, name: &str, params: &[Val]) -> Result<String, String> {
    let func = func(store, name);
    let mut results = vec![Val::I32(0); func.ty(&*store).results().len()];
    match func.call(store, params, &mut results) {
        Ok(()) => Ok(format!("{results:?}")),
        Err(error) => Err(error.root_cause().to_string()),
    }
}

/// Through bytes, so that nothing of the old engine can be of help.
fn moved(snapshot: &Snapshot, engine: &Engine) -> Store<Vec<i32>> {
    let snapshot = Snapshot::from_bytes(&snapshot.to_bytes()).unwrap();
    Store::restore(engine, &snapshot, &linker(engine), Vec::new()).unwrap()
}

#[test]
fn a_store_at_rest_comes_back_as_it_was() {
    on_both_with(
        |_| {},
        |engine| {
            let mut store = program(engine);
            call(&mut store, "change", &[]).unwrap();
            let looks = call(&mut store, "look", &[]).unwrap();
            assert!(looks.contains("42"), "{looks}");
            let snapshot = store.snapshot().unwrap();
            for mut copy in [
                moved(&snapshot, &Engine::new(engine.config()).unwrap()),
                Store::restore(engine, &snapshot, &linker(engine), Vec::new()).unwrap(),
            ] {
                assert_eq!(call(&mut copy, "look", &[]).unwrap(), looks);
                call(&mut copy, "kept", &[]).unwrap();
                assert_eq!(
                    call(&mut copy, "gone", &[]).unwrap_err(),
                    call(&mut store, "gone", &[]).unwrap_err()
                );
                assert!(call(&mut copy, "elem_gone", &[]).is_err());
                assert_eq!(
                    call(&mut copy, "deep", &[Val::I32(6)]),
                    call(&mut store, "deep", &[Val::I32(6)])
                );
                assert_eq!(copy.data(), store.data());
                store.data_mut().clear();
            }
        },
    );
}

#[test]
fn a_copy_does_not_touch_the_original() {
    on_both_with(
        |_| {},
        |engine| {
            let mut store = program(engine);
            let before = call(&mut store, "look", &[]);
            let snapshot = store.snapshot().unwrap();
            let mut copy = Store::restore(engine, &snapshot, &linker(engine), Vec::new()).unwrap();
            call(&mut copy, "change", &[]).unwrap();
            assert_eq!(call(&mut store, "look", &[]), before);
            assert_ne!(call(&mut copy, "look", &[]), before);
        },
    );
}

#[test]
fn a_call_goes_on_wherever_it_paused() {
    on_both_with(fuel, |engine| {
        let mut store = program(engine);
        call(&mut store, "change", &[]).unwrap();
        let whole = call(&mut store, "deep", &[Val::I32(7)]).unwrap();
        let notes = std::mem::take(store.data_mut());
        // On both executors in turn, and with blocks that move.
        let engines: Vec<Engine> = engines(|config| {
            fuel(config);
            config.arena_backend(Backend::Heap);
        });
        let func = func(&mut store, "deep");
        store.set_fuel(1).unwrap();
        let mut results = [Val::I64(0)];
        let mut outcome = func.call_resumable(&mut store, &[Val::I32(7)], &mut results);
        let mut pauses = 0;
        while outcome.unwrap() != CallOutcome::Finished {
            let snapshot = store.snapshot().unwrap();
            assert!(snapshot.has_paused_call());
            let data = std::mem::take(store.data_mut());
            store = moved(&snapshot, &engines[pauses % engines.len()]);
            *store.data_mut() = data;
            pauses += 1;
            let fuel = store.get_fuel().unwrap() + 5;
            store.set_fuel(fuel).unwrap();
            outcome = store.resume_call(&mut results);
        }
        assert!(pauses > 10, "{pauses}");
        assert_eq!(format!("{results:?}"), whole);
        assert_eq!(*store.data(), notes);
    });
}

#[test]
fn a_call_in_two_instances_goes_on() {
    on_both_with(fuel, |engine| {
        let mut linker = Linker::<()>::new(engine);
        let mut store = Store::new(engine, ());
        store.set_fuel(1 << 20).unwrap();
        let inner = r#"(module
            (memory 1)
            (func (export "f") (param i32) (result i32) (local i32)
                (loop $l
                    (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (local.get 0)))
                    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
                (i32.load (i32.const 8))))"#;
        let outer = r#"(module
            (import "inner" "f" (func $f (param i32) (result i32)))
            (memory 1) (data (i32.const 8) "\ff")
            (func (export "g") (param i32) (result i32)
                (i32.add (call $f (local.get 0)) (i32.load (i32.const 8)))))"#;
        let inner = Module::new(engine, inner).unwrap();
        let inner = linker.instantiate(&mut store, &inner).unwrap();
        linker.instance(&mut store, "inner", inner).unwrap();
        let outer = Module::new(engine, outer).unwrap();
        let outer = linker.instantiate(&mut store, &outer).unwrap();
        let g = outer.get_func(&mut store, "g").unwrap();
        let mut results = [Val::I32(0)];
        store.set_fuel(60).unwrap();
        let outcome = g.call_resumable(&mut store, &[Val::I32(20)], &mut results);
        assert!(matches!(outcome.unwrap(), CallOutcome::Paused(_)));
        let bytes = store.snapshot().unwrap().to_bytes();
        let other = Engine::new(engine.config()).unwrap();
        let snapshot = Snapshot::from_bytes(&bytes).unwrap();
        let mut copy = Store::restore(&other, &snapshot, &Linker::new(&other), ()).unwrap();
        for store in [&mut store, &mut copy] {
            let trace = store.paused_backtrace().unwrap();
            assert_eq!(trace.frames().len(), 2);
            store.set_fuel(1 << 20).unwrap();
            let outcome = store.resume_call(&mut results).unwrap();
            assert_eq!(outcome, CallOutcome::Finished);
            assert_eq!(results[0].unwrap_i32(), 210 + 255);
        }
    });
}

#[test]
fn equal_states_have_equal_bytes_on_both_executors() {
    let mut all = Vec::new();
    for engine in engines(fuel) {
        let mut store = program(&engine);
        call(&mut store, "change", &[]).unwrap();
        let deep = func(&mut store, "deep");
        store.set_fuel(33).unwrap();
        deep.call_resumable(&mut store, &[Val::I32(5)], &mut [Val::I64(0)])
            .unwrap();
        let bytes = store.snapshot().unwrap().to_bytes();
        let copy = moved(&Snapshot::from_bytes(&bytes).unwrap(), &engine)
            .snapshot()
            .unwrap();
        assert_eq!(copy.to_bytes(), bytes);
        all.push(bytes);
    }
    assert!(all.iter().all(|bytes| *bytes == all[0]));
}

#[test]
fn missing_and_mistyped_host_functions_are_listed() {
    on_both_with(
        |_| {},
        |engine| {
            let mut store = program(engine);
            let snapshot = store.snapshot().unwrap();
            let mut linker = Linker::<()>::new(engine);
            linker.func_wrap("host", "note", |_: i64| 1_i64).unwrap();
            let error = Store::restore(engine, &snapshot, &linker, ()).unwrap_err();
            let message = error.to_string();
            assert!(message.contains("`host::note` has type"), "{message}");
            assert!(message.contains("`host::unused` of type"), "{message}");
        },
    );
}

#[test]
fn what_has_no_name_is_named_in_the_error() {
    on_both_with(
        |_| {},
        |engine| {
            let (mut store, i) = instance(engine, r#"(module (table (export "t") 1 funcref))"#);
            let nameless = Func::wrap(&mut store, |_: i32| {});
            let table = i.get_table(&mut store, "t").unwrap();
            table
                .set(&mut store, 0, sheave_hostcalls::Ref::Func(Some(nameless)))
                .unwrap();
            let error = store.snapshot().unwrap_err().to_string();
            assert!(error.contains("(func (param i32))"), "{error}");
        },
    );
}

#[test]
fn settings_that_change_code_are_checked() {
    on_both_with(fuel, |engine| {
        let snapshot = program(engine).snapshot().unwrap();
        let plain = Engine::new(&Config::new()).unwrap();
        let error = Store::restore(&plain, &snapshot, &linker(&plain), Vec::new()).unwrap_err();
        assert!(error.to_string().contains("fuel on"), "{error}");
    });
}

/// A paused snapshot, small.
fn some_bytes(engine: &Engine) -> Vec<u8> {
    let mut store = program(engine);
    call(&mut store, "change", &[]).unwrap();
    let deep = func(&mut store, "deep");
    store.set_fuel(40).unwrap();
    deep.call_resumable(&mut store, &[Val::I32(5)], &mut [Val::I64(0)])
        .unwrap();
    store.snapshot().unwrap().to_bytes()
}

#[test]
fn cut_off_and_flipped_files_are_errors() {
    let engine = &engines(fuel)[0];
    let bytes = some_bytes(engine);
    let step = if cfg!(miri) { 997 } else { 13 };
    for len in (0..bytes.len()).step_by(step) {
        assert!(Snapshot::from_bytes(&bytes[..len]).is_err(), "{len}");
    }
    // Padding between sections is not covered by a checksum, and means nothing.
    for at in (0..HEAD).chain((HEAD..bytes.len()).step_by(step)) {
        let mut bad = bytes.clone();
        bad[at] ^= 1 << (at % 8);
        if let Ok(snapshot) = Snapshot::from_bytes(&bad) {
            assert_eq!(snapshot.to_bytes(), bytes, "{at}");
        }
    }
}

/// Puts the right checksums over changed bytes.
pub(super) fn seal(bytes: &mut [u8]) {
    let u64_at =
        |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    for entry in (32..HEAD).step_by(32) {
        let (start, len) = (u64_at(bytes, entry + 8), u64_at(bytes, entry + 16));
        let crc = crc32fast::hash(&bytes[start as usize..(start + len) as usize]);
        bytes[entry + 4..entry + 8].copy_from_slice(&crc.to_le_bytes());
    }
    bytes[24..28].fill(0);
    let crc = crc32fast::hash(&bytes[..HEAD]);
    bytes[24..28].copy_from_slice(&crc.to_le_bytes());
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn a_forged_state_fools_itself_at_most() {
    for engine in engines(fuel) {
        let bytes = some_bytes(&engine);
        let state = HEAD..HEAD + 1200.min(bytes.len() - HEAD);
        let (mut restored, mut refused) = (0, 0);
        for at in state.step_by(3) {
            for value in [0, 1, 0x7f, 0xff, bytes[at].wrapping_add(1)] {
                let mut bad = bytes.clone();
                bad[at] = value;
                seal(&mut bad);
                let Ok(snapshot) = Snapshot::from_bytes(&bad) else {
                    refused += 1;
                    continue;
                };
                let linker = linker(&engine);
                let Ok(mut store) = Store::restore(&engine, &snapshot, &linker, Vec::new()) else {
                    refused += 1;
                    continue;
                };
                restored += 1;
                store.set_fuel(2000).unwrap();
                let _ = store.resume_call(&mut [Val::I64(0)]);
                store.cancel_call();
                let first = store.instances().next();
                for name in ["look", "kept", "change"] {
                    if first.and_then(|i| i.get_func(&mut store, name)).is_some() {
                        let _ = call(&mut store, name, &[]);
                    }
                }
            }
        }
        assert!(restored > 100 && refused > 100, "{restored} {refused}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "writes a file")]
fn a_snapshot_is_written_and_opened() {
    let engine = &engines(fuel)[0];
    let snapshot = Snapshot::from_bytes(&some_bytes(engine)).unwrap();
    assert_eq!(snapshot.host_state(), b"");
    let snapshot = snapshot.with_host_state(*b"of the host");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.snapshot");
    snapshot.write_to(&path).unwrap();
    let opened = Snapshot::open(&path).unwrap();
    assert_eq!(opened.to_bytes(), snapshot.to_bytes());
    assert_eq!(opened.host_state(), b"of the host");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let error = Snapshot::open(dir.path().join("none")).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
}

/// A list built and summed on the way, with everything in it that refers to objects: locals, operands, a global, a table,
/// a segment, arrays of references, an exception.
const OBJECTS: &str = r#"(module
    (rec
        (type $node (sub (struct (field i32) (field (mut (ref null $node))))))
        (type $long (sub $node (struct (field i32) (field (mut (ref null $node))) (field i64)))))
    (type $nodes (array (mut (ref null $node))))
    (type $bytes (array (mut i8)))
    (tag $oops (param i32 (ref null $node)))
    (global $head (mut (ref null $node)) (ref.null none))
    (global $exn (mut exnref) (ref.null exn))
    (table $t 4 anyref)
    (elem $kept (ref $bytes) (array.new $bytes (i32.const 3) (i32.const 5)))
    (func $make (param i32) (result (ref $node))
        (if (result (ref $node)) (i32.and (local.get 0) (i32.const 1))
            (then (struct.new $long (local.get 0) (global.get $head) (i64.const 1000)))
            (else (struct.new $node (local.get 0) (global.get $head)))))
    (func $sum (param (ref null $node)) (result i64) (local i64)
        (loop $l
            (if (ref.is_null (local.get 0)) (then (return (local.get 1))))
            (local.set 1 (i64.add (local.get 1) (i64.extend_i32_s (struct.get $node 0 (local.get 0)))))
            (if (ref.test (ref $long) (local.get 0))
                (then (local.set 1 (i64.add (local.get 1) (struct.get $long 2 (ref.cast (ref $long) (local.get 0)))))))
            (local.set 0 (struct.get $node 1 (local.get 0)))
            (br $l))
        (unreachable))
    (func $catch (param i32)
        (block $h (result i32 (ref null $node) exnref)
            (try_table (catch_ref $oops $h) (throw $oops (local.get 0) (global.get $head)))
            (unreachable))
        (global.set $exn) (drop) (drop))
    (func (export "work") (param i32) (result i64) (local $all (ref null $nodes)) (local $i i32) (local $s i64)
        (local.set $all (array.new_default $nodes (local.get 0)))
        (table.set $t (i32.const 0) (ref.i31 (i32.const 77)))
        (table.set $t (i32.const 1) (local.get $all))
        (loop $l
            (global.set $head (call $make (local.get $i)))
            (array.set $nodes (local.get $all) (local.get $i) (global.get $head))
            (if (i32.eq (local.get $i) (i32.const 7)) (then (call $catch (local.get $i))))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 0))))
        (i64.add
            (i64.add (call $sum (global.get $head)) (call $sum (array.get $nodes (local.get $all) (i32.const 5))))
            (i64.add
                (i64.extend_i32_u (i31.get_u (ref.cast (ref i31) (table.get $t (i32.const 0)))))
                (block $h (result i64)
                    (block $c (result i32 (ref null $node))
                        (try_table (catch $oops $c) (throw_ref (global.get $exn)))
                        (unreachable))
                    (call $sum) (local.set $s) (i64.extend_i32_s) (local.get $s) (i64.add)))))
    (func (export "kept") (result i32)
        (array.get_u $bytes (ref.cast (ref $bytes) (table.get $t (i32.const 2))) (i32.const 4)))
    (func (export "init") (table.init $t $kept (i32.const 2) (i32.const 0) (i32.const 1))))"#;

#[test]
fn objects_travel_with_whatever_refers_to_them() {
    let with_objects = |config: &mut Config| {
        config.consume_fuel(true).gc_stress(true);
    };
    on_both_with(with_objects, |engine| {
        // Other types first, so that identities differ.
        let others: Vec<Engine> = engines(with_objects);
        for other in &others {
            Module::new(
                other,
                "(module (type (struct (field f64))) (type (array i16)) (type (func (param f32))))",
            )
            .unwrap();
        }
        let (mut store, i) = instance(engine, OBJECTS);
        let work = i.get_func(&mut store, "work").unwrap();
        let n = if cfg!(miri) { 9 } else { 30 };
        let mut whole = [Val::I64(0)];
        store.set_fuel(1 << 30).unwrap();
        work.call(&mut store, &[Val::I32(n)], &mut whole).unwrap();

        let (mut store, i) = instance(engine, OBJECTS);
        let work = i.get_func(&mut store, "work").unwrap();
        let mut results = [Val::I64(0)];
        store.set_fuel(10).unwrap();
        let mut outcome = work.call_resumable(&mut store, &[Val::I32(n)], &mut results);
        let mut pauses = 0;
        while outcome.unwrap() != CallOutcome::Finished {
            let bytes = store.snapshot().unwrap().to_bytes();
            let snapshot = Snapshot::from_bytes(&bytes).unwrap();
            let other = &others[pauses % others.len()];
            store = Store::restore(other, &snapshot, &Linker::new(other), ()).unwrap();
            assert_eq!(store.snapshot().unwrap().to_bytes(), bytes);
            pauses += 1;
            let fuel = store.get_fuel().unwrap() + 37;
            store.set_fuel(fuel).unwrap();
            outcome = store.resume_call(&mut results);
        }
        assert!(pauses > 5, "{pauses}");
        assert_eq!(results[0].unwrap_i64(), whole[0].unwrap_i64());
        store.set_fuel(1000).unwrap();
        call(&mut store, "init", &[]).unwrap();
        assert_eq!(call(&mut store, "kept", &[]).unwrap(), "[I32(3)]");
    });
}
