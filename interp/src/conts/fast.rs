//! The most frequent ways from stack to stack, made part of the handlers: a suspension to the parent, and a resumption of
//! or switch to what was suspended, within one instance. Whatever else there is takes the slow path (`ops.rs`), which these must agree
//! with in all they change.

use crate::conts::object::FRESH;
use crate::conts::stacks::{NONE, Stack, State, clause_bytes, move_out};
use crate::gc::types::{CONT_TYPE, GRANULE};
use crate::regs::{get_u64, put_u64, rd16, rd32};
use crate::vm::Vm;

/// The registers of the stack that is gone to.
pub(crate) struct To {
    pub(crate) ip: *const u8,
    pub(crate) fp: *mut u8,
    pub(crate) csp: *mut u8,
    #[cfg_attr(
        not(threaded),
        expect(dead_code, reason = "the loop has no accumulator")
    )]
    pub(crate) acc: u64,
}

/// Notes where the current stack, `stack`, waits.
#[inline(always)]
unsafe fn save(
    vm: *mut Vm,
    stack: *mut Stack,
    at: *const u8,
    next: *const u8,
    fp: *mut u8,
    csp: *mut u8,
) {
    // SAFETY: I1, I3.
    unsafe {
        let (base, code) = ((*vm).stack_base.addr(), (*vm).code_base.addr());
        (*stack).fp = (fp.addr() - base) as u32;
        (*stack).csp = (csp.addr() - base) as u32;
        (*stack).at = (at.addr() - code) as u32;
        (*stack).next = (next.addr() - code) as u32;
        (*stack).inst = (*vm).inst;
    }
}

/// Makes `number` the current stack; gives its frame and records.
#[inline(always)]
unsafe fn install(vm: *mut Vm, number: u32, stack: *mut Stack) -> (*mut u8, *mut u8) {
    // SAFETY: I3: the chunk is an object of the arena, and what the stack holds are offsets in it.
    unsafe {
        let base = (*vm).arena_base.add((*stack).off as usize);
        (*vm).current = number;
        (*vm).stack_base = base;
        (*vm).stack_off = (*stack).off;
        (*vm).stack_len = (*stack).len;
        (
            base.add((*stack).fp as usize),
            base.add((*stack).csp as usize),
        )
    }
}

/// The clause that the parent of the current stack, in the same instance, has for a tag: the parent, and where the clause's
/// operands are, as if they followed an opcode of one unit.
#[inline(always)]
unsafe fn parents_clause<const HEAD: usize>(
    vm: *mut Vm,
    tag: u32,
    switch: bool,
) -> Option<(u32, *mut u8)> {
    // SAFETY: I1; I2 for the operands of the op and of the clauses that follow the one that the parent waits at; I5 for
    // the tags of the current instance.
    unsafe {
        if (*vm).current == (*vm).entry_stack {
            return None;
        }
        let stacks = (*vm).stacks.as_mut_ptr();
        let number = (*stacks.add((*vm).current as usize)).parent;
        let parent = stacks.add(number as usize);
        if (*parent).inst != (*vm).inst {
            return None;
        }
        let tags = (*vm).tags_ptr;
        let tag = *tags.add(tag as usize);
        let mut clause = (*vm).code_base.add((*parent).next as usize + HEAD - 2);
        let mut left = (*parent).clauses;
        loop {
            if left == 0 {
                return None;
            }
            if *tags.add(rd32(clause, 2) as usize) == tag && (rd16(clause, 12) == 0) == switch {
                return Some((number, clause));
            }
            left -= 1;
            clause = clause.add(clause_bytes(HEAD));
        }
    }
}

/// A continuation of the current stack alone; none if the allocator must be asked.
#[inline(always)]
unsafe fn make_cont(vm: *mut Vm, ty: u32) -> Option<u32> {
    // SAFETY: I1; I2 and I5 for the type; G1: the object's place was just handed out.
    unsafe {
        let cont = (*vm).gc_bump;
        if (*vm).gc_limit - cont < GRANULE {
            return None;
        }
        (*vm).gc_bump = cont + GRANULE;
        let ty = *(*vm).types.add(ty as usize);
        let object = (*vm).gc_base.add(cont as usize).cast::<u64>();
        object.write((u64::from(ty) << 32 | u64::from(CONT_TYPE)).to_le());
        object.add(1).write(u64::from((*vm).current).to_le());
        Some(cont)
    }
}

/// What an object leads to, if it is a continuation of this instance that was suspended and has no bound arguments.
#[inline(always)]
unsafe fn suspended(vm: *mut Vm, cont: u32) -> Option<(u32, *mut u64)> {
    // SAFETY: I1; G1: the object is in the heap.
    unsafe {
        if cont == 0
            || !cont.is_multiple_of(GRANULE)
            || u64::from(cont) + u64::from(GRANULE) > (*vm).gc_len
        {
            return None;
        }
        let object = (*vm).gc_base.add(cont as usize).cast::<u64>();
        if u64::from_le(object.read()) as u32 != CONT_TYPE {
            return None;
        }
        // Nothing bound, and not fresh.
        let number = u64::from_le(object.add(1).read());
        if number >= u64::from(FRESH) || number as usize >= (*vm).stacks.len() {
            return None;
        }
        let stack = (*vm).stacks.as_mut_ptr().add(number as usize);
        let is = (*stack).state == State::Suspended && (*stack).inst == (*vm).inst;
        is.then_some((number as u32, object.add(1)))
    }
}

