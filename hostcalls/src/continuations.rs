//! Continuations in the embedder's hands: made, resumed, thrown into; and host functions that suspend.
#![allow(unsafe_code, reason = "runs the machine")]

use anyhow::{bail, ensure};
use sheave_interp::{Activation, Exit, Suspended, TagAddr, Trap, Vm};

use crate::gc::{ContRef, ExnRef, GcRefImpl, Rooted};
use crate::host::{self, failure_of, with_machine};
use crate::store::{AsContextMut, Caller, Failure, StoreOpaque};
use crate::store_ref::StoreRef;
use crate::tag::Tag;
use crate::types::{ContType, FuncType};
use crate::values::Val;
use crate::{Error, Func, Result, epochs};

/// How a resumption ended.
#[derive(Debug)]
pub enum Resumed {
    /// The continuation's function returned this.
    Returned(Vec<Val>),
    /// It suspended with one of the tags that the host handles.
    Suspended(Suspension),
}

/// A suspension that the host handles.
#[derive(Debug)]
pub struct Suspension {
    /// The tag.
    pub tag: Tag,
    /// What goes with it: the parameters of the tag's type.
    pub payload: Vec<Val>,
    /// What goes on when it is resumed, with the results of the tag's type.
    pub continuation: Rooted<ContRef>,
}

/// The error that a host function returns to suspend; see [`Caller::suspend`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SuspendCall(());

impl core::fmt::Display for SuspendCall {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a host function asked to suspend where there is no continuation")
    }
}

impl core::error::Error for SuspendCall {}

/// With what a continuation is gone on with.
enum With<'a> {
    Arguments(&'a [Val]),
    Exception(u32),
}

impl ContRef {
    /// A continuation that calls `func` when it is resumed. Spec: `cont.new`.
    ///
    /// ```
    /// use sheave_hostcalls::{
    ///     Config, ContRef, ContType, Engine, Instance, Module, Resumed, Store, Val,
    /// };
    /// let engine = Engine::new(Config::new().wasm_stack_switching(true))?;
    /// let module = Module::new(&engine, r#"(module
    ///     (tag $yield (export "yield") (param i32) (result i32))
    ///     (func (export "double") (param i32) (result i32)
    ///         (i32.add (suspend $yield (i32.mul (local.get 0) (i32.const 2))) (i32.const 1))))"#)?;
    /// let mut store = Store::new(&engine, ());
    /// let instance = Instance::new(&mut store, &module, &[])?;
    /// let double = instance.get_func(&mut store, "double").unwrap();
    /// let r#yield = instance.get_tag(&mut store, "yield").unwrap();
    ///
    /// let ty = ContType::new(&engine, double.ty(&store))?;
    /// let cont = ContRef::new(&mut store, &ty, &double)?;
    /// let Resumed::Suspended(suspension) = cont.resume(&mut store, &[Val::I32(21)], &[r#yield])? else {
    ///     unreachable!("it suspends first")
    /// };
    /// assert_eq!(suspension.payload[0].unwrap_i32(), 42);
    /// let Resumed::Returned(results) = suspension.continuation.resume(&mut store, &[Val::I32(6)], &[])? else {
    ///     unreachable!("and then returns")
    /// };
    /// assert_eq!(results[0].unwrap_i32(), 7);
    /// assert!(cont.resume(&mut store, &[Val::I32(1)], &[]).is_err(), "it was used");
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the function is not of the type's function type, if the type is not of the store's engine, or if there is no
    /// room ([`GcHeapOutOfMemory`](crate::GcHeapOutOfMemory)).
    ///
    /// # Panics
    /// If `func` is not of `store`.
    pub fn new(
        mut store: impl AsContextMut,
        ty: &ContType,
        func: &Func,
    ) -> Result<Rooted<ContRef>> {
        let mut store = store.as_context_mut().0;
        let opaque = &store.opaque;
        opaque.check(func.store);
        let known = opaque.engine.types().get(ty.0.id);
        ensure!(
            known.is_some_and(|known| std::sync::Arc::ptr_eq(&known, &ty.0)),
            "a type of another engine"
        );
        ensure!(
            opaque.func_type(func.addr).matches(&ty.func_type()),
            "the function is not one that a continuation of this type calls"
        );
        let (id, addr) = (ty.0.id, func.addr);
        let made = host::grow(store.reborrow(), |vm| vm.alloc_cont(id, addr))?;
        let made = made.map_err(crate::gc::refused)?;
        Ok(store.opaque.root(made))
    }

