//! Host functions on stacks of their own.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::futures::{block_on, pending};
use super::{on_both, on_both_with};
use sheave_fiber::{BACKEND, Backend, NativeStacks};
use sheave_hostcalls::{
    Caller, Config, Engine, Error, Func, Instance, Linker, Module, StackCreator, StackError,
    StackMemory, Store, Trap, WasmBacktrace,
};

const KIB: usize = 1 << 10;

/// Uses at least so many bytes of stack.
#[inline(never)]
fn use_stack(bytes: usize) -> usize {
    let frame = black_box([bytes as u8 | 1; 1024]);
    let deeper = if bytes > 1024 {
        use_stack(bytes - 1024)
    } else {
        0
    };
    deeper + usize::from(frame[5] > 0)
}

fn sized(bytes: usize) -> impl Fn(&mut Config) {
    move |config| {
        config.host_stack_size(bytes);
    }
}

#[test]
fn a_host_function_knows_what_is_left_of_its_own_stack() {
    let left = |engine: &Engine| {
        let mut store = Store::new(engine, ());
        let left = Func::wrap(&mut store, |caller: Caller<'_, ()>| {
            caller.stack_remaining().map_or(0, |n| n as u32)
        });
        let text = r#"(module (import "" "" (func $f (result i32))) (func (export "f") (result i32) (call $f)))"#;
        let module = Module::new(engine, text).unwrap();
        let instance = Instance::new(&mut store, &module, &[left.into()]).unwrap();
        let f = instance.get_typed_func::<(), u32>(&mut store, "f").unwrap();
        f.call(&mut store, ()).unwrap() as usize
    };
    on_both(|engine| assert_eq!(left(engine), 0, "it is on its caller's"));
    on_both_with(sized(128 * KIB), |engine| {
        assert!((100 * KIB..=128 * KIB).contains(&left(engine)));
    });
    let limited = |config: &mut Config| {
        config.host_stack_limit(50 * KIB);
    };
    on_both_with(limited, |engine| {
        assert!((30 * KIB..=50 * KIB).contains(&left(engine)));
    });
}

#[test]
fn one_host_function_of_a_linker_can_have_a_stack_of_its_own() {
    on_both(|engine| {
        let mut linker = Linker::<Vec<Option<usize>>>::new(engine);
        for name in ["own", "other"] {
            linker
                .func_wrap("env", name, |mut caller: Caller<'_, Vec<Option<usize>>>| {
                    let left = caller.stack_remaining();
                    caller.data_mut().push(left);
                })
                .unwrap();
        }
        linker
            .func_wrap_async("env", "async", |_, (): ()| Box::new(pending(1)))
            .unwrap();
        linker.host_stack("env", "own", 40 * KIB).unwrap();
        let refused = |linker: &mut Linker<_>, name, why: &str| {
            let error = linker.host_stack("env", name, 4096).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        };
        refused(&mut linker, "own", "twice");
        refused(&mut linker, "none", "not a host function");
        refused(&mut linker, "async", "is async");
        let text = r#"(module
            (import "env" "own" (func $own)) (import "env" "other" (func $other))
            (func (export "f") (call $own) (call $other)))"#;
        let module = Module::new(engine, text).unwrap();
        let mut store = Store::new(engine, Vec::new());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let f = instance.get_typed_func::<(), ()>(&mut store, "f").unwrap();
        f.call(&mut store, ()).unwrap();
        assert!(store.data()[0].is_some_and(|left| left <= 40 * KIB));
        assert_eq!(store.data()[1], None);
        refused(&mut linker, "other", "has its stack already");
    });
}

/// `down(n)` calls the host, which calls `down(n - 1)`; the last one does what `end` says.
const DOWN: &str = r#"(module
    (import "env" "again" (func $again (param i32) (result i32)))
    (func (export "down") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then unreachable))
        (i32.add (call $again (i32.sub (local.get 0) (i32.const 1))) (i32.const 1))))"#;

fn nesting(engine: &Engine, end: fn() -> Result<i32, Error>) -> (Store<Vec<usize>>, Instance) {
    let mut linker = Linker::<Vec<usize>>::new(engine);
    let again = move |mut caller: Caller<'_, Vec<usize>>, n: i32| {
        let left = caller.stack_remaining().unwrap();
        caller.data_mut().push(left);
        if n == 0 {
            return end();
        }
        let down = caller.get_export("down").unwrap().into_func().unwrap();
        let down = down.typed::<i32, i32>(&caller)?;
        let result = down.call(&mut caller, n);
        // The inner ones are gone.
        assert!(caller.stack_remaining().unwrap().abs_diff(left) < 4 * KIB);
        result
    };
    linker.func_wrap("env", "again", again).unwrap();
    let mut store = Store::new(engine, Vec::new());
    let module = Module::new(engine, DOWN).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    (store, instance)
}

