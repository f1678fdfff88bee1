//! Handles of garbage-collected values: how long they are good, and what they keep alive.

use std::sync::{Arc, Mutex};

use sheave_hostcalls::{
    AnyRef, AsContextMut, Caller, Config, Engine, ExternRef, FieldType, Func, Global, GlobalType,
    Mutability, OwnedRooted, Ref, RefType, RootScope, Rooted, StorageType, Store, StructRef,
    StructRefPre, StructType, Table, TableType, Val, ValType,
};

fn store() -> Store<()> {
    Store::new(&Engine::default(), ())
}

/// A host value, and what tells whether it is still there.
fn token() -> (Arc<()>, impl Fn(&Arc<()>) -> bool) {
    (Arc::new(()), |t: &Arc<()>| Arc::strong_count(t) > 1)
}

fn var(ty: ValType) -> FieldType {
    FieldType::new(Mutability::Var, StorageType::ValType(ty))
}

const UNROOTED: &str = "attempted to use a garbage-collected object that has been unrooted";

#[test]
fn a_handle_is_of_no_use_after_its_scope() {
    let mut store = store();
    let inner = {
        let mut scope = RootScope::new(&mut store);
        let e = ExternRef::new(&mut scope, 5_u8).unwrap();
        assert!(e.data(&scope).unwrap().is_some());
        e
    };
    let error = inner.data(&store).unwrap_err();
    assert_eq!(error.to_string(), UNROOTED);
    // Another handle is where it was, and it still leads nowhere.
    let other = ExternRef::new(&mut store, 6_u8).unwrap();
    assert!(inner.data(&store).is_err());
    assert!(Rooted::ref_eq(&store, &inner, &other).is_err());
    assert!(inner.to_owned_rooted(&mut store).is_err());
    let f = Func::wrap(&mut store, |_: Option<Rooted<ExternRef>>| {});
    let error = f.call(&mut store, &[Val::from(inner)], &mut []);
    assert_eq!(error.unwrap_err().to_string(), UNROOTED);
}

#[test]
fn scopes_nest() {
    let mut store = store();
    let mut outer = RootScope::new(&mut store);
    let a = ExternRef::new(&mut outer, 1_u8).unwrap();
    let b = {
        let mut inner = RootScope::new(&mut outer);
        assert!(a.data(&inner).is_ok());
        ExternRef::new(&mut inner, 2_u8).unwrap()
    };
    assert!(a.data(&outer).is_ok() && b.data(&outer).is_err());
}

#[test]
fn each_call_of_a_host_function_is_a_scope() {
    let mut store = Store::new(&Engine::default(), None::<Rooted<ExternRef>>);
    let keep = |mut caller: Caller<'_, Option<Rooted<ExternRef>>>, e: Option<Rooted<ExternRef>>| {
        assert!(e.unwrap().data(&caller).unwrap().is_some());
        *caller.data_mut() = e;
        e
    };
    let f = Func::wrap(&mut store, keep);
    let e = ExternRef::new(&mut store, 5_u8).unwrap();
    let mut results = [Val::I32(0)];
    f.call(&mut store, &[Val::from(e)], &mut results).unwrap();
    let kept = store.data().unwrap();
    assert!(kept.data(&store).is_err());
    let returned = results[0].unwrap_externref().unwrap();
    assert!(Rooted::ref_eq(&store, &e, returned).unwrap());
    assert!(!Rooted::rooted_eq(e, *returned));
}

#[test]
fn a_scope_ends_also_when_the_host_function_fails_or_panics() {
    let mut store = Store::new(&Engine::default(), None::<Rooted<ExternRef>>);
    let make = |mut caller: Caller<'_, Option<Rooted<ExternRef>>>, panics: i32| {
        let e = ExternRef::new(&mut caller, 5_u8)?;
        *caller.data_mut() = Some(e);
        assert!(panics == 0, "as wanted");
        Err::<(), _>(sheave_hostcalls::format_err!("fails"))
    };
    let f = Func::wrap(&mut store, make);
    let f = f.typed::<i32, ()>(&store).unwrap();
    for panics in [0, 1] {
        let call = || f.call(&mut store, panics);
        let result = std::panic::catch_unwind(core::panic::AssertUnwindSafe(call));
        assert_eq!(result.is_err(), panics == 1);
        let made = store.data_mut().take().unwrap();
        assert!(made.data(&store).is_err());
    }
}

