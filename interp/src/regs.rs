//! What a handler does with its registers: operands, slots, memory 0. All of it is inlined into the handlers.
#![allow(unsafe_code, reason = "the innermost accessors of both executors")]
// Safety of everything here rests on I1 to I4 of docs/invariants.md; each function says what it assumes.
#![allow(
    clippy::missing_safety_doc,
    reason = "private; the invariants are cited at each block"
)]

use core::sync::atomic::Ordering;

use crate::simd::V128;
use crate::trap::Trap;
use crate::vm::Vm;

/// The activation ended; its results are in place.
pub(crate) const EXIT_DONE: u32 = 1;
/// `vm.trap` says why.
pub(crate) const EXIT_TRAP: u32 = 2;
/// A host function failed; the host knows why.
pub(crate) const EXIT_HOST: u32 = 3;
/// Out of fuel or interrupted; can go on.
pub(crate) const EXIT_PAUSED: u32 = 4;
/// A function could not be loaded; `vm.load_error` says why.
pub(crate) const EXIT_LOAD: u32 = 5;
/// An exception that nobody catches: the pending one.
pub(crate) const EXIT_THROWN: u32 = 6;
/// A continuation that the host resumed has suspended, to `vm.suspended`; or a host function asks to suspend.
pub(crate) const EXIT_SUSPENDED: u32 = 7;
/// A host function is to be run outside of the machine: `vm.awaited`.
pub(crate) const EXIT_AWAITS: u32 = 8;
/// A suspension goes on to an activation further out.
pub(crate) const EXIT_CROSSES: u32 = 9;
/// The continuation that the activation is in was dropped.
pub(crate) const EXIT_DROPPED: u32 = 10;

macro_rules! readers {
    ($($name:ident $ty:ty;)*) => { $(
        /// An operand, `at` bytes into the op at `ip`.
        #[inline(always)]
        pub(crate) unsafe fn $name(ip: *const u8, at: usize) -> $ty {
            // SAFETY: I2, the op is whole.
            <$ty>::from_le(unsafe { ip.add(at).cast::<$ty>().read_unaligned() })
        }
    )* };
}

readers! { rd16 u16; rd32 u32; rd64 u64; }

/// As the readers above, of a v128.
#[inline(always)]
pub(crate) unsafe fn rd128(ip: *const u8, at: usize) -> V128 {
    // SAFETY: I2, the op is whole.
    unsafe { ip.add(at).cast::<V128>().read_unaligned() }
}

/// The 64 bits of a slot.
#[inline(always)]
pub(crate) unsafe fn get_u64(fp: *mut u8, slot: u16) -> u64 {
    // SAFETY: I2, the slot is in the frame; I3, the frame is in the chunk and 8-aligned.
    u64::from_le(unsafe { fp.add(usize::from(slot) * 8).cast::<u64>().read() })
}

/// Writes the 64 bits of a slot.
#[inline(always)]
pub(crate) unsafe fn put_u64(fp: *mut u8, slot: u16, v: u64) {
    // SAFETY: as `get_u64`.
    unsafe { fp.add(usize::from(slot) * 8).cast::<u64>().write(v.to_le()) }
}

/// The 128 bits of two slots. Always one access of 16 bytes: a vector that was written in halves would make the
/// processor wait until both are in its cache.
#[inline(always)]
pub(crate) unsafe fn get_v128(fp: *mut u8, slot: u16) -> V128 {
    // SAFETY: I2, both slots are in the frame.
    unsafe {
        fp.add(usize::from(slot) * 8)
            .cast::<V128>()
            .read_unaligned()
    }
}

/// Writes the 128 bits of two slots.
#[inline(always)]
pub(crate) unsafe fn put_v128(fp: *mut u8, slot: u16, v: V128) {
    // SAFETY: as `get_v128`.
    unsafe {
        fp.add(usize::from(slot) * 8)
            .cast::<V128>()
            .write_unaligned(v)
    }
}

// Narrow values are zero-extended, so that a slot is always written whole and can be compared, copied and hashed.
macro_rules! slots {
    ($($ty:ident $get:ident $put:ident, $v:ident => $from:expr, $w:ident => $into:expr;)*) => { $(
        #[inline(always)]
        pub(crate) unsafe fn $get(fp: *mut u8, slot: u16) -> $ty {
            // SAFETY: as `get_u64`.
            let $v = unsafe { get_u64(fp, slot) };
            $from
        }

        #[inline(always)]
        pub(crate) unsafe fn $put(fp: *mut u8, slot: u16, $w: $ty) {
            // SAFETY: as `put_u64`.
            unsafe { put_u64(fp, slot, $into) }
        }
    )* };
}

