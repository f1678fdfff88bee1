//! Memories with 64-bit addresses, other page sizes and shared types; tables with 64-bit indices.

use super::{instance, on_both, on_both_with};
use core::time::Duration;
use sheave_hostcalls::{
    CallOutcome, Config, Engine, Instance, Linker, Memory, MemoryType, MemoryTypeBuilder, Module,
    PauseReason, Ref, RefType, SharedMemoryError, Store, StoreLimits, StoreLimitsBuilder, Table,
    TableType, Trap, Val,
};
use std::time::Instant;

#[test]
fn a_64_bit_memory_goes_in_and_out_of_a_store() {
    on_both(|engine| {
        let wat = r#"(module (memory (export "m") i64 1 2)
            (func (export "get") (param i64) (result i32) (i32.load8_u (local.get 0))))"#;
        let (mut store, instance) = instance(engine, wat);
        let memory = instance.get_memory(&mut store, "m").unwrap();
        let ty = memory.ty(&store);
        assert!(ty.is_64() && !ty.is_shared() && ty.page_size() == 65536);
        memory.write(&mut store, 65535, &[7]).unwrap();
        let get = instance
            .get_typed_func::<i64, i32>(&mut store, "get")
            .unwrap();
        assert_eq!(get.call(&mut store, 65535).unwrap(), 7);
        let error = get.call(&mut store, (1 << 32) + 65535).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));

        let wanted = Module::new(engine, r#"(module (import "" "" (memory i64 1)))"#).unwrap();
        assert!(Instance::new(&mut store, &wanted, &[memory.into()]).is_ok());
        let other = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
        assert!(Instance::new(&mut store, &wanted, &[other.into()]).is_err());
        let other = Memory::new(&mut store, MemoryType::new64(1, None)).unwrap();
        assert!(Instance::new(&mut store, &wanted, &[other.into()]).is_ok());
    });
}

#[test]
#[cfg_attr(miri, ignore = "Miri stops where the system would refuse")]
fn a_64_bit_memory_that_is_too_large_is_an_error() {
    let mut store = Store::new(&Engine::default(), ());
    for pages in [1 << 44, 1 << 47, 1 << 48, u64::MAX] {
        assert!(
            Memory::new(&mut store, MemoryType::new64(pages, None)).is_err(),
            "{pages}"
        );
    }
    let memory = Memory::new(&mut store, MemoryType::new64(0, None)).unwrap();
    for pages in [1 << 44, (1 << 48) - 1, 1 << 48, u64::MAX] {
        assert!(memory.grow(&mut store, pages).is_err(), "{pages}");
    }
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 0);
    assert_eq!(memory.size(&store), 1);
}

#[test]
fn a_limiter_sees_the_bytes_that_a_64_bit_memory_wants() {
    on_both(|engine| {
        let wat = r#"(module (memory i64 1)
            (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0))))"#;
        let module = Module::new(engine, wat).unwrap();
        let limits: StoreLimits = StoreLimitsBuilder::new().memory_size(3 * 65536).build();
        let mut store = Store::new(engine, limits);
        store.limiter(|limits| limits);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let grow = instance
            .get_typed_func::<i64, i64>(&mut store, "grow")
            .unwrap();
        assert_eq!(grow.call(&mut store, 3).unwrap(), -1);
        assert_eq!(grow.call(&mut store, 2).unwrap(), 1);
        assert_eq!(grow.call(&mut store, i64::MAX).unwrap(), -1);
    });
}

