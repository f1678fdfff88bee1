//! The slow paths of calls: functions not linked yet, stacks that must grow, other instances, host functions.
//!
//! Each gets the machine with its registers saved (`ip` at the calling op) and `next`, where the caller goes on.
#![allow(unsafe_code, reason = "works on the saved registers")]

use core::sync::atomic::AtomicU64;

use crate::activation::PauseReason;
use crate::awaiting::{Awaited, Back};
use crate::code_space::{CROSS_AT, RET_AT};
use crate::conts::{crossed, fell_asleep, suspend_host};
use crate::exceptions::throw_pending;
use crate::module::UNLINKED;
use crate::regs::{
    EXIT_AWAITS, EXIT_CROSSES, EXIT_HOST, EXIT_LOAD, EXIT_PAUSED, EXIT_SUSPENDED, EXIT_THROWN,
    EXIT_TRAP, get_u64, move_slots, rd16, rd32,
};
use crate::store::FuncAddr;
use crate::trap::Trap;
use crate::vm::{HostStatus, Vm};

/// Leaves with a trap.
pub(crate) unsafe fn raise(vm: *mut Vm, trap: Trap) -> u32 {
    // SAFETY: I1, the vm is alive.
    unsafe { (*vm).trap = trap };
    EXIT_TRAP
}

/// Operands of the op at the saved `ip`, by unit.
#[derive(Clone, Copy)]
pub(crate) struct Operands {
    at: *const u8,
    fp: *mut u8,
}

impl Operands {
    pub(crate) unsafe fn of(vm: *mut Vm) -> Operands {
        // SAFETY: I1.
        unsafe {
            Operands {
                at: (*vm).ip.add((*vm).space.executor().head_bytes() - 2),
                fp: (*vm).fp,
            }
        }
    }

    pub(crate) unsafe fn u16(self, unit: usize) -> u16 {
        // SAFETY: I2, the op has that unit.
        unsafe { rd16(self.at, unit * 2) }
    }

    pub(crate) unsafe fn u32(self, unit: usize) -> u32 {
        // SAFETY: I2, the op has those units.
        unsafe { rd32(self.at, unit * 2) }
    }

    pub(crate) unsafe fn slot(self, unit: usize) -> u64 {
        // SAFETY: I2, the unit is a slot of the frame.
        unsafe { get_u64(self.fp, self.u16(unit)) }
    }
}

/// How a call is made.
#[derive(Clone, Copy)]
enum How {
    /// The arguments are at `base`; the caller goes on at `next`. `again` says whether the op can be run once more, as
    /// it was: it reads nothing from an accumulator.
    Call {
        base: u16,
        next: *const u8,
        again: bool,
    },
    /// `n` arguments at `base` replace the frame.
    Tail { base: u16, n: u16 },
}

pub(crate) unsafe fn call(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        enter(
            vm,
            (*vm).cells.add(o.u32(1) as usize),
            How::Call {
                base: o.u16(3),
                next,
                again: false,
            },
        )
    }
}

pub(crate) unsafe fn return_call(vm: *mut Vm, _next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        enter(
            vm,
            (*vm).cells.add(o.u32(1) as usize),
            How::Tail {
                base: o.u16(3),
                n: o.u16(4),
            },
        )
    }
}

pub(crate) unsafe fn call_import(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        let f = imported(vm, o.u32(1));
        call_addr(
            vm,
            f,
            How::Call {
                base: o.u16(3),
                next,
                again: true,
            },
        )
    }
}

pub(crate) unsafe fn return_call_import(vm: *mut Vm, _next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        let f = imported(vm, o.u32(1));
        call_addr(
            vm,
            f,
            How::Tail {
                base: o.u16(3),
                n: o.u16(4),
            },
        )
    }
}

unsafe fn imported(vm: *mut Vm, import: u32) -> u32 {
    // SAFETY: I1; the reference ends here.
    let vm = unsafe { &*vm };
    vm.instances[vm.inst as usize].funcs[import as usize] - 1
}

