//! Registers WASI in a linker: the only part that knows the engine.
//!
//! The memory is the one that the guest exports as `memory`.

use super::{Errno, GuestMemory, WasiCtx, calls, for_each_call};
use crate::{Caller, Error, Linker, PauseCall, Result};
use std::sync::Arc;

/// The module that guests of preview 1 import from.
const PREVIEW1: &str = "wasi_snapshot_preview1";
/// The older one, for programs of 2019.
const UNSTABLE: &str = "wasi_unstable";

/// How the context is found in the data of a store.
trait Get<T>: Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static {}
impl<T, F: Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static> Get<T> for F {}

/// Defines all of WASI preview 1 in `linker`, and what `wasi_unstable` had.
///
/// `get` finds the context in the data of a store. A guest that calls
/// `proc_exit` ends with the error [`I32Exit`](super::I32Exit).
///
/// ```
/// use sheave_hostcalls::wasi::{self, I32Exit, MemoryOutputPipe, WasiCtxBuilder};
/// use sheave_hostcalls::{Engine, Linker, Module, Store};
///
/// # fn main() -> sheave_hostcalls::Result<()> {
/// let engine = Engine::default();
/// let module = Module::new(&engine, r#"(module
///     (import "wasi_snapshot_preview1" "fd_write"
///         (func $write (param i32 i32 i32 i32) (result i32)))
///     (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
///     (memory (export "memory") 1)
///     (data (i32.const 0) "\08\00\00\00\05\00\00\00hello")
///     (func (export "_start")
///         (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
///         (call $exit (i32.const 3))))"#)?;
/// let out = MemoryOutputPipe::new(1 << 20);
/// let mut store = Store::new(&engine, WasiCtxBuilder::new().stdout(out.clone()).build());
/// let mut linker = Linker::new(&engine);
/// wasi::add_to_linker(&mut linker, |ctx| ctx)?;
/// let instance = linker.instantiate(&mut store, &module)?;
/// let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
/// let error = start.call(&mut store, ()).unwrap_err();
/// assert_eq!(error.downcast_ref(), Some(&I32Exit(3)));
/// assert_eq!(out.contents(), b"hello");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If one of the names is defined already.
pub fn add_to_linker<T: 'static>(
    linker: &mut Linker<T>,
    get: impl Fn(&mut T) -> &mut WasiCtx + Copy + Send + Sync + 'static,
) -> Result<()> {
    add_module(linker, PREVIEW1, false, get)?;
    add_module(linker, UNSTABLE, true, get)
}

/// Runs `f` on the context and the memory of the guest that calls.
fn with<T: 'static>(
    caller: &mut Caller<'_, T>,
    get: impl Get<T>,
    f: impl FnOnce(&mut WasiCtx, &mut GuestMemory<'_>) -> Result<(), Errno>,
) -> Result<i32> {
    let memory = caller
        .get_export("memory")
        .and_then(|e| e.into_memory())
        .ok_or_else(no_memory)?;
    let interruption = caller.engine().config().options.interruption;
    let flag = interruption.then(|| Arc::clone(caller.store.0.opaque.vm.interrupt_flag()));
    let (bytes, data) = memory.data_and_store_mut(caller);
    let cx = get(data);
    cx.interrupt.flag = flag;
    let Err(errno) = f(cx, &mut GuestMemory::new(bytes)) else {
        return Ok(0);
    };
    if core::mem::take(&mut cx.pausing.asked) {
        return Err(PauseCall.into());
    }
    Ok(errno.raw().into())
}

#[cold]
fn no_memory() -> Error {
    Error::msg("a WASI function was called by a module that exports no memory as `memory`")
}

/// The type of an argument in WebAssembly.
macro_rules! wasm {
    (u32) => {
        i32
    };
    (u64) => {
        i64
    };
    (i64) => {
        i64
    };
}

macro_rules! define {
    ($($name:ident($($arg:ident: $ty:ident),*) $(/ $unstable:ident)?;)*) => {
        fn add_module<T: 'static>(
            linker: &mut Linker<T>,
            module: &str,
            unstable: bool,
            get: impl Get<T>,
        ) -> Result<()> {
            $({
                type Function = fn(&mut WasiCtx, &mut GuestMemory<'_>, $($ty),*) -> Result<(), Errno>;
                let f: Function = calls::$name;
                $(let f: Function = if unstable { calls::$unstable } else { f };)?
                linker.func_wrap(
                    module,
                    stringify!($name),
                    move |mut caller: Caller<'_, T>, $($arg: wasm!($ty)),*| -> Result<i32> {
                        with(&mut caller, get, |cx, mem| f(cx, mem, $($arg as $ty),*))
                    },
                )?;
            })*
            let _ = unstable;
            linker.func_wrap(module, "proc_exit", |code: i32| -> Result<()> {
                Err(calls::proc_exit(code as u32).into())
            })?;
            linker.func_wrap(module, "proc_raise", |signal: i32| -> Result<i32> {
                match calls::proc_raise(signal as u32) {
                    Ok(Ok(())) => Ok(0),
                    Ok(Err(exit)) => Err(exit.into()),
                    Err(errno) => Ok(errno.raw().into()),
                }
            })?;
            Ok(())
        }
    };
}
for_each_call!(define);
