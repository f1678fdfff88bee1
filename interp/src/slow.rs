//! Ops that leave the loop: memories, tables, references, and pauses. Registers are saved while these run.
#![allow(
    unsafe_code,
    reason = "gets the machine as a raw pointer, as handlers have it"
)]

pub(crate) use crate::atomics::*;
pub(crate) use crate::calls::{
    call, call_import, call_indirect, call_ref, raise, ret_cross, return_call, return_call_import,
    return_call_indirect, return_call_ref,
};

pub(crate) use crate::conts::{
    cont_bind, cont_end, cont_new, resume, resume_throw, resume_throw_ref, suspend, switch,
};
pub(crate) use crate::exceptions::{throw, throw_ref};
pub(crate) use crate::gc::ops::*;

use core::sync::atomic::Ordering;

use crate::activation::PauseReason;
use crate::calls::Operands;
use crate::regs::{EXIT_PAUSED, put_u64};
use crate::store::{InstAddr, MemAddr, TableAddr};
use crate::trap::Trap;
use crate::vm::Vm;

/// Stops at the `fuel` op, which is run again when execution goes on.
pub(crate) unsafe fn out_of_fuel(vm: *mut Vm) -> u32 {
    // SAFETY: I1.
    unsafe { (*vm).pause = PauseReason::OutOfFuel };
    EXIT_PAUSED
}

/// Stops behind the `check` op.
pub(crate) unsafe fn interrupted(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1.
    unsafe {
        (*vm).pause = PauseReason::Interrupted;
        (*vm).ip = next;
        (*vm).interrupted_by = (*(*vm).interrupt_ptr).swap(0, Ordering::Relaxed);
    }
    EXIT_PAUSED
}

/// The machine for the length of one op.
unsafe fn machine<'a>(vm: *mut Vm) -> &'a mut Vm {
    // SAFETY: I1: alive, and nobody else uses it while an op runs.
    unsafe { &mut *vm }
}

fn mem(vm: &Vm, i: u16) -> MemAddr {
    vm.instances[vm.inst as usize].memories[usize::from(i)]
}

fn table(vm: &Vm, i: u16) -> TableAddr {
    vm.instances[vm.inst as usize].tables[usize::from(i)]
}

fn here(vm: &Vm) -> InstAddr {
    InstAddr(vm.inst)
}

pub(crate) unsafe fn memory_size(vm: *mut Vm, m: u16) -> Result<u64, Trap> {
    // SAFETY: I1.
    let vm = unsafe { machine(vm) };
    Ok(vm.memory_pages(mem(vm, m)))
}

pub(crate) unsafe fn memory_grow(vm: *mut Vm, delta: u64, m: u16) -> Result<u64, Trap> {
    // SAFETY: I1. The limit hook may take the whole store; no reference is alive across it but this one's reborrow.
    let vm = unsafe { machine(vm) };
    let m = mem(vm, m);
    let old = vm.memory_pages(m);
    vm.limit_failed = false;
    let grown = vm.memory_grow_pages(m, delta);
    let wide = vm.memories[m.0 as usize].memory64;
    unless_limit_failed(vm, grown.then_some(old), wide)
}

/// The result of a growth, -1 if it failed; unless the limit hook wants the guest to end.
fn unless_limit_failed(vm: &Vm, old: Option<u64>, wide: bool) -> Result<u64, Trap> {
    if vm.limit_failed {
        return Err(Trap::AllocationTooLarge);
    }
    let failed = if wide { u64::MAX } else { u64::from(u32::MAX) };
    Ok(old.unwrap_or(failed))
}

/// Where `n` bytes from `at` of a memory lie.
fn bytes(vm: &Vm, m: u16, at: u64, n: u64) -> Result<*mut u8, Trap> {
    let (ptr, len) = vm.memory(mem(vm, m));
    if at.checked_add(n).is_none_or(|end| end > len) {
        return Err(Trap::MemoryOutOfBounds);
    }
    // SAFETY: I4, just checked.
    Ok(unsafe { ptr.add(at as usize) })
}

pub(crate) unsafe fn memory_fill(vm: *mut Vm, d: u64, v: u32, n: u64, m: u16) -> Result<(), Trap> {
    // SAFETY: I1; I4 for the checked range.
    unsafe {
        let to = bytes(machine(vm), m, d, n)?;
        to.write_bytes(v as u8, n as usize);
    }
    Ok(())
}

