//! Calls that wait, where stacks grow and move, on threads, beside each other, and through a linker.

use core::pin::Pin;
use core::task::{Context, Waker};

use super::futures::{SUM, block_on, pending, summing};
use super::on_both;
use sheave_hostcalls::{
    Caller, Config, Engine, Error, Linker, Memory, Module, Ref, RefType, Store, Table, TableType,
};

#[test]
fn the_stack_of_a_waiting_call_grows_and_moves_under_it() {
    on_both(|engine| {
        let text = r#"(module
            (import "host" "deep" (func $deep (param i32)))
            (func $down (export "down") (param i32) (result i32) (local i64 i64 i64 i64)
                (if (result i32) (local.get 0)
                    (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
                    (else (i32.const 0))))
            (func (export "outer") (param i32) (result i32) (local i32)
                (local.set 1 (i32.const 77))
                (call $deep (local.get 0))
                (i32.add (local.get 0) (local.get 1))))"#;
        let mut linker = Linker::<()>::new(engine);
        linker
            .func_wrap_async(
                "host",
                "deep",
                |mut caller: Caller<'_, ()>, (n,): (i32,)| {
                    Box::new(async move {
                        pending(1).await;
                        let down = caller.get_export("down").unwrap().into_func().unwrap();
                        let down = down.typed::<i32, i32>(&caller)?;
                        assert_eq!(down.call(&mut caller, n)?, n);
                        pending(1).await;
                        Ok::<_, Error>(())
                    })
                },
            )
            .unwrap();
        let mut store = Store::new(engine, ());
        let module = Module::new(engine, text).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let outer = instance
            .get_typed_func::<i32, i32>(&mut store, "outer")
            .unwrap();
        let n = if cfg!(miri) { 120 } else { 3000 };
        assert_eq!(block_on(outer.call_async(&mut store, n)).unwrap(), n + 77);
    });
}

#[test]
fn a_future_goes_from_thread_to_thread() {
    fn is_send<F: Send>(future: F) -> F {
        future
    }
    on_both(|engine| {
        let (mut store, instance) = summing(engine);
        let sum = instance
            .get_typed_func::<u64, u64>(&mut store, "sum")
            .unwrap();
        let mut future: Pin<Box<dyn Future<Output = _> + Send>> =
            is_send(Box::pin(async move { sum.call_async(&mut store, 3).await }));
        for _ in 0..4 {
            future = std::thread::spawn(move || {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(future.as_mut().poll(&mut cx).is_pending());
                future
            })
            .join()
            .unwrap();
        }
        assert_eq!(block_on(future).unwrap(), 60);
    });
}

#[test]
#[cfg_attr(miri, ignore = "waits for real time")]
fn calls_of_many_stores_wait_together_on_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let engine = Engine::new(&Config::new()).unwrap();
    let module = Module::new(&engine, SUM).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    linker
        .func_wrap_async("host", "next", |_, (i,): (u64,)| {
            Box::new(async move {
                tokio::time::sleep(std::time::Duration::from_millis(i)).await;
                i
            })
        })
        .unwrap();
    let pre = linker.instantiate_pre(&module).unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let (engine, pre) = (engine.clone(), pre.clone());
            runtime.spawn(async move {
                let mut store = Store::new(&engine, ());
                let instance = pre.instantiate_async(&mut store).await?;
                let sum = instance.get_typed_func::<u64, u64>(&mut store, "sum")?;
                let n = n % 5 + 1;
                assert_eq!(sum.call_async(&mut store, n).await?, n * (n + 1) / 2);
                Ok::<_, Error>(())
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
}

#[test]
fn a_linker_defines_modules_whose_functions_wait() {
    on_both(|engine| {
        let mut linker = Linker::<u32>::new(engine);
        linker
            .func_wrap_async("host", "wait", |mut caller: Caller<'_, u32>, (): ()| {
                Box::new(async move {
                    pending(1).await;
                    *caller.data_mut() += 1;
                })
            })
            .unwrap();
        let command = r#"(module (import "host" "wait" (func $wait)) (func (export "_start") (call $wait) (call $wait)))"#;
        let reactor = r#"(module (import "host" "wait" (func $wait))
            (func (export "_initialize") (call $wait)) (func (export "f") (call $wait)))"#;
        let mut store = Store::new(engine, 0);
        for (name, text) in [("command", command), ("reactor", reactor)] {
            let module = Module::new(engine, text).unwrap();
            block_on(linker.module_async(&mut store, name, &module)).unwrap();
        }
        assert_eq!(*store.data(), 1, "the reactor is initialised");
        for (module, name, after) in [("command", "_start", 3), ("reactor", "f", 4)] {
            let func = linker.get(&mut store, module, name).unwrap();
            let func = func.into_func().unwrap();
            block_on(func.call_async(&mut store, &[], &mut [])).unwrap();
            assert_eq!(*store.data(), after);
        }
    });
}

#[test]
fn twins_that_never_wait_do_what_the_others_do() {
    on_both(|engine| {
        let mut store = Store::new(engine, ());
        let ty = sheave_hostcalls::MemoryType::new(1, Some(3));
        let memory = block_on(Memory::new_async(&mut store, ty)).unwrap();
        assert_eq!(block_on(memory.grow_async(&mut store, 2)).unwrap(), 1);
        assert!(block_on(memory.grow_async(&mut store, 1)).is_err());
        let ty = TableType::new(RefType::FUNCREF, 2, None);
        let table = block_on(Table::new_async(&mut store, ty, Ref::Func(None))).unwrap();
        let grown = block_on(table.grow_async(&mut store, 3, Ref::Func(None)));
        assert_eq!((grown.unwrap(), table.size(&store)), (2, 5));
        block_on(store.gc_async(None)).unwrap();
    });
}
