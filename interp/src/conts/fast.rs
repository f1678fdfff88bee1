//! The most frequent ways from stack to stack, made part of the handlers: a suspension to the parent, and a resumption of
//! or switch to what was suspended, within one instance, with few values. Whatever else there is takes the slow path (`ops.rs`),
//! which these must agree with in all they change.
//!
//! Handlers have few registers, and the compiler cannot know that a [`Stack`] does not alias the machine. So all checks come first, and
//! then what is in a register goes to its place as early as it can.

use crate::conts::clause::Clause;
use crate::conts::landing::Landing;
use crate::conts::stacks::{NONE, Stack, State};
use crate::gc::types::{CONT_TYPE, GRANULE};
use crate::regs::{get_u64, put_u64};
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

/// Where the current stack is in its function: at an op of so many bytes.
#[derive(Clone, Copy)]
pub(crate) struct From {
    pub(crate) ip: *const u8,
    pub(crate) size: u32,
    pub(crate) fp: *mut u8,
    pub(crate) csp: *mut u8,
}

/// Most slots that are moved here.
const MOST: u16 = 4;

/// As [`move_out`](crate::conts::stacks::move_out), of at most [`MOST`] slots. The way of one slot is the straightest.
#[inline(always)]
unsafe fn move_few(to: *mut u8, from: *mut u8, n: u16) {
    let (to, from) = (to.cast::<u64>(), from.cast::<u64>());
    let one = |k: usize| {
        // SAFETY: both frames have the slots (I2).
        unsafe {
            to.add(k).write_volatile(from.add(k).read());
            from.add(k).write_volatile(0);
        }
    };
    if n > 0 {
        one(0);
        if n > 1 {
            one(1);
            if n > 2 {
                one(2);
                if n > 3 {
                    one(3);
                }
            }
        }
    }
}

/// Notes where `stack`, the current one, waits. That it is in the current instance stands there already.
#[inline(always)]
unsafe fn save(vm: *mut Vm, stack: *mut Stack, from: From, landing: Landing) {
    // SAFETY: I1, I3.
    unsafe {
        let at = (from.ip.addr() - (*vm).code_base.addr()) as u32;
        (*stack).landing = landing;
        (*stack).at = at;
        (*stack).next = at + from.size;
        let base = (*vm).arena_base.addr();
        (*stack).fp = (from.fp.addr() - base) as u32;
        (*stack).csp = (from.csp.addr() - base) as u32;
    }
}

/// The current stack, `stack`, is a suspended continuation of its own from now on.
#[inline(always)]
unsafe fn leave(vm: *mut Vm, stack: *mut Stack, from: From, op: Landing) {
    // SAFETY: I1.
    unsafe {
        save(vm, stack, from, op);
        (*vm).chain_bytes -= (*stack).len;
        (*stack).parent = NONE;
        (*stack).standing = (*vm).goes_on;
    }
}

/// Makes `stack` the current one; gives its frame and records. Its number is noted already.
#[inline(always)]
unsafe fn install(vm: *mut Vm, stack: *mut Stack) -> (*mut u8, *mut u8) {
    // SAFETY: I3: what the stack holds are offsets in its chunk, an object of the arena.
    unsafe {
        let base = (*vm).arena_base;
        (
            base.add((*stack).fp as usize),
            base.add((*stack).csp as usize),
        )
    }
}

/// Goes on where `stack`, which was suspended, waits; `n` slots of values from `values` up land there, and `last` behind them.
#[inline(always)]
unsafe fn enter(vm: *mut Vm, stack: *mut Stack, values: *mut u8, n: u16, last: Option<u32>) -> To {
    // SAFETY: I2: its frame has room for what it waits for.
    unsafe {
        (*stack).standing.state = State::Active;
        let (fp, csp) = install(vm, stack);
        let dst = (*stack).landing.dst();
        let to = fp.add(usize::from(dst) * 8);
        move_few(to, values, n);
        if let Some(last) = last {
            put_u64(to, n, last.into());
        }
        To {
            ip: (*vm).code_base.add((*stack).next as usize),
            fp,
            csp,
            acc: get_u64(to, 0),
        }
    }
}

