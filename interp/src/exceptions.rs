//! Exceptions: tags, exception objects, and how what is thrown finds what catches it.
//!
//! Throwing walks the return records of the innermost activation, outward from the op that throws. Each leads to a
//! position in a module, whose tables say what is caught there (`handlers.rs`). Until something is found nothing is
//! changed, so that the backtrace of an exception that nobody catches is that of the op that threw it.
#![allow(
    unsafe_code,
    reason = "walks the return records and writes the payload"
)]

use crate::calls::{Operands, raise};
use crate::code_space::{CONT_END_AT, CROSS_AT, EXIT_AT};
use crate::handlers::Clause;
use crate::regs::{EXIT_THROWN, get_u64, put_u64};
use crate::store::{InstAddr, StoreError, TagAddr, next_addr};
use crate::trap::Trap;
use crate::vm::Vm;
use smallvec::SmallVec;

/// A tag of the store.
#[derive(Clone)]
pub(crate) struct TagRec {
    /// Engine-wide identity of its type, a function type without results.
    pub(crate) ty: u32,
}

/// Where a thrown exception is caught.
struct Caught {
    stack: u32,
    clause: Clause,
    /// Code offset to go on at.
    at: u32,
    fp: *mut u8,
    csp: *mut u8,
    inst: u32,
}

impl Vm {
    // ---- tags ------------------------------------------------------------------------------------------------------

    /// A new tag, different from all others. `ty` is the engine-wide identity of its type.
    ///
    /// # Errors
    /// If there are too many.
    pub fn new_tag(&mut self, ty: u32) -> Result<TagAddr, StoreError> {
        self.update_types();
        let addr = next_addr(self.tags.len())?;
        self.tags.push(TagRec { ty });
        Ok(TagAddr(addr))
    }

    /// The engine-wide identity of a tag's type, or `None` if there is no such tag.
    pub fn tag_type(&self, tag: TagAddr) -> Option<u32> {
        Some(self.tags.get(tag.0 as usize)?.ty)
    }

    /// A tag of an instance by its index.
    pub fn instance_tag(&self, inst: InstAddr, i: u32) -> Option<TagAddr> {
        let tags = &self.instances.get(inst.0 as usize)?.tags;
        tags.get(i as usize).copied()
    }

    // ---- the exception on its way ----------------------------------------------------------------------------------

    /// The exception that nobody caught, or that a host function is about to throw.
    pub fn pending_exception(&self) -> Option<u32> {
        Some(self.gc.pending_exception).filter(|exn| *exn != 0)
    }

    /// How many exceptions were caught so far.
    pub fn catches(&self) -> u64 {
        self.catches
    }

    /// Looks for what catches an exception of that tag that the op at code offset `at` of the current frame throws.
    fn find_handler(&self, tag: TagAddr, at: u32, returned: bool) -> Option<Caught> {
        let (mut at, mut fp, mut csp, mut inst) = (at, self.fp, self.csp, self.inst);
        let mut skip = returned;
        let mut stack = self.current;
        loop {
            let i = self.instances.get(inst as usize)?;
            let catches = |clause: &Clause| {
                let own = clause.tag.map(|x| i.tags.get(x as usize));
                own.is_none_or(|own| own == Some(&tag))
            };
            let handlers = i.module.handlers();
            // All frames of one instance with its tables at hand.
            loop {
                if !skip && let Some((clause, at)) = handlers.find(at, catches) {
                    return Some(Caught {
                        stack,
                        clause,
                        at,
                        fp,
                        csp,
                        inst,
                    });
                }
                skip = false;
                // SAFETY: I3: a return record lies at `csp`; where it is that of `ret_cross`, two more do, which
                // `enter_other` left. The last is that of `exit`, which the host pushed.
                let (code, delta, left) = unsafe {
                    let pop = |csp: &mut *mut u8| {
                        let record = get_u64(*csp, 0);
                        *csp = csp.add(8);
                        (record as u32, (record >> 32) as u32)
                    };
                    let (code, delta) = pop(&mut csp);
                    if code == CROSS_AT {
                        inst = pop(&mut csp).0;
                        let (code, delta) = pop(&mut csp);
                        (code, delta, true)
                    } else {
                        (code, delta, false)
                    }
                };
                if code == CONT_END_AT {
                    // It goes on at the op that resumed this stack.
                    let parent = self.parent_place(stack)?;
                    (stack, at, inst) = (parent.stack, parent.at, parent.inst);
                    fp = self.chunk(stack, parent.fp);
                    csp = self.chunk(stack, parent.csp);
                    break;
                }
                if code == EXIT_AT {
                    return None;
                }
                // SAFETY: I3: the caller's frame lies that far below.
                fp = unsafe { fp.sub(delta as usize) };
                // A return position lies behind its call.
                at = code.wrapping_sub(1);
                if left {
                    break;
                }
            }
        }
    }