#[test]
fn host_functions_nest_ten_deep_each_on_its_own_stack() {
    on_both_with(sized(256 * KIB), |engine| {
        let (mut store, instance) = nesting(engine, || Ok(100));
        let down = instance
            .get_typed_func::<i32, i32>(&mut store, "down")
            .unwrap();
        assert_eq!(down.call(&mut store, 10).unwrap(), 110);
        let left = store.data();
        assert_eq!(left.len(), 10);
        // None sits on another.
        assert!(
            left.iter().all(|n| n.abs_diff(left[0]) < 4 * KIB),
            "{left:?}"
        );
    });
}

#[test]
fn errors_and_panics_come_out_through_ten_stacks() {
    on_both_with(sized(256 * KIB), |engine| {
        let (mut store, instance) = nesting(engine, || Err(Error::msg("deep down")));
        let down = instance
            .get_typed_func::<i32, i32>(&mut store, "down")
            .unwrap();
        let error = down.call(&mut store, 10).unwrap_err();
        assert_eq!(error.root_cause().to_string(), "deep down");
        let frames = error
            .downcast_ref::<WasmBacktrace>()
            .unwrap()
            .frames()
            .len();
        assert_eq!(frames, 10);
        // A trap, inside the first.
        let error = down.call(&mut store, 0).unwrap_err();
        assert_eq!(error.downcast_ref(), Some(&Trap::UnreachableCodeReached));

        let (mut store, instance) = nesting(engine, || panic!("deep panic"));
        let down = instance
            .get_typed_func::<i32, i32>(&mut store, "down")
            .unwrap();
        for depth in [1, 10] {
            let call = std::panic::AssertUnwindSafe(|| down.call(&mut store, depth));
            let payload = std::panic::catch_unwind(call).unwrap_err();
            assert_eq!(payload.downcast_ref(), Some(&"deep panic"));
        }
    });
}

#[test]
fn a_call_that_waits_can_be_dropped_amid_host_functions_with_stacks() {
    on_both_with(sized(64 * KIB), |engine| {
        let text = r#"(module
            (import "env" "sync" (func $sync (result i32)))
            (import "env" "wait" (func $wait (result i32)))
            (func (export "f") (result i32)
                (i32.add (call $sync) (i32.add (call $wait) (call $sync)))))"#;
        let mut linker = Linker::<u32>::new(engine);
        linker
            .func_wrap("env", "sync", |mut caller: Caller<'_, u32>| {
                assert!(caller.stack_remaining().is_some());
                *caller.data_mut() += 1;
                10
            })
            .unwrap();
        linker
            .func_wrap_async("env", "wait", |caller: Caller<'_, u32>, (): ()| {
                assert!(caller.stack_remaining().is_none());
                Box::new(async {
                    pending(2).await;
                    5
                })
            })
            .unwrap();
        let module = Module::new(engine, text).unwrap();
        let mut store = Store::new(engine, 0);
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
        super::futures::dropped_after(f.call_async(&mut store, ()), 1);
        assert_eq!(*store.data(), 1);
        assert_eq!(block_on(f.call_async(&mut store, ())).unwrap(), 25);
        assert_eq!(*store.data(), 3);
    });
}

