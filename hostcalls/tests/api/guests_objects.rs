//! Garbage-collected values on their way between guests and the host, with a collection at every allocation.

use std::sync::Arc;

use super::on_both_with;
use sheave_hostcalls::{
    AnyRef, ArrayRef, AsContextMut, Caller, Config, Engine, Error, ExternRef, FieldType, Func,
    HeapType, I31, Instance, Linker, Module, Mutability, Ref, RefType, RootScope, Rooted,
    StorageType, Store, StructRef, StructRefPre, StructType, Val, ValType,
};

fn in_stress(test: impl Fn(&Engine)) {
    let settings = |config: &mut Config| {
        config.gc_stress(true);
    };
    on_both_with(settings, test);
}

fn pair(engine: &Engine) -> StructType {
    let field = |ty| FieldType::new(Mutability::Var, StorageType::ValType(ty));
    StructType::new(engine, [field(ValType::I32), field(ValType::ANYREF)]).unwrap()
}

#[test]
fn what_a_guest_holds_survives_collections_of_the_host() {
    in_stress(|engine| {
        let module = r#"(module (type $pair (struct (field (mut i32)) (field (mut anyref))))
            (import "" "collect" (func $collect))
            (func $inner (param $n i32) (param $p (ref $pair)) (result i32)
                (if (i32.eqz (local.get $n)) (then (call $collect) (return (struct.get $pair 0 (local.get $p)))))
                (i32.add
                    (call $inner (i32.sub (local.get $n) (i32.const 1)) (struct.new $pair (local.get $n) (local.get $p)))
                    (struct.get $pair 0 (local.get $p))))
            (func (export "f") (result i32)
                (call $inner (i32.const 4) (struct.new $pair (i32.const 100) (ref.null any)))))"#;
        let module = Module::new(engine, module).unwrap();
        let mut linker = Linker::new(engine);
        let collect = |mut caller: Caller<'_, ()>| caller.gc(None);
        linker.func_wrap("", "collect", collect).unwrap();
        let mut store = Store::new(engine, ());
        let i = linker.instantiate(&mut store, &module).unwrap();
        let f = i.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 100 + 4 + 3 + 2 + 1);
    });
}

#[test]
fn a_host_function_gives_what_it_made() {
    in_stress(|engine| {
        let module = r#"(module (type $pair (struct (field (mut i32)) (field (mut anyref))))
            (import "" "make" (func $make (param i32 anyref) (result structref)))
            (func (export "f") (result i32) (local $p (ref $pair))
                (local.set $p (ref.cast (ref $pair)
                    (call $make (i32.const 7) (struct.new $pair (i32.const 8) (ref.i31 (i32.const 9))))))
                (drop (struct.new_default $pair))
                (i32.add (struct.get $pair 0 (local.get $p))
                    (struct.get $pair 0 (ref.cast (ref $pair) (struct.get $pair 1 (local.get $p)))))))"#;
        let module = Module::new(engine, module).unwrap();
        let mut store = Store::new(engine, ());
        let pre = StructRefPre::new(&mut store, pair(engine));
        let make = move |mut caller: Caller<'_, ()>, n: i32, inner: Option<Rooted<AnyRef>>| {
            let values = [Val::I32(n), Val::AnyRef(inner)];
            // The first is garbage at once.
            StructRef::new(&mut caller, &pre, &values)?;
            Ok::<_, Error>(Some(StructRef::new(&mut caller, &pre, &values)?))
        };
        let make = Func::wrap(&mut store, make);
        let i = Instance::new(&mut store, &module, &[make.into()]).unwrap();
        let f = i.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 15);
    });
}

#[test]
fn the_hosts_types_are_the_guests() {
    in_stress(|engine| {
        let module = r#"(module (type $pair (struct (field (mut i32)) (field (mut anyref))))
            (global (export "g") (mut (ref null $pair)) (struct.new $pair (i32.const 5) (ref.i31 (i32.const 6))))
            (table (export "t") 2 (ref null $pair))
            (func (export "first") (param (ref $pair)) (result i32) (struct.get $pair 0 (local.get 0)))
            (func (export "same") (param eqref eqref) (result i32) (ref.eq (local.get 0) (local.get 1))))"#;
        let module = Module::new(engine, module).unwrap();
        let mut store = Store::new(engine, ());
        let i = Instance::new(&mut store, &module, &[]).unwrap();
        let global = i.get_global(&mut store, "g").unwrap();
        let ty = RefType::new(true, HeapType::ConcreteStruct(pair(engine)));
        assert_eq!(*global.ty(&store).content(), ValType::Ref(ty.clone()));
        let value = global.get(&mut store);
        let p = value
            .unwrap_anyref()
            .unwrap()
            .unwrap_struct(&store)
            .unwrap();
        assert!(p.matches_ty(&store, &pair(engine)).unwrap());
        let inner = p.field(&mut store, 1).unwrap();
        let inner = inner.unwrap_anyref().unwrap().unwrap_i31(&store).unwrap();
        assert_eq!(inner, I31::wrapping_u32(6));
        // What is of another type is refused wherever it could come in.
        let other = StructType::new(engine, []).unwrap();
        let pre = StructRefPre::new(&mut store, other);
        let other = StructRef::new(&mut store, &pre, &[]).unwrap();
        assert!(global.set(&mut store, Val::from(other)).is_err());
        let table = i.get_table(&mut store, "t").unwrap();
        assert_eq!(*table.ty(&store).element(), ty);
        assert!(table.set(&mut store, 0, Ref::from(other)).is_err());
        table.set(&mut store, 1, Ref::from(p)).unwrap();
        let first = i.get_func(&mut store, "first").unwrap();
        let mut results = [Val::I32(0)];
        assert!(
            first
                .call(&mut store, &[Val::from(other)], &mut results)
                .is_err()
        );
        assert!(
            first
                .call(&mut store, &[Val::AnyRef(None)], &mut results)
                .is_err()
        );
        first
            .call(&mut store, &[Val::from(p)], &mut results)
            .unwrap();
        assert_eq!(results[0].unwrap_i32(), 5);
        type Two = (Option<Rooted<AnyRef>>, Option<Rooted<AnyRef>>);
        let same = i.get_typed_func::<Two, i32>(&mut store, "same").unwrap();
        let again = table.get(&mut store, 1).unwrap();
        let again = *again.unwrap_any().unwrap();
        assert_eq!(
            same.call(&mut store, (Some(again), Some(p.to_anyref())))
                .unwrap(),
            1
        );
        let host = ExternRef::new(&mut store, 5_u8).unwrap();
        let host = AnyRef::convert_extern(&mut store, host).unwrap();
        assert!(same.call(&mut store, (Some(again), Some(host))).is_err());
    });
}