    /// Goes on where `exn` is caught, or leaves the activation with it. With `returned` the current frame is no more:
    /// a tail call has replaced it.
    pub(crate) fn unwind(&mut self, exn: u32, returned: bool) -> u32 {
        let Some((tag, _, len)) = self.exn_parts(exn) else {
            // Only a damaged arena can hold such a reference.
            self.trap = Trap::NullReference;
            return crate::regs::EXIT_TRAP;
        };
        let at = (self.ip.addr().wrapping_sub(self.code_base.addr())) as u32;
        let Some(caught) = self.find_handler(TagAddr(tag), at, returned) else {
            self.gc.pending_exception = exn;
            return EXIT_THROWN;
        };
        self.catches += 1;
        if caught.stack != self.current {
            self.end_stacks_up_to(caught.stack);
        }
        (self.fp, self.csp) = (caught.fp, caught.csp);
        if caught.inst != self.inst {
            self.install(caught.inst);
        }
        let Clause {
            base, n, with_ref, ..
        } = caught.clause;
        let payload = n - u16::from(with_ref);
        // SAFETY: I2: the range lies in the frame of the function that the clause belongs to, and I3: `fp` is that
        // frame. `at` is the head of one of its linked ops.
        unsafe {
            for k in 0..payload {
                // As many as the tag says, in an arena that is not damaged.
                let bits = self.exn_slot(exn, u32::from(k).min(len)).unwrap_or(0);
                put_u64(self.fp, base + k, bits);
            }
            if with_ref {
                put_u64(self.fp, base + payload, exn.into());
            }
            self.ip = self.code_base.add(caught.at as usize);
        }
        0
    }
}

/// A new exception of the instance's `tag`, with the `n` slots of payload from `base` up of the current frame, which
/// keeps its references alive.
///
/// # Safety
/// - The frame has those slots (I2).
pub(crate) unsafe fn new_from_frame(m: &mut Vm, tag: u32, base: u16, n: u16) -> Result<u32, Trap> {
    let tag = m.instances[m.inst as usize].tags[tag as usize];
    let ty = m.tags[tag.0 as usize].ty;
    // SAFETY: the caller's promise.
    let payload = (0..n).map(|k| unsafe { get_u64(m.fp, base + k) });
    let payload: SmallVec<[u64; 4]> = payload.collect();
    m.new_exn(tag.0, ty, &payload)
}

/// `throw`.
pub(crate) unsafe fn throw(vm: *mut Vm, _next: *const u8) -> u32 {
    // SAFETY: I1; I2 for the operands.
    unsafe {
        let o = Operands::of(vm);
        match new_from_frame(&mut *vm, o.u32(1), o.u16(3), o.u16(4)) {
            Ok(exn) => (*vm).unwind(exn, false),
            Err(t) => raise(vm, t),
        }
    }
}

/// `throw_ref`.
pub(crate) unsafe fn throw_ref(vm: *mut Vm, _next: *const u8) -> u32 {
    // SAFETY: I1; I2 for the operand.
    unsafe {
        match Operands::of(vm).slot(1) as u32 {
            0 => raise(vm, Trap::NullReference),
            exn => (*vm).unwind(exn, false),
        }
    }
}

/// Throws what a host function has left; `returned` if it was tail-called.
pub(crate) unsafe fn throw_pending(vm: *mut Vm, returned: bool) -> u32 {
    // SAFETY: I1.
    let m = unsafe { &mut *vm };
    match m.take_pending_exception() {
        0 => crate::regs::EXIT_HOST,
        exn => m.unwind(exn, returned),
    }
}
