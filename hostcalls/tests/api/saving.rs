//! What only the host knows, in snapshots: values, functions without a name, handles; and where they are reached from.

use super::{instance, on_both};
use sheave_hostcalls::{
    ExternRef, Func, Global, GlobalType, Linker, Memory, MemoryType, Mutability, Ref, Restore,
    RootScope, Snapshot, SnapshotOptions, Store, Table, TableType, Tag, Val, ValType,
};

const HOLDER: &str = r#"(module
    (type $box (struct (field (mut externref))))
    (table (export "funcs") 5 funcref)
    (table (export "table") 3 externref)
    (global $kept (export "kept") (mut externref) (ref.null extern))
    (global $box (mut (ref null $box)) (ref.null $box))
    (func (export "box") (param externref) (global.set $box (struct.new $box (local.get 0))))
    (func (export "boxed") (result externref) (struct.get $box 0 (global.get $box)))
    (func (export "call") (param i32) (result i32)
        (call_indirect (param i32) (result i32) (local.get 0) (i32.const 4))))"#;

/// Puts a number into the box and another into the table; no handle of them stays.
fn fill(store: &mut Store<()>, boxed: Option<u32>, in_table: Option<u32>) {
    let first = store.instances().next().unwrap();
    let mut scope = RootScope::new(&mut *store);
    if let Some(n) = boxed {
        let value = ExternRef::new(&mut scope, n).unwrap();
        let set = first.get_func(&mut scope, "box").unwrap();
        set.call(&mut scope, &[Val::from(value)], &mut []).unwrap();
    }
    if let Some(n) = in_table {
        let value = ExternRef::new(&mut scope, n).unwrap();
        let table = first.get_table(&mut scope, "table").unwrap();
        table.set(&mut scope, 1, Ref::Extern(Some(value))).unwrap();
    }
}

fn number(store: &mut Store<()>, value: &Val) -> u32 {
    let value = value.unwrap_externref().unwrap();
    let data = value.data(&*store).unwrap().unwrap();
    *data.downcast_ref::<u32>().unwrap()
}

fn boxed(store: &mut Store<()>) -> u32 {
    let first = store.instances().next().unwrap();
    let get = first.get_func(&mut *store, "boxed").unwrap();
    let mut results = [Val::I32(0)];
    get.call(&mut *store, &[], &mut results).unwrap();
    number(store, &results[0])
}

fn in_table(store: &mut Store<()>) -> u32 {
    let first = store.instances().next().unwrap();
    let table = first.get_table(&mut *store, "table").unwrap();
    let value = table.get(&mut *store, 1).unwrap();
    number(store, &Val::from(value))
}

fn save<'a>() -> SnapshotOptions<'a> {
    SnapshotOptions::new().externs(|value| {
        let number = value.downcast_ref::<u32>();
        Ok(number.map(|n| n.to_le_bytes().to_vec()))
    })
}

#[test]
fn host_values_are_saved_and_made_again() {
    on_both(|engine| {
        let (mut store, _) = instance(engine, HOLDER);
        // One that dies before, so that those that live are not the first.
        fill(&mut store, Some(1), Some(2));
        fill(&mut store, Some(30), Some(40));
        let snapshot = store.snapshot_with(save()).unwrap();
        assert_eq!((boxed(&mut store), in_table(&mut store)), (30, 40));
        // It goes on, and its values can be freed.
        fill(&mut store, Some(5), None);
        store.gc(None).unwrap();
        assert_eq!((boxed(&mut store), in_table(&mut store)), (5, 40));

        let linker = Linker::new(engine);
        for snapshot in [
            &snapshot,
            &Snapshot::from_bytes(&snapshot.to_bytes()).unwrap(),
        ] {
            let error = Store::restore(engine, snapshot, &linker, ()).unwrap_err();
            assert!(error.to_string().contains("Restore::externs"), "{error}");
            let restore = Restore::new(engine, snapshot, &linker);
            let template = restore.externs(|bytes| {
                let bytes = bytes.first_chunk().copied();
                Ok(Box::new(bytes.map(u32::from_le_bytes).unwrap_or_default()))
            });
            let template = template.template().unwrap();
            for _ in 0..2 {
                let mut fork = template.store(()).unwrap();
                assert_eq!((boxed(&mut fork), in_table(&mut fork)), (30, 40));
                fill(&mut fork, None, Some(6));
                fork.gc(None).unwrap();
                assert_eq!((boxed(&mut fork), in_table(&mut fork)), (30, 6));
                fork.snapshot_with(save()).unwrap();
            }
            let restore = Restore::new(engine, snapshot, &linker);
            let error = restore.externs(|_| Err(sheave_hostcalls::format_err!("lost")));
            let error = format!("{:#}", error.store(()).unwrap_err());
            assert!(error.contains("lost"), "{error}");
        }
    });
}

