//! Many stores from one snapshot, and snapshots that are relative to another.

use super::{engines, instance, on_both, on_both_with};
use sheave_hostcalls::{
    CallOutcome, Engine, Instance, Linker, Memory, Module, ModuleHash, Modules, Restore, Snapshot,
    Store, Template, Val,
};

/// Pages of 64 KiB.
const PAGES: usize = if cfg!(miri) { 1 } else { 40 };

const COUNTER: &str = r#"(module
    (memory (export "memory") 1 100)
    (table (export "table") 3 funcref)
    (global $n (mut i32) (i32.const 0))
    (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (elem (i32.const 1) $twice)
    (func (export "next") (result i32)
        (global.set $n (i32.add (global.get $n) (i32.const 1)))
        (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (global.get $n)))
        (call_indirect (param i32) (result i32) (i32.load (i32.const 8)) (i32.const 1)))
    (func (export "sum") (param i32) (result i32) (local i32)
        (loop $l
            (local.set 1 (i32.add (local.get 1) (i32.load8_u (local.get 0))))
            (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1)))"#;

fn memory<T: 'static>(store: &mut Store<T>) -> Memory {
    let first = store.instances().next().unwrap();
    first.get_memory(store, "memory").unwrap()
}

fn next(store: &mut Store<()>) -> i32 {
    let first = store.instances().next().unwrap();
    let next = first
        .get_typed_func::<(), i32>(&mut *store, "next")
        .unwrap();
    next.call(store, ()).unwrap()
}

/// A store whose memory has something everywhere but in every third page, and its sum.
fn filled(engine: &Engine) -> Store<()> {
    let (mut store, _) = instance(engine, COUNTER);
    let memory = memory(&mut store);
    memory.grow(&mut store, PAGES as u64 - 1).unwrap();
    for (i, page) in memory.data_mut(&mut store).chunks_mut(4096).enumerate() {
        if i % 3 != 2 {
            page[100..4000].fill((i % 250) as u8 + 1);
        }
    }
    assert_eq!(next(&mut store), 2);
    store
}

fn template(engine: &Engine, snapshot: &Snapshot) -> Template<()> {
    let linker = Linker::new(engine);
    Restore::new(engine, snapshot, &linker).template().unwrap()
}

fn bytes_of(store: &mut Store<()>) -> Vec<u8> {
    let memory = memory(store);
    memory.data(&*store).to_vec()
}

#[test]
fn forks_start_alike_and_do_not_see_each_other() {
    on_both(|engine| {
        let mut store = filled(engine);
        let snapshot = store.snapshot().unwrap();
        let template = template(engine, &snapshot);
        let mut forks: Vec<_> = (0..3).map(|_| template.store(()).unwrap()).collect();
        let whole = bytes_of(&mut store);
        for fork in &mut forks {
            assert!(bytes_of(fork) == whole);
            // What another fork wrote is not here.
            assert_eq!(next(fork), 2 * 3);
            let memory = memory(fork);
            memory.data_mut(&mut *fork).fill(7);
            memory.grow(&mut *fork, 1).unwrap();
            fork.relocate().unwrap();
            assert!(memory.data(&*fork)[..whole.len()].iter().all(|b| *b == 7));
        }
        assert!(bytes_of(&mut store) == whole);
        drop((store, snapshot));
        // The template alone keeps what forks are made of.
        drop(forks);
        assert!(bytes_of(&mut template.store(()).unwrap()) == whole);
    });
}

#[test]
fn forks_are_made_on_many_threads() {
    let engine = Engine::default();
    let snapshot = filled(&engine).snapshot().unwrap();
    let template = template(&engine, &snapshot);
    let whole = bytes_of(&mut template.store(()).unwrap());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..if cfg!(miri) { 1 } else { 20 } {
                    let mut fork = template.store(()).unwrap();
                    assert!(bytes_of(&mut fork) == whole);
                    assert_eq!(next(&mut fork), 6);
                    assert_eq!(next(&mut fork), 12);
                }
            });
        }
    });
}

