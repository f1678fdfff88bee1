//! Continuations in the host's hands: their types, and references to them.

use super::{engines, instance};
use sheave_hostcalls::{
    Config, ContRef, ContType, Engine, Finality, Func, FuncType, Global, GlobalType, HeapType,
    Instance, Module, Mutability, OwnedRooted, Ref, RefType, RootScope, Rooted, Store, Table,
    TableType, Tag, TagType, Trap, Val, ValType,
};

fn on(config: &mut Config) {
    config.wasm_stack_switching(true).gc_stress(true);
}

/// `make` gives continuations that add their argument to that of `make`; `go` resumes one with 5.
const ADDERS: &str = r#"(module
    (type $add (func (param i32 i32) (result i32)))
    (type $kadd (cont $add))
    (type $f (func (param i32) (result i32)))
    (type $k (cont $f))
    (type $n (func))
    (type $other (cont $n))
    (global (export "g") (mut (ref null $k)) (ref.null $k))
    (table (export "t") 2 (ref null cont))
    (elem declare func $sum $nothing)
    (func $sum (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func $nothing)
    (func (export "make") (param i32) (result (ref $k))
      (cont.bind $kadd $k (local.get 0) (cont.new $kadd (ref.func $sum))))
    (func (export "other") (result (ref cont)) (cont.new $other (ref.func $nothing)))
    (func (export "go") (param (ref null $k)) (result i32)
      (resume $k (i32.const 5) (local.get 0)))
    (func (export "same") (param contref) (result contref) (local.get 0)))"#;

#[test]
fn continuation_types_have_a_place_among_the_others() {
    let engine = Engine::default();
    let wide = FuncType::with_finality_and_supertype(
        &engine,
        Finality::NonFinal,
        None,
        [],
        [ValType::ANYREF],
    )
    .unwrap();
    let narrow = FuncType::with_finality_and_supertype(
        &engine,
        Finality::Final,
        Some(&wide),
        [],
        [ValType::EQREF],
    )
    .unwrap();
    let make = |finality, above: Option<&ContType>, ty: &FuncType| {
        ContType::with_finality_and_supertype(&engine, finality, above, ty.clone())
    };
    let above = make(Finality::NonFinal, None, &wide).unwrap();
    let below = make(Finality::Final, Some(&above), &narrow).unwrap();
    assert!(below.matches(&above) && !above.matches(&below));
    assert_eq!(below.supertype(), Some(above.clone()));
    assert!(make(Finality::Final, Some(&below), &narrow).is_err());
    let alone = ContType::new(&engine, narrow.clone()).unwrap();
    assert!(alone != below && !alone.matches(&above));
    assert_eq!(alone, ContType::new(&engine, narrow.clone()).unwrap());
    assert_eq!(alone.func_type(), narrow);
    let narrowest = make(Finality::NonFinal, None, &narrow).unwrap();
    assert!(make(Finality::Final, Some(&narrowest), &wide).is_err());

    let heap = HeapType::from(below);
    assert!(heap.matches(&HeapType::Cont) && HeapType::NoCont.matches(&heap));
    assert!(!heap.matches(&HeapType::Any) && !HeapType::None.matches(&heap));
    assert_eq!(
        (heap.top(), heap.bottom()),
        (HeapType::Cont, HeapType::NoCont)
    );
    assert!(RefType::NULLCONTREF.matches(&RefType::CONTREF));
    assert_eq!(ValType::NULLCONTREF.to_string(), "nullcontref");
    assert_eq!(ValType::CONTREF.to_string(), "contref");
    let of_another = FuncType::new(&Engine::default(), [], []);
    assert!(ContType::new(&engine, of_another).is_err());
}