#[test]
fn a_64_bit_table_goes_in_and_out_of_a_store() {
    let mut store = Store::new(&Engine::default(), ());
    let ty = TableType::new64(RefType::FUNCREF, 2, Some(1 << 40));
    assert!(ty.is_64());
    let table = Table::new(&mut store, ty, Ref::Func(None)).unwrap();
    assert!(table.get(&mut store, 1).is_some());
    assert!(table.get(&mut store, 1 << 32).is_none());
    assert!(table.grow(&mut store, 1 << 32, Ref::Func(None)).is_err());
    assert!(table.grow(&mut store, u64::MAX, Ref::Func(None)).is_err());
    assert_eq!(table.grow(&mut store, 1, Ref::Func(None)).unwrap(), 2);
    let too_large = TableType::new64(RefType::FUNCREF, 1 << 40, None);
    assert!(Table::new(&mut store, too_large, Ref::Func(None)).is_err());
    let engine = store.engine().clone();
    let wanted = |ty: &str| {
        Module::new(&engine, format!(r#"(module (import "" "" (table {ty})))"#)).unwrap()
    };
    assert!(Instance::new(&mut store, &wanted("i64 1 funcref"), &[table.into()]).is_ok());
    assert!(Instance::new(&mut store, &wanted("1 funcref"), &[table.into()]).is_err());
}

#[test]
fn pages_of_one_byte() {
    on_both_with(
        |config| {
            config.wasm_custom_page_sizes(true);
        },
        |engine| {
            let wat = r#"(module (memory (export "m") 5 10 (pagesize 1))
            (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
            (func (export "size") (result i32) (memory.size))
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#;
            let (mut store, instance) = instance(engine, wat);
            let memory = instance.get_memory(&mut store, "m").unwrap();
            assert_eq!(
                (memory.page_size(&store), memory.page_size_log2(&store)),
                (1, 0)
            );
            assert_eq!((memory.size(&store), memory.data_size(&store)), (5, 5));
            let get = instance
                .get_typed_func::<i32, i32>(&mut store, "get")
                .unwrap();
            assert_eq!(get.call(&mut store, 4).unwrap(), 0);
            assert!(get.call(&mut store, 5).is_err());
            let grow = instance
                .get_typed_func::<i32, i32>(&mut store, "grow")
                .unwrap();
            assert_eq!(grow.call(&mut store, 3).unwrap(), 5);
            assert_eq!(grow.call(&mut store, 3).unwrap(), -1);
            assert_eq!(memory.grow(&mut store, 2).unwrap(), 8);
            assert!(memory.grow(&mut store, 1).is_err());
            let size = instance
                .get_typed_func::<(), i32>(&mut store, "size")
                .unwrap();
            assert_eq!(size.call(&mut store, ()).unwrap(), 10);
            memory.write(&mut store, 9, &[3]).unwrap();
            assert_eq!(get.call(&mut store, 9).unwrap(), 3);

            let wanted =
                Module::new(engine, r#"(module (import "" "" (memory 0 (pagesize 1))))"#).unwrap();
            assert!(Instance::new(&mut store, &wanted, &[memory.into()]).is_ok());
            let other = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
            let error = Instance::new(&mut store, &wanted, &[other.into()]).unwrap_err();
            assert!(error.to_string().contains("page size"), "{error}");
        },
    );
}

#[test]
fn a_builder_refuses_types_that_make_no_sense() {
    let built = |change: &dyn Fn(&mut MemoryTypeBuilder)| {
        let mut builder = MemoryTypeBuilder::new();
        change(&mut builder);
        builder.build()
    };
    assert!(
        built(&|b| {
            b.min(2).max(Some(1));
        })
        .is_err()
    );
    assert!(
        built(&|b| {
            b.page_size_log2(1);
        })
        .is_err()
    );
    assert!(
        built(&|b| {
            b.page_size_log2(255);
        })
        .is_err()
    );
    assert!(
        built(&|b| {
            b.shared(true);
        })
        .is_err()
    );
    assert!(
        built(&|b| {
            b.shared(true).max(Some(1));
        })
        .is_ok()
    );
    assert!(
        built(&|b| {
            b.min(65536);
        })
        .is_ok()
    );
    assert!(
        built(&|b| {
            b.min(65537);
        })
        .is_err()
    );
    assert!(
        built(&|b| {
            b.max(Some(65537));
        })
        .is_err()
    );
    assert!(
        built(&|b| {
            b.memory64(true).min(65537);
        })
        .is_ok()
    );
    assert!(
        built(&|b| {
            b.memory64(true).min(1 << 48);
        })
        .is_ok()
    );
    assert!(
        built(&|b| {
            b.memory64(true).min((1 << 48) + 1);
        })
        .is_err()
    );
    assert!(
        built(&|b| {
            b.page_size_log2(0).min(u32::MAX.into());
        })
        .is_ok()
    );
    assert!(
        built(&|b| {
            b.page_size_log2(0).min(1 << 32);
        })
        .is_err()
    );
    assert!(
        built(&|b| {
            b.page_size_log2(0).memory64(true).min(u64::MAX);
        })
        .is_ok()
    );
}

// ---- shared memories ------------------------------------------------------------------------------------------------

const WAITS: &str = r#"(module (memory (export "m") 1 1 shared)
    (func (export "wait") (param i32 i32 i64) (result i32)
        (memory.atomic.wait32 (local.get 0) (local.get 1) (local.get 2)))
    (func (export "wait64") (param i32 i64 i64) (result i32)
        (memory.atomic.wait64 offset=8 (local.get 0) (local.get 1) (local.get 2)))
    (func (export "notify") (param i32) (result i32) (memory.atomic.notify (local.get 0) (i32.const -1)))
    (func (export "add") (param i32 i64) (result i64)
        (i64.atomic.rmw32.add_u offset=4 (local.get 0) (local.get 1))))"#;

fn shared(config: &mut Config) {
    config.shared_memory(true);
}

#[test]
fn waiting_ends_with_the_timeout_or_at_once() {
    on_both_with(shared, |engine| {
        let (mut store, instance) = instance(engine, WAITS);
        let wait = instance
            .get_typed_func::<(i32, i32, i64), i32>(&mut store, "wait")
            .unwrap();
        assert_eq!(wait.call(&mut store, (0, 1, -1)).unwrap(), 1);
        assert_eq!(wait.call(&mut store, (0, 0, 0)).unwrap(), 2);
        let start = Instant::now();
        assert_eq!(wait.call(&mut store, (0, 0, 20_000_000)).unwrap(), 2);
        assert!(start.elapsed() >= Duration::from_millis(20));
        let trap = |error: sheave_hostcalls::Error| *error.downcast_ref::<Trap>().unwrap();
        let error = wait.call(&mut store, (0, 0, -1)).unwrap_err();
        assert_eq!(trap(error), Trap::AtomicWaitForever);
        let error = wait.call(&mut store, (2, 0, 0)).unwrap_err();
        assert_eq!(trap(error), Trap::HeapMisaligned);
        let error = wait.call(&mut store, (65536, 0, 0)).unwrap_err();
        assert_eq!(trap(error), Trap::MemoryOutOfBounds);
        let wait64 = instance
            .get_typed_func::<(i32, i64, i64), i32>(&mut store, "wait64")
            .unwrap();
        assert_eq!(wait64.call(&mut store, (0, 1 << 32, 0)).unwrap(), 1);
        assert_eq!(wait64.call(&mut store, (8, 0, 1)).unwrap(), 2);
        let error = wait64.call(&mut store, (-8, 0, 1)).unwrap_err();
        assert_eq!(trap(error), Trap::MemoryOutOfBounds);
        let notify = instance
            .get_typed_func::<i32, i32>(&mut store, "notify")
            .unwrap();
        assert_eq!(notify.call(&mut store, 4).unwrap(), 0);
        assert!(notify.call(&mut store, 5).is_err());
    });
}

#[test]
fn waiting_on_a_memory_that_is_not_shared_traps() {
    on_both(|engine| {
        let (mut store, instance) = instance(engine, &WAITS.replace("shared", ""));
        let wait = instance
            .get_typed_func::<(i32, i32, i64), i32>(&mut store, "wait")
            .unwrap();
        let error = wait.call(&mut store, (0, 1, 0)).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::AtomicWaitNonSharedMemory));
        let add = instance
            .get_typed_func::<(i32, i64), i64>(&mut store, "add")
            .unwrap();
        assert_eq!(add.call(&mut store, (0, -1)).unwrap(), 0);
        assert_eq!(add.call(&mut store, (0, 2)).unwrap(), 0xffff_ffff);
        assert_eq!(add.call(&mut store, (0, 0)).unwrap(), 1);
        assert!(add.call(&mut store, (-4, 0)).is_err());
    });
}

#[test]
fn an_interruption_ends_waiting() {
    let settings = |config: &mut Config| {
        config.shared_memory(true).interruption(true);
    };
    on_both_with(settings, |engine| {
        let (mut store, instance) = instance(engine, WAITS);
        let wait = instance.get_func(&mut store, "wait").unwrap();
        let handle = store.interrupt_handle();
        let a_year = Val::I64(365 * 86_400 * 1_000_000_000);
        let mut result = [Val::I32(0)];
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            handle.interrupt();
        });
        let error = wait
            .call(&mut store, &[Val::I32(0), Val::I32(0), a_year], &mut result)
            .unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::Interrupt));
        thread.join().unwrap();

        // Resumed, it waits again: the value has changed meanwhile.
        let handle = store.interrupt_handle();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            handle.interrupt();
        });
        let outcome = wait
            .call_resumable(&mut store, &[Val::I32(0), Val::I32(0), a_year], &mut result)
            .unwrap();
        thread.join().unwrap();
        assert!(matches!(
            outcome,
            CallOutcome::Paused(PauseReason::Interrupted)
        ));
        let memory = instance.get_memory(&mut store, "m").unwrap();
        memory.data_mut(&mut store)[0] = 1;
        let outcome = store.resume_call(&mut result).unwrap();
        assert!(matches!(outcome, CallOutcome::Finished));
        assert_eq!(result[0].i32(), Some(1));
    });
}

