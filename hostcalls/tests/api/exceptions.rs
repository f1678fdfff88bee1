//! Exceptions between wasm and the host.

use super::{engines, instance, on_both, on_both_with};
use sheave_hostcalls::{
    Caller, Config, Engine, Error, ExnRef, ExnRefPre, ExnType, Extern, ExternType, Func, FuncType,
    Instance, Linker, Module, Result, Rooted, Store, Tag, TagType, ThrownException, Trap, Val,
    ValType, WasmBacktrace, bail,
};

/// A program that calls the host in every way, and catches.
const PROGRAM: &str = r#"(module
    (tag $e (import "host" "e") (param i32))
    (import "host" "f" (func $f (param i32) (result i32)))
    (table funcref (elem $f))
    (type $t (func (param i32) (result i32)))
    (tag $own (export "own") (param i64))
    (func (export "catch") (param i32) (result i32)
        (block $h (result i32)
            (try_table (result i32) (catch $e $h) (call $f (local.get 0))) (return))
        (i32.const 1000) (i32.add))
    (func (export "catch indirect") (param i32) (result i32)
        (block $h (result i32)
            (try_table (result i32) (catch $e $h) (call_indirect (type $t) (local.get 0) (i32.const 0))) (return))
        (i32.const 1000) (i32.add))
    (func $tail (param i32) (result i32)
        (block $h (result i32)
            (try_table (catch $e $h) (return_call $f (local.get 0))) (unreachable))
        (drop) (i32.const -1))
    (func (export "catch tail") (param i32) (result i32)
        (block $h (result i32)
            (try_table (result i32) (catch $e $h) (call $tail (local.get 0))) (return))
        (i32.const 1000) (i32.add))
    (func (export "catch all") (param i32) (result i32)
        (block $h (try_table (catch_all $h) (return (call $f (local.get 0))))) (i32.const 5))
    (func $throw (export "throw") (param i32) (throw $e (local.get 0)))
    (func $middle (param i32) (call $throw (local.get 0)))
    (func (export "throw deep") (param i32) (call $middle (local.get 0)))
    (func (export "throw own") (throw $own (i64.const -7)))
    (func (export "pass on") (param exnref) (result exnref)
        (block $h (result exnref) (try_table (catch_all_ref $h) (throw_ref (local.get 0))) (unreachable)))
    (func (export "call") (param i32) (result i32) (call $f (local.get 0))))"#;

struct Rig {
    store: Store<()>,
    instance: Instance,
    tag: Tag,
}

/// Whether the host function throws, and what else it does.
type Host = fn(Caller<'_, ()>, Tag, i32) -> Result<i32>;

fn tag_type(engine: &Engine, payload: &[ValType]) -> TagType {
    TagType::new(FuncType::new(engine, payload.iter().cloned(), []))
}

fn rig(engine: &Engine, host: Host) -> Rig {
    let module = Module::new(engine, PROGRAM).unwrap();
    let mut store = Store::new(engine, ());
    let tag = Tag::new(&mut store, &tag_type(engine, &[ValType::I32])).unwrap();
    let f = Func::wrap(&mut store, move |caller: Caller<'_, ()>, x: i32| {
        host(caller, tag, x)
    });
    let instance = Instance::new(&mut store, &module, &[tag.into(), f.into()]).unwrap();
    Rig {
        store,
        instance,
        tag,
    }
}

impl Rig {
    fn call(&mut self, name: &str, x: i32) -> Result<i32> {
        let f = self
            .instance
            .get_typed_func::<i32, i32>(&mut self.store, name)?;
        f.call(&mut self.store, x)
    }
}

fn exception(mut caller: &mut Caller<'_, ()>, tag: Tag, x: i32) -> Result<Rooted<ExnRef>> {
    let ty = ExnType::from_tag_type(&tag.ty(&caller))?;
    let pre = ExnRefPre::new(&mut caller, ty);
    ExnRef::new(&mut caller, &pre, &tag, &[Val::I32(x)])
}

