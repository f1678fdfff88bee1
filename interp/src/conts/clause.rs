//! Clauses of a resumption, as they stand in linked code behind the op. `THREADED` says for which executor.

use sheave_isa::{Op, SHAPES};

use crate::executor::Executor;
use crate::regs::{rd16, rd32};

/// Where a clause's operands are, as if they followed an opcode of one unit.
#[derive(Clone, Copy)]
pub(crate) struct Clause<const THREADED: bool>(*const u8);

impl<const THREADED: bool> Clause<THREADED> {
    const EXECUTOR: Executor = if THREADED {
        Executor::Threaded
    } else {
        Executor::Portable
    };

    /// Bytes from the clause's first to the one that its operands count from.
    const SKIP: usize = Self::EXECUTOR.head_bytes() - 2;

    /// Bytes of a clause.
    const BYTES: usize = Self::EXECUTOR.op_bytes(SHAPES[Op::On as usize].len_units as usize);

    /// The clause that stands at `start`.
    ///
    /// # Safety
    /// - One does, or whatever else follows and none of this is read.
    #[inline(always)]
    pub(crate) unsafe fn at(start: *const u8) -> Self {
        // SAFETY: the caller's promise; code ends with an op of its own (I6).
        Clause(unsafe { start.add(Self::SKIP) })
    }

    /// The one that [`Clause::start`] gave.
    #[cfg(threaded)]
    #[inline(always)]
    pub(crate) const fn from_start(start: *mut u8) -> Self {
        Clause(start)
    }

    /// Where it stands, for [`Clause::from_start`].
    #[cfg(threaded)]
    #[inline(always)]
    pub(crate) const fn start(self) -> *mut u8 {
        self.0.cast_mut()
    }

    /// The one behind it.
    ///
    /// # Safety
    /// - As [`Clause::at`].
    #[inline(always)]
    pub(crate) unsafe fn next(self) -> Self {
        // SAFETY: the caller's promise.
        Clause(unsafe { self.0.add(Self::BYTES) })
    }

    /// The tag, among those of the instance.
    #[inline(always)]
    pub(crate) unsafe fn tag(self) -> u32 {
        // SAFETY: I2, a clause is whole; also below.
        unsafe { rd32(self.0, 2) }
    }

    /// The type of the continuation, among those of the module.
    #[inline(always)]
    pub(crate) unsafe fn ty(self) -> u32 {
        // SAFETY: I2.
        unsafe { rd32(self.0, 6) }
    }

    /// The slot where payload and continuation go.
    #[inline(always)]
    pub(crate) unsafe fn base(self) -> u16 {
        // SAFETY: I2.
        unsafe { rd16(self.0, 10) }
    }

    /// Whether it is for switches: the others have at least one slot for the continuation.
    #[inline(always)]
    pub(crate) unsafe fn is_switch(self) -> bool {
        // SAFETY: I2.
        unsafe { rd16(self.0, 12) == 0 }
    }

    /// Where it leads.
    #[inline(always)]
    pub(crate) unsafe fn target(self) -> *const u8 {
        // SAFETY: I2, the displacement leads to an op of the function; it counts bytes of threaded code, and units of the other.
        unsafe {
            let displacement = rd32(self.0, 14) as i32 as isize;
            let start = self.0.sub(Self::SKIP);
            start.offset(if THREADED {
                displacement
            } else {
                displacement * 2
            })
        }
    }
}

/// Bytes of a clause of that executor.
pub(crate) const fn clause_bytes(executor: Executor) -> u32 {
    match executor {
        Executor::Threaded => Clause::<true>::BYTES as u32,
        Executor::Portable => Clause::<false>::BYTES as u32,
    }
}
