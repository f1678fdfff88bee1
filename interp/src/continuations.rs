//! Continuations: the ops that make them and go from one to another.
#![allow(unsafe_code, reason = "works on the saved registers")]

use crate::calls::raise;
use crate::trap::Trap;
use crate::vm::Vm;

pub(crate) unsafe fn cont_new(_vm: *mut Vm, _f: u32, _ty: u32) -> Result<u32, Trap> {
    Err(Trap::Unreachable)
}

pub(crate) unsafe fn cont_bind(
    _vm: *mut Vm,
    _cont: u32,
    _base: u16,
    _n: u16,
    _from: u32,
    _to: u32,
) -> Result<u32, Trap> {
    Err(Trap::Unreachable)
}

macro_rules! not_yet {
    ($($name:ident)*) => { $(
        pub(crate) unsafe fn $name(vm: *mut Vm, _next: *const u8) -> u32 {
            // SAFETY: I1.
            unsafe { raise(vm, Trap::Unreachable) }
        }
    )* };
}
not_yet! { suspend resume resume_throw resume_throw_ref switch cont_end }