slots! {
    u32 get_u32 put_u32, v => v as u32, w => u64::from(w);
    i32 get_i32 put_i32, v => v as u32 as i32, w => u64::from(w as u32);
    i64 get_i64 put_i64, v => v as i64, w => w as u64;
    f32 get_f32 put_f32, v => f32::from_bits(v as u32), w => u64::from(w.to_bits());
    f64 get_f64 put_f64, v => f64::from_bits(v), w => w.to_bits();
}

// The integer accumulator holds what the slot holds.
#[cfg(threaded)]
mod widen {
    #[inline(always)]
    pub(crate) fn widen_u32(v: u32) -> u64 {
        u64::from(v)
    }
    #[inline(always)]
    pub(crate) fn widen_i32(v: i32) -> u64 {
        u64::from(v as u32)
    }
    #[inline(always)]
    pub(crate) fn widen_u64(v: u64) -> u64 {
        v
    }
    #[inline(always)]
    pub(crate) fn widen_i64(v: i64) -> u64 {
        v as u64
    }
}
#[cfg(threaded)]
pub(crate) use widen::*;

/// Copies `n` slots as if at once. Volatile, so that LLVM makes no call of it: a call would cost every handler a
/// prologue, and the runs are short.
#[inline(always)]
pub(crate) unsafe fn move_slots(fp: *mut u8, dst: u16, src: u16, n: u16) {
    let (d, s, n) = (usize::from(dst), usize::from(src), usize::from(n));
    // SAFETY: I2, both ranges are in the frame.
    unsafe {
        let slots = fp.cast::<u64>();
        if d <= s {
            let mut i = 0;
            while i < n {
                slots.add(d + i).write_volatile(slots.add(s + i).read());
                i += 1;
            }
        } else {
            let mut i = n;
            while i > 0 {
                i -= 1;
                slots.add(d + i).write_volatile(slots.add(s + i).read());
            }
        }
    }
}

/// Zeroes `n` slots.
#[inline(always)]
pub(crate) unsafe fn zero_slots(fp: *mut u8, first: u16, n: u16) {
    let mut i = 0;
    while i < usize::from(n) {
        // SAFETY: I2, the range is in the frame.
        unsafe {
            fp.cast::<u64>()
                .add(usize::from(first) + i)
                .write_volatile(0)
        };
        i += 1;
    }
}

/// The value of type `T` at `ea` of memory 0, or `None` if it is not all inside.
#[inline(always)]
pub(crate) unsafe fn load<T: LittleEndian>(m0: *mut u8, len: u64, ea: u64) -> Option<T> {
    // `ea` is below 2^33, so this does not wrap.
    if ea + size_of::<T>() as u64 > len {
        return None;
    }
    // SAFETY: I4, memory 0 has `len` bytes from `m0` up.
    Some(T::from_le(unsafe {
        m0.add(ea as usize).cast::<T>().read_unaligned()
    }))
}

/// Stores `v` at `ea` of memory 0; false if it is not all inside.
#[inline(always)]
#[must_use]
pub(crate) unsafe fn store<T: LittleEndian>(m0: *mut u8, len: u64, ea: u64, v: T) -> bool {
    if ea + size_of::<T>() as u64 > len {
        return false;
    }
    // SAFETY: I4, memory 0 has `len` bytes from `m0` up.
    unsafe { m0.add(ea as usize).cast::<T>().write_unaligned(v.to_le()) };
    true
}

/// Whether the `size` bytes from `ea` up are all inside `len`.
#[inline(always)]
fn inside(len: u64, ea: u64, size: u64) -> bool {
    ea < len && len - ea >= size
}

/// As `inside` of memory 0. Most accesses take one comparison.
#[inline(always)]
unsafe fn inside_mem0(vm: *mut Vm, ea: u64, size: u64) -> bool {
    // SAFETY: I1, the vm is alive.
    let (inner, len) = unsafe { ((*vm).mem0_inner, (*vm).mem0_len) };
    (size <= 8 && ea < inner) || inside(len, ea, size)
}

