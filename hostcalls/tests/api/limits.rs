//! What a store may take: memory, tables, instances, stack, bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{on_both, on_both_with};
use sheave_hostcalls::{
    Error, Instance, Memory, MemoryType, Module, Ref, RefType, ResourceLimiter, Result, Store,
    StoreLimits, StoreLimitsBuilder, Table, TableType, Trap, bail,
};

const GROWS: &str = r#"(module (memory (export "m") 1) (table (export "t") 1 funcref)
    (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;

#[test]
fn growth_stops_at_the_limits() {
    on_both(|engine| {
        let module = Module::new(engine, GROWS).unwrap();
        let mut store = Store::new(
            engine,
            StoreLimitsBuilder::new()
                .memory_size(3 << 16)
                .table_elements(5)
                .build(),
        );
        store.limiter(|limits| limits);
        let i = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = i.get_typed_func::<i32, i32>(&mut store, "memory").unwrap();
        let table = i.get_typed_func::<i32, i32>(&mut store, "table").unwrap();
        assert_eq!(memory.call(&mut store, 2).unwrap(), 1);
        assert_eq!(memory.call(&mut store, 1).unwrap(), -1);
        assert_eq!(memory.call(&mut store, 0).unwrap(), 3);
        assert_eq!(table.call(&mut store, 4).unwrap(), 1);
        assert_eq!(table.call(&mut store, 1).unwrap(), -1);
        assert!(
            i.get_memory(&mut store, "m")
                .unwrap()
                .grow(&mut store, 1)
                .is_err()
        );
        assert!(
            i.get_table(&mut store, "t")
                .unwrap()
                .grow(&mut store, 1, Ref::Func(None))
                .is_err()
        );
        // The first sizes count too.
        let big = Module::new(engine, "(module (memory 4))").unwrap();
        assert!(Instance::new(&mut store, &big, &[]).is_err());
        assert!(Memory::new(&mut store, MemoryType::new(4, None)).is_err());
        assert!(
            Table::new(
                &mut store,
                TableType::new(RefType::FUNCREF, 6, None),
                Ref::Func(None)
            )
            .is_err()
        );
    });
}

#[test]
fn a_growth_failure_can_end_the_guest() {
    on_both(|engine| {
        let module = Module::new(engine, GROWS).unwrap();
        let limits = StoreLimitsBuilder::new()
            .memory_size(1 << 16)
            .table_elements(1)
            .trap_on_grow_failure(true)
            .build();
        let mut store = Store::new(engine, limits);
        store.limiter(|limits| limits);
        let i = Instance::new(&mut store, &module, &[]).unwrap();
        for name in ["memory", "table"] {
            let f = i.get_typed_func::<i32, i32>(&mut store, name).unwrap();
            let error = f.call(&mut store, 1).unwrap_err();
            assert!(
                format!("{error:#}").contains("forcing trap when growing"),
                "{error:#}"
            );
            assert!(f.call(&mut store, 0).is_ok());
        }
        let error = i
            .get_memory(&mut store, "m")
            .unwrap()
            .grow(&mut store, 1)
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("forcing trap when growing memory to 131072 bytes"),
            "{error}"
        );
    });
}

#[test]
fn counts_of_instances_tables_and_memories_are_limited() {
    on_both(|engine| {
        let cases: [(StoreLimits, &str, &str); 3] = [
            (
                StoreLimitsBuilder::new().instances(2).build(),
                "(module)",
                "instance count too high at 3",
            ),
            (
                StoreLimitsBuilder::new().tables(2).build(),
                "(module (table 0 funcref))",
                "table count too high at 3",
            ),
            (
                StoreLimitsBuilder::new().memories(2).build(),
                "(module (memory 0))",
                "memory count too high at 3",
            ),
        ];
        for (limits, wat, message) in cases {
            let module = Module::new(engine, wat).unwrap();
            let mut store = Store::new(engine, limits);
            store.limiter(|limits| limits);
            Instance::new(&mut store, &module, &[]).unwrap();
            Instance::new(&mut store, &module, &[]).unwrap();
            let error = Instance::new(&mut store, &module, &[]).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("resource limit exceeded: {message}")
            );
        }
    });
}

/// Notes what it is asked, and fails on demand.
#[derive(Default)]
struct Nosy {
    asked: Vec<(usize, usize, Option<usize>)>,
    error: bool,
    panic: bool,
}

impl ResourceLimiter for Nosy {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        self.asked.push((current, desired, maximum));
        if self.error {
            bail!("no more");
        }
        assert!(!self.panic, "on purpose");
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool> {
        Ok(true)
    }
}