#[test]
fn a_waiting_call_goes_on_in_each_fork() {
    let fuel = |config: &mut sheave_hostcalls::Config| {
        config.consume_fuel(true);
    };
    on_both_with(fuel, |engine| {
        let (mut store, i) = instance(engine, COUNTER);
        let memory = memory(&mut store);
        memory.data_mut(&mut store)[1..=200].fill(3);
        let sum = i.get_func(&mut store, "sum").unwrap();
        let mut results = [Val::I32(0)];
        store.set_fuel(500).unwrap();
        let outcome = sum.call_resumable(&mut store, &[Val::I32(200)], &mut results);
        assert!(matches!(outcome.unwrap(), CallOutcome::Paused(_)));
        let template = template(engine, &store.snapshot().unwrap());
        for _ in 0..2 {
            let mut fork = template.store(()).unwrap();
            assert_eq!(fork.paused_backtrace().unwrap().frames().len(), 1);
            fork.set_fuel(1 << 20).unwrap();
            let outcome = fork.resume_call(&mut results).unwrap();
            assert_eq!(outcome, CallOutcome::Finished);
            assert_eq!(results[0].unwrap_i32(), 600);
            assert!(!fork.cancel_call());
        }
    });
}

#[test]
fn objects_are_in_each_fork_and_can_be_collected_there() {
    const LIST: &str = r#"(module
        (type $node (struct (field i32) (field (ref null $node))))
        (global $head (mut (ref null $node)) (ref.null $node))
        (func (export "push") (param i32)
            (loop $l
                (global.set $head (struct.new $node (local.get 0) (global.get $head)))
                (drop (struct.new $node (i32.const -1) (ref.null $node)))
                (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
        (func (export "sum") (result i32) (local $at (ref null $node)) (local i32)
            (local.set $at (global.get $head))
            (loop $l
                (if (ref.is_null (local.get $at)) (then (return (local.get 1))))
                (local.set 1 (i32.add (local.get 1) (struct.get $node 0 (local.get $at))))
                (local.set $at (struct.get $node 1 (local.get $at)))
                (br $l))
            (unreachable)))"#;
    let n = if cfg!(miri) { 50 } else { 5000 };
    on_both(|engine| {
        let (mut store, i) = instance(engine, LIST);
        let call = |store: &mut Store<()>, n: i32| {
            let first = store.instances().next().unwrap();
            let push = first
                .get_typed_func::<i32, ()>(&mut *store, "push")
                .unwrap();
            let sum = first.get_typed_func::<(), i32>(&mut *store, "sum").unwrap();
            push.call(&mut *store, n).unwrap();
            sum.call(store, ()).unwrap()
        };
        let once = call(&mut store, n);
        let _ = i;
        let snapshot = store.snapshot().unwrap();
        // In its engine, and in one in which other types come first.
        let other = Engine::new(engine.config()).unwrap();
        Module::new(
            &other,
            "(module (type (struct (field f64))) (type (array i16)))",
        )
        .unwrap();
        let bytes = snapshot.to_bytes();
        for (engine, snapshot) in [
            (engine, &snapshot),
            (&other, &snapshot),
            (&other, &Snapshot::from_bytes(&bytes).unwrap()),
            (
                &Engine::new(engine.config()).unwrap(),
                &Snapshot::from_bytes(&bytes).unwrap(),
            ),
        ] {
            let template = template(engine, snapshot);
            for _ in 0..2 {
                let mut fork = template.store(()).unwrap();
                assert_eq!(call(&mut fork, n), 2 * once);
                fork.gc(None).unwrap();
                assert_eq!(fork.gc_stats().live_objects, 2 * n as u64);
                let mut again = template.store(()).unwrap();
                assert_eq!(again.snapshot().unwrap().to_bytes(), bytes);
            }
        }
    });
}

#[test]
fn a_heap_that_is_restored_again_and_again_does_not_grow() {
    let engine = Engine::default();
    let (mut store, _) = instance(
        &engine,
        r#"(module (type $a (array i64)) (global $kept (mut anyref) (ref.null any))
            (func (export "f") (param i32)
                (loop $l
                    (global.set $kept (array.new_default $a (i32.const 100)))
                    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
    );
    let mut first = None;
    for round in 0..if cfg!(miri) { 3 } else { 12 } {
        let i = store.instances().next().unwrap();
        let f = i.get_typed_func::<i32, ()>(&mut store, "f").unwrap();
        f.call(&mut store, if cfg!(miri) { 20 } else { 1000 })
            .unwrap();
        let snapshot = store.snapshot().unwrap();
        let size = store.gc_heap_capacity();
        if round > 0 {
            assert_eq!(*first.get_or_insert(size), size, "round {round}");
        }
        store = template(&engine, &snapshot).store(()).unwrap();
    }
}

#[test]
fn a_delta_has_the_pages_that_changed_and_needs_its_base() {
    on_both(|engine| {
        let mut store = filled(engine);
        let base = store.snapshot().unwrap();
        let memory = memory(&mut store);
        // A page written to, one that is zero now, one that is new, one written to with what it was.
        let data = memory.data_mut(&mut store);
        data[5 * 4096 + 1] = 77;
        data[3 * 4096..4 * 4096].fill(0);
        data.copy_within(6 * 4096..7 * 4096, 6 * 4096);
        memory.grow(&mut store, 1).unwrap();
        let end = memory.data_size(&store);
        memory.data_mut(&mut store)[end - 1] = 1;
        next(&mut store);
        let delta = store.snapshot_since(&base).unwrap();
        memory.data_mut(&mut store)[4096] = 5;
        let second = store.snapshot_since(&delta).unwrap();
        assert!(delta.to_bytes().len() + 6 * 4096 < base.to_bytes().len() || cfg!(miri));

        let whole = store.snapshot().unwrap().to_bytes();
        let mut copy = template(engine, &second).store(()).unwrap();
        assert!(copy.snapshot().unwrap().to_bytes() == whole);

        // Through files: by itself it is of no use, nor with another base.
        let reread = |s: &Snapshot| Snapshot::from_bytes(&s.to_bytes()).unwrap();
        let (base, delta, second) = (reread(&base), reread(&delta), reread(&second));
        assert!(second.lacks_base() && delta.lacks_base() && !base.lacks_base());
        let linker = Linker::new(engine);
        let error = Store::restore(engine, &second, &linker, ()).unwrap_err();
        assert!(error.to_string().contains("relative to another"), "{error}");
        assert!(second.clone().with_base(&base).is_err());
        assert!(base.clone().with_base(&delta).is_err());
        let delta = delta.with_base(&base).unwrap();
        let second = second.with_base(&delta).unwrap();
        let mut copy = Store::restore(engine, &second, &linker, ()).unwrap();
        assert!(copy.snapshot().unwrap().to_bytes() == whole);
    });
}

#[test]
fn a_delta_of_a_store_that_was_restored_holds_next_to_nothing() {
    let engine = Engine::default();
    let base = filled(&engine).snapshot().unwrap();
    let mut fork = template(&engine, &base).store(()).unwrap();
    let delta = fork.snapshot_since(&base).unwrap();
    let bytes = delta.to_bytes_with(Modules::ByHash);
    assert!(bytes.len() < 4096, "{}", bytes.len());
    let delta = Snapshot::from_bytes(&bytes)
        .unwrap()
        .with_base(&base)
        .unwrap();
    let mut copy = template(&engine, &delta).store(()).unwrap();
    assert!(bytes_of(&mut copy) == bytes_of(&mut fork));
    assert_eq!(next(&mut copy), next(&mut fork));
}

#[test]
fn modules_can_come_from_elsewhere() {
    let engines = engines(|_| {});
    let engine = &engines[0];
    let (mut store, i) = instance(engine, COUNTER);
    let _: Instance = i;
    next(&mut store);
    let snapshot = store.snapshot().unwrap();
    let bytes = snapshot.to_bytes_with(Modules::ByHash);
    let module = wat::parse_str(COUNTER).unwrap();
    let hash = ModuleHash::of(&module);
    assert_eq!(snapshot.modules().collect::<Vec<_>>(), [hash]);
    assert!(!bytes.windows(8).any(|b| *b == module[..8]));

    let other = Engine::new(engine.config()).unwrap();
    let linker = Linker::new(&other);
    let without = Snapshot::from_bytes(&bytes).unwrap();
    let error = Store::restore(&other, &without, &linker, ()).unwrap_err();
    assert!(error.to_string().contains(&hash.to_string()), "{error}");

    let there = Module::from_binary(&other, &module).unwrap();
    assert_eq!(there.hash(), hash);
    for snapshot in [&without, &snapshot] {
        let restore = Restore::new(&other, snapshot, &linker);
        let restore = restore.modules(|wanted| Ok((*wanted == hash).then(|| there.clone())));
        assert_eq!(next(&mut restore.store(()).unwrap()), 2 * 3);
    }
    let wrong = Module::new(&other, "(module)").unwrap();
    let of_elsewhere = Module::from_binary(engine, &module).unwrap();
    for module in [wrong, of_elsewhere] {
        let restore = Restore::new(&other, &without, &linker);
        let error = restore
            .modules(|_| Ok(Some(module.clone())))
            .store(())
            .unwrap_err();
        assert!(error.to_string().contains("the module given"), "{error}");
    }
}

#[test]
fn modules_can_be_there_translated() {
    on_both(|engine| {
        let (mut store, _) = instance(engine, COUNTER);
        next(&mut store);
        let bytes = store.snapshot().unwrap().to_bytes_with(Modules::Translated);
        let restored = |bytes: &[u8]| {
            let other = Engine::new(engine.config())?;
            let snapshot = Snapshot::from_bytes(bytes)?;
            Ok::<_, sheave_hostcalls::Error>((
                Store::restore(&other, &snapshot, &Linker::new(&other), ())?,
                snapshot,
            ))
        };
        let (mut copy, snapshot) = restored(&bytes).unwrap();
        assert_eq!(next(&mut copy), 2 * 3);
        // It is written as it is, and made again from what was restored.
        assert!(snapshot.to_bytes() == bytes);
        let again = copy.snapshot().unwrap();
        assert!(again.modules().eq(snapshot.modules()));
        let (mut copy, _) = restored(&again.to_bytes_with(Modules::Translated)).unwrap();
        assert_eq!(next(&mut copy), 3 * 4);
        assert_eq!(next(&mut restored(&again.to_bytes()).unwrap().0), 3 * 4);
    });
}

#[test]
#[cfg_attr(miri, ignore = "writes a file")]
fn a_file_is_restored_from_and_only_its_pages_are_not_checked_before() {
    on_both(|engine| {
        let mut store = filled(engine);
        let whole = bytes_of(&mut store);
        let snapshot = store.snapshot().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.snapshot");
        let mut progress = Vec::new();
        let told = |done, all| progress.push((done, all));
        snapshot.write_with(&path, Modules::Embedded, told).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes == snapshot.to_bytes());
        let len = bytes.len() as u64;
        assert!(progress.is_sorted() && progress.last() == Some(&(len, len)));

        let opened = Snapshot::open(&path).unwrap();
        opened.verify().unwrap();
        let (one, two) = (template(engine, &opened), template(engine, &opened));
        for template in [&one, &two, &one] {
            let mut fork = template.store(()).unwrap();
            assert!(bytes_of(&mut fork) == whole);
            assert_eq!(next(&mut fork), 6);
        }
        // Replacing the file changes nothing for who has it open.
        Snapshot::write_to(&snapshot, &path).unwrap();
        let mut damaged = bytes.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let there = damaged.windows(4).position(|w| w == [9; 4]).unwrap();
        damaged[there] = 8;
        let other = dir.path().join("damaged");
        std::fs::write(&other, &damaged).unwrap();
        let wrong = Snapshot::open(&other).unwrap();
        let error = wrong.verify().unwrap_err();
        assert!(error.to_string().contains("`pages`"), "{error}");
        assert!(Snapshot::from_bytes(&damaged).is_err());
        assert_eq!(next(&mut template(engine, &wrong).store(()).unwrap()), 6);
        assert!(bytes_of(&mut one.store(()).unwrap()) == whole);

        // What is not a page is found at once.
        for at in [40, 330, 400] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            std::fs::write(&other, &damaged).unwrap();
            assert!(Snapshot::open(&other).is_err(), "{at}");
        }
        std::fs::write(&other, &bytes[..bytes.len() - 1]).unwrap();
        let error = format!("{:#}", Snapshot::open(&other).unwrap_err());
        assert!(error.contains("cut off"), "{error}");
        std::fs::write(&other, b"").unwrap();
        assert!(Snapshot::open(&other).is_err());
    });
}

#[test]
#[cfg(feature = "zstd")]
#[cfg_attr(miri, ignore = "calls C")]
fn a_compressed_snapshot_is_unpacked_wherever_one_is_read() {
    let engine = Engine::default();
    let mut store = filled(&engine);
    let whole = bytes_of(&mut store);
    let snapshot = store.snapshot().unwrap();
    let bytes = snapshot.to_bytes();
    let small = snapshot.to_compressed(3, Modules::Embedded).unwrap();
    assert!(
        small.len() * 10 < bytes.len(),
        "{} {}",
        small.len(),
        bytes.len()
    );
    assert!(snapshot.to_compressed(1000, Modules::Embedded).is_err());
    let read = Snapshot::from_bytes(&small).unwrap();
    assert!(read.to_bytes() == bytes);
    assert!(bytes_of(&mut template(&engine, &read).store(()).unwrap()) == whole);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("small");
    std::fs::write(&path, &small).unwrap();
    assert!(Snapshot::open(&path).unwrap().to_bytes() == bytes);

    for len in (0..small.len()).step_by(61) {
        assert!(Snapshot::from_bytes(&small[..len]).is_err(), "{len}");
    }
    for at in (0..small.len()).step_by(53) {
        let mut bad = small.clone();
        bad[at] ^= 0x10;
        if let Ok(read) = Snapshot::from_bytes(&bad) {
            assert!(read.to_bytes() == bytes);
        }
    }
    // A frame of other bytes, longer ones, and one that says it is a terabyte.
    let frame = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let mut huge = bytes.clone();
    huge[16..24].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    for (bad, why) in [
        (
            frame(b"something else, long enough to be read"),
            "not a snapshot",
        ),
        (frame(&[&bytes[..], &[0]].concat()), "more bytes"),
        (frame(&bytes[..bytes.len() - 1]), "cut off"),
        (frame(&huge), "too much to unpack"),
    ] {
        let error = format!("{:#}", Snapshot::from_bytes(&bad).unwrap_err());
        assert!(error.contains(why), "{error}");
    }
}

/// With data enough that an image holds the memory as it is at first, and no code that names a segment.
fn with_data() -> String {
    let data = "x".repeat(70_000);
    format!(
        r#"(module (memory (export "memory") 2) (data (i32.const 100) "{data}")
             (func (export "at") (param i32) (result i32) (i32.load8_u (local.get 0))))"#
    )
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn what_an_image_has_no_use_for_is_not_missed() {
    on_both(|engine| {
        let plain = Module::new(engine, with_data()).unwrap();
        let image = Module::deserialize(engine, plain.serialize().unwrap()).unwrap();
        let mut states = Vec::new();
        for module in [&plain, &image] {
            let mut store = Store::new(engine, ());
            Instance::new(&mut store, module, &[]).unwrap();
            let snapshot = store.snapshot().unwrap();
            states.push(snapshot.to_bytes());
            // To an engine that gets the one or the other.
            for modules in [Modules::Embedded, Modules::Translated] {
                let other = Engine::new(engine.config()).unwrap();
                let bytes = snapshot.to_bytes_with(modules);
                let snapshot = Snapshot::from_bytes(&bytes).unwrap();
                let linker = Linker::new(&other);
                let mut copy = Store::restore(&other, &snapshot, &linker, ()).unwrap();
                let i = copy.instances().next().unwrap();
                let at = i.get_typed_func::<i32, i32>(&mut copy, "at").unwrap();
                assert_eq!(at.call(&mut copy, 70_099).unwrap(), i32::from(b'x'));
                assert_eq!(at.call(&mut copy, 70_100).unwrap(), 0);
            }
        }
        assert!(states[0] == states[1]);
    });
}

#[test]
fn a_description_says_what_is_there() {
    let engine = engines(|_| {}).remove(0);
    let mut store = filled(&engine);
    let snapshot = store.snapshot().unwrap();
    let described = |snapshot: &Snapshot| {
        let mut config = sheave_hostcalls::Config::new();
        let other = Engine::new(snapshot.configure(&mut config)).unwrap();
        snapshot.describe(&other, |_| Ok(None)).unwrap()
    };
    let file = Snapshot::from_bytes(&snapshot.to_bytes()).unwrap();
    for snapshot in [&snapshot, &file] {
        let d = described(snapshot);
        assert_eq!((d.modules.len(), d.instances.len()), (1, 1));
        assert_eq!(d.modules[0].1.as_ref().unwrap().hash(), d.modules[0].0);
        let i = store.instances().next().unwrap();
        let memory = i.get_memory(&mut store, "memory").unwrap();
        assert_eq!(d.memories[0].bytes, memory.data_size(&store) as u64);
        let bytes = memory.data(&store);
        let mut stored = 0;
        for (page, content) in snapshot.memory_pages(0) {
            stored += 4096;
            assert_eq!(&bytes[page as usize * 4096..][..4096], content);
        }
        assert_eq!(d.memories[0].stored_bytes, stored);
        assert!(d.paused.is_none() && d.heap.objects == 0);
    }
    assert!(described(&snapshot).sections.is_empty());
    assert_eq!(described(&file).sections.len(), 9);
    // Without the module it says less.
    let without = Snapshot::from_bytes(&snapshot.to_bytes_with(Modules::ByHash)).unwrap();
    assert!(described(&without).modules[0].1.is_none());
}
