//! Canonical bytecode to the linked form of an executor.
//!
//! Portable: the same units. Threaded (`threaded.rs`): an 8-byte handler, then the operands, padded to 8 bytes; branch displacements
//! are in bytes.
#![allow(unsafe_code, reason = "writes handlers into the code space")]

#[cfg(threaded)]
mod threaded;

use sheave_isa::{LABEL, Op, SHAPES};

use crate::executor::Executor;

/// Length in units of the op that begins with a unit of verified code.
#[inline(always)]
fn len_of(unit: u16) -> usize {
    usize::from(SHAPES[usize::from(unit & !LABEL)].len_units)
}

/// Writes the head of an op: its handler, or its opcode.
///
/// # Safety
/// - `at` leads to `executor.head_bytes()` writable bytes, 8-aligned for threaded code.
pub(crate) unsafe fn write_head(executor: Executor, at: *mut u8, op: Op, variant: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match executor {
            #[cfg(threaded)]
            Executor::Threaded => at
                .cast::<crate::executor::threaded::Handler>()
                .write(threaded::handler(op, variant)),
            _ => {
                let _ = variant;
                at.cast::<u16>().write_unaligned((op as u16).to_le());
            }
        }
    }
}

/// Each op's first unit in verified `code`, and the first byte of its linked form; at the end, what is behind the last.
pub(crate) fn places(executor: Executor, code: &[u16]) -> impl Iterator<Item = (u32, u32)> {
    let step = move |(from, to): (u32, u32)| {
        let len = len_of(*code.get(from as usize)?);
        let bytes = executor.op_bytes(len);
        Some((from + len as u32, to + bytes as u32))
    };
    core::iter::successors(Some((0, 0)), move |at| step(*at))
}

/// Where each op of `code` (in units) comes to lie in the linked form (in bytes); `positions` is indexed by unit, and says nothing
/// at units where no op begins. Gives the length.
pub(crate) fn place(executor: Executor, code: &[u16], positions: &mut Vec<u32>) -> usize {
    if positions.len() <= code.len() {
        positions.resize(code.len() + 1, 0);
    }
    let mut end = 0;
    for (from, to) in places(executor, code) {
        positions[from as usize] = to;
        end = to;
    }
    end as usize
}

/// Writes the linked form of verified `code`, placed by [`place`].
///
/// # Safety
/// - `code` passed the verifier, and `positions` came from `place` on it.
/// - `out` leads to as many writable, 8-aligned bytes as `place` said, which nobody else uses.
pub(crate) unsafe fn write(executor: Executor, code: &[u16], positions: &[u32], out: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        match executor {
            #[cfg(threaded)]
            Executor::Threaded => threaded::write(code, positions, out),
            _ => {
                let _ = positions;
                write_portable(code, out);
            }
        }
    }
}

/// The same units, without labels.
///
/// # Safety
/// - As [`write()`].
unsafe fn write_portable(code: &[u16], out: *mut u8) {
    let out = out.cast::<u16>();
    let mut from = 0;
    while let Some(&unit) = code.get(from) {
        let operands = &code[from + 1..from + len_of(unit)];
        for unit in core::iter::once(&(unit & !LABEL)).chain(operands) {
            // SAFETY: there is room for all units of `code`.
            unsafe { out.add(from).write(unit.to_le()) };
            from += 1;
        }
    }
}
