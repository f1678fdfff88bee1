//! Exceptions on their way between wasm and the host.
//!
//! The exception itself stays in the store while it is passed on; what travels through Rust is the error
//! [`ThrownException`].

use core::fmt::Write as _;

use sheave_interp::TagAddr;

use crate::Error;
use crate::store::StoreOpaque;
use crate::types::ValType;

/// The error of a call that ended with an exception, and the one a host function returns to throw one. The exception is
/// the store's pending one.
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
    pub(crate) fn throws(&mut self, error: Error) -> Result<(), Error> {
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