/// As `load`, at `addr + offset` with an address of 64 bits.
#[inline(always)]
pub(crate) unsafe fn load64<T: LittleEndian>(
    vm: *mut Vm,
    m0: *mut u8,
    addr: u64,
    offset: u64,
) -> Option<T> {
    let ea = addr.checked_add(offset)?;
    // SAFETY: I4, memory 0 has `mem0_len` bytes from `m0` up.
    unsafe {
        inside_mem0(vm, ea, size_of::<T>() as u64)
            .then(|| T::from_le(m0.add(ea as usize).cast::<T>().read_unaligned()))
    }
}

/// As `store`, at `addr + offset` with an address of 64 bits.
#[inline(always)]
#[must_use]
pub(crate) unsafe fn store64<T: LittleEndian>(
    vm: *mut Vm,
    m0: *mut u8,
    addr: u64,
    offset: u64,
    v: T,
) -> bool {
    let Some(ea) = addr.checked_add(offset) else {
        return false;
    };
    // SAFETY: I4, memory 0 has `mem0_len` bytes from `m0` up.
    unsafe {
        if !inside_mem0(vm, ea, size_of::<T>() as u64) {
            return false;
        }
        m0.add(ea as usize).cast::<T>().write_unaligned(v.to_le());
    }
    true
}

/// As `load64`, in any memory of the instance.
#[inline(always)]
pub(crate) unsafe fn load_mem<T: LittleEndian>(
    vm: *mut Vm,
    mem: u16,
    addr: u64,
    offset: u64,
) -> Option<T> {
    let ea = addr.checked_add(offset)?;
    // SAFETY: I1, the vm is alive; I4 for what it says of the memory.
    unsafe {
        let (ptr, len) = Vm::memory_view(vm, mem);
        inside(len, ea, size_of::<T>() as u64)
            .then(|| T::from_le(ptr.add(ea as usize).cast::<T>().read_unaligned()))
    }
}

/// As `store64`, in any memory of the instance.
#[inline(always)]
#[must_use]
pub(crate) unsafe fn store_mem<T: LittleEndian>(
    vm: *mut Vm,
    mem: u16,
    addr: u64,
    offset: u64,
    v: T,
) -> bool {
    let Some(ea) = addr.checked_add(offset) else {
        return false;
    };
    // SAFETY: as `load_mem`.
    unsafe {
        let (ptr, len) = Vm::memory_view(vm, mem);
        if !inside(len, ea, size_of::<T>() as u64) {
            return false;
        }
        ptr.add(ea as usize).cast::<T>().write_unaligned(v.to_le());
    }
    true
}

/// Integers that lie in memory with their lowest byte first.
pub(crate) trait LittleEndian: Copy {
    fn to_le(self) -> Self;
    fn from_le(v: Self) -> Self;
}

macro_rules! little_endian {
    ($($ty:ident)*) => { $(
        impl LittleEndian for $ty {
            #[inline(always)]
            fn to_le(self) -> $ty {
                $ty::to_le(self)
            }
            #[inline(always)]
            fn from_le(v: $ty) -> $ty {
                $ty::from_le(v)
            }
        }
    )* };
}
little_endian! { u8 i8 u16 i16 u32 i32 u64 }

// Its lanes are little-endian wherever it is.
impl LittleEndian for V128 {
    #[inline(always)]
    fn to_le(self) -> V128 {
        self
    }
    #[inline(always)]
    fn from_le(v: V128) -> V128 {
        v
    }
}

/// A 64-bit cell in the arena.
#[derive(Clone, Copy)]
pub(crate) struct Cell64(*mut u64);

impl Cell64 {
    #[inline(always)]
    pub(crate) unsafe fn read_le(self) -> u64 {
        // SAFETY: whoever made the cell took its address from a live, aligned arena object.
        u64::from_le(unsafe { self.0.read() })
    }

    #[inline(always)]
    pub(crate) unsafe fn write_le(self, v: u64) {
        // SAFETY: as `read_le`.
        unsafe { self.0.write(v.to_le()) }
    }

    /// The vector in this cell and the next.
    #[inline(always)]
    pub(crate) unsafe fn read_v128(self) -> V128 {
        // SAFETY: as `read_le`; behind the last cell there is room for another (`new_global`, `new_instance`).
        unsafe { self.0.cast::<V128>().read_unaligned() }
    }

    #[inline(always)]
    pub(crate) unsafe fn write_v128(self, v: V128) {
        // SAFETY: as `read_v128`.
        unsafe { self.0.cast::<V128>().write_unaligned(v) }
    }
}