pub(crate) unsafe fn call_indirect(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        match in_table(vm, o.slot(1), o.u32(2), o.u16(4)) {
            Ok(f) => call_addr(
                vm,
                f,
                How::Call {
                    base: o.u16(5),
                    next,
                    again: false,
                },
            ),
            Err(t) => raise(vm, t),
        }
    }
}

pub(crate) unsafe fn return_call_indirect(vm: *mut Vm, _next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        match in_table(vm, o.slot(1), o.u32(2), o.u16(4)) {
            Ok(f) => call_addr(
                vm,
                f,
                How::Tail {
                    base: o.u16(5),
                    n: o.u16(6),
                },
            ),
            Err(t) => raise(vm, t),
        }
    }
}

pub(crate) unsafe fn call_ref(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        match referenced(vm, o.slot(1) as u32, o.u32(2)) {
            Ok(f) => call_addr(
                vm,
                f,
                How::Call {
                    base: o.u16(4),
                    next,
                    again: false,
                },
            ),
            Err(t) => raise(vm, t),
        }
    }
}

pub(crate) unsafe fn return_call_ref(vm: *mut Vm, _next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        match referenced(vm, o.slot(1) as u32, o.u32(2)) {
            Ok(f) => call_addr(
                vm,
                f,
                How::Tail {
                    base: o.u16(4),
                    n: o.u16(5),
                },
            ),
            Err(t) => raise(vm, t),
        }
    }
}

/// The function in a table entry, if it has the type.
unsafe fn in_table(vm: *mut Vm, index: u64, ty: u32, table: u16) -> Result<u32, Trap> {
    // SAFETY: I1; the reference ends here.
    let vm = unsafe { &mut *vm };
    let table = vm.instances[vm.inst as usize].tables[usize::from(table)];
    let f = vm.table_get(table, index).ok_or(Trap::TableOutOfBounds)?;
    let f = f.checked_sub(1).ok_or(Trap::IndirectCallToNull)?;
    typed(vm, f, ty)
}

/// The function of a reference, if it has the type (validation says so; a damaged arena may not).
unsafe fn referenced(vm: *mut Vm, reference: u32, ty: u32) -> Result<u32, Trap> {
    // SAFETY: I1; the reference ends here.
    let vm = unsafe { &*vm };
    typed(vm, reference.checked_sub(1).ok_or(Trap::NullReference)?, ty)
}

fn typed(vm: &Vm, f: u32, ty: u32) -> Result<u32, Trap> {
    let rec = vm.funcs.get(f as usize).ok_or(Trap::IndirectCallToNull)?;
    let want = vm.instances[vm.inst as usize].module.desc().types[ty as usize].1;
    if rec.ty == want || vm.is_subtype(rec.ty, want) {
        Ok(f)
    } else {
        Err(Trap::BadSignature)
    }
}

unsafe fn call_addr(vm: *mut Vm, f: u32, how: How) -> u32 {
    // SAFETY: I1; `f` is an address of the store.
    unsafe {
        let rec = (&raw const (*vm).funcs_ptr).read().add(f as usize);
        if (*rec).entry.is_some() {
            return match how {
                How::Call { base, next, again } => {
                    match call_host(vm, FuncAddr(f), base, next, again) {
                        EXIT_THROWN => throw_pending(vm, false),
                        EXIT_CROSSES => crossed(vm),
                        EXIT_SUSPENDED => {
                            let next = next.addr() - (*vm).code_base.addr();
                            suspend_host(vm, FuncAddr(f), base, next as u32)
                        }
                        status => status,
                    }
                }
                How::Tail { base, n } => {
                    move_slots((*vm).fp, 0, base, n);
                    match call_host(vm, FuncAddr(f), 0, core::ptr::null(), false) {
                        0 => {}
                        EXIT_THROWN => return throw_pending(vm, true),
                        EXIT_CROSSES => return crossed(vm),
                        EXIT_SUSPENDED => return suspend_host(vm, FuncAddr(f), 0, RET_AT),
                        status => return status,
                    }
                    let (code, delta) = (*vm).pop_record();
                    (*vm).ip = (*vm).code_base.add(code as usize);
                    (*vm).fp = (*vm).fp.sub(delta as usize);
                    0
                }
            };
        }
        if (*rec).inst == (*vm).inst {
            enter(vm, (*rec).cell, how)
        } else {
            enter_other(vm, (*rec).inst, (*rec).cell, how)
        }
    }
}

