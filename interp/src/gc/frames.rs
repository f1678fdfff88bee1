//! The collector's roots: all that the store holds references in, frames included.
//!
//! Frames are walked as for a backtrace, through all activations: below the record of an activation's end lie two more,
//! which say where the outer one stands. Stacks that are not the current one, nor around it, are roots only through
//! their continuations (`collect.rs`).
#![allow(unsafe_code, reason = "reads frames, records, globals and tables")]

use crate::code_space::is_of_no_function;
use crate::conts::Place;
use crate::module::SourceError;
use crate::regs::get_u64;
use crate::vm::Vm;

impl Vm {
    /// Every reference that keeps an object alive, and more that are none.
    pub(crate) fn all_roots(&mut self) -> Result<Vec<u32>, SourceError> {
        let mut roots: Vec<u32> = self.gc.roots.all().collect();
        roots.push(self.gc.pending_exception);
        if let Some((tag, payload)) = &self.suspending {
            let ty = self.tags.get(tag.0 as usize);
            if let Some(ty) = ty.and_then(|tag| self.gc.types.get(tag.ty)) {
                let slots = self.gc.types.traced(ty).iter();
                roots.extend(slots.filter_map(|slot| Some(*payload.get(*slot as usize)? as u32)));
            }
        }
        self.frame_roots(&mut roots)?;
        self.dropped_roots(&mut roots)?;
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
    fn roots_from(&self, mut place: Place, roots: &mut Vec<u32>) -> Result<(), SourceError> {
        let lost = || SourceError::from("the stack cannot be walked here");
        // The first stack ends without a record; nothing is on it then.
        while place.csp < place.len {
            // A host function's frame, or that of the host that resumed a continuation, is the host's business.
            if !is_of_no_function(place.at) {
                let inst = self.instances.get(place.inst as usize).ok_or_else(lost)?;
                inst.module.with_ref_slots(place.at, |slots| {
                    let in_chunk = |slot: &&u16| {
                        u64::from(place.fp) + u64::from(**slot) * 8 + 8 <= u64::from(place.len)
                    };
                    let frame = self.chunk(place.stack, place.fp);
                    // SAFETY: I3, just checked to be in the chunk.
                    let read = |slot: &u16| unsafe { get_u64(frame, *slot) } as u32;
                    roots.extend(slots.iter().filter(in_chunk).map(read));
                })?;
            }
            let stack = place.stack;
            if self.go_out(&mut place).is_none() {
                // A suspended continuation ends with its outermost stack.
                return if self.parent_place(stack).is_none() && place.csp == place.len {
                    Ok(())
                } else {
                    Err(lost())
                };
            }
        }
        Ok(())
    }
}