/// The instance's own global.
#[inline(always)]
pub(crate) unsafe fn global_cell(vm: *mut Vm, i: u32) -> Cell64 {
    // SAFETY: I2, the index is in range; I5, `globals` is that of the current instance.
    Cell64(unsafe { (*vm).globals.add(i as usize) })
}

/// An imported global: its offset is kept beside the arena.
#[inline(always)]
pub(crate) unsafe fn imported_global_cell(vm: *mut Vm, i: u32) -> Cell64 {
    // SAFETY: I2, the index is in range; I5, offsets in `imported_globals` lead to live cells.
    Cell64(unsafe {
        (*vm)
            .arena_base
            .add(*(*vm).imported_globals.add(i as usize) as usize)
            .cast()
    })
}

/// The cell of a function of this module: {code offset u32, frame bytes u32}.
#[inline(always)]
pub(crate) unsafe fn cell_of(vm: *mut Vm, func: u32) -> u64 {
    // SAFETY: I2, the index is in range; I5, `cells` is that of the current instance's module.
    unsafe { (*(*vm).cells.add(func as usize)).load(Ordering::Acquire) }
}

/// Whether a frame of the cell's function fits at `fp` below `csp`, with room for its return record.
#[inline(always)]
pub(crate) fn fits(fp: *mut u8, csp: *mut u8, cell: u64) -> bool {
    (csp.addr() - fp.addr()) as u64 >= (cell >> 32) + 8
}

/// An entry, if the table is number 0 and has it.
#[inline(always)]
pub(crate) unsafe fn entry_of_table0(vm: *mut Vm, index: u64, table: u16) -> Option<*mut u32> {
    // SAFETY: I5 for the cached pointers; the index is checked against the length first.
    unsafe {
        if table != 0 || index >= (*vm).table0_len {
            return None;
        }
        Some((*vm).table0.add(index as usize))
    }
}

/// The cell of entry `index` of table 0 if the call can be made at once: a function of the current instance, of the
/// right type. Everything else takes the slow path, which also finds the trap.
#[inline(always)]
pub(crate) unsafe fn callee_in_table0(vm: *mut Vm, index: u64, ty: u32, table: u16) -> Option<u64> {
    // SAFETY: I5 for the cached pointers; every index is checked against its length first.
    unsafe {
        let f = u32::from_le(entry_of_table0(vm, index, table)?.read());
        callee_of_ref(vm, f, ty)
    }
}

/// As `callee_in_table0`, of the function that a reference leads to.
#[inline(always)]
pub(crate) unsafe fn callee_of_ref(vm: *mut Vm, reference: u32, ty: u32) -> Option<u64> {
    // SAFETY: I5 for the cached pointers; the index is checked against the length first.
    unsafe {
        let f = reference.wrapping_sub(1);
        if f as usize >= (*vm).funcs_len {
            return None;
        }
        let rec = (*vm).funcs_ptr.add(f as usize);
        if (*rec).ty != *(*vm).types.add(ty as usize) || (*rec).inst != (*vm).inst {
            return None;
        }
        Some((*(*rec).cell).load(Ordering::Acquire))
    }
}

#[inline(always)]
pub(crate) unsafe fn interrupt_pending(vm: *mut Vm) -> bool {
    // SAFETY: the vm holds the flag's Arc.
    unsafe { (*(*vm).interrupt_ptr).load(Ordering::Relaxed) != 0 }
}

/// Puts the registers where code outside the loop finds them.
#[inline(always)]
pub(crate) unsafe fn save(vm: *mut Vm, ip: *const u8, fp: *mut u8, csp: *mut u8, acc: u64) {
    // SAFETY: I1, the vm is alive and nobody else uses it.
    unsafe {
        (*vm).ip = ip;
        (*vm).fp = fp;
        (*vm).csp = csp;
        (*vm).acc = acc;
    }
}

pub(crate) unsafe fn leave_with_trap(
    vm: *mut Vm,
    ip: *const u8,
    fp: *mut u8,
    csp: *mut u8,
    trap: Trap,
) -> u32 {
    // SAFETY: as `save`.
    unsafe {
        save(vm, ip, fp, csp, 0);
        (*vm).trap = trap;
    }
    EXIT_TRAP
}

/// The trap whose number a handler passed in the accumulator.
#[cfg(threaded)]
pub(crate) fn trap_from(acc: u64) -> Trap {
    Trap::from_u8(acc as u8).unwrap_or(Trap::Unreachable)
}
