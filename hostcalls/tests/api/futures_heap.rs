//! Async host functions amid exceptions, garbage-collected objects and other instances.

use super::futures::{block_on, dropped_after, pending};
use super::{on_both, on_both_with};
use sheave_hostcalls::{
    AnyRef, Caller, Engine, Error, ExnRef, ExnRefPre, ExnType, ExternRef, Func, I31, Instance,
    Linker, Module, Rooted, Store, Tag, ThrownException, Val,
};

#[test]
fn an_exception_thrown_after_a_wait_is_caught_where_the_call_is() {
    on_both(|engine| {
        let text = r#"(module
            (tag $t (import "" "t") (param i32))
            (import "" "f" (func $f (param i32)))
            (func (export "caught") (param i32) (result i32)
                (block $h (result i32)
                    (try_table (catch $t $h) (call $f (local.get 0)))
                    (i32.const -1)))
            (func $tail (param i32)
                (try_table (catch_all 0) (return_call $f (local.get 0))))
            (func (export "caught-behind-a-tail-call") (param i32) (result i32)
                (block $h (result i32)
                    (try_table (catch $t $h) (call $tail (local.get 0)))
                    (i32.const -1)))
            (func (export "uncaught") (param i32) (call $f (local.get 0))))"#;
        let module = Module::new(engine, text).unwrap();
        let mut store = Store::new(engine, ());
        let ty = module.imports().next().unwrap().ty().unwrap_tag().clone();
        let tag = Tag::new(&mut store, &ty).unwrap();
        let f = Func::wrap_async(
            &mut store,
            move |mut caller: Caller<'_, ()>, (n,): (i32,)| {
                Box::new(async move {
                    pending(2).await;
                    if n == 0 {
                        return Ok::<_, Error>(());
                    }
                    let ty = ExnType::from_tag_type(&tag.ty(&caller))?;
                    let pre = ExnRefPre::new(&mut caller, ty);
                    let exn = ExnRef::new(&mut caller, &pre, &tag, &[Val::I32(n * 2)])?;
                    caller.throw(exn)
                })
            },
        );
        let instance = Instance::new(&mut store, &module, &[tag.into(), f.into()]).unwrap();
        for name in ["caught", "caught-behind-a-tail-call"] {
            let caught = instance.get_typed_func::<i32, i32>(&mut store, name);
            let caught = caught.unwrap();
            assert_eq!(block_on(caught.call_async(&mut store, 5)).unwrap(), 10);
            assert_eq!(block_on(caught.call_async(&mut store, 0)).unwrap(), -1);
            dropped_after(caught.call_async(&mut store, 5), 2);
        }
        let uncaught = instance.get_typed_func::<i32, ()>(&mut store, "uncaught");
        let error = block_on(uncaught.unwrap().call_async(&mut store, 3)).unwrap_err();
        assert!(error.is::<ThrownException>());
        let exn = store.take_pending_exception().unwrap();
        assert_eq!(exn.field(&mut store, 0).unwrap().unwrap_i32(), 6);
    });
}

/// Keeps a struct in a local and one on the stack while it waits.
const OBJECTS: &str = r#"(module
    (type $s (struct (field (mut i32)) (field (ref null any))))
    (import "" "wait" (func $wait (param anyref) (result anyref)))
    (func (export "f") (param i32) (result i32) (local $a (ref null $s))
        (local.set $a (struct.new $s (local.get 0) (ref.null any)))
        (struct.get $s 0 (struct.new $s (i32.const 5) (local.get $a)))
        (i31.get_s (ref.cast (ref i31) (call $wait (struct.new $s (i32.const 7) (local.get $a)))))
        (i32.add)
        (i32.add (struct.get $s 0 (local.get $a)))))"#;

fn objects(engine: &Engine) {
    let mut linker = Linker::<()>::new(engine);
    linker
        .func_wrap_async(
            "",
            "wait",
            |mut caller: Caller<'_, ()>, (object,): (Option<Rooted<AnyRef>>,)| {
                Box::new(async move {
                    caller.gc(None)?;
                    pending(1).await;
                    caller.gc(None)?;
                    let object = object.unwrap().as_struct(&caller)?.unwrap();
                    let n = object.field(&mut caller, 0)?.unwrap_i32();
                    pending(1).await;
                    let i31 = I31::wrapping_i32(n * 100);
                    Ok::<_, Error>(Some(AnyRef::from_i31(&mut caller, i31)))
                })
            },
        )
        .unwrap();
    let mut store = Store::new(engine, ());
    let module = Module::new(engine, OBJECTS).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let f = instance
        .get_typed_func::<i32, i32>(&mut store, "f")
        .unwrap();
    let rounds = if cfg!(miri) { 1 } else { 3 };
    for n in 0..rounds {
        assert_eq!(block_on(f.call_async(&mut store, n)).unwrap(), 705 + n);
        dropped_after(f.call_async(&mut store, n), 2);
        store.gc(None).unwrap();
    }
}

#[test]
fn objects_of_a_waiting_call_live_as_long_as_it_needs_them() {
    on_both(objects);
    if cfg!(miri) {
        return;
    }
    on_both_with(
        |config| {
            config.gc_stress(true);
        },
        objects,
    );
}

