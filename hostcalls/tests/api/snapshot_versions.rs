//! The version of the snapshot format: what it is raised for, and files of other versions.

use super::engines;
use super::snapshots::{HEAD, seal};
use sheave_hostcalls::{CallOutcome, Config, Linker, Snapshot, SnapshotOptions, Store, Val};

fn settings(config: &mut Config) {
    config.wasm_stack_switching(true).consume_fuel(true);
}

/// With something of everything that a state describes.
const PROGRAM: &str = r#"(module
    (import "host" "f" (func $host (param i64) (result i32)))
    (rec
        (type $base (sub (struct (field i32) (field (mut (ref null $base))))))
        (type $long (sub final $base (struct (field i32) (field (mut (ref null $base))) (field i8)))))
    (type $bytes (array (mut i16)))
    (type $task (func (param i32 i64) (result f32)))
    (type $new (cont $task))
    (type $rest (func (result f32)))
    (type $waiting (cont $rest))
    (tag $oops (param i32))
    (tag $pause)
    (memory (export "memory") 1 3)
    (memory i64 1)
    (table 4 9 funcref)
    (table (export "waiting") 3 (ref null $waiting))
    (global $g (mut i32) (i32.const 5))
    (global $v (mut v128) (v128.const i64x2 6 7))
    (global $bytes (ref $bytes) (array.new $bytes (i32.const 3) (i32.const 4)))
    (global $exn (mut exnref) (ref.null exn))
    (global $any (mut anyref) (ref.i31 (i32.const 9)))
    (elem (i32.const 1) $task $host)
    (elem $kept func $task)
    (data $gone "abc")
    (data (i32.const 70) "xyz")
    (func $task (type $task) (suspend $pause) (f32.const 1))
    (func $outer (type $task)
        (call_ref $rest (ref.func $inside)))
    (func $inside (type $rest)
        (resume $waiting (cont.bind $new $waiting (i32.const 1) (i64.const 2) (cont.new $new (ref.func $task)))))
    (elem declare func $outer $inside)
    (func (export "work") (result i32) (local $i i32)
        (memory.init $gone (i32.const 5000) (i32.const 0) (i32.const 3))
        (data.drop $gone)
        (global.set $any (struct.new $long (i32.const 1) (ref.null $base) (i32.const 2)))
        (block $caught (result i32 exnref)
            (try_table (catch_ref $oops $caught) (throw $oops (i32.const 8)))
            (unreachable))
        (global.set $exn)
        (drop)
        (table.set 1 (i32.const 0) (call $suspended (cont.new $new (ref.func $task))))
        (table.set 1 (i32.const 1) (call $suspended (cont.new $new (ref.func $outer))))
        (table.set 1 (i32.const 2)
            (cont.bind $new $waiting (i32.const 5) (i64.const 6) (cont.new $new (ref.func $task))))
        (loop $l
            (global.set $g (i32.add (global.get $g) (call $host (i64.const 3))))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))
        (global.get $g))
    (func $suspended (param $k (ref $new)) (result (ref $waiting))
        (block $on (result (ref $waiting))
            (drop (resume $new (on $pause $on) (i32.const 3) (i64.const 4) (local.get $k)))
            (unreachable))))"#;

/// Of the state and the lists of pages of that program in version 2, without the bytecode's version.
const CHECKSUM: u32 = 1_557_183_282;

fn linker(engine: &sheave_hostcalls::Engine) -> Linker<()> {
    let mut linker = Linker::new(engine);
    linker
        .func_wrap("host", "f", |x: i64| (x as i32) + 1)
        .unwrap();
    linker
}

/// A snapshot of the program in the middle of its loop.
fn some_bytes(engine: &sheave_hostcalls::Engine) -> Vec<u8> {
    let module = sheave_hostcalls::Module::new(engine, PROGRAM).unwrap();
    let mut store = Store::new(engine, ());
    store.set_fuel(1 << 20).unwrap();
    let instance = linker(engine).instantiate(&mut store, &module).unwrap();
    let work = instance.get_func(&mut store, "work").unwrap();
    store.set_fuel(300).unwrap();
    let outcome = work.call_resumable(&mut store, &[], &mut [Val::I32(0)]);
    assert!(matches!(outcome.unwrap(), CallOutcome::Paused(_)));
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let options = SnapshotOptions::new().handle("a memory", memory);
    store.snapshot_with(options).unwrap().to_bytes()
}

#[test]
fn what_a_state_means_changes_only_together_with_the_version() {
    for engine in engines(settings) {
        let bytes = some_bytes(&engine);
        let part = |section: usize| {
            let entry = &bytes[32 + 32 * section..];
            let word = |at: usize| u64::from_le_bytes(*entry[at..].first_chunk().unwrap()) as usize;
            &bytes[word(8)..word(8) + word(16)]
        };
        // State, runs, objects and the heap's runs. The first 12 bytes say which bytecode it is.
        let parts = [&part(0)[12..], part(4), part(6), part(7)].concat();
        assert_eq!(
            (
                u32::from_le_bytes(*bytes[8..].first_chunk().unwrap()),
                crc32fast::hash(&parts)
            ),
            (2, CHECKSUM),
            "has the format changed? Then raise its version (docs/snapshot-format.md). If it is but the code of functions \
             that is another (frames, positions), only the checksum here is to be changed"
        );
    }
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn a_file_of_another_version_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for engine in engines(settings) {
        let bytes = some_bytes(&engine);
        for version in [0, 1, 3, u32::MAX] {
            let mut other = bytes.clone();
            other[8..12].copy_from_slice(&u32::to_le_bytes(version));
            let whole = other.clone();
            seal(&mut other);
            // Its other bytes may mean anything: neither a checksum nor a section is looked at.
            let mut longer = other[..HEAD / 2].to_vec();
            longer.extend([7; 4000]);
            for file in [whole, other, longer] {
                std::fs::write(&path, &file).unwrap();
                for opened in [Snapshot::from_bytes(&file), Snapshot::open(&path)] {
                    let error = opened.expect_err("another version");
                    let error = error.root_cause().to_string();
                    let want = format!(
                        "the snapshot is of version {version} of the format, and version 2 is what is read here"
                    );
                    assert_eq!(error, want);
                }
            }
        }
    }
}

#[test]
fn a_state_of_everything_goes_on() {
    for engine in engines(settings) {
        let snapshot = Snapshot::from_bytes(&some_bytes(&engine)).unwrap();
        let mut store = Store::restore(&engine, &snapshot, &linker(&engine), ()).unwrap();
        store.set_fuel(1 << 20).unwrap();
        let mut results = [Val::I32(0)];
        let outcome = store.resume_call(&mut results).unwrap();
        assert_eq!(outcome, CallOutcome::Finished);
        assert_eq!(results[0].unwrap_i32(), 405);
    }
}
