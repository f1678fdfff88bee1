//! Atomic access to memories, and waiting.
//!
//! A memory belongs to one store and a store to one thread at a time, also a memory whose type says that it is shared:
//! plain accesses are atomic, there is an order of all of them, and nobody can wake who waits (I7). docs/threads.md says
//! what memories shared by several stores would take.
#![allow(unsafe_code, reason = "reads and writes linear memories")]

use core::sync::atomic::Ordering;
use core::time::Duration;

use crate::activation::PauseReason;
use crate::calls::{Operands, raise};
use crate::regs::{EXIT_PAUSED, LittleEndian, put_u64};
use crate::trap::Trap;
use crate::vm::Vm;

/// Where an access of `T` lies.
unsafe fn place<T>(vm: *mut Vm, addr: u64, offset: u32, mem: u16) -> Result<*mut T, Trap> {
    // SAFETY: I1, I2: the instance has the memory.
    let (ptr, len) = unsafe { Vm::memory_view(vm, mem) };
    let size = size_of::<T>() as u64;
    let at = addr
        .checked_add(u64::from(offset))
        .ok_or(Trap::MemoryOutOfBounds)?;
    if !at.is_multiple_of(size) {
        return Err(Trap::HeapMisaligned);
    }
    if at.checked_add(size).is_none_or(|end| end > len) {
        return Err(Trap::MemoryOutOfBounds);
    }
    // SAFETY: I4, just checked.
    Ok(unsafe { ptr.add(at as usize) }.cast())
}

/// Replaces a value by what `change` makes of it, if anything; gives the old one.
unsafe fn update<T: LittleEndian>(
    vm: *mut Vm,
    addr: u64,
    offset: u32,
    mem: u16,
    change: impl FnOnce(T) -> Option<T>,
) -> Result<T, Trap> {
    // SAFETY: I1; I4 and I7: the place is inside the memory, and nobody else reads or writes it.
    unsafe {
        let at = place::<T>(vm, addr, offset, mem)?;
        let old = T::from_le(at.read_unaligned());
        if let Some(new) = change(old) {
            at.write_unaligned(new.to_le());
        }
        Ok(old)
    }
}

macro_rules! accesses {
    ($($ty:ident $load:ident $store:ident $cmpxchg:ident;)*) => { $(
        pub(crate) unsafe fn $load(vm: *mut Vm, addr: u64, offset: u32, mem: u16) -> Result<u64, Trap> {
            // SAFETY: I1.
            unsafe { update::<$ty>(vm, addr, offset, mem, |_| None) }.map(u64::from)
        }

        pub(crate) unsafe fn $store(vm: *mut Vm, addr: u64, val: u64, offset: u32, mem: u16) -> Result<(), Trap> {
            // SAFETY: I1.
            unsafe { update::<$ty>(vm, addr, offset, mem, |_| Some(val as $ty)) }.map(drop)
        }

        pub(crate) unsafe fn $cmpxchg(
            vm: *mut Vm,
            addr: u64,
            expected: u64,
            val: u64,
            offset: u32,
            mem: u16,
        ) -> Result<u64, Trap> {
            let change = |old| (old == expected as $ty).then_some(val as $ty);
            // SAFETY: I1.
            unsafe { update::<$ty>(vm, addr, offset, mem, change) }.map(u64::from)
        }
    )* };
}

accesses! {
    u8 atomic_load8 atomic_store8 atomic_rmw8_cmpxchg;
    u16 atomic_load16 atomic_store16 atomic_rmw16_cmpxchg;
    u32 atomic_load32 atomic_store32 atomic_rmw32_cmpxchg;
    u64 atomic_load64 atomic_store64 atomic_rmw64_cmpxchg;
}

macro_rules! changes {
    ($($name:ident $ty:ident, |$old:ident, $val:ident| $new:expr;)*) => { $(
        pub(crate) unsafe fn $name(vm: *mut Vm, addr: u64, val: u64, offset: u32, mem: u16) -> Result<u64, Trap> {
            let $val = val as $ty;
            // SAFETY: I1.
            unsafe { update::<$ty>(vm, addr, offset, mem, |$old| Some($new)) }.map(u64::from)
        }
    )* };
}

