//! Exceptions on their way between wasm and the host.
//!
//! The exception itself stays in the store while it is passed on; what travels through Rust is the error
//! [`ThrownException`].

use core::fmt::Write as _;

use sheave_interp::TagAddr;

use crate::gc::{ExnRef, GcRefImpl, Rooted};
use crate::store::{Caller, Store, StoreContextMut, StoreOpaque};
use crate::types::ValType;
use crate::{Error, Result};

/// The error of a call that ended with an exception, and the one a host function returns to throw one. The exception is
/// the store's pending one.
///
/// ```
/// use sheave_hostcalls::{
///     Caller, Engine, ExnRef, ExnRefPre, ExnType, Func, Instance, Module, Result, Store, Tag, TagType, ThrownException, Val,
/// };
/// let engine = Engine::default();
/// let wat = r#"(module
///     (tag $t (import "" "t") (param i32)) (import "" "f" (func $f))
///     (func (export "caught") (result i32) (block $h (result i32) (try_table (catch $t $h) (call $f)) (unreachable)))
///     (func (export "uncaught") (throw $t (i32.const 7))))"#;
/// let module = Module::new(&engine, wat)?;
/// let mut store = Store::new(&engine, ());
/// let ty = module.imports().next().unwrap().ty().unwrap_tag().clone();
/// let tag = Tag::new(&mut store, &ty)?;
/// // The host throws, and wasm catches.
/// let f = Func::wrap(&mut store, move |mut caller: Caller<'_, ()>| -> Result<()> {
///     let ty = ExnType::from_tag_type(&tag.ty(&caller))?;
///     let pre = ExnRefPre::new(&mut caller, ty);
///     let exn = ExnRef::new(&mut caller, &pre, &tag, &[Val::I32(5)])?;
///     caller.throw(exn)
/// });
/// let instance = Instance::new(&mut store, &module, &[tag.into(), f.into()])?;
/// let caught = instance.get_typed_func::<(), i32>(&mut store, "caught")?;
/// assert_eq!(caught.call(&mut store, ())?, 5);
/// // Wasm throws, and the host catches.
/// let uncaught = instance.get_typed_func::<(), ()>(&mut store, "uncaught")?;
/// let error = uncaught.call(&mut store, ()).unwrap_err();
/// assert!(error.is::<ThrownException>());
/// let exn = store.take_pending_exception().unwrap();
/// assert_eq!(exn.field(&mut store, 0)?.unwrap_i32(), 7);
/// # Ok::<(), sheave_hostcalls::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThrownException;

impl core::fmt::Display for ThrownException {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("thrown Wasm exception")
    }
}

impl core::error::Error for ThrownException {}

/// An exception on its way out of a host function: how often something was caught before, and the error.
pub(crate) type Thrown = Option<(u64, Error)>;

impl StoreOpaque {
    /// Whether a host function that returns `error` throws the pending exception. The error is kept: it has the frames
    /// that the exception has left behind.
    pub(crate) fn throws(&mut self, error: Error) -> Result<()> {
        if self.vm.pending_exception().is_none()
            || error.downcast_ref::<ThrownException>().is_none()
        {
            return Err(error);
        }
        let catches = self.vm.catches();
        *self
            .thrown
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some((catches, error));
        Ok(())
    }

    /// The error of an exception that nobody in an activation has caught.
    pub(crate) fn thrown_error(&mut self) -> Error {
        let thrown = self
            .thrown
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        match thrown {
            // Nothing was caught since: this is the same exception.
            Some((catches, error)) if catches == self.vm.catches() => error,
            _ => Error::new(ThrownException).context(self.describe_pending()),
        }
    }

    fn describe_pending(&self) -> String {
        let mut text = String::from("unhandled exception");
        let Some(exn) = self.vm.pending_exception() else {
            return text;
        };
        let (Some(tag), Some(payload)) = (self.vm.exn_tag(exn), self.vm.exn_payload(exn)) else {
            return text;
        };
        let ty = self.tag_type(TagAddr(tag));
        let mut slots = payload.into_iter();
        let mut separator = " with payload ";
        for ty in ty.ty().params() {
            let mut next = || slots.next().unwrap_or(0);
            text.push_str(separator);
            separator = ", ";
            let _ = match number(&ty, &mut next) {
                Some(value) => write!(text, "{ty} {value}"),
                None => write!(text, "{ty}"),
            };
        }
        text
    }
}

macro_rules! throwing {
    ($($ty:ty, $store:ident => $opaque:expr;)*) => { $(
        impl<T: 'static> $ty {
            /// Makes `exception` the pending one and gives the error that a host function returns to throw it.
            ///
            /// # Errors
            /// Always: [`ThrownException`], or that the scope of `exception` has ended.
            ///
            /// # Panics
            /// If the exception is of another store.
            pub fn throw<R>(&mut self, exception: Rooted<ExnRef>) -> Result<R> {
                let $store = self;
                let opaque: &mut StoreOpaque = $opaque;
                let reference = opaque.reference(exception.root())?;
                opaque.vm.set_pending_exception(reference);
                Err(ThrownException.into())
            }

            /// Takes the exception with which a call ended. Who takes it has caught it.
            pub fn take_pending_exception(&mut self) -> Option<Rooted<ExnRef>> {
                let $store = self;
                let opaque: &mut StoreOpaque = $opaque;
                match opaque.vm.take_pending_exception() {
                    0 => None,
                    exn => Some(opaque.root(exn)),
                }
            }
        }
    )* };
}

throwing! {
    Store<T>, store => &mut store.0.opaque;
    StoreContextMut<'_, T>, store => &mut store.0.opaque;
    Caller<'_, T>, store => &mut store.store.0.opaque;
}

impl<T: 'static> Store<T> {
    /// Whether a call ended with an exception that nobody has taken yet.
    pub fn has_pending_exception(&self) -> bool {
        self.0.opaque.vm.pending_exception().is_some()
    }
}

impl<T: 'static> StoreContextMut<'_, T> {
    /// Whether a call ended with an exception that nobody has taken yet.
    pub fn has_pending_exception(&self) -> bool {
        self.0.opaque.vm.pending_exception().is_some()
    }
}

/// The text of a number whose slots' bits `next` gives.
fn number(ty: &ValType, next: &mut impl FnMut() -> u64) -> Option<String> {
    Some(match ty {
        ValType::I32 => (next() as u32 as i32).to_string(),
        ValType::I64 => (next() as i64).to_string(),
        ValType::F32 => f32::from_bits(next() as u32).to_string(),
        ValType::F64 => f64::from_bits(next()).to_string(),
        ValType::V128 => {
            let low = next();
            format!("{:#034x}", u128::from(next()) << 64 | u128::from(low))
        }
        ValType::Ref(_) => {
            next();
            return None;
        }
    })
}
