//! Continuations that hold frames of host functions.

use super::engines;
use super::suspensions::{on, returned, stressed, suspended, trap};
use sheave_fiber::{BACKEND, Backend};
use sheave_hostcalls::*;

/// `$drive` answers each question with ten times what was asked.
pub(super) const WAT: &str = r#"(module
    (type $f (func (param i32) (result i32))) (type $c (cont $f))
    (tag $ask (export "ask_tag") (param i32) (result i32))
    (tag $e (export "e") (param i32))
    (func $add (import "host" "add") (param i32) (result i32))
    (func $plain (import "host" "plain") (param i32) (result i32))
    (elem declare func $add $called $tail $twice $in_between $both)
    (global $kept (mut (ref null $c)) (ref.null $c))
    (func (export "ask") (param i32) (result i32) (suspend $ask (local.get 0)))
    (func (export "trap") (param i32) (result i32)
        (drop (suspend $ask (local.get 0))) (unreachable))
    (func (export "catches") (param i32) (result i32)
        (block $h (result i32)
            (try_table (catch $e $h) (return (suspend $ask (local.get 0))))
            (unreachable)))
    (func (export "add") (param i32) (result i32) (call $add (local.get 0)))
    (func $called (export "called") (param i32) (result i32)
        (i32.add (i32.const 1000) (call $add (local.get 0))))
    (func $tail (export "tail") (param i32) (result i32) (return_call $add (local.get 0)))
    (func $twice (export "twice") (param i32) (result i32)
        (i32.add (call $add (local.get 0)) (call $add (local.get 0))))
    (func $in_between (export "in_between") (param i32) (result i32) (call $plain (local.get 0)))
    ;; Suspends once more when the host function has returned, and catches what it throws.
    (func $both (export "both") (param i32) (result i32)
        (block $h (result i32)
            (try_table (catch $e $h) (return (suspend $ask (call $add (local.get 0)))))
            (unreachable)))
    (func $drive (param $f (ref $f)) (param $with i32) (result i32) (local $c (ref null $c))
        (local.set $c (cont.new $c (local.get $f)))
        (loop $again
            (block $on (result i32 (ref $c))
                (return (resume $c (on $ask $on) (local.get $with) (local.get $c))))
            (local.set $c)
            (local.set $with (i32.mul (i32.const 10)))
            (br $again))
        (unreachable))
    (func (export "drive_called") (result i32) (call $drive (ref.func $called) (i32.const 1)))
    (func (export "drive_tail") (result i32) (call $drive (ref.func $tail) (i32.const 1)))
    (func (export "drive_host") (result i32) (call $drive (ref.func $add) (i32.const 1)))
    (func (export "drive_twice") (result i32) (call $drive (ref.func $twice) (i32.const 1)))
    (func (export "drive_in_between") (result i32) (call $drive (ref.func $in_between) (i32.const 1)))
    ;; Begins, and leaves the continuation.
    (func (export "begin") (param $with i32) (result i32)
        (block $on (result i32 (ref $c))
            (return (resume $c (on $ask $on) (local.get $with) (cont.new $c (ref.func $called)))))
        (global.set $kept))
    (func (export "go_on") (param $with i32) (result i32)
        (block $on (result i32 (ref $c))
            (return (resume $c (on $ask $on) (local.get $with) (global.get $kept))))
        (global.set $kept))
    (func (export "throw_into") (param $exn i32) (result i32)
        (block $on (result i32 (ref $c))
            (return (resume_throw $c $e (on $ask $on) (local.get $exn) (global.get $kept))))
        (global.set $kept))
    (func (export "forget") (global.set $kept (ref.null $c))))"#;

/// What the host functions leave for the tests to see.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) log: Vec<String>,
    /// Which export `add` asks with.
    pub(super) with: Option<&'static str>,
}

pub(super) type Host<'a> = Caller<'a, Seen>;

pub(super) fn call(caller: &mut Host<'_>, name: &str, n: i32) -> Result<i32> {
    let func = caller.get_export(name).unwrap().into_func().unwrap();
    func.typed::<i32, i32>(&mut *caller)?.call(caller, n)
}

