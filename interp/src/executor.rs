//! The two executors, made by `build/`.
#![allow(unsafe_code, reason = "the interpreter's loops")]

use crate::vm::Vm;

/// Which executor runs the code of an engine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Executor {
    /// Handlers that end in a jump to the next handler. Optimised builds on x86-64, aarch64 and riscv64.
    Threaded,
    /// A `match` in a loop. Everywhere, but for builds that have the other one and not the feature `portable`.
    Portable,
}

impl Executor {
    /// Whether this build has it.
    pub const fn available(self) -> bool {
        match self {
            Executor::Threaded => cfg!(threaded),
            Executor::Portable => cfg!(portable),
        }
    }

    /// The faster one that this build has.
    pub const fn best() -> Executor {
        if cfg!(threaded) {
            Executor::Threaded
        } else {
            Executor::Portable
        }
    }

    /// Bytes of an op's head: a handler, or an opcode.
    pub(crate) const fn head_bytes(self) -> usize {
        match self {
            Executor::Threaded => 8,
            Executor::Portable => 2,
        }
    }

    /// Bytes of a linked op of that many units.
    pub(crate) const fn op_bytes(self, units: usize) -> usize {
        match self {
            Executor::Threaded => (8 + 2 * (units - 1)).next_multiple_of(8),
            Executor::Portable => 2 * units,
        }
    }
}

/// Runs from the saved registers until the activation ends. Gives an `EXIT_` code.
///
/// # Safety
/// - `vm` is alive, exclusively ours, and its registers are those of a linked function (I1, I3).
pub(crate) unsafe fn run(vm: *mut Vm) -> u32 {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(all(threaded, portable))]
        if (*vm).executor() == Executor::Threaded {
            return threaded::run(vm);
        }
        #[cfg(portable)]
        {
            portable::run(vm)
        }
        #[cfg(not(portable))]
        {
            threaded::run(vm)
        }
    }
}

#[cfg(threaded)]
#[allow(
    clippy::all,
    unused_variables,
    unused_mut,
    unreachable_code,
    unused_parens,
    unused_braces,
    unused_unsafe,
    reason = "made from the table"
)]
pub(crate) mod threaded {
    //! One function an op; see `build/`.
    use crate::conts::{
        Clause, From, Landing, clause_for, fast_resume, fast_switch, suspend_to_clause,
    };
    use crate::gc::access::*;
    use crate::regs::*;
    use crate::simd::{self, V128};
    use crate::trap::Trap;
    use crate::vm::Vm;
    use crate::{num, slow};

    include!(concat!(env!("OUT_DIR"), "/threaded.rs"));

    pub(super) unsafe fn run(vm: *mut Vm) -> u32 {
        // SAFETY: the caller's promise; a handler stands at `ip`.
        unsafe {
            dispatch(
                (*vm).ip,
                (*vm).fp,
                vm,
                (*vm).mem0,
                (*vm).csp,
                (*vm).acc,
                0.0,
                0.0,
            )
        }
    }
}

#[cfg(portable)]
#[allow(
    clippy::all,
    unused_variables,
    unused_mut,
    unused_assignments,
    unreachable_code,
    unused_parens,
    unused_braces,
    unused_unsafe,
    reason = "made from the table"
)]
mod portable {
    //! One arm an op; see `build/`.
    use crate::conts::{From, Landing, clause_for, fast_resume, fast_switch, suspend_to_clause};
    use crate::gc::access::*;
    use crate::regs::*;
    use crate::simd::{self, V128};
    use crate::trap::Trap;
    use crate::vm::Vm;
    use crate::{num, slow};

    include!(concat!(env!("OUT_DIR"), "/portable.rs"));

    pub(super) unsafe fn run(vm: *mut Vm) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { execute(vm) }
    }
}
