//! Host functions that suspend, resume, or are in the way of a suspension.

use super::suspensions::{cont, on, returned, stressed, suspended, tag, trap};
use super::{engines, instance};
use sheave_hostcalls::*;

/// A module that drives a continuation whose function calls the host's `ask`, by `call`, by `return_call`, or is it.
const ASKING: &str = r#"(module
    (type $f (func (param i32) (result i32))) (type $c (cont $f))
    (tag $ask (import "host" "ask") (param i32) (result i32))
    (func $host (import "host" "read") (param i32) (result i32))
    (elem declare func $called $tail $host)
    (func $called (param i32) (result i32)
        (i32.add (i32.const 100) (call $host (local.get 0))))
    (func $tail (param i32) (result i32) (return_call $host (local.get 0)))
    (func $drive (param $f (ref $f)) (result i32) (local $c (ref null $c)) (local $asked i32)
        (local.set $c (cont.new $c (local.get $f)))
        (local.set $asked (i32.const 1))
        (loop $again
            (block $on (result i32 (ref $c))
                (return (resume $c (on $ask $on) (local.get $asked) (local.get $c))))
            (local.set $c)
            (local.set $asked (i32.mul (i32.const 10)))
            (br $again))
        (unreachable))
    (func (export "called") (result i32) (call $drive (ref.func $called)))
    (func (export "tail") (result i32) (call $drive (ref.func $tail)))
    (func (export "host") (result i32) (call $drive (ref.func $host)))
    (func (export "unhandled") (result i32) (call $called (i32.const 4))))"#;

fn asking(engine: &Engine) -> (Store<()>, Instance) {
    let mut store = Store::new(engine, ());
    let ty = FuncType::new(engine, [ValType::I32], [ValType::I32]);
    let ask = Tag::new(&mut store, &TagType::new(ty)).unwrap();
    let mut linker = Linker::new(engine);
    linker.define(&store, "host", "ask", ask).unwrap();
    linker
        .func_wrap(
            "host",
            "read",
            move |mut caller: Caller<'_, ()>, n: i32| -> Result<i32> {
                caller.suspend(&ask, &[Val::I32(n + 1)])
            },
        )
        .unwrap();
    let module = Module::new(engine, ASKING).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

#[test]
fn a_host_function_suspends_and_is_resumed_with_its_results() {
    for engine in engines(on).into_iter().chain(engines(stressed)) {
        let (mut store, instance) = asking(&engine);
        // It asks with 2, and gets 20.
        for (name, want) in [("called", 120), ("tail", 20), ("host", 20)] {
            let run = instance
                .get_typed_func::<(), i32>(&mut store, name)
                .unwrap();
            assert_eq!(run.call(&mut store, ()).unwrap(), want, "{name}");
        }
        let run = instance
            .get_typed_func::<(), i32>(&mut store, "unhandled")
            .unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(trap(&error), Trap::UnhandledTag);
        // Neither does a call without wasm in it suspend anything.
        let read = Func::wrap(&mut store, |mut caller: Caller<'_, ()>| -> Result<()> {
            let ty = TagType::new(FuncType::new(caller.engine(), [], []));
            let tag = Tag::new(&mut caller, &ty)?;
            caller.suspend(&tag, &[])
        });
        let error = read.call(&mut store, &[], &mut []).unwrap_err();
        assert_eq!(trap(&error), Trap::UnhandledTag);
    }
}

#[test]
fn a_host_function_that_gives_other_results_than_the_tag_cannot_suspend() {
    for engine in engines(on) {
        let mut store = Store::new(&engine, ());
        let ty = FuncType::new(&engine, [ValType::I32], [ValType::I64]);
        let ask = Tag::new(&mut store, &TagType::new(ty)).unwrap();
        let mut linker = Linker::new(&engine);
        let other = FuncType::new(&engine, [ValType::I32], [ValType::I32]);
        let other = Tag::new(&mut store, &TagType::new(other)).unwrap();
        linker.define(&store, "host", "ask", other).unwrap();
        linker
            .func_wrap(
                "host",
                "read",
                move |mut caller: Caller<'_, ()>, n: i32| -> Result<i32> {
                    assert!(caller.suspend::<()>(&ask, &[]).is_err());
                    caller.suspend(&ask, &[Val::I32(n)])
                },
            )
            .unwrap();
        let module = Module::new(&engine, ASKING).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance
            .get_typed_func::<(), i32>(&mut store, "called")
            .unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(trap(&error), Trap::BadSignature);
    }
}

