//! Structs, arrays, unboxed integers and casts.
//!
//! Everything that allocates has a map of what was on the stack before its operands were taken:
//! they are wanted until the new object holds them.

use super::emit::{hi, lo};
use super::ops::Swap;
use super::stack::Kind;
use super::{Translator, Ty};
use crate::types::{StorageType, ValType};
use sheave_isa::{Op, ref_kind};
use wasmparser::{AbstractHeapType, HeapType, RefType};

/// How much of a field or element an op reads or writes.
#[derive(Clone, Copy)]
enum Width {
    W8,
    W16,
    W32,
    W64,
    Vector,
}

impl Width {
    fn of(storage: StorageType) -> Self {
        match storage {
            StorageType::I8 => Self::W8,
            StorageType::I16 => Self::W16,
            StorageType::Val(ValType::I32 | ValType::F32 | ValType::Ref(_)) => Self::W32,
            StorageType::Val(ValType::I64 | ValType::F64) => Self::W64,
            StorageType::Val(ValType::V128) => Self::Vector,
        }
    }

    fn slots(self) -> u32 {
        match self {
            Self::Vector => 2,
            _ => 1,
        }
    }
}

/// The ops that find out whether a reference is of some type, and their operands for that type.
struct Cast {
    test: Op,
    cast: Op,
    operands: [u16; 3],
    len: usize,
}

impl Cast {
    /// The operands, the reference first.
    fn operands(&self, slot: u16) -> ([u16; 4], usize) {
        let [a, b, c] = self.operands;
        ([slot, a, b, c], self.len + 1)
    }
}