#[test]
fn shared_memories_have_to_be_allowed() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Module::new(&engine, WAITS).unwrap();
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&SharedMemoryError::Disabled));
    let error = Memory::new(&mut store, MemoryType::shared(1, 1)).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&SharedMemoryError::Disabled));
}

#[test]
fn a_shared_memory_stays_in_its_store() {
    let mut config = Config::new();
    shared(&mut config);
    let engine = Engine::new(&config).unwrap();
    let wanted = Module::new(&engine, r#"(module (import "m" "m" (memory 1 1 shared)))"#).unwrap();
    let mut one = Store::new(&engine, ());
    let mut two = Store::new(&engine, ());
    let memory = Memory::new(&mut one, MemoryType::shared(1, 1)).unwrap();
    assert!(Instance::new(&mut one, &wanted, &[memory.into()]).is_ok());
    let error = Instance::new(&mut two, &wanted, &[memory.into()]).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&SharedMemoryError::OtherStore));
    let mut linker = Linker::new(&engine);
    let error = linker.define(&two, "m", "m", memory).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&SharedMemoryError::OtherStore));
    linker.define(&one, "m", "m", memory).unwrap();
    let error = linker.instantiate(&mut two, &wanted).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&SharedMemoryError::OtherStore));
    // Only of the same kind.
    let unshared = Memory::new(&mut one, MemoryType::new(1, Some(1))).unwrap();
    assert!(Instance::new(&mut one, &wanted, &[unshared.into()]).is_err());
}

