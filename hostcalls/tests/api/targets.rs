//! A snapshot written on one target is restored on the others, and is the same there to the byte.
//!
//! The directory `SHEAVE_SNAPSHOTS`, if it is set, is where runs on different targets meet: each leaves its file there, and
//! takes up what others left. `.ci/miri` runs this under Miri for a 32-bit and for a big-endian target.

use super::{engines, instance};
use sheave_hostcalls::{Backend, CallOutcome, Config, Linker, Snapshot, Store, Val};

/// With something of everything: memory, table, globals, objects, an exception, a call in a call.
const PROGRAM: &str = r#"(module
    (type $node (struct (field i32) (field (mut (ref null $node)))))
    (type $f (func (param i32) (result i32)))
    (tag $oops (param i32 (ref null $node)))
    (memory 1)
    (data (i32.const 16) "\01\02\03\04\05\06\07\08")
    (table 3 funcref)
    (elem (i32.const 1) $add)
    (global $head (mut (ref null $node)) (ref.null $node))
    (global $exn (mut exnref) (ref.null exn))
    (global $v (mut v128) (v128.const i32x4 1 2 3 4))
    (global $f (mut f64) (f64.const 1.5))
    (func $add (type $f)
        (global.set $head (struct.new $node (local.get 0) (global.get $head)))
        (global.set $v (i32x4.add (global.get $v) (i32x4.splat (local.get 0))))
        (i64.store (i32.const 4090) (i64.add (i64.load (i32.const 4090)) (i64.load (i32.const 16))))
        (block $h (result i32 (ref null $node) exnref)
            (try_table (catch_ref $oops $h) (throw $oops (local.get 0) (global.get $head)))
            (unreachable))
        (global.set $exn) (drop))
    (func $sum (result i64) (local $at (ref null $node)) (local i64)
        (local.set $at (global.get $head))
        (loop $l
            (if (ref.is_null (local.get $at)) (then (return (local.get 1))))
            (local.set 1 (i64.add (local.get 1) (i64.extend_i32_s (struct.get $node 0 (local.get $at)))))
            (local.set $at (struct.get $node 1 (local.get $at)))
            (br $l))
        (unreachable))
    (func (export "work") (param i32) (result i64 f64 i32 i64)
        (loop $l
            (global.set $f (f64.mul (global.get $f) (f64.const 1.25)))
            (drop (call_indirect (type $f) (local.get 0) (i32.const 1)))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (call $sum) (global.get $f) (i32x4.extract_lane 2 (global.get $v)) (i64.load (i32.const 4090))))"#;

const RESULTS: usize = 4;

fn settings(config: &mut Config) {
    config.consume_fuel(true).arena_backend(Backend::Heap);
}

fn finish(store: &mut Store<()>) -> String {
    let mut results = vec![Val::I32(0); RESULTS];
    store.set_fuel(1 << 20).unwrap();
    let outcome = store.resume_call(&mut results).unwrap();
    assert_eq!(outcome, CallOutcome::Finished);
    format!("{results:?}")
}

#[test]
fn a_snapshot_is_the_same_on_every_target_and_restored_by_all() {
    let mut files = Vec::new();
    for engine in engines(settings) {
        let (mut store, i) = instance(&engine, PROGRAM);
        let work = i.get_func(&mut store, "work").unwrap();
        store.set_fuel(250).unwrap();
        let mut results = vec![Val::I32(0); RESULTS];
        let outcome = work.call_resumable(&mut store, &[Val::I32(12)], &mut results);
        assert!(matches!(outcome.unwrap(), CallOutcome::Paused(_)));
        let bytes = store.snapshot().unwrap().to_bytes();
        files.push((bytes, finish(&mut store)));
    }
    let (bytes, results) = &files[0];
    assert!(files.iter().all(|file| file == &files[0]));
    assert!(results.starts_with("[I64(78),"), "{results}");

    let mut found = vec![bytes.clone()];
    if let Some(dir) = std::env::var_os("SHEAVE_SNAPSHOTS") {
        let (arch, bits) = (std::env::consts::ARCH, usize::BITS);
        let name = format!("{arch}-{bits}.snapshot");
        std::fs::write(std::path::Path::new(&dir).join(name), bytes).unwrap();
        let others = std::fs::read_dir(&dir).unwrap();
        found.extend(others.map(|other| std::fs::read(other.unwrap().path()).unwrap()));
        assert!(found.len() > 1);
    }
    for engine in engines(settings) {
        for other in &found {
            assert!(other == bytes, "another target writes other bytes");
            let snapshot = Snapshot::from_bytes(other).unwrap();
            let mut copy = Store::restore(&engine, &snapshot, &Linker::new(&engine), ()).unwrap();
            assert_eq!(finish(&mut copy), *results);
        }
    }
}
