//! No fibers: none can be made, so nothing here is ever called but `create`.
#![allow(unsafe_code, reason = "the signatures of the other backends")]

use std::convert::Infallible;
use std::ptr::NonNull;

use crate::body::Body;
use crate::fiber::FiberError;
use crate::stack::StackBounds;
use crate::words::Transfer;

/// There is none.
pub(crate) struct Control(Infallible);

impl Control {
    pub(crate) fn bounds(&self) -> StackBounds {
        match self.0 {}
    }
}

/// # Safety
/// None.
pub(crate) unsafe fn create<B: Body>(_: StackBounds, _: B) -> Result<NonNull<Control>, FiberError> {
    Err(FiberError::Unsupported)
}

/// # Safety
/// Never called, as there is no fiber.
pub(crate) unsafe fn resume(_: NonNull<Control>, _: Transfer) -> Transfer {
    unreachable!("there is no fiber")
}

/// # Safety
/// Never called, as there is no fiber.
pub(crate) unsafe fn suspend(_: NonNull<Control>, _: Transfer) -> Transfer {
    unreachable!("there is no fiber")
}

/// # Safety
/// Never called, as there is no fiber.
pub(crate) unsafe fn retire(_: NonNull<Control>) {}
