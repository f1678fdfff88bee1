//! The collector's roots: all that the store holds references in, frames included.
//!
//! Frames are walked as for a backtrace, through all activations: below the record of an activation's end lie two more,
//! which say where the outer one stands. Stacks that are not the current one, nor around it, are roots only through
//! their continuations (`collect.rs`).
#![allow(unsafe_code, reason = "reads frames, records, globals and tables")]

use crate::code_space::{CONT_END_AT, CROSS_AT, EXIT_AT, is_of_no_function};
use crate::conts::Place;
use crate::module::SourceError;
use crate::regs::get_u64;
use crate::vm::Vm;

impl Vm {
    /// Every reference that keeps an object alive, and more that are none.
    pub(crate) fn all_roots(&mut self) -> Result<Vec<u32>, SourceError> {
        let mut roots: Vec<u32> = self.gc.roots.all().collect();
        roots.push(self.gc.pending_exception);
        self.frame_roots(&mut roots)?;
        for i in 0..self.gc.traced_globals.len() {
            let cell = self.gc.traced_globals[i] as usize;
            // SAFETY: I5, the offset leads to a live cell.
            roots.push(
                u64::from_le(unsafe { self.arena.base().add(cell).cast::<u64>().read() }) as u32,
            );
        }
        for t in 0..self.tables.len() {
            let (off, len, traced) = {
                let t = &self.tables[t];
                (t.off, t.len, t.traced)
            };
            if traced {
                roots.extend(self.entries_mut(off, len).iter().map(|e| u32::from_le(*e)));
            }
        }
        for i in 0..self.instances.len() {
            for e in 0..self.instances[i].traced_elems.len() {
                let elem = self.instances[i].traced_elems[e];
                let (off, len) = self.instances[i].elems[elem as usize];
                if len > 0 {
                    roots.extend(self.entries_mut(off, len).iter().map(|e| u32::from_le(*e)));
                }
            }
        }
        Ok(roots)
    }

    /// The references in the frames of the current stack and all around it, through all activations.
    fn frame_roots(&self, roots: &mut Vec<u32>) -> Result<(), SourceError> {
        self.roots_from(self.current_place(), roots)
    }

    /// The references in the frames of a suspended continuation.
    pub(crate) fn suspended_roots(
        &self,
        innermost: u32,
        roots: &mut Vec<u32>,
    ) -> Result<(), SourceError> {
        self.roots_from(self.waiting_place(innermost), roots)
    }

    /// The references in frames, from the innermost outward, from stack to parent. The innermost stands at the op that
    /// allocates, calls the host or waits; all others made a call, or resumed the stack before.
    fn roots_from(&self, place: Place, roots: &mut Vec<u32>) -> Result<(), SourceError> {
        let lost = || SourceError::from("the stack cannot be walked here");
        let mut place = place;
        loop {
            let Place {
                stack,
                at,
                fp,
                inst,
                len,
                ..
            } = place;
            let record = |csp: u32| {
                if csp.checked_add(8).is_none_or(|end| end > len) {
                    return Err(lost());
                }
                // SAFETY: I3, just checked to be in the chunk.
                let r = unsafe { get_u64(self.chunk(stack, csp), 0) };
                Ok((r as u32, (r >> 32) as u32))
            };
            if place.csp >= len {
                // The first stack ends without a record; nothing is on it then.
                return Ok(());
            }
            // A host function's frame, or that of the host that resumed a continuation, is the host's business.
            if !is_of_no_function(at) {
                let module = &self.instances.get(inst as usize).ok_or_else(lost)?.module;
                module.with_ref_slots(at, |slots| {
                    let in_chunk =
                        |slot: &&u16| u64::from(fp) + u64::from(**slot) * 8 + 8 <= u64::from(len);
                    // SAFETY: I3, just checked to be in the chunk.
                    let read = |slot: &u16| unsafe { get_u64(self.chunk(stack, fp), *slot) } as u32;
                    roots.extend(slots.iter().filter(in_chunk).map(read));
                })?;
            }
            let (mut back, mut delta) = record(place.csp)?;
            place.csp += 8;
            if back == CROSS_AT {
                place.inst = record(place.csp)?.0;
                (back, delta) = record(place.csp + 8)?;
                place.csp += 16;
            }
            match back {
                EXIT_AT => {
                    (place.at, place.fp) = record(place.csp)?;
                    place.inst = record(place.csp + 8)?.0;
                    place.csp += 16;
                }
                CONT_END_AT => match self.parent_place(stack) {
                    Some(parent) => place = parent,
                    None => return Ok(()),
                },
                _ => {
                    place.fp = fp.checked_sub(delta).ok_or_else(lost)?;
                    // A return position lies behind its call.
                    place.at = back.wrapping_sub(1);
                }
            }
        }
    }
}