#[test]
fn a_tag_has_results_only_where_there_is_stack_switching() {
    let tag = |engine: &Engine| {
        let ty = TagType::new(FuncType::new(engine, [ValType::I32], [ValType::I64]));
        Tag::new(&mut Store::new(engine, ()), &ty)
    };
    let error = tag(&Engine::default()).unwrap_err().to_string();
    assert!(error.contains("stack switching"), "{error}");
    for engine in engines(on) {
        tag(&engine).unwrap();
        let module = r#"(module (import "" "t" (tag (param i32) (result i64))))"#;
        let module = Module::new(&engine, module).unwrap();
        let mut store = Store::new(&engine, ());
        let ty = module.imports().next().unwrap().ty().unwrap_tag().clone();
        let tag = Tag::new(&mut store, &ty).unwrap();
        Instance::new(&mut store, &module, &[tag.into()]).unwrap();
        let none = TagType::new(FuncType::new(&engine, [ValType::I32], []));
        let other = Tag::new(&mut store, &none).unwrap();
        assert!(Instance::new(&mut store, &module, &[other.into()]).is_err());
    }
}

#[test]
fn continuations_go_in_and_out_and_are_kept_alive() {
    for engine in engines(on) {
        let (mut store, instance) = instance(&engine, ADDERS);
        let make = instance
            .get_typed_func::<i32, Rooted<ContRef>>(&mut store, "make")
            .unwrap();
        let go = instance
            .get_typed_func::<Option<Rooted<ContRef>>, i32>(&mut store, "go")
            .unwrap();
        let kept: Vec<_> = (0..3).map(|i| make.call(&mut store, i).unwrap()).collect();
        store.gc(None).unwrap();
        for (i, cont) in (0..).zip(kept) {
            let ty = cont.ty(&store).unwrap();
            assert_eq!(ty.func_type().params().len(), 1);
            assert!(cont.matches_ty(&store, &HeapType::Cont).unwrap());
            assert!(cont.matches_ty(&store, &ty.clone().into()).unwrap());
            assert_eq!(go.call(&mut store, Some(cont)).unwrap(), 5 + i);
            // It is still one, but used.
            assert_eq!(cont.ty(&store).unwrap(), ty);
            let error = go.call(&mut store, Some(cont)).unwrap_err();
            assert_eq!(
                error.downcast_ref::<Trap>(),
                Some(&Trap::ContinuationConsumed)
            );
        }
        let error = go.call(&mut store, None).unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::NullReference));
    }
}

#[test]
fn handles_of_continuations_end_with_their_scope_or_when_they_are_dropped() {
    for engine in engines(on) {
        let (mut store, instance) = instance(&engine, ADDERS);
        let make = instance
            .get_typed_func::<i32, OwnedRooted<ContRef>>(&mut store, "make")
            .unwrap();
        let go = instance
            .get_typed_func::<OwnedRooted<ContRef>, i32>(&mut store, "go")
            .unwrap();
        let owned = make.call(&mut store, 7).unwrap();
        let outlived = {
            let mut scope = RootScope::new(&mut store);
            owned.to_rooted(&mut scope)
        };
        assert!(outlived.ty(&store).is_err());
        let rooted = owned.to_rooted(&mut store);
        drop(owned);
        store.gc(None).unwrap();
        let owned = rooted.to_owned_rooted(&mut store).unwrap();
        assert_eq!(go.call(&mut store, owned).unwrap(), 12);
    }
}

#[test]
fn a_continuation_of_another_type_or_store_is_refused() {
    for engine in engines(on) {
        let (mut store, first) = instance(&engine, ADDERS);
        let get = |store: &mut Store<()>, name| first.get_func(store, name).unwrap();
        let (other, go) = (get(&mut store, "other"), get(&mut store, "go"));
        let mut results = [Val::null_ref(&HeapType::Cont)];
        other.call(&mut store, &[], &mut results).unwrap();
        let cont = results[0];
        assert!(cont.unwrap_contref().is_some() && cont.contref().is_some());
        assert!(cont.matches_ty(&store, &ValType::CONTREF).unwrap());
        assert!(!cont.matches_ty(&store, &ValType::NULLCONTREF).unwrap());
        assert!(!cont.matches_ty(&store, &ValType::ANYREF).unwrap());
        assert!(cont.ty(&store).unwrap().matches(&ValType::CONTREF));
        let mut results = [Val::I32(0)];
        assert!(go.call(&mut store, &[cont], &mut results).is_err());
        let null = Val::null_ref(&HeapType::NoCont);
        assert!(matches!(null, Val::ContRef(None)));
        let exn = Val::null_ref(&HeapType::Exn);
        assert!(go.call(&mut store, &[exn], &mut results).is_err());

        let (mut elsewhere, second) = instance(&engine, ADDERS);
        let same = second.get_func(&mut elsewhere, "same").unwrap();
        assert!(same.call(&mut elsewhere, &[cont], &mut results).is_err());
    }
}