#[test]
fn owned_handles_are_good_as_long_as_they_live() {
    let mut store = store();
    let (value, is_alive) = token();
    let owned = {
        let mut scope = RootScope::new(&mut store);
        let e = ExternRef::new(&mut scope, Arc::clone(&value)).unwrap();
        e.to_owned_rooted(&mut scope).unwrap()
    };
    store.gc(None).unwrap();
    assert!(owned.data(&store).unwrap().unwrap().is::<Arc<()>>());
    let second = owned.clone();
    drop(owned);
    store.gc(None).unwrap();
    assert!(is_alive(&value));
    {
        let mut scope = RootScope::new(&mut store);
        let rooted = second.to_rooted(&mut scope);
        assert!(OwnedRooted::ref_eq(&scope, &second, &rooted).unwrap());
        drop(second);
        scope.as_context_mut().gc(None).unwrap();
        assert!(rooted.data(&scope).unwrap().is_some());
    }
    store.gc(None).unwrap();
    assert!(!is_alive(&value));
}

#[test]
fn owned_handles_may_be_dropped_after_the_store_and_on_another_thread() {
    let mut store = store();
    let e = ExternRef::new(&mut store, 5_u8).unwrap();
    let owned = e.to_owned_rooted(&mut store).unwrap();
    let other = owned.clone();
    std::thread::spawn(move || drop(other)).join().unwrap();
    drop(store);
    drop(owned);
}

#[test]
fn a_narrower_view_of_an_owned_handle_ends_with_it() {
    let mut store = store();
    let ty = StructType::new(store.engine(), []).unwrap();
    let pre = StructRefPre::new(&mut store, ty);
    let s = StructRef::new(&mut store, &pre, &[]).unwrap();
    let owned = s.to_anyref().to_owned_rooted(&mut store).unwrap();
    let view = owned.as_struct(&store).unwrap().unwrap();
    assert!(view.ty(&store).is_ok());
    drop(owned);
    store.gc(None).unwrap();
    assert_eq!(view.ty(&store).unwrap_err().to_string(), UNROOTED);
}

#[test]
#[should_panic(expected = "object used with the wrong store")]
fn a_handle_used_with_another_store_is_a_panic() {
    let (mut a, b) = (store(), store());
    let e = ExternRef::new(&mut a, 5_u8).unwrap();
    let _ = e.data(&b);
}

#[test]
fn a_handle_of_another_store_is_no_argument() {
    let (mut a, mut b) = (store(), store());
    let e = ExternRef::new(&mut a, 5_u8).unwrap();
    let f = Func::wrap(&mut b, |_: Option<Rooted<ExternRef>>| {});
    assert!(f.call(&mut b, &[Val::from(e)], &mut []).is_err());
    let typed = f.typed::<Option<Rooted<ExternRef>>, ()>(&b).unwrap();
    assert!(typed.call(&mut b, Some(e)).is_err());
    let ty = GlobalType::new(ValType::EXTERNREF, Mutability::Var);
    assert!(Global::new(&mut b, ty, Val::from(e)).is_err());
}

#[test]
fn a_host_value_is_dropped_when_nobody_holds_it() {
    let mut store = store();
    let (value, is_alive) = token();
    {
        let mut scope = RootScope::new(&mut store);
        ExternRef::new(&mut scope, Arc::clone(&value)).unwrap();
        scope.as_context_mut().gc(None).unwrap();
        assert!(is_alive(&value));
    }
    assert!(is_alive(&value));
    store.gc(None).unwrap();
    assert!(!is_alive(&value));
}

#[test]
fn tables_and_globals_hold_host_values() {
    let mut store = store();
    let (value, is_alive) = token();
    let table = TableType::new(RefType::EXTERNREF, 1, None);
    let table = Table::new(&mut store, table, Ref::Extern(None)).unwrap();
    let global = GlobalType::new(ValType::EXTERNREF, Mutability::Var);
    let global = Global::new(&mut store, global, Val::null_extern_ref()).unwrap();
    {
        let mut scope = RootScope::new(&mut store);
        let e = ExternRef::new(&mut scope, Arc::clone(&value)).unwrap();
        table.set(&mut scope, 0, Ref::from(e)).unwrap();
    }
    store.gc(None).unwrap();
    assert!(is_alive(&value));
    {
        let mut scope = RootScope::new(&mut store);
        let e = table.get(&mut scope, 0).unwrap();
        global.set(&mut scope, Val::from(e)).unwrap();
        table.set(&mut scope, 0, Ref::Extern(None)).unwrap();
    }
    store.gc(None).unwrap();
    assert!(is_alive(&value));
    global.set(&mut store, Val::null_extern_ref()).unwrap();
    store.gc(None).unwrap();
    assert!(!is_alive(&value));
}