#[test]
fn what_a_host_function_throws_is_caught_by_its_caller() {
    on_both(|engine| {
        let mut rig = rig(engine, |mut caller, tag, x| {
            if x == 0 {
                return Ok(9);
            }
            let exn = exception(&mut caller, tag, x)?;
            caller.throw(exn)
        });
        for name in ["catch", "catch indirect", "catch tail"] {
            assert_eq!(rig.call(name, 0).unwrap(), 9, "{name}");
            assert_eq!(rig.call(name, 7).unwrap(), 1007, "{name}");
        }
        assert_eq!(rig.call("catch all", 7).unwrap(), 5);
        assert!(!rig.store.has_pending_exception());
        // Nobody catches: the host that called has it.
        let error = rig.call("call", 3).unwrap_err();
        assert!(error.is::<ThrownException>());
        let exn = rig.store.take_pending_exception().unwrap();
        assert_eq!(exn.field(&mut rig.store, 0).unwrap().unwrap_i32(), 3);
        assert!(rig.store.take_pending_exception().is_none());
        assert_eq!(rig.call("catch", 8).unwrap(), 1008);
    });
}

#[test]
fn only_exceptions_are_caught() {
    on_both(|engine| {
        let mut rig = rig(engine, |_, _, x| match x {
            0 => bail!("out of order"),
            1 => Err(Trap::Interrupt.into()),
            // It says that it throws, but nothing is pending.
            2 => Err(ThrownException.into()),
            _ => panic!("on purpose"),
        });
        let error = rig.call("catch all", 0).unwrap_err();
        assert_eq!(error.root_cause().to_string(), "out of order");
        let error = rig.call("catch all", 1).unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Interrupt));
        assert!(
            rig.call("catch all", 2)
                .unwrap_err()
                .is::<ThrownException>()
        );
        let panicked =
            std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| rig.call("catch all", 3)));
        assert!(panicked.is_err());
    });
}

/// Calls an export of the instance that calls.
fn call_back(caller: &mut Caller<'_, ()>, name: &str, x: i32) -> Result<()> {
    let f = caller.get_export(name).and_then(Extern::into_func);
    f.unwrap().call(caller, &[Val::I32(x)], &mut [])
}

#[test]
#[cfg_attr(miri, ignore = "backtraces take minutes")]
fn a_host_function_catches_what_wasm_throws_or_passes_it_on() {
    on_both(|engine| {
        let mut rig = rig(engine, |mut caller, tag, x| {
            let error = call_back(&mut caller, "throw deep", x).unwrap_err();
            assert!(error.is::<ThrownException>());
            if x % 2 == 0 {
                // Passed on as it is.
                return Err(error);
            }
            let mut store = sheave_hostcalls::AsContextMut::as_context_mut(&mut caller);
            assert!(store.has_pending_exception());
            let exn = store.take_pending_exception().unwrap();
            assert!(Tag::eq(&exn.tag(&mut store)?, &tag, &store));
            Ok(exn.field(&mut store, 0)?.unwrap_i32() * 10)
        });
        assert_eq!(rig.call("catch", 3).unwrap(), 30);
        assert_eq!(rig.call("catch", 4).unwrap(), 1004);
        assert_eq!(rig.call("catch tail", 4).unwrap(), 1004);
        assert_eq!(rig.call("call", 5).unwrap(), 50);
        let error = rig.call("call", 6).unwrap_err();
        assert_eq!(names(&error), ["throw", "middle", "throw deep", "call"]);
        // What was caught in between has left no trace.
        assert_eq!(rig.call("catch", 4).unwrap(), 1004);
        let error = rig.call("call", 8).unwrap_err();
        assert_eq!(names(&error), ["throw", "middle", "throw deep", "call"]);
        assert!(format!("{error:#}").contains("unhandled exception with payload i32 8"));
    });
}

/// The functions of a backtrace by their exports; others by number.
fn names(error: &Error) -> Vec<String> {
    let frames = error.downcast_ref::<WasmBacktrace>().unwrap().frames();
    let named = frames.iter().map(|f| {
        f.func_name().map_or_else(
            || match f.func_index() {
                8 => "throw deep".to_string(),
                11 => "call".to_string(),
                n => n.to_string(),
            },
            str::to_string,
        )
    });
    named.collect()
}