/// Notes when it is dropped.
struct Noted<'a>(&'a std::cell::Cell<u32>);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Asks twice, and adds up.
fn add(mut caller: Host<'_>, n: i32) -> Result<i32> {
    let ends = std::cell::Cell::new(0);
    let noted = Noted(&ends);
    let with = caller.data().with.unwrap_or("ask");
    let outcome: Result<i32> = (|| {
        let a = call(&mut caller, with, n)?;
        caller.data_mut().log.push(format!("got {a}"));
        let b = call(&mut caller, with, a + 1)?;
        caller.data_mut().log.push(format!("got {b}"));
        Ok(a + b)
    })();
    drop(noted);
    if let Err(error) = &outcome {
        let why = match error.downcast_ref::<HostFrameError>() {
            Some(error) => error.to_string(),
            None => error.root_cause().to_string(),
        };
        caller.data_mut().log.push(format!("failed: {why}"));
    }
    assert_eq!(ends.get(), 1, "what is on its stack stays there");
    outcome
}

pub(super) fn set_up_with(
    engine: &Engine,
    add: impl IntoFunc<Seen, (Caller<'static, Seen>, i32), Result<i32>>,
) -> (Store<Seen>, Instance) {
    let mut linker = Linker::<Seen>::new(engine);
    linker.func_wrap("host", "add", add).unwrap();
    linker.capturable("host", "add").unwrap();
    linker.host_stack("host", "add", 256 << 10).unwrap();
    linker
        .func_wrap("host", "plain", |mut caller: Host<'_>, n: i32| {
            call(&mut caller, "add", n)
        })
        .unwrap();
    let module = Module::new(engine, WAT).unwrap();
    let mut store = Store::new(engine, Seen::default());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

pub(super) fn set_up(engine: &Engine) -> (Store<Seen>, Instance) {
    set_up_with(engine, add)
}

pub(super) fn run(store: &mut Store<Seen>, instance: &Instance, name: &str) -> Result<i32> {
    let func = instance.get_typed_func::<(), i32>(&mut *store, name)?;
    func.call(store, ())
}

pub(super) fn run_with(
    store: &mut Store<Seen>,
    instance: &Instance,
    name: &str,
    n: i32,
) -> Result<i32> {
    let func = instance.get_typed_func::<i32, i32>(&mut *store, name)?;
    func.call(store, n)
}

pub(super) fn tag(store: &mut Store<Seen>, instance: &Instance, name: &str) -> Tag {
    instance.get_tag(store, name).unwrap()
}

/// A continuation of an exported function.
pub(super) fn cont(store: &mut Store<Seen>, instance: &Instance, name: &str) -> Rooted<ContRef> {
    let func = instance.get_func(&mut *store, name).unwrap();
    let ty = ContType::new(store.engine(), func.ty(&*store)).unwrap();
    ContRef::new(store, &ty, &func).unwrap()
}

/// With and without a collection at every allocation; under Miri, where that takes minutes, without.
pub(super) fn all_engines() -> Vec<Engine> {
    let stressed = if cfg!(miri) {
        Vec::new()
    } else {
        engines(stressed)
    };
    engines(on).into_iter().chain(stressed).collect()
}

#[test]
fn a_suspension_crosses_a_host_function_that_can_sleep() {
    for engine in all_engines() {
        let (mut store, instance) = set_up(&engine);
        for (name, want) in [
            ("called", 1120),
            ("tail", 120),
            ("host", 120),
            ("twice", 240),
        ] {
            let name = format!("drive_{name}");
            assert_eq!(run(&mut store, &instance, &name).unwrap(), want, "{name}");
        }
        assert_eq!(store.data().log.len(), 10);
    }
}

#[test]
fn a_host_function_that_sleeps_is_woken_by_another_call() {
    for engine in all_engines() {
        let (mut store, instance) = set_up(&engine);
        assert_eq!(run_with(&mut store, &instance, "begin", 3).unwrap(), 3);
        // The store is the embedder's meanwhile.
        assert!(store.data().log.is_empty());
        store.data_mut().log.push("meanwhile".to_owned());
        store.gc(None).unwrap();
        assert_eq!(run(&mut store, &instance, "drive_called").unwrap(), 1120);
        assert_eq!(run_with(&mut store, &instance, "go_on", 40).unwrap(), 41);
        store.relocate().unwrap();
        assert_eq!(run_with(&mut store, &instance, "go_on", 5).unwrap(), 1045);
        let log = ["meanwhile", "got 10", "got 110", "got 40", "got 5"];
        assert_eq!(store.data().log, log);
        let error = run_with(&mut store, &instance, "go_on", 5).unwrap_err();
        assert_eq!(trap(&error), Trap::ContinuationConsumed);
    }
}

#[test]
fn many_sleep_at_once_and_are_woken_in_any_order() {
    let n = if cfg!(miri) { 3 } else { 50 };
    for engine in all_engines() {
        let (mut store, instance) = set_up(&engine);
        let ask = tag(&mut store, &instance, "ask_tag");
        let mut conts = Vec::new();
        for i in 0..n {
            let cont = cont(&mut store, &instance, "called");
            let s = suspended(cont.resume(&mut store, &[Val::I32(i)], &[ask]));
            assert_eq!(s.payload[0].unwrap_i32(), i);
            conts.push((i, s.continuation));
        }
        // Every other one, from the last to the first; then the rest, and what is left of all.
        let (odd, even): (Vec<_>, Vec<_>) = conts.into_iter().partition(|(i, _)| i % 2 == 1);
        let mut rest = Vec::new();
        for (i, cont) in odd.into_iter().rev().chain(even) {
            store.gc(None).unwrap();
            let s = suspended(cont.resume(&mut store, &[Val::I32(100 * i)], &[ask]));
            assert_eq!(s.payload[0].unwrap_i32(), 100 * i + 1);
            rest.push((i, s.continuation));
        }
        for (i, cont) in rest {
            let results = returned(cont.resume(&mut store, &[Val::I32(i)], &[ask]));
            assert_eq!(results[0].unwrap_i32(), 1000 + 101 * i);
        }
    }
}

#[test]
fn host_functions_sleep_in_one_another() {
    // Each level calls wasm that calls the next; the innermost asks.
    fn down(mut caller: Host<'_>, n: i32) -> Result<i32> {
        let (name, m) = if n == 0 {
            ("ask", 7)
        } else {
            ("called", n - 1)
        };
        let first = call(&mut caller, name, m)?;
        caller.data_mut().log.push(format!("{n}: {first}"));
        // Once more on the way out.
        Ok(first + call(&mut caller, "ask", n)?)
    }
    let depth = if cfg!(miri) { 2 } else { 10 };
    for engine in all_engines() {
        let (mut store, instance) = set_up_with(&engine, down);
        let ask = tag(&mut store, &instance, "ask_tag");
        let cont = cont(&mut store, &instance, "called");
        let mut s = suspended(cont.resume(&mut store, &[Val::I32(depth)], &[ask]));
        assert_eq!(s.payload[0].unwrap_i32(), 7);
        for n in 0..=depth {
            s = suspended(s.continuation.resume(&mut store, &[Val::I32(1)], &[ask]));
            assert_eq!(s.payload[0].unwrap_i32(), n);
            store.gc(None).unwrap();
        }
        let results = returned(s.continuation.resume(&mut store, &[Val::I32(1)], &[]));
        assert_eq!(results[0].unwrap_i32(), 1001 * (depth + 1) + 1);
        assert_eq!(store.data().log.len(), depth as usize + 1);
    }
}

#[test]
fn a_host_function_further_in_suspends_across_one_that_sleeps() {
    for engine in all_engines() {
        let mut linker = Linker::<Seen>::new(&engine);
        let mut store = Store::new(&engine, Seen::default());
        let ty = FuncType::new(&engine, [ValType::I32], [ValType::I32]);
        let ask = Tag::new(&mut store, &TagType::new(ty)).unwrap();
        linker.define(&store, "host", "ask", ask).unwrap();
        linker
            .func_wrap(
                "host",
                "outer",
                |mut caller: Host<'_>, n: i32| -> Result<i32> {
                    Ok(call(&mut caller, "further", n)? + 1)
                },
            )
            .unwrap();
        linker.capturable("host", "outer").unwrap();
        linker
            .func_wrap(
                "host",
                "inner",
                move |mut caller: Host<'_>, n: i32| -> Result<i32> {
                    caller.suspend(&ask, &[Val::I32(n)])
                },
            )
            .unwrap();
        let wat = r#"(module
            (func $outer (import "host" "outer") (param i32) (result i32))
            (func $inner (import "host" "inner") (param i32) (result i32))
            (func (export "further") (param i32) (result i32) (call $inner (local.get 0)))
            (func (export "body") (param i32) (result i32) (call $outer (local.get 0))))"#;
        let module = Module::new(&engine, wat).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let cont = cont(&mut store, &instance, "body");
        let s = suspended(cont.resume(&mut store, &[Val::I32(5)], &[ask]));
        assert_eq!(s.payload[0].unwrap_i32(), 5);
        let results = returned(s.continuation.resume(&mut store, &[Val::I32(8)], &[]));
        assert_eq!(results[0].unwrap_i32(), 9);
    }
}

