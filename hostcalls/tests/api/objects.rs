//! Memories, tables, globals and references from the host's side.

use super::{instance, on_both};
use sheave_hostcalls::{
    Caller, Engine, Extern, ExternRef, Func, Global, GlobalType, Linker, Memory, MemoryType,
    Module, Mutability, Ref, RefType, Rooted, Store, Table, TableType, Val, ValType,
};

#[test]
fn memories_are_read_written_and_grown() {
    let mut store = Store::new(&Engine::default(), 5);
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
    assert_eq!((memory.size(&store), memory.data_size(&store)), (1, 65536));
    memory.write(&mut store, 65532, b"abcd").unwrap();
    assert!(memory.write(&mut store, 65533, b"abcd").is_err());
    assert!(memory.write(&mut store, usize::MAX, b"abcd").is_err());
    let mut four = [0; 4];
    memory.read(&store, 65532, &mut four).unwrap();
    assert_eq!(&four, b"abcd");
    assert!(memory.read(&store, 65533, &mut four).is_err());
    assert!(memory.read(&store, usize::MAX, &mut four).is_err());
    let (bytes, data) = memory.data_and_store_mut(&mut store);
    bytes[0] = *data;
    *data += 1;
    assert_eq!((memory.data(&store)[0], *store.data()), (5, 6));
    memory.data_mut(&mut store)[1] = 9;
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 1);
    assert!(memory.grow(&mut store, 1).is_err());
    assert!(memory.grow(&mut store, u64::MAX).is_err());
    assert_eq!(&memory.data(&store)[..2], [5, 9]);
    assert_eq!(memory.data(&store)[65535], b'd');
    assert_eq!(memory.ty(&store).maximum(), Some(2));
    assert!(Memory::new(&mut store, MemoryType::new(2, Some(1))).is_err());
    assert!(Memory::new(&mut store, MemoryType::new(65537, None)).is_err());
}

#[test]
fn a_memory_has_at_most_four_gibibytes() {
    let mut store = Store::new(&Engine::default(), ());
    let memory = Memory::new(&mut store, MemoryType::new(0, None)).unwrap();
    assert!(memory.data(&store).is_empty());
    assert!(memory.grow(&mut store, 65537).is_err());
}

#[test]
fn globals_keep_their_type() {
    let mut store = Store::new(&Engine::default(), ());
    let global = Global::new(
        &mut store,
        GlobalType::new(ValType::F32, Mutability::Var),
        Val::from(1.5_f32),
    )
    .unwrap();
    global.set(&mut store, Val::from(2.5_f32)).unwrap();
    assert!(global.set(&mut store, Val::I32(1)).is_err());
    assert_eq!(global.get(&mut store).f32(), Some(2.5));
    let constant = Global::new(
        &mut store,
        GlobalType::new(ValType::I64, Mutability::Const),
        Val::I64(1),
    )
    .unwrap();
    assert!(constant.set(&mut store, Val::I64(2)).is_err());
    assert_eq!(
        constant.ty(&store),
        GlobalType::new(ValType::I64, Mutability::Const)
    );
    assert!(
        Global::new(
            &mut store,
            GlobalType::new(ValType::I64, Mutability::Const),
            Val::I32(1)
        )
        .is_err()
    );
}

#[test]
fn tables_hold_references_of_their_type() {
    let mut store = Store::new(&Engine::default(), ());
    let f = Func::wrap(&mut store, || 5);
    let e = ExternRef::new(&mut store, 5_u8).unwrap();
    let table = Table::new(
        &mut store,
        TableType::new(RefType::FUNCREF, 3, Some(5)),
        Ref::Func(None),
    )
    .unwrap();
    table.set(&mut store, 1, Ref::from(f)).unwrap();
    assert!(table.set(&mut store, 3, Ref::from(f)).is_err());
    assert!(table.set(&mut store, 0, Ref::from(e)).is_err());
    assert_eq!(table.get(&mut store, 1).unwrap().as_func(), Some(Some(&f)));
    assert!(table.get(&mut store, 3).is_none());
    assert!(table.get(&mut store, u64::MAX).is_none());
    assert_eq!(table.grow(&mut store, 2, Ref::from(f)).unwrap(), 3);
    assert!(table.grow(&mut store, 1, Ref::from(f)).is_err());
    assert!(!table.get(&mut store, 4).unwrap().is_null());
    table.fill(&mut store, 0, Ref::Func(None), 2).unwrap();
    assert!(table.fill(&mut store, 4, Ref::Func(None), 2).is_err());
    Table::copy(&mut store, &table, 0, &table, 3, 2).unwrap();
    assert!(Table::copy(&mut store, &table, 0, &table, 4, 2).is_err());
    assert!(!table.get(&mut store, 0).unwrap().is_null());
    assert_eq!(table.size(&store), 5);
}