pub(crate) unsafe fn memory_copy(
    vm: *mut Vm,
    d: u64,
    s: u64,
    n: u64,
    mem_d: u16,
    mem_s: u16,
) -> Result<(), Trap> {
    // SAFETY: I1; I4 for the checked ranges, which may overlap.
    unsafe {
        let from = bytes(machine(vm), mem_s, s, n)?;
        let to = bytes(machine(vm), mem_d, d, n)?;
        to.copy_from(from, n as usize);
    }
    Ok(())
}

pub(crate) unsafe fn memory_init(
    vm: *mut Vm,
    d: u64,
    s: u32,
    n: u32,
    m: u16,
    data: u32,
) -> Result<(), Trap> {
    // SAFETY: I1.
    let vm = unsafe { machine(vm) };
    vm.memory_init(here(vm), data, mem(vm, m), d, s.into(), n.into())
}

pub(crate) unsafe fn data_drop(vm: *mut Vm, data: u32) -> Result<(), Trap> {
    // SAFETY: I1.
    let vm = unsafe { machine(vm) };
    vm.data_drop(here(vm), data);
    Ok(())
}

fn inside(ok: bool) -> Result<(), Trap> {
    if ok {
        Ok(())
    } else {
        Err(Trap::TableOutOfBounds)
    }
}

/// An entry that is not in table 0, or not there.
pub(crate) unsafe fn table_get(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let (o, m) = (Operands::of(vm), machine(vm));
        let table = table(m, o.u16(3));
        let Some(entry) = m.table_get(table, o.slot(2)) else {
            return raise(vm, Trap::TableOutOfBounds);
        };
        put_u64(m.fp, o.u16(1), entry.into());
        (m.acc, m.ip) = (entry.into(), next);
        0
    }
}

/// As `table_get`.
pub(crate) unsafe fn table_set(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let (o, m) = (Operands::of(vm), machine(vm));
        let table = table(m, o.u16(3));
        if !m.table_set(table, o.slot(1), o.slot(2) as u32) {
            return raise(vm, Trap::TableOutOfBounds);
        }
        m.ip = next;
        0
    }
}

pub(crate) unsafe fn table_size(vm: *mut Vm, t: u16) -> Result<u64, Trap> {
    // SAFETY: I1.
    let vm = unsafe { machine(vm) };
    Ok(vm.table_len(table(vm, t)).into())
}

pub(crate) unsafe fn table_grow(vm: *mut Vm, v: u64, delta: u64, t: u16) -> Result<u64, Trap> {
    // SAFETY: I1.
    let vm = unsafe { machine(vm) };
    vm.limit_failed = false;
    let t = table(vm, t);
    let old = vm.table_grow(t, delta, v as u32);
    let wide = vm.tables[t.0 as usize].table64;
    unless_limit_failed(vm, old.map(u64::from), wide)
}

pub(crate) unsafe fn table_fill(vm: *mut Vm, i: u64, v: u64, n: u64, t: u16) -> Result<(), Trap> {
    // SAFETY: I1.
    let vm = unsafe { machine(vm) };
    inside(vm.table_fill(table(vm, t), i, v as u32, n))
}

pub(crate) unsafe fn table_copy(
    vm: *mut Vm,
    d: u64,
    s: u64,
    n: u64,
    table_d: u16,
    table_s: u16,
) -> Result<(), Trap> {
    // SAFETY: I1.
    let vm = unsafe { machine(vm) };
    inside(vm.table_copy(table(vm, table_d), d, table(vm, table_s), s, n))
}

pub(crate) unsafe fn table_init(
    vm: *mut Vm,
    d: u64,
    s: u32,
    n: u32,
    t: u16,
    elem: u32,
) -> Result<(), Trap> {
    // SAFETY: I1.
    let vm = unsafe { machine(vm) };
    inside(vm.table_init(here(vm), elem, table(vm, t), d, s, n))
}

pub(crate) unsafe fn elem_drop(vm: *mut Vm, elem: u32) -> Result<(), Trap> {
    // SAFETY: I1.
    let vm = unsafe { machine(vm) };
    vm.elem_drop(here(vm), elem);
    Ok(())
}

pub(crate) unsafe fn ref_func(vm: *mut Vm, index: u32) -> Result<u64, Trap> {
    // SAFETY: I1.
    let vm = unsafe { machine(vm) };
    if index as usize >= vm.instances[vm.inst as usize].funcs.len() {
        return Err(Trap::NullReference);
    }
    vm.func_addr(here(vm), index)
        .map(|f| u64::from(f.0) + 1)
        .map_err(|_| Trap::AllocationTooLarge)
}
