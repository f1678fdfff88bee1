//! Garbage-collected values in the host's hands.
//!
//! A handle names an entry of its store's table of roots and is checked whenever it is used, so that none can lead to
//! what was freed: a [`Rooted`] one is good until its scope ends, an [`OwnedRooted`] one as long as it lives.

mod anyref;
mod arrayref;
mod contref;
mod error;
mod exnref;
mod externref;
mod i31;
mod rooting;
mod structref;

pub use anyref::{AnyRef, EqRef};
pub use arrayref::{ArrayRef, ArrayRefPre};
pub use contref::ContRef;
pub use error::GcHeapOutOfMemory;
pub use exnref::{ExnRef, ExnRefPre};
pub use externref::ExternRef;
pub use i31::I31;
pub use rooting::{GcRef, OwnedRooted, RootScope, Rooted, RootedGcRef};
pub use structref::{StructRef, StructRefPre};

pub(crate) use error::refused;
pub(crate) use externref::Externs;
pub(crate) use rooting::{GcRefImpl, GcRoot};