#[test]
#[cfg_attr(miri, ignore = "backtraces take minutes")]
fn an_exception_that_nobody_catches_is_an_error_with_a_backtrace() {
    on_both(|engine| {
        let mut rig = rig(engine, |_, _, x| Ok(x));
        let f = rig
            .instance
            .get_typed_func::<i32, ()>(&mut rig.store, "throw deep")
            .unwrap();
        let error = f.call(&mut rig.store, 77).unwrap_err();
        assert_eq!(names(&error), ["throw", "middle", "throw deep"]);
        let text = format!("{error:?}");
        assert!(
            text.contains("unhandled exception with payload i32 77"),
            "{text}"
        );
        assert!(text.contains("thrown Wasm exception"), "{text}");
    });
}

#[test]
fn an_exception_keeps_its_identity() {
    on_both(|engine| {
        let Rig {
            mut store,
            instance,
            tag,
        } = rig(engine, |_, _, x| Ok(x));
        let ty = ExnType::new(engine, [ValType::I32]).unwrap();
        assert_eq!(ty.tag_type(), tag.ty(&store));
        let pre = ExnRefPre::new(&mut store, ty);
        let exn = ExnRef::new(&mut store, &pre, &tag, &[Val::I32(5)]).unwrap();
        let f = instance.get_func(&mut store, "pass on").unwrap();
        let mut results = [Val::I32(0)];
        f.call(&mut store, &[Val::ExnRef(Some(exn))], &mut results)
            .unwrap();
        let Val::ExnRef(Some(again)) = results[0] else {
            panic!("a reference to an exception")
        };
        assert!(Rooted::ref_eq(&store, &exn, &again).unwrap());
        assert_eq!(again.field(&mut store, 0).unwrap().unwrap_i32(), 5);
        assert!(again.field(&mut store, 1).is_err());
        assert_eq!(again.fields(&mut store).unwrap().count(), 1);
        // What does not fit is refused.
        assert!(ExnRef::new(&mut store, &pre, &tag, &[]).is_err());
        assert!(ExnRef::new(&mut store, &pre, &tag, &[Val::I64(5)]).is_err());
        let own = instance.get_tag(&mut store, "own").unwrap();
        assert!(ExnRef::new(&mut store, &pre, &own, &[Val::I32(5)]).is_err());
        let f = instance
            .get_typed_func::<(), ()>(&mut store, "throw own")
            .unwrap();
        assert!(f.call(&mut store, ()).unwrap_err().is::<ThrownException>());
        let exn = store.take_pending_exception().unwrap();
        let tag = exn.tag(&mut store).unwrap();
        assert!(Tag::eq(&tag, &own, &store));
        assert_eq!(exn.field(&mut store, 0).unwrap().unwrap_i64(), -7);
    });
}

#[test]
fn tags_are_linked_by_type_and_told_apart() {
    on_both(|engine| {
        let module = Module::new(engine, PROGRAM).unwrap();
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        linker.func_wrap("host", "f", |x: i32| x).unwrap();
        let other = Tag::new(&mut store, &tag_type(engine, &[ValType::I64])).unwrap();
        linker.define(&mut store, "host", "e", other).unwrap();
        let error = linker.instantiate(&mut store, &module).unwrap_err();
        assert!(format!("{error:#}").contains("incompatible import type"));
        linker.allow_shadowing(true);
        let tag = Tag::new(&mut store, &tag_type(engine, &[ValType::I32])).unwrap();
        linker.define(&mut store, "host", "e", tag).unwrap();
        let a = linker.instantiate(&mut store, &module).unwrap();
        let b = linker.instantiate(&mut store, &module).unwrap();
        let [a, b] = [a, b].map(|i| i.get_tag(&mut store, "own").unwrap());
        assert!(Tag::eq(&a, &a, &store) && !Tag::eq(&a, &b, &store));
        assert_eq!(a.ty(&store), b.ty(&store));
        let types: Vec<_> = module.imports().map(|i| i.ty()).collect();
        assert_eq!(types[0].unwrap_tag(), &tag.ty(&store));
        assert!(matches!(module.get_export("own"), Some(ExternType::Tag(_))));
        // A tag's type has no results, and is of the store's engine.
        let ty = TagType::new(FuncType::new(engine, [], [ValType::I32]));
        assert!(Tag::new(&mut store, &ty).is_err());
        let strange = Engine::default();
        assert!(Tag::new(&mut store, &tag_type(&strange, &[])).is_err());
    });
}