#[test]
fn a_host_value_that_nobody_saves_is_an_error_that_says_where_it_is() {
    on_both(|engine| {
        let (mut store, i) = instance(engine, HOLDER);
        let message = |store: &mut Store<()>| store.snapshot().unwrap_err().to_string();
        fill(&mut store, Some(1), None);
        let error = message(&mut store);
        assert!(error.contains("reached from global 1"), "{error}");
        fill(&mut store, None, Some(2));
        let none = SnapshotOptions::new().externs(|value| {
            let number = value.downcast_ref::<u32>();
            Ok(number.filter(|n| **n != 2).map(|_| Vec::new()))
        });
        let error = store.snapshot_with(none).unwrap_err().to_string();
        assert!(error.contains("entry 1 of table 1"), "{error}");
        // The collector knows afterwards what lives.
        store.gc(None).unwrap();
        assert_eq!((boxed(&mut store), in_table(&mut store)), (1, 2));

        let (mut store, _) = instance(engine, HOLDER);
        let _ = i;
        let kept = ExternRef::new(&mut store, 5_u32).unwrap();
        let kept = kept.to_owned_rooted(&mut store).unwrap();
        let error = message(&mut store);
        assert!(error.contains("a handle of the host's"), "{error}");
        drop(kept);
    });
}

#[test]
fn a_function_without_a_name_is_given_one() {
    on_both(|engine| {
        let (mut store, i) = instance(engine, HOLDER);
        let secret = Func::wrap(&mut store, |x: i32| x + 1000);
        let table = i.get_table(&mut store, "funcs").unwrap();
        table.set(&mut store, 4, Ref::Func(Some(secret))).unwrap();
        let error = store.snapshot().unwrap_err().to_string();
        assert!(error.contains("reached from entry 4 of table 0"), "{error}");
        let named = SnapshotOptions::new()
            .funcs(|func| (*func == secret).then(|| ("mine".into(), "secret".into())));
        let snapshot = store.snapshot_with(named).unwrap();

        let mut linker = Linker::new(engine);
        let error = Store::restore(engine, &snapshot, &linker, ()).unwrap_err();
        assert!(error.to_string().contains("`mine::secret`"), "{error}");
        linker
            .func_wrap("mine", "secret", |x: i32| x + 2000)
            .unwrap();
        let mut copy = Store::restore(engine, &snapshot, &linker, ()).unwrap();
        for (store, want) in [(&mut store, 1005), (&mut copy, 2005)] {
            let first = store.instances().next().unwrap();
            let call = first
                .get_typed_func::<i32, i32>(&mut *store, "call")
                .unwrap();
            assert_eq!(call.call(&mut *store, 5).unwrap(), want);
        }
    });
}

#[test]
fn what_the_host_made_is_found_again_by_name() {
    on_both(|engine| {
        let (mut store, i) = instance(engine, HOLDER);
        let memory = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
        memory.write(&mut store, 65530, b"memory").unwrap();
        let ty = GlobalType::new(ValType::V128, Mutability::Var);
        let global = Global::new(&mut store, ty, Val::V128((7_u128 << 90).into())).unwrap();
        let ty = TableType::new(sheave_hostcalls::RefType::FUNCREF, 3, None);
        let func = i.get_func(&mut store, "boxed").unwrap();
        let table = Table::new(&mut store, ty, Ref::Func(Some(func))).unwrap();
        let ty = sheave_hostcalls::FuncType::new(engine, [ValType::I32], []);
        let tag = Tag::new(&mut store, &sheave_hostcalls::TagType::new(ty)).unwrap();
        let options = SnapshotOptions::new()
            .handle("memory", memory)
            .handle("global", global)
            .handle("table", table)
            .handle("tag", tag)
            .handle("func", func);
        let bytes = store.snapshot_with(options).unwrap().to_bytes();
        let snapshot = Snapshot::from_bytes(&bytes).unwrap();
        let mut copy = Store::restore(engine, &snapshot, &Linker::new(engine), ()).unwrap();
        let found = |name: &str| copy.restored(name).unwrap();
        let memory = found("memory").into_memory().unwrap();
        let global = found("global").into_global().unwrap();
        let table = found("table").into_table().unwrap();
        let (tag, func) = (
            found("tag").into_tag().unwrap(),
            found("func").into_func().unwrap(),
        );
        assert!(copy.restored("other").is_none() && store.restored("memory").is_none());
        assert_eq!(&memory.data(&copy)[65530..], b"memory");
        assert_eq!(memory.grow(&mut copy, 1).unwrap(), 1);
        assert_eq!(global.get(&mut copy).unwrap_v128().as_u128(), 7 << 90);
        assert_eq!(tag.ty(&copy).ty().params().len(), 1);
        let entry = table.get(&mut copy, 2).unwrap();
        assert_eq!(*entry.unwrap_func().unwrap(), func);
        // What was restored can be saved again, under other names.
        let again = SnapshotOptions::new().handle("second", memory);
        let snapshot = copy.snapshot_with(again).unwrap();
        let copy = Store::restore(engine, &snapshot, &Linker::new(engine), ()).unwrap();
        assert!(copy.restored("memory").is_none() && copy.restored("second").is_some());
    });
}
