//! Where what a stack waits for lands.

use crate::regs::rd64;

/// Four operands of the op that the stack waits at, side by side as they stand there, so that they are copied at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Landing(u64);

impl Landing {
    /// Of a stack that waits for `want` slots from `dst` up, at an op that `clauses` clauses follow.
    pub(crate) const fn new(dst: u16, want: u16, clauses: u16) -> Landing {
        Landing::of(dst, 0, want, clauses)
    }

    /// The operands: first slot, how many are given away from there up, how many are to come there, clauses.
    const fn of(base: u16, given: u16, want: u16, clauses: u16) -> Landing {
        Landing(base as u64 | (given as u64) << 16 | (want as u64) << 32 | (clauses as u64) << 48)
    }

    /// Those that stand `at` bytes into the op at `ip`.
    ///
    /// # Safety
    /// - I2, the op is whole and has them there.
    #[inline(always)]
    pub(crate) unsafe fn read(ip: *const u8, at: usize) -> Landing {
        // SAFETY: the caller's promise.
        Landing(unsafe { rd64(ip, at) })
    }

    /// The first slot of what comes.
    #[inline(always)]
    pub(crate) const fn dst(self) -> u16 {
        self.0 as u16
    }

    /// How many slots the op gave away, from the same one up.
    #[inline(always)]
    pub(crate) const fn given(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// How many slots are to come.
    #[inline(always)]
    pub(crate) const fn want(self) -> u16 {
        (self.0 >> 32) as u16
    }

    /// How many clauses follow the op.
    #[inline(always)]
    pub(crate) const fn clauses(self) -> u16 {
        (self.0 >> 48) as u16
    }
}