/// Throws `n` frames up, `rounds` times; each exception carries what the collector must keep.
const OBJECTS: &str = r#"(module
    (type $box (struct (field i32)))
    (tag $e (param i32 (ref $box) externref))
    (func $deep (param $n i32) (param $x i32) (local $b (ref null $box))
        (local.set $b (struct.new $box (local.get $x)))
        (if (i32.eqz (local.get $n))
            (then (throw $e (local.get $x) (struct.new $box (local.get $x)) (ref.null extern))))
        (call $deep (i32.sub (local.get $n) (i32.const 1)) (local.get $x))
        (drop (struct.get $box 0 (local.get $b))))
    (func (export "run") (param $rounds i32) (param $n i32) (result i32)
        (local $sum i32) (local $b (ref null $box)) (local $x exnref)
        (loop $again
            (block $h (result i32 (ref $box) externref exnref)
                (try_table (catch_ref $e $h) (call $deep (local.get $n) (local.get $rounds)))
                (unreachable))
            (local.set $x) (drop) (local.set $b)
            (local.set $sum (i32.add (local.get $sum)))
            ;; Again, with an allocation while it is held.
            (drop (struct.new $box (i32.const 1)))
            (block $h2 (result i32 (ref $box) externref)
                (try_table (catch $e $h2) (throw_ref (local.get $x)))
                (unreachable))
            (drop) (struct.get $box 0) (i32.add) (local.get $sum) (i32.add)
            (local.set $sum (i32.add (struct.get $box 0 (local.get $b))))
            (br_if $again (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
        (local.get $sum)))"#;

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn what_an_exception_carries_survives_collections() {
    let program = OBJECTS
        .replace(
            "(local.set $sum (i32.add (local.get $sum)))",
            "(local.get $sum) (i32.add) (local.set $sum)",
        )
        .replace(
            "(local.set $sum (i32.add (struct.get $box 0 (local.get $b))))",
            "(struct.get $box 0 (local.get $b)) (i32.add) (local.set $sum)",
        );
    let stress = |config: &mut Config| {
        config.gc_stress(true);
    };
    on_both_with(stress, |engine| {
        let (mut store, instance) = instance(engine, &program);
        let run = instance
            .get_typed_func::<(i32, i32), i32>(&mut store, "run")
            .unwrap();
        for depth in [0, 1, 5] {
            // Four numbers a round.
            assert_eq!(run.call(&mut store, (6, depth)).unwrap(), 4 * 21);
        }
    });
}

#[test]
fn exceptions_take_the_same_fuel_everywhere() {
    let fuel = |config: &mut Config| {
        config.consume_fuel(true);
    };
    let counts: Vec<u64> = engines(fuel)
        .iter()
        .map(|engine| {
            let mut rig = rig(engine, |mut caller, tag, x| {
                let exn = exception(&mut caller, tag, x)?;
                caller.throw(exn)
            });
            rig.store.set_fuel(1000).unwrap();
            for name in ["catch", "catch tail", "catch all"] {
                rig.call(name, 1).unwrap();
            }
            rig.call("call", 1).unwrap_err();
            rig.store.get_fuel().unwrap()
        })
        .collect();
    assert!(counts.iter().all(|n| *n == counts[0] && *n < 1000));
}

#[test]
fn exceptions_cross_many_frames() {
    let frames = if cfg!(miri) { 20 } else { 10_000 };
    on_both(|engine| {
        let (mut store, instance) = instance(
            engine,
            r#"(module (tag $e (param i32)) (tag $other)
                (func $deep (param i32)
                    (if (i32.eqz (local.get 0)) (then (throw $e (i32.const 5))))
                    (block $h (try_table (catch $other $h) (call $deep (i32.sub (local.get 0) (i32.const 1))))))
                (func (export "run") (param i32) (result i32)
                    (block $h (result i32) (try_table (catch $e $h) (call $deep (local.get 0))) (unreachable))))"#,
        );
        let run = instance
            .get_typed_func::<i32, i32>(&mut store, "run")
            .unwrap();
        for _ in 0..2 {
            assert_eq!(run.call(&mut store, frames).unwrap(), 5);
        }
    });
}

#[test]
fn a_store_may_move_while_an_exception_is_on_its_way() {
    on_both(|engine| {
        let module = Module::new(engine, PROGRAM).unwrap();
        let mut store = Store::new(engine, ());
        let tag = Tag::new(&mut store, &tag_type(engine, &[ValType::I32])).unwrap();
        let f = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, x: i32| {
            let error = call_back(&mut caller, "throw deep", x).unwrap_err();
            let memory = sheave_hostcalls::MemoryType::new(2, None);
            sheave_hostcalls::Memory::new(&mut caller, memory)?;
            Err::<i32, _>(error)
        });
        let instance = Instance::new(&mut store, &module, &[tag.into(), f.into()]).unwrap();
        let f = instance
            .get_typed_func::<i32, i32>(&mut store, "catch")
            .unwrap();
        assert_eq!(f.call(&mut store, 5).unwrap(), 1005);
        store.relocate().unwrap();
        assert_eq!(f.call(&mut store, 6).unwrap(), 1006);
    });
}