/// Links the function if need be.
unsafe fn linked(vm: *mut Vm, cell: *const AtomicU64) -> Result<u64, u32> {
    // SAFETY: I5, the cell is of a module that the store keeps.
    let value = unsafe { (*cell).load(core::sync::atomic::Ordering::Acquire) };
    if value != UNLINKED {
        return Ok(value);
    }
    // SAFETY: I1; the reference ends here.
    let m = unsafe { &mut *vm };
    m.link_cell(cell).map_err(|e| {
        m.load_error = Some(e);
        EXIT_LOAD
    })
}

/// As `linked`, of a function of another instance.
pub(crate) unsafe fn linked_in(vm: *mut Vm, inst: u32, cell: *const AtomicU64) -> Result<u64, u32> {
    // SAFETY: I1, I5.
    unsafe {
        let caller = core::mem::replace(&mut (*vm).inst, inst);
        let value = linked(vm, cell);
        (*vm).inst = caller;
        value
    }
}

/// Enters a function of the current instance.
unsafe fn enter(vm: *mut Vm, cell: *const AtomicU64, how: How) -> u32 {
    // SAFETY: I1, I3: room is made before it is used.
    unsafe {
        let value = match linked(vm, cell) {
            Ok(v) => v,
            Err(code) => return code,
        };
        let m = &mut *vm;
        let at = m.frame_at();
        match how {
            How::Call { base, next, .. } => {
                if let Err(t) = m.reserve_stack(at + u32::from(base) * 8, value >> 32) {
                    return raise(vm, t);
                }
                m.push_record(
                    (next.addr() - m.code_base.addr()) as u32,
                    u32::from(base) * 8,
                );
                m.fp = m.fp.add(usize::from(base) * 8);
            }
            How::Tail { base, n } => {
                if let Err(t) = m.reserve_stack(at, value >> 32) {
                    return raise(vm, t);
                }
                move_slots(m.fp, 0, base, n);
            }
        }
        m.ip = m.code_base.add(value as u32 as usize);
        0
    }
}

/// Enters a function of another instance: its return goes through `ret_cross`, which comes back to this one.
unsafe fn enter_other(vm: *mut Vm, inst: u32, cell: *const AtomicU64, how: How) -> u32 {
    // SAFETY: I1, I3: the red zone has room for the two records more.
    unsafe {
        let caller = (*vm).inst;
        let value = match linked_in(vm, inst, cell) {
            Ok(v) => v,
            Err(code) => return code,
        };
        let m = &mut *vm;
        let at = m.frame_at();
        let base = match how {
            How::Call { base, .. } => base,
            How::Tail { .. } => 0,
        };
        if let Err(t) = m.reserve_stack(at + u32::from(base) * 8, value >> 32) {
            return raise(vm, t);
        }
        match how {
            How::Call { base, next, .. } => {
                m.push_record(
                    (next.addr() - m.code_base.addr()) as u32,
                    u32::from(base) * 8,
                );
                m.fp = m.fp.add(usize::from(base) * 8);
                m.push_record(caller, 0);
                m.push_record(CROSS_AT, 0);
            }
            How::Tail { base, n } => {
                move_slots(m.fp, 0, base, n);
                // A frame that was entered from another instance goes back there; so does what replaces it.
                if get_u64(m.csp, 0) as u32 != CROSS_AT {
                    m.push_record(caller, 0);
                    m.push_record(CROSS_AT, 0);
                }
            }
        }
        m.ip = m.code_base.add(value as u32 as usize);
        m.install(inst);
        0
    }
}