    /// Goes on with it, and handles suspensions with `tags`; of those, the first that fits. It cannot be used again.
    /// Spec: `resume`.
    ///
    /// A suspension with another tag ends in [`Trap::UnhandledTag`]: what is around the host
    /// that calls this cannot handle it.
    ///
    /// # Errors
    /// If it was used before, its scope has ended, or the arguments do not fit its type; then it is as it was. As
    /// [`Func::call`], if it ends in a trap, an exception or a host function's error.
    ///
    /// # Panics
    /// If it, a tag or an argument is not of `store`; if a host function panicked.
    pub fn resume(
        &self,
        mut store: impl AsContextMut,
        args: &[Val],
        tags: &[Tag],
    ) -> Result<Resumed> {
        let store = store.as_context_mut().0;
        go_on(store, self, &With::Arguments(args), tags)
    }

    /// As [`ContRef::resume`], but throws an exception where it waits. Spec: `resume_throw_ref`.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn resume_throw(
        &self,
        mut store: impl AsContextMut,
        exception: Rooted<ExnRef>,
        tags: &[Tag],
    ) -> Result<Resumed> {
        let store = store.as_context_mut().0;
        let exn = store.opaque.reference(exception.root())?;
        go_on(store, self, &With::Exception(exn), tags)
    }
}

/// The types of the continuations that suspensions with `tags` give, of what gives `results` in the end.
fn clauses(opaque: &StoreOpaque, tags: &[Tag], results: &FuncType) -> Result<Vec<(TagAddr, u32)>> {
    let of = |tag: &Tag| {
        opaque.check(tag.store);
        let waits_for = opaque.tag_type(tag.addr);
        let ty = FuncType::try_new(&opaque.engine, waits_for.ty().results(), results.results())?;
        Ok((tag.addr, ContType::new(&opaque.engine, ty)?.0.id))
    };
    tags.iter().map(of).collect()
}

fn go_on<T: 'static>(
    store: StoreRef<'_, T>,
    cont: &ContRef,
    with: &With<'_>,
    tags: &[Tag],
) -> Result<Resumed> {
    let opaque = &store.opaque;
    let reference = opaque.reference(cont.root())?;
    let ty = opaque.cont_type(cont.root())?.func_type();
    let (mut room, results) = ty.plain().slots();
    let mut n = 0;
    if let With::Arguments(args) = with {
        let want = ty.plain().params();
        ensure!(
            want.len() == args.len(),
            "expected {} arguments, got {}",
            want.len(),
            args.len()
        );
        for (value, ty) in args.iter().zip(want) {
            if !opaque.val_matches(value, *ty)? {
                let found = value.type_name();
                bail!("argument type mismatch: found {found} but expected {ty}");
            }
        }
        n = u16::try_from(room)?;
    }
    let clauses = clauses(opaque, tags, &ty)?;
    for (tag, _) in &clauses {
        room = room.max(opaque.tag_type(*tag).ty().plain().slots().0);
    }
    let results = u16::try_from(results)?;
    let room = room.max(results.into());
    let ended = with_machine(store, |store, vm| {
        // SAFETY: H1: no reference into the store is alive while the machine runs.
        unsafe {
            let activation = (*vm)
                .begin(room)
                .map_err(|trap| Failure::Error(trap.into()))?;
            let mut slots = (*vm).frame_ptr(activation.frame());
            let result = match with {
                With::Arguments(args) => {
                    for value in *args {
                        // SAFETY: H3: there is room for what the type wants.
                        slots = match value.write(slots, &(*store).opaque) {
                            Ok(next) => next,
                            Err(error) => {
                                (*vm).finish(activation);
                                return Err(Failure::Error(error));
                            }
                        };
                    }
                    Vm::resume_cont(vm, &activation, reference, n, results, &clauses)
                }
                With::Exception(exn) => {
                    Vm::resume_cont_throw(vm, &activation, reference, *exn, results, &clauses)
                }
            };
            let (activation, result) = match result {
                Err(exit @ (Exit::Paused(_) | Exit::Crosses)) => {
                    epochs::go_on(store, vm, activation, exit)
                }
                result => (activation, result),
            };
            let ended = end(&mut (*store).opaque, &activation, &ty, tags, result);
            (*vm).finish(activation);
            ended
        }
    });
    ended.map_err(Failure::raise)
}

/// What an activation that has stopped gives.
fn end(
    opaque: &mut StoreOpaque,
    activation: &Activation,
    ty: &FuncType,
    tags: &[Tag],
    result: Result<(), Exit>,
) -> Result<Resumed, Failure> {
    let slots = |opaque: &StoreOpaque| opaque.vm.frame_ptr(activation.frame()).cast_const();
    match result {
        Ok(()) => {
            let results = ty.plain().results();
            let mut values = vec![Val::I32(0); results.len()];
            // SAFETY: H3: the frame has room for the results, and they are there.
            unsafe { Val::read_all(slots(opaque), results, &mut values, opaque) };
            Ok(Resumed::Returned(values))
        }
        Err(Exit::Suspended(Suspended { clause, cont })) => {
            let continuation = opaque.root(cont);
            let tag = tags[clause];
            let types = opaque.tag_type(tag.addr);
            let types = types.ty().plain().params();
            let mut payload = vec![Val::I32(0); types.len()];
            // SAFETY: H3: the frame has room for each tag's payload, and it is there.
            unsafe { Val::read_all(slots(opaque), types, &mut payload, opaque) };
            Ok(Resumed::Suspended(Suspension {
                tag,
                payload,
                continuation,
            }))
        }
        Err(exit) => Err(failure_of(opaque, activation, None, exit)),
    }
}