#[test]
fn tables_and_globals_of_continuations_are_the_hosts_too() {
    for engine in engines(on) {
        let (mut store, instance) = instance(&engine, ADDERS);
        let make = instance
            .get_typed_func::<i32, Rooted<ContRef>>(&mut store, "make")
            .unwrap();
        let go = instance
            .get_typed_func::<Option<Rooted<ContRef>>, i32>(&mut store, "go")
            .unwrap();
        let global = instance.get_global(&mut store, "g").unwrap();
        let table = instance.get_table(&mut store, "t").unwrap();
        assert!(table.ty(&store).element().matches(&RefType::CONTREF));
        let cont = make.call(&mut store, 1).unwrap();
        global.set(&mut store, cont.into()).unwrap();
        table.set(&mut store, 1, cont.into()).unwrap();
        table.grow(&mut store, 1, cont.into()).unwrap();
        assert!(global.set(&mut store, Val::null_any_ref()).is_err());
        assert!(table.set(&mut store, 0, Ref::Exn(None)).is_err());
        store.gc(None).unwrap();
        let again = *global.get(&mut store).unwrap_contref().unwrap();
        assert!(Rooted::ref_eq(&store, &again, &cont).unwrap());
        for at in 1..3 {
            let entry = table.get(&mut store, at).unwrap();
            let entry = *entry.unwrap_cont().unwrap();
            assert!(entry.matches_ty(&store, &HeapType::Cont).unwrap());
            assert!(Rooted::ref_eq(&store, &entry, &cont).unwrap());
        }
        assert_eq!(go.call(&mut store, Some(again)).unwrap(), 6);
        // Of the host's own making.
        let ty = HeapType::from(again.ty(&store).unwrap());
        let ty = RefType::new(true, ty);
        let global = GlobalType::new(ty.clone().into(), Mutability::Const);
        let global = Global::new(&mut store, global, again.into()).unwrap();
        assert!(global.get(&mut store).unwrap_contref().is_some());
        let table = TableType::new(ty, 3, None);
        let table = Table::new(&mut store, table, Ref::Cont(None)).unwrap();
        let entry = table.get(&mut store, 2).unwrap();
        assert!(entry.is_cont() && entry.is_null());
    }
}

#[test]
fn a_host_function_takes_and_gives_continuations() {
    for engine in engines(on) {
        let module = Module::new(
            &engine,
            r#"(module
                (type $f (func (result i32)))
                (type $k (cont $f))
                (import "" "swap" (func $swap (param contref contref) (result contref contref)))
                (import "" "none" (func $none (result (ref null $k))))
                (elem declare func $one)
                (func $one (result i32) (i32.const 1))
                (func (export "run") (result i32)
                  (call $swap (ref.null cont) (cont.new $k (ref.func $one)))
                  (i32.sub (ref.is_null) (i32.const 1))
                  (drop)
                  (i32.add (ref.is_null) (i32.mul (i32.const 10) (ref.is_null (call $none))))))"#,
        )
        .unwrap();
        let mut store = Store::new(&engine, ());
        type Pair = (Option<Rooted<ContRef>>, Option<Rooted<ContRef>>);
        let swap = Func::wrap(
            &mut store,
            |a: Option<Rooted<ContRef>>, b: Option<Rooted<ContRef>>| -> Pair { (b, a) },
        );
        let ty = module.imports().nth(1).unwrap().ty().unwrap_func().clone();
        let none = Func::new(&mut store, ty, |_, _, results| {
            results[0] = Val::null_ref(&HeapType::NoCont);
            Ok(())
        });
        let instance = Instance::new(&mut store, &module, &[swap.into(), none.into()]).unwrap();
        let run = instance
            .get_typed_func::<(), i32>(&mut store, "run")
            .unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 10);
    }
}
