//! Going from frame to frame, from the innermost outward: for backtraces, collections and snapshots.
//!
//! What is thrown goes the same way, but on pointers (`exceptions.rs`): there it is a program that waits.
#![allow(unsafe_code, reason = "reads records")]

use crate::activation::Activation;
use crate::code_space::{CONT_END_AT, CROSS_AT, EXIT_AT};
use crate::conts::{NONE, Place};
use crate::regs::get_u64;
use crate::vm::Vm;

/// Why the frame that was come to waits for the one before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waits {
    /// It called it.
    Call,
    /// It resumed the continuation that the other was the outermost frame of.
    Resumption,
    /// It called the host, which began another activation.
    Host,
}

impl Vm {
    /// Where the current stack is.
    pub(crate) fn current_place(&self) -> Place {
        Place {
            stack: self.current,
            at: self.code_position(),
            fp: self.frame_at(),
            csp: self.records_at(),
            inst: self.inst,
            len: self.stack_len(),
        }
    }

    /// Where the frame stands from which the host was called that began an activation.
    pub(crate) fn place_around(&self, activation: &Activation) -> Place {
        let (stack, fp, records) = activation.begun_at();
        let (inst, at) = activation.outer();
        let len = self.stacks[stack].len;
        let csp = len - records;
        Place {
            stack,
            at,
            fp,
            csp,
            inst,
            len,
        }
    }

    /// Where another stack waits.
    pub(crate) fn waiting_place(&self, number: u32) -> Place {
        let stack = &self.stacks[number];
        Place {
            stack: number,
            at: stack.at,
            fp: stack.fp - stack.off,
            csp: stack.csp - stack.off,
            inst: stack.standing.inst,
            len: stack.len,
        }
    }

    /// Where the parent of a stack waits, if it has one.
    pub(crate) fn parent_place(&self, stack: u32) -> Option<Place> {
        let parent = self.stacks[stack].parent;
        (parent != NONE).then(|| self.waiting_place(parent))
    }

    /// Goes to the frame that the one at `place` goes back to; none if there is no other.
    pub(crate) fn go_out(&self, place: &mut Place) -> Option<Waits> {
        let mut pop = || {
            let csp = place.csp;
            if csp.checked_add(8).is_none_or(|end| end > place.len) {
                return None;
            }
            place.csp += 8;
            // SAFETY: I3, just checked to be in the chunk.
            let record = unsafe { get_u64(self.chunk(place.stack, csp), 0) };
            Some((record as u32, (record >> 32) as u32))
        };
        let (mut back, mut delta) = pop()?;
        if back == CROSS_AT {
            let (inst, _) = pop()?;
            (back, delta) = pop()?;
            place.inst = inst;
        }
        match back {
            EXIT_AT => {
                // Where the activation around it stands.
                let (at, fp) = pop()?;
                let (inst, _) = pop()?;
                (place.at, place.fp, place.inst) = (at, fp, inst);
                Some(Waits::Host)
            }
            CONT_END_AT => {
                *place = self.parent_place(place.stack)?;
                Some(Waits::Resumption)
            }
            _ => {
                place.fp = place.fp.checked_sub(delta)?;
                // A return position lies behind its call.
                place.at = back.wrapping_sub(1);
                Some(Waits::Call)
            }
        }
    }
}