#[test]
fn references_pass_through_guests() {
    on_both(|engine| {
        let module = Module::new(
            engine,
            r#"(module (import "" "same" (func $same (param externref funcref) (result externref funcref)))
                (table (export "t") 2 externref) (global (export "g") (mut externref) (ref.null extern))
                (func (export "f") (param externref funcref) (result externref funcref)
                    (table.set (i32.const 1) (local.get 0)) (global.set 0 (table.get (i32.const 1)))
                    (call $same (global.get 0) (local.get 1)))
                (func (export "is_null") (param externref funcref) (result i32 i32) (ref.is_null (local.get 0)) (ref.is_null (local.get 1))))"#,
        )
        .unwrap();
        let mut linker = Linker::new(engine);
        linker
            .func_wrap(
                "",
                "same",
                |_: Caller<'_, ()>, e: Option<Rooted<ExternRef>>, f: Option<Func>| (e, f),
            )
            .unwrap();
        let mut store = Store::new(engine, ());
        let i = linker.instantiate(&mut store, &module).unwrap();
        let e = ExternRef::new(&mut store, String::from("host")).unwrap();
        let g = Func::wrap(&mut store, || 9);
        type Refs = (Option<Rooted<ExternRef>>, Option<Func>);
        let f = i.get_typed_func::<Refs, Refs>(&mut store, "f").unwrap();
        let (e2, g2) = f.call(&mut store, (Some(e), Some(g))).unwrap();
        let text = format!(
            "{:?}",
            e2.unwrap()
                .data(&store)
                .unwrap()
                .unwrap()
                .downcast_ref::<String>()
        );
        assert_eq!(text, r#"Some("host")"#);
        assert_eq!(
            g2.unwrap()
                .typed::<(), i32>(&store)
                .unwrap()
                .call(&mut store, ())
                .unwrap(),
            9
        );
        assert!(matches!(
            f.call(&mut store, (None, None)).unwrap(),
            (None, None)
        ));
        let nulls = i
            .get_typed_func::<Refs, (i32, i32)>(&mut store, "is_null")
            .unwrap();
        assert_eq!(nulls.call(&mut store, (None, Some(g))).unwrap(), (1, 0));
        let Some(Extern::Global(global)) = i.get_export(&mut store, "g") else {
            panic!("a global")
        };
        assert!(matches!(global.get(&mut store), Val::ExternRef(None)));
        global.set(&mut store, Val::from(e)).unwrap();
        assert!(matches!(global.get(&mut store), Val::ExternRef(Some(_))));
    });
}

#[test]
fn exports_are_listed_in_order() {
    let engine = Engine::default();
    let (mut store, i) = instance(
        &engine,
        r#"(module (func (export "b")) (memory (export "a") 1) (global (export "c") i32 (i32.const 1)) (table (export "d") 1 funcref))"#,
    );
    let names: Vec<String> = i
        .exports(&mut store)
        .map(|e| e.name().to_string())
        .collect();
    assert_eq!(names, ["b", "a", "c", "d"]);
    assert!(i.get_memory(&mut store, "b").is_none());
    assert!(i.get_memory(&mut store, "a").is_some());
    assert!(i.get_table(&mut store, "d").is_some());
}

#[test]
fn a_store_that_is_moved_works_on() {
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module (memory (export "m") 1) (global (mut i32) (i32.const 1)) (func (export "f") (result i32) (global.set 0 (i32.add (global.get 0) (i32.const 1))) (i32.store (i32.const 0) (global.get 0)) (i32.load (i32.const 0))))"#,
        );
        let f = i.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 2);
        store.relocate().unwrap();
        let mut moved = std::thread::spawn(move || {
            assert_eq!(f.call(&mut store, ()).unwrap(), 3);
            store
        })
        .join()
        .unwrap();
        assert_eq!(i.get_memory(&mut moved, "m").unwrap().data(&moved)[0], 3);
    });
}

#[test]
fn what_is_shared_by_threads_is_send_and_sync() {
    fn both<T: Send + Sync>() {}
    both::<Engine>();
    both::<Module>();
    both::<Linker<()>>();
    both::<Store<()>>();
    both::<sheave_hostcalls::InstancePre<std::cell::Cell<u8>>>();
    fn send<T: Send>() {}
    send::<Store<std::cell::Cell<u8>>>();
    send::<sheave_hostcalls::InterruptHandle>();
    send::<sheave_hostcalls::Error>();
}