#[test]
fn images_hold_what_catches() {
    on_both(|engine| {
        let module = Module::new(engine, PROGRAM).unwrap();
        let image = module.serialize().unwrap();
        let module = Module::deserialize(engine, &image).unwrap();
        let mut store = Store::new(engine, ());
        let tag = Tag::new(&mut store, &tag_type(engine, &[ValType::I32])).unwrap();
        let f = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>, x: i32| {
            let exn = exception(&mut caller, tag, x)?;
            caller.throw::<i32>(exn)
        });
        let instance = Instance::new(&mut store, &module, &[tag.into(), f.into()]).unwrap();
        for name in ["catch", "catch indirect", "catch tail"] {
            let f = instance
                .get_typed_func::<i32, i32>(&mut store, name)
                .unwrap();
            assert_eq!(f.call(&mut store, 5).unwrap(), 1005, "{name}");
        }
    });
}

#[test]
fn a_call_that_waits_in_a_try_table_catches_when_it_goes_on() {
    let fuel = |config: &mut Config| {
        config.consume_fuel(true);
    };
    let wat = r#"(module (tag $e (export "e") (param i32))
        (func $work (param i32)
            (loop $l (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
            (throw $e (i32.const 6)))
        (func (export "run") (result i32)
            (block $h (result i32) (try_table (catch $e $h) (call $work (i32.const 100))) (unreachable))))"#;
    on_both_with(fuel, |engine| {
        let (mut store, instance) = instance(engine, wat);
        store.set_fuel(50).unwrap();
        let run = instance.get_func(&mut store, "run").unwrap();
        let mut results = [Val::I32(0)];
        let outcome = run.call_resumable(&mut store, &[], &mut results).unwrap();
        assert!(matches!(outcome, sheave_hostcalls::CallOutcome::Paused(_)));
        let snapshot = store.snapshot().unwrap();
        for other in engines(fuel) {
            let bytes = snapshot.to_bytes();
            let snapshot = sheave_hostcalls::Snapshot::from_bytes(&bytes).unwrap();
            let linker = Linker::new(&other);
            let mut store = Store::restore(&other, &snapshot, &linker, ()).unwrap();
            store.set_fuel(10_000).unwrap();
            store.resume_call(&mut results).unwrap();
            assert_eq!(results[0].unwrap_i32(), 6);
            let instance = store.instances().next().unwrap();
            assert!(instance.get_tag(&mut store, "e").is_some());
        }
    });
}

#[test]
fn the_feature_is_switched_and_the_old_encoding_is_refused_by_name() {
    let mut config = Config::new();
    config.wasm_exceptions(false);
    let engine = Engine::new(&config).unwrap();
    let error = Module::new(&engine, "(module (tag))").unwrap_err();
    assert!(format!("{error:#}").contains("`exceptions`"), "{error:#}");
    // A type, a function, a tag, and the code: try, throw 0, catch 0, end, end.
    let legacy = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0d\x03\x01\0\0\
        \x0a\x0b\x01\x09\0\x06\x40\x08\0\x07\0\x0b\x0b";
    let error = Module::new(&Engine::default(), legacy).unwrap_err();
    assert!(
        format!("{error:#}").contains("`legacy-exceptions`"),
        "{error:#}"
    );
}
