//! Atomic operators. Each is one op for any memory; results are zero-extended, so i32 and i64 share ops.

use super::emit::{hi, lo};
use super::memory::memory_of;
use super::{Translator, Ty};
use sheave_isa::Op;
use wasmparser::MemArg;

macro_rules! with_result {
    ($n:literal: $($visit:ident $op:ident $ty:ident,)*) => {
        impl Translator<'_> {
            $(
                pub(super) fn $visit(&mut self, arg: MemArg) {
                    self.atomic::<$n>(Op::$op, Some(Ty::$ty), &arg);
                }
            )*
        }
    };
}

macro_rules! without_result {
    ($n:literal: $($visit:ident $op:ident,)*) => {
        impl Translator<'_> {
            $(
                pub(super) fn $visit(&mut self, arg: MemArg) {
                    self.atomic::<$n>(Op::$op, None, &arg);
                }
            )*
        }
    };
}

with_result! { 1:
    visit_i32_atomic_load8_u AtomicLoad8 I32,
    visit_i32_atomic_load16_u AtomicLoad16 I32,
    visit_i32_atomic_load AtomicLoad32 I32,
    visit_i64_atomic_load8_u AtomicLoad8 I64,
    visit_i64_atomic_load16_u AtomicLoad16 I64,
    visit_i64_atomic_load32_u AtomicLoad32 I64,
    visit_i64_atomic_load AtomicLoad64 I64,
}

without_result! { 2:
    visit_i32_atomic_store8 AtomicStore8,
    visit_i32_atomic_store16 AtomicStore16,
    visit_i32_atomic_store AtomicStore32,
    visit_i64_atomic_store8 AtomicStore8,
    visit_i64_atomic_store16 AtomicStore16,
    visit_i64_atomic_store32 AtomicStore32,
    visit_i64_atomic_store AtomicStore64,
}

with_result! { 2:
    visit_memory_atomic_notify AtomicNotify I32,
    visit_i32_atomic_rmw8_add_u AtomicRmw8Add I32,
    visit_i32_atomic_rmw8_sub_u AtomicRmw8Sub I32,
    visit_i32_atomic_rmw8_and_u AtomicRmw8And I32,
    visit_i32_atomic_rmw8_or_u AtomicRmw8Or I32,
    visit_i32_atomic_rmw8_xor_u AtomicRmw8Xor I32,
    visit_i32_atomic_rmw8_xchg_u AtomicRmw8Xchg I32,
    visit_i32_atomic_rmw16_add_u AtomicRmw16Add I32,
    visit_i32_atomic_rmw16_sub_u AtomicRmw16Sub I32,
    visit_i32_atomic_rmw16_and_u AtomicRmw16And I32,
    visit_i32_atomic_rmw16_or_u AtomicRmw16Or I32,
    visit_i32_atomic_rmw16_xor_u AtomicRmw16Xor I32,
    visit_i32_atomic_rmw16_xchg_u AtomicRmw16Xchg I32,
    visit_i32_atomic_rmw_add AtomicRmw32Add I32,
    visit_i32_atomic_rmw_sub AtomicRmw32Sub I32,
    visit_i32_atomic_rmw_and AtomicRmw32And I32,
    visit_i32_atomic_rmw_or AtomicRmw32Or I32,
    visit_i32_atomic_rmw_xor AtomicRmw32Xor I32,
    visit_i32_atomic_rmw_xchg AtomicRmw32Xchg I32,
    visit_i64_atomic_rmw8_add_u AtomicRmw8Add I64,
    visit_i64_atomic_rmw8_sub_u AtomicRmw8Sub I64,
    visit_i64_atomic_rmw8_and_u AtomicRmw8And I64,
    visit_i64_atomic_rmw8_or_u AtomicRmw8Or I64,
    visit_i64_atomic_rmw8_xor_u AtomicRmw8Xor I64,
    visit_i64_atomic_rmw8_xchg_u AtomicRmw8Xchg I64,
    visit_i64_atomic_rmw16_add_u AtomicRmw16Add I64,
    visit_i64_atomic_rmw16_sub_u AtomicRmw16Sub I64,
    visit_i64_atomic_rmw16_and_u AtomicRmw16And I64,
    visit_i64_atomic_rmw16_or_u AtomicRmw16Or I64,
    visit_i64_atomic_rmw16_xor_u AtomicRmw16Xor I64,
    visit_i64_atomic_rmw16_xchg_u AtomicRmw16Xchg I64,
    visit_i64_atomic_rmw32_add_u AtomicRmw32Add I64,
    visit_i64_atomic_rmw32_sub_u AtomicRmw32Sub I64,
    visit_i64_atomic_rmw32_and_u AtomicRmw32And I64,
    visit_i64_atomic_rmw32_or_u AtomicRmw32Or I64,
    visit_i64_atomic_rmw32_xor_u AtomicRmw32Xor I64,
    visit_i64_atomic_rmw32_xchg_u AtomicRmw32Xchg I64,
    visit_i64_atomic_rmw_add AtomicRmw64Add I64,
    visit_i64_atomic_rmw_sub AtomicRmw64Sub I64,
    visit_i64_atomic_rmw_and AtomicRmw64And I64,
    visit_i64_atomic_rmw_or AtomicRmw64Or I64,
    visit_i64_atomic_rmw_xor AtomicRmw64Xor I64,
    visit_i64_atomic_rmw_xchg AtomicRmw64Xchg I64,
}

with_result! { 3:
    visit_memory_atomic_wait32 AtomicWait32 I32,
    visit_memory_atomic_wait64 AtomicWait64 I32,
    visit_i32_atomic_rmw8_cmpxchg_u AtomicRmw8Cmpxchg I32,
    visit_i32_atomic_rmw16_cmpxchg_u AtomicRmw16Cmpxchg I32,
    visit_i32_atomic_rmw_cmpxchg AtomicRmw32Cmpxchg I32,
    visit_i64_atomic_rmw8_cmpxchg_u AtomicRmw8Cmpxchg I64,
    visit_i64_atomic_rmw16_cmpxchg_u AtomicRmw16Cmpxchg I64,
    visit_i64_atomic_rmw32_cmpxchg_u AtomicRmw32Cmpxchg I64,
    visit_i64_atomic_rmw_cmpxchg AtomicRmw64Cmpxchg I64,
}

impl Translator<'_> {
    /// Nobody else has a memory of the store, so there is nothing to order.
    pub(super) fn visit_atomic_fence(&mut self, _ordering: wasmparser::Ordering) {}

    /// An op of an address and `N - 1` values more.
    fn atomic<const N: usize>(&mut self, op: Op, result: Option<Ty>, arg: &MemArg) {
        if !self.reachable {
            return;
        }
        let mut units = [0; 8];
        units[0] = op as u16;
        let first = usize::from(result.is_some()) + 1;
        for i in (1..N).rev() {
            let (entry, at) = self.pop();
            units[first + i] = self.slot(entry, at);
        }
        let addr = self.pop();
        if result.is_some() {
            units[1] = self.temp(addr.1);
        }
        let ((addr, at), offset) = self.address64(addr, arg.offset);
        units[first] = self.slot(addr, at);
        units[first + N..][..3].copy_from_slice(&[lo(offset), hi(offset), memory_of(arg)]);
        self.put_slice(&mut units[..first + N + 3]);
        if let Some(ty) = result {
            self.push_temp(ty);
        }
    }
}