#[test]
fn a_suspension_does_not_go_beyond_a_host_function_which_the_error_names() {
    for engine in engines(on) {
        let wat = r#"(module
        (type $f (func)) (type $c (cont $f))
        (tag $t)
        (func $callback (import "env" "callback"))
        (elem declare func $inner)
        (func (export "suspend") (suspend $t))
        (func $inner (call $callback))
        (func (export "run") (result i32)
            (block $on (result (ref $c))
                (resume $c (on $t $on) (cont.new $c (ref.func $inner)))
                (return (i32.const 1)))
            (drop) (i32.const 2))
        (func (export "near") (result i32)
            (block $on (result (ref $c))
                (resume $c (on $t $on) (cont.new $c (ref.func $near)))
                (return (i32.const 1)))
            (drop) (i32.const 2))
        (elem declare func $near)
        (func $near (suspend $t)))"#;
        let module = Module::new(&engine, wat).unwrap();
        let mut linker = Linker::<bool>::new(&engine);
        linker
            .func_wrap(
                "env",
                "callback",
                |mut caller: Caller<'_, bool>| -> Result<()> {
                    let near = caller.get_export("near").unwrap().into_func().unwrap();
                    let mut results = [Val::I32(0)];
                    // A handler on this side of the host function works.
                    near.call(&mut caller, &[], &mut results)?;
                    assert_eq!(results[0].unwrap_i32(), 2);
                    let suspend = caller.get_export("suspend").unwrap().into_func().unwrap();
                    let result = suspend.call(&mut caller, &[], &mut []);
                    if *caller.data() { Ok(()) } else { result }
                },
            )
            .unwrap();
        let mut store = Store::new(&engine, false);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let run = instance
            .get_typed_func::<(), i32>(&mut store, "run")
            .unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(trap(&error), Trap::UnhandledTag);
        assert!(format!("{error:#}").contains("`env.callback`"), "{error:#}");
        // A host function that takes the failure for its own goes on, in its continuation.
        *store.data_mut() = true;
        assert_eq!(run.call(&mut store, ()).unwrap(), 1);
    }
}

#[test]
fn an_exception_thrown_into_a_continuation_is_caught_there() {
    for engine in engines(on) {
        let wat = r#"(module
        (tag $e (export "e") (param i32))
        (tag $yield (export "yield"))
        (func (export "catches") (result i32)
            (block $h (result i32)
                (try_table (catch $e $h) (suspend $yield) (return (i32.const -1)))
                (unreachable)))
        (func (export "does_not") (result i32) (suspend $yield) (i32.const -1)))"#;
        let (mut store, instance) = instance(&engine, wat);
        let (e, r#yield) = (
            tag(&mut store, &instance, "e"),
            tag(&mut store, &instance, "yield"),
        );
        let throw = |store: &mut Store<()>, n| {
            let ty = ExnType::from_tag_type(&e.ty(&*store)).unwrap();
            let pre = ExnRefPre::new(&mut *store, ty);
            ExnRef::new(store, &pre, &e, &[Val::I32(n)]).unwrap()
        };
        let next = cont(&mut store, &instance, "catches");
        let next = suspended(next.resume(&mut store, &[], &[r#yield])).continuation;
        let exn = throw(&mut store, 5);
        let results = returned(next.resume_throw(&mut store, exn, &[r#yield]));
        assert_eq!(results[0].unwrap_i32(), 5);

        let next = cont(&mut store, &instance, "does_not");
        let next = suspended(next.resume(&mut store, &[], &[r#yield])).continuation;
        for next in [next, cont(&mut store, &instance, "does_not")] {
            let exn = throw(&mut store, 6);
            let error = next.resume_throw(&mut store, exn, &[]).unwrap_err();
            assert!(error.is::<ThrownException>(), "{error:?}");
            let exn = store.take_pending_exception().unwrap();
            assert_eq!(exn.field(&mut store, 0).unwrap().unwrap_i32(), 6);
            let error = next.resume(&mut store, &[], &[]).unwrap_err();
            assert_eq!(trap(&error), Trap::ContinuationConsumed);
        }
    }
}

#[test]
fn a_host_function_resumes_what_wasm_gives_it() {
    let wat = r#"(module
        (type $f (func (result i32))) (type $c (cont $f))
        (tag $yield (export "yield") (param i32) (result i32))
        (import "host" "drive" (func $drive (param (ref null $c)) (result i32)))
        (elem declare func $work)
        (func $work (result i32) (i32.add (suspend $yield (i32.const 3)) (suspend $yield (i32.const 4))))
        (func (export "run") (result i32) (call $drive (cont.new $c (ref.func $work)))))"#;
    for engine in engines(on).into_iter().chain(engines(stressed)) {
        let module = Module::new(&engine, wat).unwrap();
        let mut store = Store::new(&engine, ());
        let ty = module.imports().next().unwrap().ty().unwrap_func().clone();
        let drive = Func::new(&mut store, ty, |mut caller, args, results| {
            let r#yield = caller.get_export("yield").unwrap().into_tag().unwrap();
            let Val::ContRef(Some(mut cont)) = args[0] else {
                bail!("no continuation")
            };
            let mut answer = Vec::new();
            loop {
                match cont.resume(&mut caller, &answer, &[r#yield])? {
                    Resumed::Returned(values) => {
                        results[0] = values[0];
                        return Ok(());
                    }
                    Resumed::Suspended(s) => {
                        answer = vec![Val::I32(s.payload[0].unwrap_i32() * 10)];
                        cont = s.continuation;
                    }
                }
            }
        });
        let instance = Instance::new(&mut store, &module, &[drive.into()]).unwrap();
        let run = instance
            .get_typed_func::<(), i32>(&mut store, "run")
            .unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 70);
    }
}
