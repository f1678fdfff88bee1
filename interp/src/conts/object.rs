//! Continuations as objects of the heap.
//!
//! ```text
//!    0   type word    0x8000_0003
//!    4   its type     the identity of a continuation type in the engine
//!    8   innermost    0 once it was used; a function's address with bit 31 set, before its first use; or the number of its innermost stack
//!   12   bound        0, or the arguments that it got already, as the payload of an exception of no tag
//! ```

use crate::gc::types::{CONT_TYPE, GRANULE};
use crate::store::FuncAddr;
use crate::trap::Trap;
use crate::vm::Vm;

/// In `innermost`: nothing of it ran yet.
pub(crate) const FRESH: u32 = 1 << 31;

/// The tag of bound arguments: none.
const NO_TAG: u32 = u32::MAX;

/// What a continuation leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Leads {
    /// A function that is to be called.
    ToFunc(FuncAddr),
    /// The innermost of its stacks.
    ToStack(u32),
}

/// A continuation that can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Usable {
    pub(crate) object: u32,
    pub(crate) leads: Leads,
    /// Reference to the arguments it got already, or 0; and how many slots they take.
    pub(crate) bound: u32,
    pub(crate) n_bound: u32,
}

impl Vm {
    /// A new continuation.
    pub(crate) fn new_cont(&mut self, ty: u32, innermost: u32, bound: u32) -> Result<u32, Trap> {
        let obj = self.gc_alloc(GRANULE)?;
        // One object is one granule, which the heap has just handed out.
        self.object_write(obj, 0, u64::from(ty) << 32 | u64::from(CONT_TYPE));
        self.object_write(obj, 8, u64::from(bound) << 32 | u64::from(innermost));
        Ok(obj)
    }

    /// A continuation that calls `func`.
    pub(crate) fn new_fresh_cont(&mut self, ty: u32, func: FuncAddr) -> Result<u32, Trap> {
        if func.0 >= FRESH {
            return Err(Trap::AllocationTooLarge);
        }
        self.new_cont(ty, FRESH | func.0, 0)
    }

    /// The continuation of a reference, if it can still be used.
    pub(crate) fn usable_cont(&self, cont: u32) -> Result<Usable, Trap> {
        if cont == 0 {
            return Err(Trap::NullReference);
        }
        // Only a damaged arena can hold another reference, or a number that leads nowhere.
        let (_, innermost, bound) = self.cont_parts(cont).ok_or(Trap::BadSignature)?;
        let leads = if innermost & FRESH != 0 {
            let func = FuncAddr(innermost & !FRESH);
            if func.0 as usize >= self.funcs.len() {
                return Err(Trap::BadSignature);
            }
            Leads::ToFunc(func)
        } else if innermost != 0 && self.stacks.can_be_used(innermost) {
            Leads::ToStack(innermost)
        } else {
            return Err(Trap::ContinuationConsumed);
        };
        let n_bound = match bound {
            0 => 0,
            bound => self.exn_parts(bound).ok_or(Trap::BadSignature)?.2,
        };
        Ok(Usable {
            object: cont,
            leads,
            bound,
            n_bound,
        })
    }

    /// Type, `innermost` and `bound`.
    pub(crate) fn cont_parts(&self, cont: u32) -> Option<(u32, u32, u32)> {
        if cont & 1 != 0 {
            return None;
        }
        let (head, rest) = (
            self.object_read::<u64>(cont, 0)?,
            self.object_read::<u64>(cont, 8)?,
        );
        (head as u32 == CONT_TYPE).then_some((
            (head >> 32) as u32,
            rest as u32,
            (rest >> 32) as u32,
        ))
    }

    /// Whether a reference is that of a continuation; and its type.
    pub fn cont_type(&self, cont: u32) -> Option<u32> {
        Some(self.cont_parts(cont)?.0)
    }

    /// From now on it was used.
    pub(crate) fn consume_cont(&mut self, cont: u32) {
        self.object_write(cont, 8, 0_u64);
    }

    /// The continuation with more arguments, as a new one of type `to`; it is used up. `slots` are those it gets now;
    /// all it then has are the first parameters of the function type `func`.
    pub(crate) fn bind_cont(
        &mut self,
        cont: &Usable,
        slots: &[u64],
        func: u32,
        to: u32,
    ) -> Result<u32, Trap> {
        let bound = if slots.is_empty() {
            cont.bound
        } else {
            let before = (0..cont.n_bound).map(|k| self.exn_slot(cont.bound, k).unwrap_or(0));
            let all: Vec<u64> = before.chain(slots.iter().copied()).collect();
            // Behind arguments that were bound before come more of the same function type.
            let func = match cont.bound {
                0 => func,
                bound => self.exn_parts(bound).map_or(func, |(_, func, _)| func),
            };
            self.new_exn(NO_TAG, func, &all)?
        };
        let innermost = match cont.leads {
            Leads::ToFunc(func) => FRESH | func.0,
            Leads::ToStack(stack) => stack,
        };
        // The arguments must outlive a collection that making the continuation may start.
        let scope = self.gc.roots.begin_scope();
        self.gc.roots.push(bound);
        let new = self.new_cont(to, innermost, bound);
        self.gc.roots.end_scope(scope);
        let new = new?;
        self.consume_cont(cont.object);
        Ok(new)
    }
}