#[test]
fn a_limiter_sees_sizes_and_its_errors_and_panics_pass() {
    on_both(|engine| {
        let module = Module::new(engine, r#"(module (memory 1 9) (func (export "f") (param i32) (result i32) (memory.grow (local.get 0))))"#).unwrap();
        let mut store = Store::new(engine, Nosy::default());
        store.limiter(|nosy| nosy);
        let i = Instance::new(&mut store, &module, &[]).unwrap();
        let f = i.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
        f.call(&mut store, 2).unwrap();
        let page = 1 << 16;
        assert_eq!(
            store.data().asked,
            [(0, page, Some(9 * page)), (page, 3 * page, Some(9 * page))]
        );
        store.data_mut().error = true;
        assert_eq!(
            f.call(&mut store, 1).unwrap_err().root_cause().to_string(),
            "no more"
        );
        store.data_mut().error = false;
        store.data_mut().panic = true;
        let payload = catch_unwind(AssertUnwindSafe(|| f.call(&mut store, 1))).unwrap_err();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
        store.data_mut().panic = false;
        assert_eq!(f.call(&mut store, 1).unwrap(), 3);
    });
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn a_budget_bounds_the_whole_store() {
    on_both_with(
        |config| {
            config.max_store_bytes(4 << 20);
        },
        |engine| {
            let module = Module::new(engine, GROWS).unwrap();
            let mut store = Store::new(engine, ());
            let i = Instance::new(&mut store, &module, &[]).unwrap();
            let memory = i.get_typed_func::<i32, i32>(&mut store, "memory").unwrap();
            assert_eq!(memory.call(&mut store, 1000).unwrap(), -1);
            assert_eq!(memory.call(&mut store, 8).unwrap(), 1);
            assert!(store.used_bytes() <= 4 << 20);
            let mut made = 0;
            let error: Error = loop {
                match Instance::new(&mut store, &module, &[]) {
                    Ok(_) => made += 1,
                    Err(error) => break error,
                }
            };
            assert!((10..1000).contains(&made), "{made} instances, then {error}");
        },
    );
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn the_stack_limit_is_in_bytes() {
    let mut depths = Vec::new();
    for bytes in [1 << 16, 1 << 18] {
        let mut config = sheave_hostcalls::Config::new();
        config.max_wasm_stack(bytes);
        let engine = sheave_hostcalls::Engine::new(&config).unwrap();
        let module = Module::new(
            &engine,
            r#"(module (global $depth (export "depth") (mut i32) (i32.const 0))
                (func $f (export "f") (global.set $depth (i32.add (global.get $depth) (i32.const 1))) (call $f) (nop)))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        let i = Instance::new(&mut store, &module, &[]).unwrap();
        let error = i
            .get_typed_func::<(), ()>(&mut store, "f")
            .unwrap()
            .call(&mut store, ())
            .unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::StackOverflow));
        let depth = i
            .get_global(&mut store, "depth")
            .unwrap()
            .get(&mut store)
            .unwrap_i32();
        assert!(depth as usize * 8 <= bytes);
        depths.push(depth);
    }
    assert!((3..=5).contains(&(depths[1] / depths[0])), "{depths:?}");
}

#[test]
fn a_limiter_hears_of_growth_that_failed() {
    #[derive(Default)]
    struct Listener {
        heard: Vec<String>,
        ends: bool,
    }
    impl Listener {
        fn failed(&mut self, error: &Error) -> Result<()> {
            self.heard.push(error.to_string());
            if self.ends {
                bail!("enough");
            }
            Ok(())
        }
    }
    impl ResourceLimiter for Listener {
        fn memory_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool> {
            Ok(true)
        }
        fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool> {
            Ok(true)
        }
        fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
            self.failed(&error)
        }
        fn table_grow_failed(&mut self, error: Error) -> Result<()> {
            self.failed(&error)
        }
    }
    on_both(|engine| {
        let module = r#"(module (memory 1 2) (table 1 2 funcref)
            (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;
        let module = Module::new(engine, module).unwrap();
        let mut store = Store::new(engine, Listener::default());
        store.limiter(|listener| listener);
        let i = Instance::new(&mut store, &module, &[]).unwrap();
        for name in ["memory", "table"] {
            let grow = i.get_typed_func::<i32, i32>(&mut store, name).unwrap();
            store.data_mut().ends = false;
            assert_eq!(grow.call(&mut store, 1).unwrap(), 1);
            assert!(store.data_mut().heard.is_empty());
            assert_eq!(grow.call(&mut store, 1).unwrap(), -1);
            let heard = core::mem::take(&mut store.data_mut().heard);
            assert_eq!(heard, [format!("{name} maximum size exceeded")]);
            store.data_mut().ends = true;
            let error = grow.call(&mut store, -1).unwrap_err();
            assert!(format!("{error:#}").contains("enough"), "{error:#}");
            store.data_mut().heard.clear();
        }
    });
}