/// The clause for a tag of the stack that waits for `stack`, the current one, in the same instance.
#[inline(always)]
unsafe fn parents_clause<const THREADED: bool>(
    vm: *mut Vm,
    stack: *mut Stack,
    tag: u32,
    switch: bool,
) -> Option<Clause<THREADED>> {
    // SAFETY: I1; I2 for the operands of the op and of the clauses that follow the one that the parent waits at; I5 for
    // the tags of the current instance. A stack that is not the activation's first has a parent.
    unsafe {
        let stacks = (*vm).stacks.as_mut_ptr();
        let parent = stacks.add((*stack).parent as usize);
        if (*parent).standing.inst != (*vm).inst {
            return None;
        }
        // Two numbers can be of one tag.
        let is = |other: u32| {
            let tags = (*vm).tags_ptr;
            other == tag || *tags.add(other as usize) == *tags.add(tag as usize)
        };
        let mut clause = Clause::<THREADED>::at((*vm).code_base.add((*parent).next as usize));
        let mut left = (*parent).landing.clauses();
        if left == 0 {
            return None;
        }
        // Mostly it is the first one, by the same number.
        if clause.tag() != tag || clause.is_switch() != switch {
            while !is(clause.tag()) || clause.is_switch() != switch {
                left -= 1;
                if left == 0 {
                    return None;
                }
                clause = clause.next();
            }
        }
        Some(clause)
    }
}

/// Whether the next object can be had without asking the allocator.
#[inline(always)]
unsafe fn has_room(vm: *mut Vm) -> bool {
    // SAFETY: I1.
    unsafe { (*vm).gc_bump + GRANULE <= (*vm).gc_limit }
}

/// A continuation that leads to stack `number`. There is room for it.
#[inline(always)]
unsafe fn make_cont(vm: *mut Vm, ty: u32, number: u32) -> u32 {
    // SAFETY: I1; I2 and I5 for the type; G1: the object's place is handed out here.
    unsafe {
        let cont = (*vm).gc_bump;
        let ty = *(*vm).types.add(ty as usize);
        let object = (*vm).gc_base.add(cont as usize).cast::<u32>();
        object.write(CONT_TYPE.to_le());
        object.add(1).write(ty.to_le());
        object.add(2).cast::<u64>().write(u64::from(number).to_le());
        (*vm).gc_bump = cont + GRANULE;
        cont
    }
}

/// What an object leads to, if it is a continuation of this instance that was suspended and has no bound arguments; and the
/// word to write 0 to when it is used.
#[inline(always)]
unsafe fn suspended(vm: *mut Vm, cont: u32) -> Option<(u32, *mut Stack, *mut u64)> {
    // SAFETY: I1; G1: the object is in the heap. A reference in a damaged arena may lead anywhere in it: null leads to the heap's
    // first granule, which is no object.
    unsafe {
        if u64::from(cont) + u64::from(GRANULE) > (*vm).gc_len {
            return None;
        }
        let object = (*vm).gc_base.add(cont as usize).cast::<u64>();
        if u64::from_le(object.read_unaligned()) as u32 != CONT_TYPE {
            return None;
        }
        let word = object.add(1);
        let number = u64::from_le(word.read_unaligned());
        // Nothing bound, and not fresh: those are numbers that no stack has.
        if number >= (*vm).stacks.len() as u64 {
            return None;
        }
        let stack = (*vm).stacks.as_mut_ptr().add(number as usize);
        ((*stack).standing == (*vm).goes_on).then_some((number as u32, stack, word))
    }
}