changes! {
    atomic_rmw8_add u8, |old, val| old.wrapping_add(val);
    atomic_rmw16_add u16, |old, val| old.wrapping_add(val);
    atomic_rmw32_add u32, |old, val| old.wrapping_add(val);
    atomic_rmw64_add u64, |old, val| old.wrapping_add(val);
    atomic_rmw8_sub u8, |old, val| old.wrapping_sub(val);
    atomic_rmw16_sub u16, |old, val| old.wrapping_sub(val);
    atomic_rmw32_sub u32, |old, val| old.wrapping_sub(val);
    atomic_rmw64_sub u64, |old, val| old.wrapping_sub(val);
    atomic_rmw8_and u8, |old, val| old & val;
    atomic_rmw16_and u16, |old, val| old & val;
    atomic_rmw32_and u32, |old, val| old & val;
    atomic_rmw64_and u64, |old, val| old & val;
    atomic_rmw8_or u8, |old, val| old | val;
    atomic_rmw16_or u16, |old, val| old | val;
    atomic_rmw32_or u32, |old, val| old | val;
    atomic_rmw64_or u64, |old, val| old | val;
    atomic_rmw8_xor u8, |old, val| old ^ val;
    atomic_rmw16_xor u16, |old, val| old ^ val;
    atomic_rmw32_xor u32, |old, val| old ^ val;
    atomic_rmw64_xor u64, |old, val| old ^ val;
    atomic_rmw8_xchg u8, |_old, val| val;
    atomic_rmw16_xchg u16, |_old, val| val;
    atomic_rmw32_xchg u32, |_old, val| val;
    atomic_rmw64_xchg u64, |_old, val| val;
}

pub(crate) unsafe fn atomic_notify(
    vm: *mut Vm,
    addr: u64,
    _count: u32,
    offset: u32,
    mem: u16,
) -> Result<u32, Trap> {
    // SAFETY: I1.
    unsafe { place::<u32>(vm, addr, offset, mem) }.map(|_| 0)
}

/// The value there was not the one that was expected.
const NOT_EQUAL: u64 = 1;
/// The time is over.
const TIMED_OUT: u64 = 2;

pub(crate) unsafe fn atomic_wait32(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: as the caller.
    unsafe { atomic_wait::<u32>(vm, next, |expected| expected as u32) }
}

pub(crate) unsafe fn atomic_wait64(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: as the caller.
    unsafe { atomic_wait::<u64>(vm, next, |expected| expected) }
}

unsafe fn atomic_wait<T: LittleEndian + PartialEq>(
    vm: *mut Vm,
    next: *const u8,
    low: fn(u64) -> T,
) -> u32 {
    // SAFETY: I1, I2: the operands are those of the table's rows.
    unsafe {
        let o = Operands::of(vm);
        let (dst, expected, timeout) = (o.u16(1), low(o.slot(3)), o.slot(4) as i64);
        let mem = o.u16(7);
        let now = match update::<T>(vm, o.slot(2), o.u32(5), mem, |_| None) {
            Ok(now) => now,
            Err(trap) => return raise(vm, trap),
        };
        if !is_shared(vm, mem) {
            return raise(vm, Trap::AtomicWaitNonSharedMemory);
        }
        let mut result = NOT_EQUAL;
        if now == expected {
            result = TIMED_OUT;
            let Ok(nanoseconds) = u64::try_from(timeout) else {
                return raise(vm, Trap::AtomicWaitForever);
            };
            if !sleep(vm, Duration::from_nanos(nanoseconds)) {
                // The op is run again when execution goes on.
                (*vm).pause = PauseReason::Interrupted;
                return EXIT_PAUSED;
            }
        }
        put_u64((*vm).fp, dst, result);
        (*vm).ip = next;
        0
    }
}

unsafe fn is_shared(vm: *mut Vm, mem: u16) -> bool {
    // SAFETY: I1; the reference ends here.
    let vm = unsafe { &*vm };
    let addr = vm.instances[vm.inst as usize].memories[usize::from(mem)];
    vm.memories[addr.0 as usize].shared
}

/// Lets the time pass, in slices; false if an interruption came before it was over.
unsafe fn sleep(vm: *mut Vm, time: Duration) -> bool {
    let start = Clock::start();
    loop {
        let left = time.saturating_sub(start.elapsed());
        if left.is_zero() {
            return true;
        }
        // SAFETY: I1; the vm holds the flag's Arc.
        if unsafe { (*(*vm).interrupt_ptr).swap(0, Ordering::Relaxed) } != 0 {
            return false;
        }
        Clock::sleep(left.min(Duration::from_millis(5)));
    }
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod clock {
    use core::time::Duration;
    use std::time::Instant;

    pub(super) struct Clock(Instant);

    impl Clock {
        pub(super) fn start() -> Clock {
            Clock(Instant::now())
        }

        pub(super) fn elapsed(&self) -> Duration {
            self.0.elapsed()
        }

        pub(super) fn sleep(time: Duration) {
            std::thread::sleep(time);
        }
    }
}

/// Where there is no clock, all time has passed.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod clock {
    use core::time::Duration;

    pub(super) struct Clock;

    impl Clock {
        pub(super) fn start() -> Clock {
            Clock
        }

        pub(super) fn elapsed(&self) -> Duration {
            Duration::MAX
        }

        pub(super) fn sleep(_time: Duration) {}
    }
}

use clock::Clock;
