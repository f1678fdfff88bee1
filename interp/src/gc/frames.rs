//! The collector's roots: all that the store holds references in, frames included.
//!
//! Frames are walked as for a backtrace, through all activations: below the record of an activation's end lie two more,
//! which say where the outer one stands.
#![allow(unsafe_code, reason = "reads frames, records, globals and tables")]

use crate::code_space::{CROSS_AT, EXIT_AT};
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

    /// The references in frames. An op that runs or called the host is at `ip`; all others made a call.
    fn frame_roots(&self, roots: &mut Vec<u32>) -> Result<(), SourceError> {
        let lost = || SourceError::from("the stack cannot be walked here");
        let mut inst = self.inst;
        let mut at = self.code_position();
        let mut fp = self.frame_at();
        let mut csp = self.stack_len - self.records_bytes();
        let record = |csp: u32| {
            if csp.checked_add(8).is_none_or(|end| end > self.stack_len) {
                return Err(lost());
            }
            // SAFETY: I3, just checked to be in the chunk.
            let r = unsafe { get_u64(self.stack_base.add(csp as usize), 0) };
            Ok((r as u32, (r >> 32) as u32))
        };
        while csp < self.stack_len {
            let module = &self.instances.get(inst as usize).ok_or_else(lost)?.module;
            module.with_ref_slots(at, |slots| {
                for slot in slots {
                    if u64::from(fp) + u64::from(*slot) * 8 + 8 <= u64::from(self.stack_len) {
                        // SAFETY: I3, just checked to be in the chunk.
                        roots.push(
                            unsafe { get_u64(self.stack_base.add(fp as usize), *slot) } as u32
                        );
                    }
                }
            })?;
            let (mut back, mut delta) = record(csp)?;
            csp += 8;
            if back == CROSS_AT {
                inst = record(csp)?.0;
                (back, delta) = record(csp + 8)?;
                csp += 16;
            }
            if back == EXIT_AT {
                (at, fp) = record(csp)?;
                inst = record(csp + 8)?.0;
                csp += 16;
            } else {
                fp = fp.checked_sub(delta).ok_or_else(lost)?;
                // A return position lies behind its call.
                at = back.wrapping_sub(1);
            }
        }
        Ok(())
    }
}