#[test]
fn a_report_says_how_deep_host_functions_used_their_stacks() {
    let measured = |config: &mut Config| {
        config.host_stack_size(256 * KIB).host_stack_report(true);
    };
    on_both_with(measured, |engine| {
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap("env", "shallow", || use_stack(1) as i32)
            .unwrap();
        linker
            .func_wrap("env", "deep", || use_stack(60 * KIB) as i32)
            .unwrap();
        linker.func_wrap("env", "unused", || ()).unwrap();
        linker.host_stack("env", "shallow", 32 * KIB).unwrap();
        let text = r#"(module
            (import "env" "shallow" (func $shallow (result i32))) (import "env" "deep" (func $deep (result i32)))
            (func (export "f") (result i32) (call $shallow) (drop (call $shallow)) (i32.add (call $deep))))"#;
        let module = Module::new(engine, text).unwrap();
        for _ in 0..2 {
            let mut store = Store::new(engine, ());
            let instance = linker.instantiate(&mut store, &module).unwrap();
            let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
            assert_eq!(f.call(&mut store, ()).unwrap(), 61);
        }
        let report = engine.host_stack_report();
        let mut rows: Vec<_> = report.iter().collect();
        let measures = BACKEND == Backend::Assembly;
        if !measures {
            // Nothing is known of a thread's stack.
            rows.sort_by_key(|row| row.name() != "env::deep");
        }
        let [deep, shallow] = rows[..] else {
            panic!("{report}")
        };
        assert_eq!(
            (deep.name(), deep.calls(), deep.stack_bytes()),
            ("env::deep", 2, 256 * KIB)
        );
        assert_eq!(
            (shallow.name(), shallow.calls(), shallow.stack_bytes()),
            ("env::shallow", 4, 32 * KIB)
        );
        if measures {
            assert!(
                (60 * KIB..200 * KIB).contains(&deep.most_bytes()),
                "{report}"
            );
            assert!((KIB..32 * KIB).contains(&shallow.most_bytes()), "{report}");
        }
        let text = report.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].ends_with(rows[0].name()) || !measures, "{text}");
    });
    on_both(|engine| assert_eq!(engine.host_stack_report().iter().len(), 0));
}

/// Counts, and refuses what is too large.
struct Counting(AtomicUsize);

impl StackCreator for Counting {
    fn create(&self, size: usize) -> Result<Box<dyn StackMemory + Send>, StackError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        if size > 1 << 20 {
            let source = std::io::ErrorKind::OutOfMemory.into();
            return Err(StackError::OutOfMemory { size, source });
        }
        NativeStacks.create(size)
    }
}

#[test]
fn stacks_can_come_from_the_embedder_who_can_refuse() {
    let creator = Arc::new(Counting(AtomicUsize::new(0)));
    let given: Arc<dyn StackCreator> = creator.clone();
    let mut config = Config::new();
    let engine = Engine::new(config.with_host_stack(given)).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("env", "f", || 5).unwrap();
    linker.func_wrap("env", "large", || 5).unwrap();
    linker.host_stack("env", "large", 2 << 20).unwrap();
    let text = r#"(module
        (import "env" "f" (func $f (result i32))) (import "env" "large" (func $large (result i32)))
        (export "f" (func $f)) (export "large" (func $large)))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let f = instance.get_typed_func::<(), i32>(&mut store, "f").unwrap();
    for _ in 0..5 {
        assert_eq!(f.call(&mut store, ()).unwrap(), 5);
    }
    assert_eq!(creator.0.load(Ordering::Relaxed), 1, "it was used again");
    let large = instance.get_typed_func::<(), i32>(&mut store, "large");
    let error = format!("{:#}", large.unwrap().call(&mut store, ()).unwrap_err());
    assert!(
        error.contains("`env::large`") && error.contains("2097152"),
        "{error}"
    );
    assert_eq!(f.call(&mut store, ()).unwrap(), 5);
}

#[test]
#[cfg_attr(miri, ignore = "runs another process")]
#[cfg_attr(not(unix), ignore = "there is no message on other systems")]
fn an_overflow_names_the_host_function_and_ends_the_process() {
    const NAME: &str = "api::host_stacks::an_overflow_names_the_host_function_and_ends_the_process";
    let Some(size) = std::env::var_os("SHEAVE_HOST_OVERFLOW") else {
        for size in ["65536", "20480"] {
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", NAME, "--nocapture"])
                .env("SHEAVE_HOST_OVERFLOW", size)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            let says = format!(
                "the host function `env::greedy` has used up the stack it runs on, {size} bytes"
            );
            assert!(text.contains(&says), "{output:?}");
            assert!(
                !output.status.success() && !text.contains("came back"),
                "{output:?}"
            );
        }
        return;
    };
    let size: usize = size.to_string_lossy().parse().unwrap();
    let mut config = Config::new();
    config
        .host_stack_size(64 * KIB)
        .host_stack_overflow_message(true);
    config.host_stack_limit(size);
    let engine = Engine::new(&config).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    linker
        .func_wrap("env", "greedy", |n: i32| use_stack(n as usize) as i32)
        .unwrap();
    let text = r#"(module
        (import "env" "greedy" (func $greedy (param i32) (result i32)))
        (func (export "f") (param i32) (result i32) (call $greedy (local.get 0))))"#;
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let f = instance
        .get_typed_func::<i32, i32>(&mut store, "f")
        .unwrap();
    f.call(&mut store, 5 * KIB as i32).unwrap();
    let n = f.call(&mut store, 1 << 20).unwrap();
    eprintln!("came back with {n}");
}