#[test]
fn what_a_host_function_has_rooted_stays_while_it_sleeps() {
    fn keeps(mut caller: Host<'_>, n: i32) -> Result<i32> {
        let mine = ExternRef::new(&mut caller, n)?;
        let mut sum = 0;
        for _ in 0..2 {
            let mut scope = RootScope::new(&mut caller);
            let inner = ExternRef::new(&mut scope, 10 * n)?;
            let found = inner.data(&scope)?.unwrap().downcast_ref::<i32>().copied();
            sum += found.unwrap();
            drop(scope);
            sum += call(&mut caller, "ask", n)?;
            sum += *mine.data(&caller)?.unwrap().downcast_ref::<i32>().unwrap();
        }
        Ok(sum)
    }
    for engine in all_engines() {
        let (mut store, instance) = set_up_with(&engine, keeps);
        let ask = tag(&mut store, &instance, "ask_tag");
        let mut asleep = Vec::new();
        for n in [1, 2] {
            let cont = cont(&mut store, &instance, "called");
            asleep.push(suspended(cont.resume(&mut store, &[Val::I32(n)], &[ask])).continuation);
        }
        // The embedder's own scopes end and begin meanwhile, and handles of others stay what they were.
        let outer = ExternRef::new(&mut store, "outer").unwrap();
        for round in 0..2 {
            for (n, cont) in (1..).zip(&mut asleep) {
                let mut scope = RootScope::new(&mut store);
                ExternRef::new(&mut scope, "passing").unwrap();
                let own = cont.to_owned_rooted(&mut scope).unwrap();
                scope.as_context_mut().gc(None).unwrap();
                match own
                    .to_rooted(&mut scope)
                    .resume(&mut scope, &[Val::I32(0)], &[ask])
                {
                    Ok(Resumed::Suspended(s)) => {
                        assert_eq!(round, 0);
                        let next = s.continuation.to_owned_rooted(&mut scope).unwrap();
                        drop(scope);
                        *cont = next.to_rooted(&mut store);
                    }
                    Ok(Resumed::Returned(results)) => {
                        assert_eq!(round, 1);
                        assert_eq!(results[0].unwrap_i32(), 1000 + 22 * n);
                    }
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
        let outer = outer.data(&store).unwrap().unwrap();
        assert_eq!(outer.downcast_ref::<&str>(), Some(&"outer"));
    }
}

#[test]
fn an_exception_thrown_into_the_continuation_comes_out_of_the_host_functions_call() {
    for engine in all_engines() {
        // Nothing in the inner call catches it, so the host function does, or lets it go on to wasm that called it.
        fn lets_go(mut caller: Host<'_>, n: i32) -> Result<i32> {
            let error = call(&mut caller, "ask", n).unwrap_err();
            assert!(error.is::<ThrownException>(), "{error:?}");
            caller.data_mut().log.push("thrown".to_owned());
            Err(error)
        }
        fn catches(mut caller: Host<'_>, n: i32) -> Result<i32> {
            let error = call(&mut caller, "ask", n).unwrap_err();
            assert!(error.is::<ThrownException>(), "{error:?}");
            let exn = caller.take_pending_exception().unwrap();
            Ok(exn.field(&mut caller, 0)?.unwrap_i32() + 1)
        }
        let (mut store, instance) = set_up_with(&engine, catches);
        run_with(&mut store, &instance, "begin", 3).unwrap();
        assert_eq!(
            run_with(&mut store, &instance, "throw_into", 6).unwrap(),
            1007
        );

        let (mut store, instance) = set_up_with(&engine, lets_go);
        run_with(&mut store, &instance, "begin", 3).unwrap();
        let error = run_with(&mut store, &instance, "throw_into", 6).unwrap_err();
        assert!(error.is::<ThrownException>(), "{error:?}");
        assert_eq!(store.data().log, ["thrown"]);
        // Wasm around the host function catches what comes out of it.
        let ask = tag(&mut store, &instance, "ask_tag");
        let cont = cont(&mut store, &instance, "both");
        let s = suspended(cont.resume(&mut store, &[Val::I32(1)], &[ask]));
        let e = tag(&mut store, &instance, "e");
        let ty = ExnType::from_tag_type(&e.ty(&store)).unwrap();
        let pre = ExnRefPre::new(&mut store, ty);
        let exn = ExnRef::new(&mut store, &pre, &e, &[Val::I32(44)]).unwrap();
        let results = returned(s.continuation.resume_throw(&mut store, exn, &[ask]));
        assert_eq!(results[0].unwrap_i32(), 44);

        // Or wasm that the host function called.
        let (mut store, instance) = set_up(&engine);
        store.data_mut().with = Some("catches");
        run_with(&mut store, &instance, "begin", 3).unwrap();
        assert_eq!(run_with(&mut store, &instance, "throw_into", 6).unwrap(), 7);
        assert_eq!(run_with(&mut store, &instance, "go_on", 1).unwrap(), 1007);
    }
}

#[test]
fn a_trap_after_the_resumption_ends_the_host_functions_call() {
    for engine in all_engines() {
        let (mut store, instance) = set_up(&engine);
        store.data_mut().with = Some("trap");
        run_with(&mut store, &instance, "begin", 3).unwrap();
        let error = run_with(&mut store, &instance, "go_on", 6).unwrap_err();
        assert_eq!(trap(&error), Trap::Unreachable);
        assert_eq!(store.data().log.len(), 1, "{:?}", store.data().log);
        // Frames of both calls, and of the one that resumed.
        let frames = error
            .downcast_ref::<WasmBacktrace>()
            .unwrap()
            .frames()
            .len();
        assert_eq!(frames, 3, "{error:?}");
        // The store can be used.
        store.data_mut().with = None;
        assert_eq!(run(&mut store, &instance, "drive_called").unwrap(), 1120);
    }
}

#[test]
fn one_that_cannot_sleep_is_in_the_way_and_is_named() {
    for engine in all_engines() {
        let (mut store, instance) = set_up(&engine);
        let error = run(&mut store, &instance, "drive_in_between").unwrap_err();
        assert_eq!(trap(&error), Trap::UnhandledTag);
        assert!(format!("{error:#}").contains("`host.plain`"), "{error:#}");
        // Nor does one that the host itself calls sleep, or one where nothing is to be suspended.
        let called = run_with(&mut store, &instance, "called", 1).unwrap_err();
        assert_eq!(trap(&called), Trap::UnhandledTag);
        assert_eq!(run(&mut store, &instance, "drive_called").unwrap(), 1120);
    }
}

#[test]
fn a_host_function_handles_some_suspensions_itself_and_lets_others_pass() {
    // It resumes a continuation with a tag of its own; others go on to who called it.
    fn resumes(mut caller: Host<'_>, n: i32) -> Result<i32> {
        let e = caller.get_export("e").unwrap().into_tag().unwrap();
        let ask = caller.get_export("ask").unwrap().into_func().unwrap();
        let ty = ContType::new(caller.engine(), ask.ty(&caller))?;
        let cont = ContRef::new(&mut caller, &ty, &ask)?;
        match cont.resume(&mut caller, &[Val::I32(n)], &[e])? {
            Resumed::Returned(values) => Ok(values[0].unwrap_i32()),
            Resumed::Suspended(s) => bail!("suspended with {:?}", s.payload),
        }
    }
    for engine in all_engines() {
        let (mut store, instance) = set_up_with(&engine, resumes);
        assert_eq!(run(&mut store, &instance, "drive_called").unwrap(), 1010);
        run_with(&mut store, &instance, "begin", 3).unwrap();
        assert_eq!(run(&mut store, &instance, "drive_called").unwrap(), 1010);
        assert_eq!(run_with(&mut store, &instance, "go_on", 8).unwrap(), 1008);
    }
}

#[test]
fn a_host_function_knows_its_stack_after_it_has_slept() {
    fn left(mut caller: Host<'_>, n: i32) -> Result<i32> {
        let before = caller.stack_remaining().unwrap();
        call(&mut caller, "ask", n)?;
        assert_eq!(caller.stack_remaining().unwrap(), before);
        Ok(i32::try_from(before)?)
    }
    for engine in engines(on) {
        let (mut store, instance) = set_up_with(&engine, left);
        let left = run(&mut store, &instance, "drive_tail").unwrap();
        let all = 256 << 10;
        let some = if BACKEND == Backend::Assembly {
            all / 2
        } else {
            1
        };
        assert!((some..=all).contains(&left), "{left}");
    }
}

#[test]
fn a_linker_says_what_cannot_be_captured() {
    for engine in engines(on) {
        let mut linker = Linker::<()>::new(&engine);
        assert!(linker.capturable("host", "none").is_err());
        linker.func_wrap("host", "f", || ()).unwrap();
        linker.capturable("host", "f").unwrap();
        let error = linker.capturable("host", "f").unwrap_err();
        assert!(error.to_string().contains("already"), "{error}");
        linker
            .func_wrap_async("host", "g", |_, (): ()| Box::new(async {}))
            .unwrap();
        let error = linker.capturable("host", "g").unwrap_err();
        assert!(error.to_string().contains("async"), "{error}");
    }
}
