//! Host functions in continuations: as the function that one calls, and where one suspends.
#![allow(unsafe_code, reason = "calls host functions")]

use crate::awaiting::{Awaited, Back};
use crate::calls::raise;
use crate::code_space::CONT_END_AT;
use crate::conts::across::{crossed, fell_asleep};
use crate::conts::ops::Payload;
use crate::regs::{EXIT_AWAITS, EXIT_HOST, EXIT_SUSPENDED, EXIT_THROWN};
use crate::store::FuncAddr;
use crate::trap::Trap;
use crate::vm::{HostStatus, Vm};

/// Calls the host function that is a continuation's body, on its stack.
pub(super) unsafe fn call_body(vm: *mut Vm, func: FuncAddr) -> u32 {
    // SAFETY: I1; the host's promises of `new_host_func`; `new_stack` made room for its slots.
    unsafe {
        let rec = &(&(*vm).funcs)[func.0 as usize];
        let (Some(entry), data, slots) = (rec.entry, rec.data, rec.slots) else {
            return raise(vm, Trap::Unreachable);
        };
        let (top, cx) = ((*vm).top, (*vm).host_cx);
        (*vm).top = u32::from(slots) * 8;
        let status = entry(cx, data, 0);
        (*vm).top = top;
        // Calls that it made have left theirs.
        (*vm).ip = (*vm).code_base.add(CONT_END_AT as usize);
        match status {
            HostStatus::Done => 0,
            HostStatus::Awaits => {
                let (next, left) = (CONT_END_AT, true);
                (*vm).awaited = Awaited::new(func, 0, Some(Back { next, left }));
                EXIT_AWAITS
            }
            HostStatus::Asleep => {
                let (next, left) = (CONT_END_AT, true);
                fell_asleep(vm, Awaited::new(func, 0, Some(Back { next, left })));
                crossed(vm)
            }
            status => match crate::calls::host_exit(vm, status) {
                EXIT_THROWN => crate::exceptions::throw_pending(vm, true),
                EXIT_SUSPENDED => suspend_host(vm, func, 0, CONT_END_AT),
                code => code,
            },
        }
    }
}

/// Suspends where the host function `f` asked for it; its results come at slot `base` of the current frame, and the caller
/// goes on at `next`.
#[cold]
pub(crate) unsafe fn suspend_host(vm: *mut Vm, f: FuncAddr, base: u16, next: u32) -> u32 {
    // SAFETY: I1; the frame has room for the function's results, which are those of the tag.
    unsafe {
        let m = &mut *vm;
        let Some((tag, payload)) = m.suspending.take() else {
            return EXIT_HOST;
        };
        let results = |id: u32| Some(m.type_defs.get(id as usize)?.ty.as_func()?.results());
        let ty = m.tags[tag.0 as usize].ty;
        let (of_tag, of_func) = (results(ty), results(m.funcs[f.0 as usize].ty));
        let fits = m.slots_of_type(ty).0 as usize == payload.len();
        if !fits || of_tag.is_none() || of_tag != of_func {
            return raise(vm, Trap::BadSignature);
        }
        // Nobody else keeps the payload alive while the continuation is made.
        let scope = m.gc.roots.begin_scope();
        if let Some(ty) = m.gc.types.get(ty) {
            for slot in m.gc.types.traced(ty) {
                let reference = payload.get(*slot as usize).map_or(0, |bits| *bits as u32);
                m.gc.roots.push(reference);
            }
        }
        let code = Vm::suspend_to(vm, tag, Payload::Given(&payload), base, next);
        (*vm).gc.roots.end_scope(scope);
        code
    }
}