/// The clause of the parent that a `suspend` with this tag goes to, if it can be done here.
#[inline(always)]
pub(crate) unsafe fn clause_for<const THREADED: bool>(
    vm: *mut Vm,
    tag: u32,
    op: Landing,
) -> Option<Clause<THREADED>> {
    // SAFETY: I1; I2 for the operands.
    unsafe {
        let number = (*vm).current;
        if number == (*vm).entry_stack || op.given() > MOST || !has_room(vm) {
            return None;
        }
        let stack = (*vm).stacks.as_mut_ptr().add(number as usize);
        parents_clause(vm, stack, tag, false)
    }
}

/// `suspend`, to the clause that [`clause_for`] found.
#[inline(always)]
pub(crate) unsafe fn suspend_to_clause<const THREADED: bool>(
    vm: *mut Vm,
    from: From,
    clause: Clause<THREADED>,
    op: Landing,
) -> To {
    // SAFETY: I1; I2 for the operands of the op and of the clause.
    unsafe {
        let number = (*vm).current;
        let stacks = (*vm).stacks.as_mut_ptr();
        let stack = stacks.add(number as usize);
        let outside = (*stack).parent;
        let parent = stacks.add(outside as usize);
        leave(vm, stack, from, op);
        let cont = make_cont(vm, clause.ty(), number);
        (*vm).current = outside;
        let (fp, csp) = install(vm, parent);
        let payload = fp.add(usize::from(clause.base()) * 8);
        move_few(payload, from.fp.add(usize::from(op.dst()) * 8), op.given());
        put_u64(payload, op.given(), cont.into());
        To {
            ip: clause.target(),
            fp,
            csp,
            acc: 0,
        }
    }
}

/// `switch` to what was suspended, if the parent has a clause for the tag.
#[inline(always)]
pub(crate) unsafe fn fast_switch<const THREADED: bool>(
    vm: *mut Vm,
    from: From,
    cont: u32,
    back: u32,
    tag: u32,
    op: Landing,
) -> Option<To> {
    // SAFETY: I1; I2 for the operands.
    unsafe {
        let (number, stack, word) = suspended(vm, cont)?;
        let current = (*vm).current;
        if current == (*vm).entry_stack || op.given() >= MOST || !has_room(vm) {
            return None;
        }
        let stacks = (*vm).stacks.as_mut_ptr();
        let old = stacks.add(current as usize);
        parents_clause::<THREADED>(vm, old, tag, true)?;
        // No more than twice the most, which does not overflow.
        let bytes = (*vm).chain_bytes + (*stack).len;
        if (*stack).landing.want() != op.given() + 1 || bytes - (*old).len > (*vm).max_stack {
            return None;
        }
        word.write_unaligned(0);
        (*vm).current = number;
        (*vm).chain_bytes = bytes;
        (*stack).parent = (*old).parent;
        let this = make_cont(vm, back, current);
        leave(vm, old, from, op);
        let values = from.fp.add(usize::from(op.dst()) * 8);
        Some(enter(vm, stack, values, op.given(), Some(this)))
    }
}

/// `resume` of what was suspended and has no bound arguments.
#[inline(always)]
pub(crate) unsafe fn fast_resume<const THREADED: bool>(
    vm: *mut Vm,
    from: From,
    cont: u32,
    op: Landing,
) -> Option<To> {
    // SAFETY: I1; I2 for the operands.
    unsafe {
        let (number, stack, word) = suspended(vm, cont)?;
        // No more than twice the most, which does not overflow.
        let bytes = (*vm).chain_bytes + (*stack).len;
        let given = (*stack).landing.want();
        if given != op.given() || given > MOST || bytes > (*vm).max_stack {
            return None;
        }
        word.write_unaligned(0);
        let current = (*vm).current;
        (*vm).current = number;
        (*vm).chain_bytes = bytes;
        (*stack).parent = current;
        let waits = (*vm).stacks.as_mut_ptr().add(current as usize);
        save(vm, waits, from, op);
        let values = from.fp.add(usize::from(op.dst()) * 8);
        Some(enter(vm, stack, values, given, None))
    }
}