// ---- modules --------------------------------------------------------------------------------------------------------

#[test]
fn imports_in_compact_form_are_those_in_long_form() {
    let mut config = Config::new();
    config.wasm_compact_imports(true);
    let engine = Engine::new(&config).unwrap();
    let wat = r#"(module
        (import "a" (item "f" (func (param i32))) (item "m" (memory 1)))
        (import "b" (item "g") (item "h") (func (result i64)))
        (import "c" "i" (global i32))
        (func (export "get") (result i64) (call 2)))"#;
    assert!(Module::new(&Engine::default(), wat).is_err());
    let module = Module::new(&engine, wat).unwrap();
    let names: Vec<_> = module.imports().map(|i| (i.module(), i.name())).collect();
    assert_eq!(
        names,
        [("a", "f"), ("a", "m"), ("b", "g"), ("b", "h"), ("c", "i")]
    );
    let mut linker = Linker::new(&engine);
    linker.func_wrap("b", "h", || 5_i64).unwrap();
    let mut store = Store::new(&engine, ());
    linker
        .define_unknown_imports_as_default_values(&mut store, &module)
        .unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let get = instance
        .get_typed_func::<(), i64>(&mut store, "get")
        .unwrap();
    assert_eq!(get.call(&mut store, ()).unwrap(), 5);
}

#[test]
fn branch_hints_are_accepted_whatever_they_say() {
    on_both(|engine| {
        for hints in [
            r"\01\00\01\00\01\00",
            r"\ff\ff\ff\ff\ff",
            "",
            r"\01\63\01\00\01\07",
        ] {
            let wat = format!(
                r#"(module (@custom "metadata.code.branch_hint" (before code) "{hints}")
                (func (export "f") (param i32) (result i32)
                    (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2)))))"#
            );
            let (mut store, instance) = instance(engine, &wat);
            let f = instance
                .get_typed_func::<i32, i32>(&mut store, "f")
                .unwrap();
            assert_eq!(f.call(&mut store, 0).unwrap(), 2);
        }
    });
}