#[test]
fn a_cycle_that_nobody_holds_is_reclaimed() {
    let mut store = store();
    let (value, is_alive) = token();
    let fields = [var(ValType::ANYREF), var(ValType::EXTERNREF)];
    let ty = StructType::new(store.engine(), fields).unwrap();
    let pre = StructRefPre::new(&mut store, ty);
    let owned = {
        let mut scope = RootScope::new(&mut store);
        let e = ExternRef::new(&mut scope, Arc::clone(&value)).unwrap();
        let a = StructRef::new(&mut scope, &pre, &[Val::AnyRef(None), Val::from(e)]).unwrap();
        let b = StructRef::new(&mut scope, &pre, &[Val::from(a), Val::ExternRef(None)]).unwrap();
        a.set_field(&mut scope, 0, Val::from(b)).unwrap();
        b.to_owned_rooted(&mut scope).unwrap()
    };
    store.gc(None).unwrap();
    assert!(is_alive(&value));
    let b = owned.to_rooted(&mut store);
    let a = b.field(&mut store, 0).unwrap();
    let a = a.unwrap_anyref().unwrap().unwrap_struct(&store).unwrap();
    assert!(a.field(&mut store, 1).unwrap().unwrap_externref().is_some());
    drop((store, owned));
    assert!(!is_alive(&value));

    let mut store = Store::new(&Engine::default(), ());
    let ty = StructType::new(
        store.engine(),
        [var(ValType::ANYREF), var(ValType::EXTERNREF)],
    );
    let pre = StructRefPre::new(&mut store, ty.unwrap());
    {
        let mut scope = RootScope::new(&mut store);
        let e = ExternRef::new(&mut scope, Arc::clone(&value)).unwrap();
        let a = StructRef::new(&mut scope, &pre, &[Val::AnyRef(None), Val::from(e)]).unwrap();
        a.set_field(&mut scope, 0, Val::from(a)).unwrap();
    }
    assert!(is_alive(&value));
    store.gc(None).unwrap();
    assert!(!is_alive(&value));
}

/// What happens in here happens while the store is in the middle of a collection's aftermath: it must find all in order.
#[test]
fn a_host_value_may_do_what_it_likes_when_it_is_dropped() {
    struct Noisy(Arc<Mutex<Vec<u32>>>, u32);
    impl Drop for Noisy {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(self.1);
            let mut other = Store::new(&Engine::default(), ());
            let e = ExternRef::new(&mut other, self.1).unwrap();
            assert!(e.data(&other).unwrap().is_some());
        }
    }
    let dropped = Arc::new(Mutex::new(Vec::new()));
    let mut store = store();
    {
        let mut scope = RootScope::new(&mut store);
        for i in 0..3 {
            ExternRef::new(&mut scope, Noisy(Arc::clone(&dropped), i)).unwrap();
        }
    }
    store.gc(None).unwrap();
    let mut all = dropped.lock().unwrap().clone();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2]);
}

#[test]
fn indices_of_dead_host_values_are_used_again() {
    let mut config = Config::new();
    config.gc_stress(true);
    let mut store = Store::new(&Engine::new(&config).unwrap(), ());
    for i in 0..20_u32 {
        let mut scope = RootScope::new(&mut store);
        let e = ExternRef::new(&mut scope, i).unwrap();
        let data = e.data_mut(&mut scope).unwrap().unwrap();
        *data.downcast_mut::<u32>().unwrap() += 1;
        assert_eq!(
            e.data(&scope).unwrap().unwrap().downcast_ref::<u32>(),
            Some(&(i + 1))
        );
    }
}

#[test]
fn a_reference_that_went_out_and_in_again_is_the_same() {
    let mut store = store();
    let e = ExternRef::new(&mut store, 5_u8).unwrap();
    let inside = AnyRef::convert_extern(&mut store, e).unwrap();
    assert!(!inside.is_eqref(&store).unwrap());
    let outside = ExternRef::convert_any(&mut store, inside).unwrap();
    assert!(Rooted::ref_eq(&store, &e, &outside).unwrap());
    let ty = StructType::new(store.engine(), []).unwrap();
    let pre = StructRefPre::new(&mut store, ty);
    let s = StructRef::new(&mut store, &pre, &[]).unwrap();
    let outside = ExternRef::convert_any(&mut store, s.to_anyref()).unwrap();
    assert!(outside.data(&store).unwrap().is_none());
}