/// The current stack is suspended, and waits for `r` slots at `dst`.
#[inline(always)]
unsafe fn leave(vm: *mut Vm, dst: u16, r: u16) {
    // SAFETY: I1.
    unsafe {
        let number = (*vm).current;
        let stack = (*vm).stacks.as_mut_ptr().add(number as usize);
        ((*stack).clauses, (*stack).dst, (*stack).want) = (0, dst, r);
        ((*stack).outer, (*stack).bytes) = (number, (*stack).len);
        ((*stack).parent, (*stack).state) = (NONE, State::Suspended);
    }
}

/// `suspend`, if the parent has a clause for the tag.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "registers and operands")]
pub(crate) unsafe fn fast_suspend<const HEAD: usize, const PER_UNIT: i32>(
    vm: *mut Vm,
    ip: *const u8,
    fp: *mut u8,
    csp: *mut u8,
    next: *const u8,
    tag: u32,
    base: u16,
    n: u16,
    r: u16,
) -> Option<To> {
    // SAFETY: I1; I2 for the operands of the op and of the clause.
    unsafe {
        let (to, clause) = parents_clause::<HEAD>(vm, tag, false)?;
        let cont = make_cont(vm, rd32(clause, 6))?;
        let stack = (*vm).stacks.as_mut_ptr().add((*vm).current as usize);
        save(vm, stack, ip, next, fp, csp);
        leave(vm, base, r);
        (*vm).chain_bytes -= (*stack).len;
        let parent = (*vm).stacks.as_mut_ptr().add(to as usize);
        let (frame, records) = install(vm, to, parent);
        let payload = rd16(clause, 10);
        move_out(
            frame.add(usize::from(payload) * 8),
            fp.add(usize::from(base) * 8),
            n,
        );
        put_u64(frame, payload + n, cont.into());
        let target = rd32(clause, 14) as i32 * PER_UNIT;
        Some(To {
            ip: clause.sub(HEAD - 2).offset(target as isize),
            fp: frame,
            csp: records,
            acc: 0,
        })
    }
}

/// `switch` to what was suspended, if the parent has a clause for the tag.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "registers and operands")]
pub(crate) unsafe fn fast_switch<const HEAD: usize, const PER_UNIT: i32>(
    vm: *mut Vm,
    ip: *const u8,
    fp: *mut u8,
    csp: *mut u8,
    next: *const u8,
    cont: u32,
    back: u32,
    tag: u32,
    base: u16,
    n: u16,
    r: u16,
) -> Option<To> {
    // SAFETY: I1; I2 for the operands.
    unsafe {
        let (number, consumed) = suspended(vm, cont)?;
        let (parent, _) = parents_clause::<HEAD>(vm, tag, true)?;
        let stacks = (*vm).stacks.as_mut_ptr();
        let (stack, old) = (
            stacks.add(number as usize),
            stacks.add((*vm).current as usize),
        );
        let outer = stacks.add((*stack).outer as usize);
        let bytes = ((*vm).chain_bytes - (*old).len).checked_add((*stack).bytes)?;
        if u32::from((*stack).want) != u32::from(n) + 1
            || (*outer).results != (*stacks.add(parent as usize)).want
            || bytes > (*vm).max_stack
        {
            return None;
        }
        let this = make_cont(vm, back)?;
        consumed.write(0);
        save(vm, old, ip, next, fp, csp);
        leave(vm, base, r);
        ((*outer).parent, (*stack).state) = (parent, State::Active);
        (*vm).chain_bytes = bytes;
        let (frame, records) = install(vm, number, stack);
        let dst = (*stack).dst;
        move_out(
            frame.add(usize::from(dst) * 8),
            fp.add(usize::from(base) * 8),
            n,
        );
        put_u64(frame, dst + n, this.into());
        Some(To {
            ip: (*vm).code_base.add((*stack).next as usize),
            fp: frame,
            csp: records,
            acc: get_u64(frame, dst),
        })
    }
}

/// `resume` of what was suspended and has no bound arguments.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "registers and operands")]
pub(crate) unsafe fn fast_resume<const HEAD: usize, const PER_UNIT: i32>(
    vm: *mut Vm,
    ip: *const u8,
    fp: *mut u8,
    csp: *mut u8,
    next: *const u8,
    cont: u32,
    base: u16,
    n: u16,
    r: u16,
    clauses: u16,
) -> Option<To> {
    // SAFETY: I1; I2 for the operands.
    unsafe {
        let (number, consumed) = suspended(vm, cont)?;
        let stacks = (*vm).stacks.as_mut_ptr();
        let stack = stacks.add(number as usize);
        let outer = stacks.add((*stack).outer as usize);
        let bytes = (*vm).chain_bytes.checked_add((*stack).bytes)?;
        if (*stack).want != n || (*outer).results != r || bytes > (*vm).max_stack {
            return None;
        }
        consumed.write(0);
        let current = (*vm).current;
        let this = stacks.add(current as usize);
        save(vm, this, ip, next, fp, csp);
        ((*this).clauses, (*this).dst, (*this).want) = (clauses, base, r);
        ((*outer).parent, (*stack).state) = (current, State::Active);
        (*vm).chain_bytes = bytes;
        let (frame, records) = install(vm, number, stack);
        let dst = (*stack).dst;
        move_out(
            frame.add(usize::from(dst) * 8),
            fp.add(usize::from(base) * 8),
            n,
        );
        Some(To {
            ip: (*vm).code_base.add((*stack).next as usize),
            fp: frame,
            csp: records,
            acc: get_u64(frame, dst),
        })
    }
}