#[test]
fn garbage_of_a_guest_takes_the_hosts_values_along() {
    in_stress(|engine| {
        let module = r#"(module (type $node (struct (field (mut (ref null $node))) (field externref)))
            (global $kept (mut (ref null $node)) (ref.null $node))
            (func (export "ring") (param externref) (local $a (ref $node)) (local $b (ref $node))
                (local.set $a (struct.new $node (ref.null $node) (local.get 0)))
                (local.set $b (struct.new $node (local.get $a) (local.get 0)))
                (struct.set $node 0 (local.get $a) (local.get $b))
                (global.set $kept (local.get $b)))
            (func (export "let_go") (global.set $kept (ref.null $node))))"#;
        let module = Module::new(engine, module).unwrap();
        let mut store = Store::new(engine, ());
        let i = Instance::new(&mut store, &module, &[]).unwrap();
        let value = Arc::new(());
        {
            let mut scope = RootScope::new(&mut store);
            let e = ExternRef::new(&mut scope, Arc::clone(&value)).unwrap();
            let ring = i.get_typed_func::<_, ()>(&mut scope, "ring").unwrap();
            ring.call(&mut scope, Some(e)).unwrap();
        }
        store.gc(None).unwrap();
        assert_eq!(Arc::strong_count(&value), 2);
        let let_go = i.get_typed_func::<(), ()>(&mut store, "let_go").unwrap();
        let_go.call(&mut store, ()).unwrap();
        store.as_context_mut().gc(None).unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
#[cfg_attr(miri, ignore = "fills much memory")]
fn the_limiter_is_asked_before_the_heap_grows() {
    use sheave_hostcalls::{GcHeapOutOfMemory, StoreLimitsBuilder, Trap};
    in_stress(|engine| {
        let module = r#"(module (type $bytes (array i8))
            (func (export "f") (param i32) (result (ref $bytes)) (array.new_default $bytes (local.get 0))))"#;
        let module = Module::new(engine, module).unwrap();
        let limits = StoreLimitsBuilder::new().memory_size(1 << 17).build();
        let mut store = Store::new(engine, limits);
        store.limiter(|limits| limits);
        let i = Instance::new(&mut store, &module, &[]).unwrap();
        let f = i
            .get_typed_func::<i32, Rooted<ArrayRef>>(&mut store, "f")
            .unwrap();
        {
            let mut scope = RootScope::new(&mut store);
            let small = f.call(&mut scope, 1000).unwrap();
            assert_eq!(small.len(&scope).unwrap(), 1000);
        }
        let error = f.call(&mut store, 1 << 20).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::GcHeapOutOfMemory));
        for _ in 0..4 {
            let mut scope = RootScope::new(&mut store);
            f.call(&mut scope, 60_000).unwrap();
        }
        let ty = f.call(&mut store, 0).unwrap().ty(&store).unwrap();
        let pre = sheave_hostcalls::ArrayRefPre::new(&mut store, ty);
        let error = ArrayRef::new(&mut store, &pre, &Val::I32(0), 1 << 20).unwrap_err();
        assert!(error.downcast_ref::<GcHeapOutOfMemory<()>>().is_some());
    });
}

#[test]
#[cfg_attr(miri, ignore = "fills much memory")]
fn the_limiter_is_asked_for_what_constant_expressions_allocate() {
    use sheave_hostcalls::StoreLimitsBuilder;
    in_stress(|engine| {
        let module = r#"(module (type $bytes (array i8))
            (global (ref $bytes) (array.new_default $bytes (i32.const 300000))))"#;
        let module = Module::new(engine, module).unwrap();
        for (limit, fits) in [(1 << 17, false), (1 << 20, true)] {
            let limits = StoreLimitsBuilder::new().memory_size(limit).build();
            let mut store = Store::new(engine, limits);
            store.limiter(|limits| limits);
            assert_eq!(Instance::new(&mut store, &module, &[]).is_ok(), fits);
            assert!(store.gc_heap_capacity() >= 300_000);
        }
    });
}

#[test]
fn the_collector_tells_what_it_has_done() {
    let mut store = Store::new(&Engine::default(), ());
    assert_eq!(
        (store.gc_heap_capacity(), store.gc_stats().collections),
        (0, 0)
    );
    let e = ExternRef::new(&mut store, 5_u8).unwrap();
    store.gc(None).unwrap();
    let stats = store.gc_stats();
    assert_eq!((stats.collections, stats.live_objects), (1, 1));
    assert!(store.gc_heap_capacity() > 0 && e.data(&store).is_ok());
}