impl Translator<'_> {
    // ---- structs --------------------------------------------------------------------------------

    pub(super) fn visit_struct_new(&mut self, ty: u32) {
        let fields = self.info.types.get(ty as usize).and_then(|t| t.as_struct());
        let slots = fields.map_or(0, |ty| {
            ty.fields.iter().map(|f| Width::of(f.storage).slots()).sum()
        });
        self.new_of_slots(Op::StructNew, slots, ty);
    }

    /// Makes an object of the values in the top `n` slots.
    fn new_of_slots(&mut self, op: Op, n: u32, ty: u32) {
        if !self.reachable {
            return;
        }
        let live = self.live();
        self.settle_top(n);
        let first = self.height() - n;
        self.truncate(first);
        let base = self.temp(first);
        let pos = self.put(&mut [op as u16, base, base, n as u16, lo(ty), hi(ty)]);
        self.made(pos, live);
    }

    /// The op at `pos` made an object.
    pub(super) fn made(&mut self, pos: u32, live: Option<super::maps::Slots>) {
        self.safepoint_with(pos, live);
        self.last = pos;
        self.push_temp(Ty::GcRef);
    }

    /// An op that makes an object of `N` operands.
    pub(super) fn new_of<const N: usize, const M: usize>(&mut self, op: Op, extra: [u16; M]) {
        if self.reachable {
            let live = self.live();
            self.result::<N, M>(op, extra, Ty::GcRef);
            self.safepoint_with(self.last, live);
        }
    }

    pub(super) fn visit_struct_new_default(&mut self, ty: u32) {
        self.new_of::<0, 2>(Op::StructNewDefault, [lo(ty), hi(ty)]);
    }

    pub(super) fn visit_struct_get(&mut self, ty: u32, field: u32) {
        self.struct_get(ty, field, false);
    }

    pub(super) fn visit_struct_get_s(&mut self, ty: u32, field: u32) {
        self.struct_get(ty, field, true);
    }

    pub(super) fn visit_struct_get_u(&mut self, ty: u32, field: u32) {
        self.struct_get(ty, field, false);
    }

    fn struct_get(&mut self, ty: u32, field: u32, signed: bool) {
        let Some(place) = self.info.field(ty, field).filter(|_| self.reachable) else {
            return;
        };
        let op = match Width::of(place.storage) {
            Width::W8 if signed => Op::StructGet8s,
            Width::W8 => Op::StructGet8u,
            Width::W16 if signed => Op::StructGet16s,
            Width::W16 => Op::StructGet16u,
            Width::W32 => Op::StructGet32,
            Width::W64 => Op::StructGet64,
            Width::Vector => Op::StructGetV128,
        };
        let (obj, at) = self.pop();
        let obj = self.slot(obj, at);
        let dst = self.temp(at);
        self.put_value([op as u16, dst, obj, lo(place.offset), hi(place.offset)]);
        self.push_value(self.ty(place.storage.unpack()));
    }

    pub(super) fn visit_struct_set(&mut self, ty: u32, field: u32) {
        let Some(place) = self.info.field(ty, field).filter(|_| self.reachable) else {
            return;
        };
        let op = match Width::of(place.storage) {
            Width::W8 => Op::StructSet8,
            Width::W16 => Op::StructSet16,
            Width::W32 => Op::StructSet32,
            Width::W64 => Op::StructSet64,
            Width::Vector => Op::StructSetV128,
        };
        let (value, value_at) = self.pop_value();
        let (obj, at) = self.pop();
        let obj = self.slot(obj, at);
        let value = self.slot(value, value_at);
        self.put(&mut [op as u16, obj, lo(place.offset), hi(place.offset), value]);
    }

    // ---- arrays ---------------------------------------------------------------------------------

    /// What elements of an array type hold.
    fn element(&self, ty: u32) -> StorageType {
        let array = self.info.types.get(ty as usize).and_then(|t| t.as_array());
        array.map_or(StorageType::I8, |array| array.element.storage)
    }

    pub(super) fn visit_array_new(&mut self, ty: u32) {
        if matches!(Width::of(self.element(ty)), Width::Vector) {
            if !self.reachable {
                return;
            }
            let live = self.live();
            let (len, len_at) = self.pop();
            let (init, at) = self.pop_value();
            let init = self.slot(init, at);
            let len = self.slot(len, len_at);
            let dst = self.temp(at);
            let op = Op::ArrayNewV128 as u16;
            let pos = self.put(&mut [op, dst, init, len, lo(ty), hi(ty)]);
            self.made(pos, live);
        } else {
            self.new_of::<2, 2>(Op::ArrayNew, [lo(ty), hi(ty)]);
        }
    }

    pub(super) fn visit_array_new_default(&mut self, ty: u32) {
        self.new_of::<1, 2>(Op::ArrayNewDefault, [lo(ty), hi(ty)]);
    }

    pub(super) fn visit_array_new_fixed(&mut self, ty: u32, n: u32) {
        let slots = Width::of(self.element(ty)).slots();
        self.new_of_slots(Op::ArrayNewFixed, n * slots, ty);
    }

    pub(super) fn visit_array_new_data(&mut self, ty: u32, data: u32) {
        let extra = [lo(ty), hi(ty), lo(data), hi(data)];
        self.new_of::<2, 4>(Op::ArrayNewData, extra);
    }

    pub(super) fn visit_array_new_elem(&mut self, ty: u32, elem: u32) {
        let extra = [lo(ty), hi(ty), lo(elem), hi(elem)];
        self.new_of::<2, 4>(Op::ArrayNewElem, extra);
    }

    pub(super) fn visit_array_get(&mut self, ty: u32) {
        self.array_get(ty, false);
    }

    pub(super) fn visit_array_get_s(&mut self, ty: u32) {
        self.array_get(ty, true);
    }

    pub(super) fn visit_array_get_u(&mut self, ty: u32) {
        self.array_get(ty, false);
    }

    fn array_get(&mut self, ty: u32, signed: bool) {
        if !self.reachable {
            return;
        }
        let element = self.element(ty);
        let op = match Width::of(element) {
            Width::W8 if signed => Op::ArrayGet8s,
            Width::W8 => Op::ArrayGet8u,
            Width::W16 if signed => Op::ArrayGet16s,
            Width::W16 => Op::ArrayGet16u,
            Width::W32 => Op::ArrayGet32,
            Width::W64 => Op::ArrayGet64,
            Width::Vector => Op::ArrayGetV128,
        };
        let (index, index_at) = self.pop();
        let (array, at) = self.pop();
        let array = self.slot(array, at);
        let index = self.slot(index, index_at);
        let dst = self.temp(at);
        self.put_value([op as u16, dst, array, index]);
        self.push_value(self.ty(element.unpack()));
    }

    pub(super) fn visit_array_set(&mut self, ty: u32) {
        if !self.reachable {
            return;
        }
        let op = match Width::of(self.element(ty)) {
            Width::W8 => Op::ArraySet8,
            Width::W16 => Op::ArraySet16,
            Width::W32 => Op::ArraySet32,
            Width::W64 => Op::ArraySet64,
            Width::Vector => Op::ArraySetV128,
        };
        let (value, value_at) = self.pop_value();
        let (index, index_at) = self.pop();
        let (array, at) = self.pop();
        let array = self.slot(array, at);
        let index = self.slot(index, index_at);
        let value = self.slot(value, value_at);
        self.put(&mut [op as u16, array, index, value]);
    }

    pub(super) fn visit_array_len(&mut self) {
        self.unary(Op::ArrayLen, Ty::I32);
    }

    pub(super) fn visit_array_fill(&mut self, ty: u32) {
        if !self.reachable {
            return;
        }
        let op = match Width::of(self.element(ty)) {
            Width::Vector => Op::ArrayFillV128,
            _ => Op::ArrayFill,
        };
        let (len, len_at) = self.pop();
        let (value, value_at) = self.pop_value();
        let (index, index_at) = self.pop();
        let (array, at) = self.pop();
        let array = self.slot(array, at);
        let index = self.slot(index, index_at);
        let value = self.slot(value, value_at);
        let len = self.slot(len, len_at);
        self.put(&mut [op as u16, array, index, value, len]);
    }

    pub(super) fn visit_array_copy(&mut self, _dst: u32, _src: u32) {
        self.effect::<5, 0>(Op::ArrayCopy, []);
    }

    pub(super) fn visit_array_init_data(&mut self, _ty: u32, data: u32) {
        self.effect::<4, 2>(Op::ArrayInitData, [lo(data), hi(data)]);
    }

    pub(super) fn visit_array_init_elem(&mut self, _ty: u32, elem: u32) {
        self.effect::<4, 2>(Op::ArrayInitElem, [lo(elem), hi(elem)]);
    }

    // ---- unboxed integers, conversions ----------------------------------------------------------

    pub(super) fn visit_ref_i31(&mut self) {
        match self.stack.last_mut() {
            Some(entry) if self.reachable && entry.kind == Kind::Const => {
                let bits = (entry.bits as u32) << 1 | 1;
                (entry.ty, entry.bits) = (Ty::GcRef, bits.into());
            }
            _ => self.unary(Op::RefI31, Ty::GcRef),
        }
    }

    pub(super) fn visit_i31_get_s(&mut self) {
        self.unary(Op::I31GetS, Ty::I32);
    }

    pub(super) fn visit_i31_get_u(&mut self) {
        self.unary(Op::I31GetU, Ty::I32);
    }

    pub(super) fn visit_ref_eq(&mut self) {
        self.binary(Op::I64Eq, Ty::I64, Ty::I32, Swap::Yes);
    }

    // Both are the same bits.
    pub(super) fn visit_any_convert_extern(&mut self) {}

    pub(super) fn visit_extern_convert_any(&mut self) {}

    // ---- casts ----------------------------------------------------------------------------------

    /// How to find out whether a reference is of this type.
    fn cast_to(&self, ty: HeapType, nullable: bool) -> Cast {
        let null = u16::from(nullable);
        let kind = match ty {
            HeapType::Concrete(index) | HeapType::Exact(index) => {
                let index = index.as_module_index().unwrap_or(0);
                let (test, cast) = match self.info.type_as_func(index) {
                    Some(_) => (Op::RefTestFunc, Op::RefCastFunc),
                    None => (Op::RefTestType, Op::RefCastType),
                };
                return Cast {
                    test,
                    cast,
                    operands: [lo(index), hi(index), null],
                    len: 3,
                };
            }
            HeapType::Abstract { ty, .. } => match ty {
                AbstractHeapType::Eq => ref_kind::EQ,
                AbstractHeapType::I31 => ref_kind::I31,
                AbstractHeapType::Struct => ref_kind::STRUCT,
                AbstractHeapType::Array => ref_kind::ARRAY,
                AbstractHeapType::None
                | AbstractHeapType::NoFunc
                | AbstractHeapType::NoExtern
                | AbstractHeapType::NoExn
                | AbstractHeapType::NoCont => ref_kind::NONE,
                AbstractHeapType::Any
                | AbstractHeapType::Func
                | AbstractHeapType::Extern
                | AbstractHeapType::Exn
                | AbstractHeapType::Cont => ref_kind::ANY,
            },
        };
        Cast {
            test: Op::RefTestKind,
            cast: Op::RefCastKind,
            operands: [kind, null, 0],
            len: 2,
        }
    }

    pub(super) fn visit_ref_test_non_null(&mut self, ty: HeapType) {
        let cast = self.cast_to(ty, false);
        self.cast(cast.test, &cast, Ty::I32);
    }

    pub(super) fn visit_ref_test_nullable(&mut self, ty: HeapType) {
        let cast = self.cast_to(ty, true);
        self.cast(cast.test, &cast, Ty::I32);
    }

    pub(super) fn visit_ref_cast_non_null(&mut self, ty: HeapType) {
        let cast = self.cast_to(ty, false);
        self.cast(cast.cast, &cast, self.ref_ty_read(ty));
    }

    pub(super) fn visit_ref_cast_nullable(&mut self, ty: HeapType) {
        let cast = self.cast_to(ty, true);
        self.cast(cast.cast, &cast, self.ref_ty_read(ty));
    }

    fn cast(&mut self, op: Op, cast: &Cast, ty: Ty) {
        if !self.reachable {
            return;
        }
        let (entry, at) = self.pop();
        let src = self.slot(entry, at);
        let dst = self.temp(at);
        let [a, b, c] = cast.operands;
        if cast.len == 3 {
            self.put_value([op as u16, dst, src, a, b, c]);
        } else {
            self.put_value([op as u16, dst, src, a, b]);
        }
        self.push_temp(ty);
    }

    pub(super) fn visit_br_on_cast(&mut self, depth: u32, _from: RefType, to: RefType) {
        self.branch_on_cast(depth, to, true);
    }

    pub(super) fn visit_br_on_cast_fail(&mut self, depth: u32, _from: RefType, to: RefType) {
        self.branch_on_cast(depth, to, false);
    }

    /// Branches with the top entry, which stays where the branch is not taken.
    fn branch_on_cast(&mut self, depth: u32, to: RefType, if_it_is: bool) {
        let cast = self.cast_to(to.heap_type(), to.is_nullable());
        let (Some(is), Some(is_not)) = (cast.test.branch_form(), cast.test.branch_not_form())
        else {
            return;
        };
        if !self.reachable {
            return;
        }
        let target = self.target(depth);
        self.settle_for(target, None);
        let at = self.height() - 1;
        let entry = self.stack[at as usize];
        let slot = self.slot(entry, at);
        let (operands, n) = cast.operands(slot);
        let (branch, not) = if if_it_is { (is, is_not) } else { (is_not, is) };
        self.branch_on(target, branch, not, &operands[..n]);
        self.begin_fuel_block();
    }
}