#[test]
fn references_given_to_a_future_end_with_it() {
    on_both(|engine| {
        let mut store = Store::new(engine, None);
        let keep = Func::wrap_async(
            &mut store,
            |mut caller: Caller<'_, Option<Rooted<ExternRef>>>, (object,): (Rooted<ExternRef>,)| {
                Box::new(async move {
                    pending(1).await;
                    assert!(object.data(&caller)?.is_some());
                    *caller.data_mut() = Some(object);
                    Ok::<_, Error>(object)
                })
            },
        );
        let keep = keep
            .typed::<Rooted<ExternRef>, Rooted<ExternRef>>(&store)
            .unwrap();
        let object = ExternRef::new(&mut store, 5_u32).unwrap();
        let back = block_on(keep.call_async(&mut store, object)).unwrap();
        assert!(Rooted::ref_eq(&store, &back, &object).unwrap());
        let kept = store.data().unwrap();
        assert!(kept.data(&store).is_err(), "its scope has ended");
    });
}

#[test]
fn a_call_waits_in_another_instance() {
    on_both(|engine| {
        let inner = r#"(module
            (import "host" "wait" (func $wait (param i32) (result i32)))
            (memory 1)
            (func (export "f") (param i32) (result i32)
                (i32.store (i32.const 0) (i32.const 30))
                (i32.add (call $wait (local.get 0)) (i32.load (i32.const 0)))))"#;
        let outer = r#"(module
            (import "inner" "f" (func $f (param i32) (result i32)))
            (import "host" "wait" (func $wait (param i32) (result i32)))
            (memory 1)
            (table funcref (elem $f $wait))
            (type $t (func (param i32) (result i32)))
            (func (export "f") (param i32 i32) (result i32)
                (i32.store (i32.const 0) (i32.const 4))
                (i32.add (call_indirect (type $t) (local.get 0) (local.get 1)) (i32.load (i32.const 0))))
            (func (export "tail") (param i32 i32) (result i32)
                (return_call_indirect (type $t) (local.get 0) (local.get 1))))"#;
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap_async("host", "wait", |_, (n,): (i32,)| {
                Box::new(async move {
                    pending(1).await;
                    n * 100
                })
            })
            .unwrap();
        let mut store = Store::new(engine, ());
        let inner = Module::new(engine, inner).unwrap();
        let inner = linker.instantiate(&mut store, &inner).unwrap();
        linker.instance(&mut store, "inner", inner).unwrap();
        let outer = Module::new(engine, outer).unwrap();
        let outer = linker.instantiate(&mut store, &outer).unwrap();
        let mut call = |name, which| {
            let f = outer.get_typed_func::<(i32, i32), i32>(&mut store, name);
            block_on(f.unwrap().call_async(&mut store, (2, which))).unwrap()
        };
        assert_eq!(call("f", 0), 234);
        assert_eq!(call("f", 1), 204);
        assert_eq!(call("tail", 0), 230);
        assert_eq!(call("tail", 1), 200);
    });
}

#[test]
fn a_continuation_waits_for_a_host_function_and_can_have_one_as_its_body() {
    let text = r#"(module
        (type $f (func (param i32) (result i32)))
        (type $c (cont $f))
        (tag $yield (param i32) (result i32))
        (import "host" "wait" (func $wait (type $f)))
        (elem declare func $wait $body)
        (func $body (type $f)
            (i32.add (call $wait (suspend $yield (call $wait (local.get 0)))) (i32.const 1)))
        (func (export "inside") (param i32) (result i32) (local $k (ref null $c)) (local $n i32)
            (block $h (result i32 (ref $c))
                (resume $c (on $yield $h) (local.get 0) (cont.new $c (ref.func $body)))
                (return))
            (local.set $k)
            (local.set $n)
            (resume $c (i32.add (local.get $n) (call $wait (i32.const 5))) (local.get $k)))
        (func (export "body") (param i32) (result i32)
            (i32.add (resume $c (local.get 0) (cont.new $c (ref.func $wait))) (i32.const 7))))"#;
    let on = |config: &mut sheave_hostcalls::Config| {
        config.wasm_stack_switching(true);
    };
    on_both_with(on, |engine| {
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap_async("host", "wait", |_, (n,): (i32,)| {
                Box::new(async move {
                    pending(1).await;
                    if n < 0 {
                        return Err(Error::msg("below zero"));
                    }
                    Ok(n * 10)
                })
            })
            .unwrap();
        let mut store = Store::new(engine, ());
        let module = Module::new(engine, text).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let inside = instance.get_typed_func::<i32, i32>(&mut store, "inside");
        let body = instance.get_typed_func::<i32, i32>(&mut store, "body");
        let (inside, body) = (inside.unwrap(), body.unwrap());
        for polls in 0..4 {
            // (3 * 10 + 5 * 10) * 10 + 1
            assert_eq!(block_on(inside.call_async(&mut store, 3)).unwrap(), 801);
            assert_eq!(block_on(body.call_async(&mut store, 3)).unwrap(), 37);
            dropped_after(inside.call_async(&mut store, 3), polls);
            dropped_after(body.call_async(&mut store, 3), polls.min(1));
            for call in [&inside, &body] {
                let error = block_on(call.call_async(&mut store, -1)).unwrap_err();
                assert_eq!(error.root_cause().to_string(), "below zero");
                assert!(call.call(&mut store, 1).is_err(), "it cannot wait");
            }
        }
    });
}