/// The op that a function entered from another instance returns to.
pub(crate) unsafe fn ret_cross(vm: *mut Vm, _next: *const u8) -> u32 {
    // SAFETY: I1, I3: `enter_other` left the records.
    unsafe {
        let m = &mut *vm;
        let (inst, _) = m.pop_record();
        let (code, delta) = m.pop_record();
        m.install(inst);
        m.ip = m.code_base.add(code as usize);
        m.fp = m.fp.sub(delta as usize);
        0
    }
}

/// Calls a host function whose arguments are at `base`. Everything derived is taken anew afterwards.
#[inline(always)]
unsafe fn call_host(vm: *mut Vm, f: FuncAddr, base: u16, next: *const u8, again: bool) -> u32 {
    // SAFETY: I1; the host's promises of `new_host_func`.
    unsafe {
        let rec = (*vm).funcs_ptr.add(f.0 as usize);
        let Some(entry) = (*rec).entry else {
            return raise(vm, Trap::Unreachable);
        };
        let (data, slots) = ((*rec).data, u32::from((*rec).slots));
        let frame = (&*vm).frame_at() + u32::from(base) * 8;
        // A tail call's results may need more room than the frame it replaces has.
        if next.is_null()
            && let Err(t) = (&mut *vm).reserve_stack(frame, u64::from(slots) * 8)
        {
            return raise(vm, t);
        }
        let (top, ip) = ((*vm).top, (*vm).ip);
        (*vm).top = frame + slots * 8;
        let status = entry((*vm).host_cx, data, frame);
        (*vm).top = top;
        if status == HostStatus::Done {
            (*vm).acc = get_u64((*vm).stack_base().add(frame as usize), 0);
            (*vm).ip = next;
            return 0;
        }
        not_done(vm, f, frame, next, (ip, again), status)
    }
}

/// What comes of a host function that has not given results; `ip` is at the op that called it, which can be run once more
/// if it says `again`.
#[cold]
#[inline(never)]
unsafe fn not_done(
    vm: *mut Vm,
    f: FuncAddr,
    frame: u32,
    next: *const u8,
    (ip, again): (*const u8, bool),
    status: HostStatus,
) -> u32 {
    // SAFETY: I1.
    unsafe {
        if status == HostStatus::Asleep {
            // The registers are those of what sleeps.
            return fell_asleep(vm, Awaited::new(f, frame, Some(back_to(vm, next))));
        }
        // Calls that the host function made have left theirs; a backtrace wants this one.
        (*vm).ip = ip;
        match status {
            // The collector follows no arguments of a call: they would not outlive the pause.
            HostStatus::Pause if again && !(&*vm).takes_traced(f) => {
                (*vm).pause = PauseReason::HostCall;
                EXIT_PAUSED
            }
            HostStatus::Awaits => {
                (*vm).awaited = Awaited::new(f, frame, Some(back_to(vm, next)));
                EXIT_AWAITS
            }
            status => host_exit(vm, status),
        }
    }
}

/// Where a host function returns to; with null for `next`, for the frame that called it.
#[cold]
unsafe fn back_to(vm: *mut Vm, next: *const u8) -> Back {
    let left = next.is_null();
    let next = if left {
        RET_AT
    } else {
        // SAFETY: I1.
        (next.addr() - unsafe { (*vm).code_base.addr() }) as u32
    };
    Back { next, left }
}

/// The code for how a host function ended, other than with results.
pub(crate) unsafe fn host_exit(vm: *mut Vm, status: HostStatus) -> u32 {
    match status {
        // SAFETY: I1.
        HostStatus::Trap(t) => unsafe { raise(vm, t) },
        HostStatus::Thrown => EXIT_THROWN,
        HostStatus::Suspend => EXIT_SUSPENDED,
        HostStatus::Done
        | HostStatus::Failed
        | HostStatus::Pause
        | HostStatus::Awaits
        | HostStatus::Asleep => EXIT_HOST,
    }
}