impl StoreOpaque {
    /// The error of a suspension that nothing in an activation handles. If a host function called this, it is in the way
    /// of whatever may.
    #[cold]
    pub(crate) fn unhandled(&self, activation: &Activation) -> Error {
        let error = Error::new(Trap::UnhandledTag);
        let Some((inst, import)) = self.vm.import_in_the_way(activation) else {
            return error;
        };
        let Some(module) = self.instances.get(inst.0 as usize) else {
            return error;
        };
        let mut funcs = module.imports().filter(|i| i.ty().func().is_some());
        let Some(import) = funcs.nth(import as usize) else {
            return error;
        };
        let (module, name) = (import.module(), import.name());
        error.context(format!(
            "a suspension cannot go beyond the host function `{module}.{name}`, which called wasm again"
        ))
    }
}

impl<T: 'static> Caller<'_, T> {
    /// Gives the error that a host function returns to suspend with a tag; what the continuation is then resumed with are
    /// the host function's results. Wasm that calls it can tell no difference from a `suspend` of its own.
    ///
    /// The function's results must be those of the tag's type (else the call traps with
    /// [`Trap::BadSignature`]), and wasm must have called it, or a continuation be of it: where
    /// the host calls it directly, there is nothing to suspend, and the call traps with
    /// [`Trap::UnhandledTag`].
    ///
    /// ```
    /// use sheave_hostcalls::{
    ///     Caller, Config, Engine, FuncType, Linker, Module, Result, Store, Tag, TagType, Val, ValType,
    /// };
    /// let engine = Engine::new(Config::new().wasm_stack_switching(true))?;
    /// let module = Module::new(&engine, r#"(module
    ///     (type $f (func (result i32))) (type $c (cont $f))
    ///     (type $g (func (param i32) (result i32))) (type $d (cont $g))
    ///     (tag $ask (import "host" "ask") (param i32) (result i32))
    ///     (func $read (import "host" "read") (result i32))
    ///     (elem declare func $twice)
    ///     (func $twice (result i32) (i32.add (call $read) (call $read)))
    ///     (func (export "run") (result i32) (local $d (ref null $d)) (local $asked i32)
    ///         (block $on (result i32 (ref $d))
    ///             (return (resume $c (on $ask $on) (cont.new $c (ref.func $twice)))))
    ///         (local.set $d) (local.set $asked)
    ///         (loop $again
    ///             (block $on (result i32 (ref $d))
    ///                 (return (resume $d (on $ask $on) (local.get $asked) (local.get $d))))
    ///             (local.set $d) (local.set $asked) (br $again))
    ///         (unreachable)))"#)?;
    /// let mut store = Store::new(&engine, 20);
    /// let ty = FuncType::new(&engine, [ValType::I32], [ValType::I32]);
    /// let ask = Tag::new(&mut store, &TagType::new(ty))?;
    /// let mut linker = Linker::new(&engine);
    /// linker.define(&store, "host", "ask", ask)?;
    /// linker.func_wrap("host", "read", move |mut caller: Caller<'_, i32>| -> Result<i32> {
    ///     *caller.data_mut() += 1;
    ///     let number = *caller.data();
    ///     caller.suspend(&ask, &[Val::I32(number)])
    /// })?;
    /// let run = linker.instantiate(&mut store, &module)?.get_typed_func::<(), i32>(&mut store, "run")?;
    /// assert_eq!(run.call(&mut store, ())?, 21 + 22);
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ///
    /// # Errors
    /// Always: [`SuspendCall`], or what is wrong with the payload.
    ///
    /// # Panics
    /// If the tag or a value is of another store.
    pub fn suspend<R>(&mut self, tag: &Tag, payload: &[Val]) -> Result<R> {
        let opaque = &mut self.store.0.opaque;
        opaque.check(tag.store);
        let ty = opaque.tag_type(tag.addr);
        let types = ty.ty().plain().params();
        ensure!(
            types.len() == payload.len(),
            "expected {} values, got {}",
            types.len(),
            payload.len()
        );
        let mut slots = Vec::new();
        for (value, ty) in payload.iter().zip(types) {
            opaque.push_field(&mut slots, value, sheave_types::StorageType::Val(*ty))?;
        }
        opaque.vm.set_suspension(tag.addr, slots);
        Err(Error::new(SuspendCall(())))
    }
}
