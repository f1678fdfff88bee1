//! Operators on vectors. Each is one op (see `vector_fuse` for the others); relaxed ones are what the deterministic profile says.

use super::emit::{hi, lo};
use super::memory::memory_of;
use super::ops::Popped;
use super::{NONE, Translator, Ty};
use sheave_isa::Op;
use wasmparser::MemArg;

macro_rules! operators {
    ($how:ident: $($visit:ident $op:ident $ty:ident,)*) => {
        impl Translator<'_> {
            $(pub(super) fn $visit(&mut self) { self.$how(Op::$op, Ty::$ty); })*
        }
    };
}

macro_rules! lanes {
    ($how:ident: $($visit:ident $op:ident $ty:ident,)*) => {
        impl Translator<'_> {
            $(pub(super) fn $visit(&mut self, lane: u8) { self.$how(Op::$op, Ty::$ty, lane); })*
        }
    };
}

macro_rules! memory {
    ($how:ident: $($visit:ident $op:ident $(($ty:ident))? $($lane:ident)?,)*) => {
        impl Translator<'_> {
            $(pub(super) fn $visit(&mut self, arg: MemArg $(, $lane: u8)?) {
                self.$how(Op::$op, $(Ty::$ty,)? arg $(, $lane)?);
            })*
        }
    };
}

operators! {
    vector_op1:
    visit_v128_not V128Not V128,
    visit_v128_any_true V128AnyTrue I32,
    visit_i8x16_abs I8x16Abs V128,
    visit_i8x16_neg I8x16Neg V128,
    visit_i8x16_popcnt I8x16Popcnt V128,
    visit_i8x16_all_true I8x16AllTrue I32,
    visit_i8x16_bitmask I8x16Bitmask I32,
    visit_i16x8_extadd_pairwise_i8x16_s I16x8ExtaddPairwiseI8x16S V128,
    visit_i16x8_extadd_pairwise_i8x16_u I16x8ExtaddPairwiseI8x16U V128,
    visit_i16x8_abs I16x8Abs V128,
    visit_i16x8_neg I16x8Neg V128,
    visit_i16x8_all_true I16x8AllTrue I32,
    visit_i16x8_bitmask I16x8Bitmask I32,
    visit_i16x8_extend_low_i8x16_s I16x8ExtendLowI8x16S V128,
    visit_i16x8_extend_high_i8x16_s I16x8ExtendHighI8x16S V128,
    visit_i16x8_extend_low_i8x16_u I16x8ExtendLowI8x16U V128,
    visit_i16x8_extend_high_i8x16_u I16x8ExtendHighI8x16U V128,
    visit_i32x4_extadd_pairwise_i16x8_s I32x4ExtaddPairwiseI16x8S V128,
    visit_i32x4_extadd_pairwise_i16x8_u I32x4ExtaddPairwiseI16x8U V128,
    visit_i32x4_abs I32x4Abs V128,
    visit_i32x4_neg I32x4Neg V128,
    visit_i32x4_all_true I32x4AllTrue I32,
    visit_i32x4_bitmask I32x4Bitmask I32,
    visit_i32x4_extend_low_i16x8_s I32x4ExtendLowI16x8S V128,
    visit_i32x4_extend_high_i16x8_s I32x4ExtendHighI16x8S V128,
    visit_i32x4_extend_low_i16x8_u I32x4ExtendLowI16x8U V128,
    visit_i32x4_extend_high_i16x8_u I32x4ExtendHighI16x8U V128,
    visit_i64x2_abs I64x2Abs V128,
    visit_i64x2_neg I64x2Neg V128,
    visit_i64x2_all_true I64x2AllTrue I32,
    visit_i64x2_bitmask I64x2Bitmask I32,
    visit_i64x2_extend_low_i32x4_s I64x2ExtendLowI32x4S V128,
    visit_i64x2_extend_high_i32x4_s I64x2ExtendHighI32x4S V128,
    visit_i64x2_extend_low_i32x4_u I64x2ExtendLowI32x4U V128,
    visit_i64x2_extend_high_i32x4_u I64x2ExtendHighI32x4U V128,
    visit_f32x4_ceil F32x4Ceil V128,
    visit_f32x4_floor F32x4Floor V128,
    visit_f32x4_trunc F32x4Trunc V128,
    visit_f32x4_nearest F32x4Nearest V128,
    visit_f32x4_abs F32x4Abs V128,
    visit_f32x4_neg F32x4Neg V128,
    visit_f32x4_sqrt F32x4Sqrt V128,
    visit_f64x2_ceil F64x2Ceil V128,
    visit_f64x2_floor F64x2Floor V128,
    visit_f64x2_trunc F64x2Trunc V128,
    visit_f64x2_nearest F64x2Nearest V128,
    visit_f64x2_abs F64x2Abs V128,
    visit_f64x2_neg F64x2Neg V128,
    visit_f64x2_sqrt F64x2Sqrt V128,
    visit_i32x4_trunc_sat_f32x4_s I32x4TruncSatF32x4S V128,
    visit_i32x4_trunc_sat_f32x4_u I32x4TruncSatF32x4U V128,
    visit_f32x4_convert_i32x4_s F32x4ConvertI32x4S V128,
    visit_f32x4_convert_i32x4_u F32x4ConvertI32x4U V128,
    visit_i32x4_trunc_sat_f64x2_s_zero I32x4TruncSatF64x2SZero V128,
    visit_i32x4_trunc_sat_f64x2_u_zero I32x4TruncSatF64x2UZero V128,
    visit_f64x2_convert_low_i32x4_s F64x2ConvertLowI32x4S V128,
    visit_f64x2_convert_low_i32x4_u F64x2ConvertLowI32x4U V128,
    visit_f32x4_demote_f64x2_zero F32x4DemoteF64x2Zero V128,
    visit_f64x2_promote_low_f32x4 F64x2PromoteLowF32x4 V128,
    visit_i32x4_relaxed_trunc_f32x4_s I32x4TruncSatF32x4S V128,
    visit_i32x4_relaxed_trunc_f32x4_u I32x4TruncSatF32x4U V128,
    visit_i32x4_relaxed_trunc_f64x2_s_zero I32x4TruncSatF64x2SZero V128,
    visit_i32x4_relaxed_trunc_f64x2_u_zero I32x4TruncSatF64x2UZero V128,
}

operators! {
    vector_op2:
    visit_i8x16_swizzle I8x16Swizzle V128,
    visit_i8x16_eq I8x16Eq V128,
    visit_i8x16_ne I8x16Ne V128,
    visit_i8x16_lt_s I8x16LtS V128,
    visit_i8x16_lt_u I8x16LtU V128,
    visit_i8x16_gt_s I8x16GtS V128,
    visit_i8x16_gt_u I8x16GtU V128,
    visit_i8x16_le_s I8x16LeS V128,
    visit_i8x16_le_u I8x16LeU V128,
    visit_i8x16_ge_s I8x16GeS V128,
    visit_i8x16_ge_u I8x16GeU V128,
    visit_i16x8_eq I16x8Eq V128,
    visit_i16x8_ne I16x8Ne V128,
    visit_i16x8_lt_s I16x8LtS V128,
    visit_i16x8_lt_u I16x8LtU V128,
    visit_i16x8_gt_s I16x8GtS V128,
    visit_i16x8_gt_u I16x8GtU V128,
    visit_i16x8_le_s I16x8LeS V128,
    visit_i16x8_le_u I16x8LeU V128,
    visit_i16x8_ge_s I16x8GeS V128,
    visit_i16x8_ge_u I16x8GeU V128,
    visit_i32x4_eq I32x4Eq V128,
    visit_i32x4_ne I32x4Ne V128,
    visit_i32x4_lt_s I32x4LtS V128,
    visit_i32x4_lt_u I32x4LtU V128,
    visit_i32x4_gt_s I32x4GtS V128,
    visit_i32x4_gt_u I32x4GtU V128,
    visit_i32x4_le_s I32x4LeS V128,
    visit_i32x4_le_u I32x4LeU V128,
    visit_i32x4_ge_s I32x4GeS V128,
    visit_i32x4_ge_u I32x4GeU V128,
    visit_i64x2_eq I64x2Eq V128,
    visit_i64x2_ne I64x2Ne V128,
    visit_i64x2_lt_s I64x2LtS V128,
    visit_i64x2_gt_s I64x2GtS V128,
    visit_i64x2_le_s I64x2LeS V128,
    visit_i64x2_ge_s I64x2GeS V128,
    visit_f32x4_eq F32x4Eq V128,
    visit_f32x4_ne F32x4Ne V128,
    visit_f32x4_lt F32x4Lt V128,
    visit_f32x4_gt F32x4Gt V128,
    visit_f32x4_le F32x4Le V128,
    visit_f32x4_ge F32x4Ge V128,
    visit_f64x2_eq F64x2Eq V128,
    visit_f64x2_ne F64x2Ne V128,
    visit_f64x2_lt F64x2Lt V128,
    visit_f64x2_gt F64x2Gt V128,
    visit_f64x2_le F64x2Le V128,
    visit_f64x2_ge F64x2Ge V128,
    visit_v128_and V128And V128,
    visit_v128_andnot V128Andnot V128,
    visit_v128_xor V128Xor V128,
    visit_i8x16_narrow_i16x8_s I8x16NarrowI16x8S V128,
    visit_i8x16_narrow_i16x8_u I8x16NarrowI16x8U V128,
    visit_i8x16_add I8x16Add V128,
    visit_i8x16_add_sat_s I8x16AddSatS V128,
    visit_i8x16_add_sat_u I8x16AddSatU V128,
    visit_i8x16_sub I8x16Sub V128,
    visit_i8x16_sub_sat_s I8x16SubSatS V128,
    visit_i8x16_sub_sat_u I8x16SubSatU V128,
    visit_i8x16_min_s I8x16MinS V128,
    visit_i8x16_min_u I8x16MinU V128,
    visit_i8x16_max_s I8x16MaxS V128,
    visit_i8x16_max_u I8x16MaxU V128,
    visit_i8x16_avgr_u I8x16AvgrU V128,
    visit_i16x8_q15mulr_sat_s I16x8Q15mulrSatS V128,
    visit_i16x8_narrow_i32x4_s I16x8NarrowI32x4S V128,
    visit_i16x8_narrow_i32x4_u I16x8NarrowI32x4U V128,
    visit_i16x8_add_sat_s I16x8AddSatS V128,
    visit_i16x8_add_sat_u I16x8AddSatU V128,
    visit_i16x8_sub I16x8Sub V128,
    visit_i16x8_sub_sat_s I16x8SubSatS V128,
    visit_i16x8_sub_sat_u I16x8SubSatU V128,
    visit_i16x8_mul I16x8Mul V128,
    visit_i16x8_min_s I16x8MinS V128,
    visit_i16x8_min_u I16x8MinU V128,
    visit_i16x8_max_s I16x8MaxS V128,
    visit_i16x8_max_u I16x8MaxU V128,
    visit_i16x8_avgr_u I16x8AvgrU V128,
    visit_i16x8_extmul_low_i8x16_s I16x8ExtmulLowI8x16S V128,
    visit_i16x8_extmul_high_i8x16_s I16x8ExtmulHighI8x16S V128,
    visit_i16x8_extmul_low_i8x16_u I16x8ExtmulLowI8x16U V128,
    visit_i16x8_extmul_high_i8x16_u I16x8ExtmulHighI8x16U V128,
    visit_i32x4_sub I32x4Sub V128,
    visit_i32x4_mul I32x4Mul V128,
    visit_i32x4_min_s I32x4MinS V128,
    visit_i32x4_min_u I32x4MinU V128,
    visit_i32x4_max_s I32x4MaxS V128,
    visit_i32x4_max_u I32x4MaxU V128,
    visit_i32x4_dot_i16x8_s I32x4DotI16x8S V128,
    visit_i32x4_extmul_low_i16x8_s I32x4ExtmulLowI16x8S V128,
    visit_i32x4_extmul_high_i16x8_s I32x4ExtmulHighI16x8S V128,
    visit_i32x4_extmul_low_i16x8_u I32x4ExtmulLowI16x8U V128,
    visit_i32x4_extmul_high_i16x8_u I32x4ExtmulHighI16x8U V128,
    visit_i64x2_add I64x2Add V128,
    visit_i64x2_sub I64x2Sub V128,
    visit_i64x2_mul I64x2Mul V128,
    visit_i64x2_extmul_low_i32x4_s I64x2ExtmulLowI32x4S V128,
    visit_i64x2_extmul_high_i32x4_s I64x2ExtmulHighI32x4S V128,
    visit_i64x2_extmul_low_i32x4_u I64x2ExtmulLowI32x4U V128,
    visit_i64x2_extmul_high_i32x4_u I64x2ExtmulHighI32x4U V128,
    visit_f32x4_sub F32x4Sub V128,
    visit_f32x4_mul F32x4Mul V128,
    visit_f32x4_div F32x4Div V128,
    visit_f32x4_min F32x4Min V128,
    visit_f32x4_max F32x4Max V128,
    visit_f32x4_pmin F32x4Pmin V128,
    visit_f32x4_pmax F32x4Pmax V128,
    visit_f64x2_sub F64x2Sub V128,
    visit_f64x2_mul F64x2Mul V128,
    visit_f64x2_div F64x2Div V128,
    visit_f64x2_min F64x2Min V128,
    visit_f64x2_max F64x2Max V128,
    visit_f64x2_pmin F64x2Pmin V128,
    visit_f64x2_pmax F64x2Pmax V128,
    visit_i8x16_relaxed_swizzle I8x16Swizzle V128,
    visit_f32x4_relaxed_min F32x4Min V128,
    visit_f32x4_relaxed_max F32x4Max V128,
    visit_f64x2_relaxed_min F64x2Min V128,
    visit_f64x2_relaxed_max F64x2Max V128,
    visit_i16x8_relaxed_q15mulr_s I16x8Q15mulrSatS V128,
    visit_i16x8_relaxed_dot_i8x16_i7x16_s I16x8DotI8x16S V128,
}

operators! {
    vector_op3:
    visit_v128_bitselect V128Bitselect V128,
    visit_f32x4_relaxed_madd F32x4MulAdd V128,
    visit_f32x4_relaxed_nmadd F32x4NegMulAdd V128,
    visit_f64x2_relaxed_madd F64x2MulAdd V128,
    visit_f64x2_relaxed_nmadd F64x2NegMulAdd V128,
    visit_i8x16_relaxed_laneselect V128Bitselect V128,
    visit_i16x8_relaxed_laneselect V128Bitselect V128,
    visit_i32x4_relaxed_laneselect V128Bitselect V128,
    visit_i64x2_relaxed_laneselect V128Bitselect V128,
    visit_i32x4_relaxed_dot_i8x16_i7x16_add_s I32x4DotAddI8x16S V128,
}

operators! {
    splat:
    visit_i8x16_splat I8x16Splat V128,
    visit_i16x8_splat I16x8Splat V128,
    visit_i32x4_splat I32x4Splat V128,
    visit_i64x2_splat I64x2Splat V128,
    visit_f32x4_splat F32x4Splat V128,
    visit_f64x2_splat F64x2Splat V128,
}

operators! {
    vector_shift:
    visit_i8x16_shl I8x16Shl V128,
    visit_i8x16_shr_s I8x16ShrS V128,
    visit_i8x16_shr_u I8x16ShrU V128,
    visit_i16x8_shl I16x8Shl V128,
    visit_i16x8_shr_s I16x8ShrS V128,
    visit_i16x8_shr_u I16x8ShrU V128,
    visit_i32x4_shl I32x4Shl V128,
    visit_i32x4_shr_s I32x4ShrS V128,
    visit_i32x4_shr_u I32x4ShrU V128,
    visit_i64x2_shl I64x2Shl V128,
    visit_i64x2_shr_s I64x2ShrS V128,
    visit_i64x2_shr_u I64x2ShrU V128,
}

lanes! {
    extract_lane:
    visit_i8x16_extract_lane_s I8x16ExtractLaneS I32,
    visit_i8x16_extract_lane_u I8x16ExtractLaneU I32,
    visit_i16x8_extract_lane_s I16x8ExtractLaneS I32,
    visit_i16x8_extract_lane_u I16x8ExtractLaneU I32,
    visit_i32x4_extract_lane I32x4ExtractLane I32,
    visit_f32x4_extract_lane F32x4ExtractLane F32,
}

lanes! {
    replace_lane:
    visit_i8x16_replace_lane I8x16ReplaceLane V128,
    visit_i16x8_replace_lane I16x8ReplaceLane V128,
    visit_i32x4_replace_lane I32x4ReplaceLane V128,
    visit_i64x2_replace_lane I64x2ReplaceLane V128,
    visit_f32x4_replace_lane F32x4ReplaceLane V128,
    visit_f64x2_replace_lane F64x2ReplaceLane V128,
}

memory! {
    load:
    visit_v128_load V128Load (V128),
    visit_v128_load8x8_s V128Load8x8S (V128),
    visit_v128_load8x8_u V128Load8x8U (V128),
    visit_v128_load16x4_s V128Load16x4S (V128),
    visit_v128_load16x4_u V128Load16x4U (V128),
    visit_v128_load32x2_s V128Load32x2S (V128),
    visit_v128_load32x2_u V128Load32x2U (V128),
    visit_v128_load8_splat V128Load8Splat (V128),
    visit_v128_load16_splat V128Load16Splat (V128),
    visit_v128_load32_splat V128Load32Splat (V128),
    visit_v128_load64_splat V128Load64Splat (V128),
    visit_v128_load32_zero V128Load32Zero (V128),
    visit_v128_load64_zero V128Load64Zero (V128),
}

memory! {
    store:
    visit_v128_store V128Store,
}

memory! {
    load_lane:
    visit_v128_load8_lane V128Load8Lane lane,
    visit_v128_load16_lane V128Load16Lane lane,
    visit_v128_load32_lane V128Load32Lane lane,
    visit_v128_load64_lane V128Load64Lane lane,
}

memory! {
    store_lane:
    visit_v128_store8_lane V128Store8Lane lane,
    visit_v128_store16_lane V128Store16Lane lane,
    visit_v128_store32_lane V128Store32Lane lane,
    visit_v128_store64_lane V128Store64Lane lane,
}

impl Translator<'_> {
    fn vector_op1(&mut self, op: Op, ty: Ty) {
        if !self.reachable {
            return;
        }
        let a = self.pop_value();
        let dst = self.temp(a.1);
        let a = self.slot(a.0, a.1);
        self.put_value([op as u16, dst, a]);
        self.push_value(ty);
    }

    pub(super) fn vector_op2(&mut self, op: Op, ty: Ty) {
        if !self.reachable {
            return;
        }
        let b = self.pop_value();
        let a = self.pop_value();
        let dst = self.temp(a.1);
        let a = self.slot(a.0, a.1);
        let b = self.slot(b.0, b.1);
        self.put_value([op as u16, dst, a, b]);
        self.push_value(ty);
    }

    fn vector_op3(&mut self, op: Op, ty: Ty) {
        if !self.reachable {
            return;
        }
        let c = self.pop_value();
        let b = self.pop_value();
        let a = self.pop_value();
        let dst = self.temp(a.1);
        let a = self.slot(a.0, a.1);
        let b = self.slot(b.0, b.1);
        let c = self.slot(c.0, c.1);
        self.put_value([op as u16, dst, a, b, c]);
        self.push_value(ty);
    }

    fn splat(&mut self, op: Op, ty: Ty) {
        if !self.reachable {
            return;
        }
        let a = self.pop();
        let dst = self.temp(a.1);
        let a = if a.0.ty == Ty::I32 {
            self.slot_low(a)
        } else {
            self.slot(a.0, a.1)
        };
        self.put_value([op as u16, dst, a]);
        self.push_value(ty);
    }

    fn vector_shift(&mut self, op: Op, ty: Ty) {
        if !self.reachable {
            return;
        }
        let n = self.pop();
        let a = self.pop_value();
        let dst = self.temp(a.1);
        if n.0.is_const()
            && let Some(form) = op.imm_form()
        {
            let a = self.slot(a.0, a.1);
            self.put_value([form as u16, dst, a, n.0.bits as u16]);
        } else {
            let a = self.slot(a.0, a.1);
            let n = self.slot_low(n);
            self.put_value([op as u16, dst, a, n]);
        }
        self.push_value(ty);
    }

    fn extract_lane(&mut self, op: Op, ty: Ty, lane: u8) {
        if !self.reachable {
            return;
        }
        let a = self.pop_value();
        let dst = self.temp(a.1);
        let a = self.slot(a.0, a.1);
        self.put_value([op as u16, dst, a, lane.into()]);
        self.push_temp(ty);
    }

    pub(super) fn visit_i64x2_extract_lane(&mut self, lane: u8) {
        self.extract_half(Ty::I64, lane);
    }

    pub(super) fn visit_f64x2_extract_lane(&mut self, lane: u8) {
        self.extract_half(Ty::F64, lane);
    }

    /// A lane of 64 bits is one of the two slots.
    fn extract_half(&mut self, ty: Ty, lane: u8) {
        if !self.reachable {
            return;
        }
        let a = self.pop_value();
        let dst = self.temp(a.1);
        let a = self.slot(a.0, a.1);
        let src = a.wrapping_add(lane.into());
        if src == dst {
            // The op that made the vector did not make this alone.
            (self.last, self.prev) = (NONE, NONE);
        } else {
            self.put_copy(dst, src);
        }
        self.push_temp(ty);
    }

    fn replace_lane(&mut self, op: Op, ty: Ty, lane: u8) {
        if !self.reachable {
            return;
        }
        let b = self.pop();
        let a = self.pop_value();
        let dst = self.temp(a.1);
        let a = self.slot(a.0, a.1);
        let b = self.slot(b.0, b.1);
        self.put_value([op as u16, dst, a, b, lane.into()]);
        self.push_value(ty);
    }

    pub(super) fn visit_i8x16_shuffle(&mut self, lanes: [u8; 16]) {
        if !self.reachable {
            return;
        }
        let b = self.pop_value();
        let a = self.pop_value();
        let dst = self.temp(a.1);
        let a = self.slot(a.0, a.1);
        let b = self.slot(b.0, b.1);
        let mut units = [0; 12];
        units[..4].copy_from_slice(&[Op::I8x16Shuffle as u16, dst, a, b]);
        for (unit, pair) in units[4..].iter_mut().zip(lanes.chunks_exact(2)) {
            *unit = u16::from_le_bytes([pair[0], pair[1]]);
        }
        self.put_value(units);
        self.push_value(Ty::V128);
    }

    /// The address of an operator that has no form but with an offset, the offset, and the memory
    /// if it is not the first, or has 64-bit addresses.
    fn lane_address(&mut self, arg: &MemArg) -> (Popped, u32, Option<u16>) {
        let addr = self.pop();
        let memory = memory_of(arg);
        if self.any_memory64 && self.is_memory64(arg) {
            let (addr, offset) = self.address64(addr, arg.offset);
            (addr, offset, Some(memory))
        } else {
            (addr, arg.offset as u32, (memory != 0).then_some(memory))
        }
    }

    fn load_lane(&mut self, op: Op, arg: MemArg, lane: u8) {
        if !self.reachable {
            return;
        }
        let a = self.pop_value();
        let (addr, offset, memory) = self.lane_address(&arg);
        let dst = self.temp(addr.1);
        let addr = self.slot(addr.0, addr.1);
        let a = self.slot(a.0, a.1);
        let (low, high, lane) = (lo(offset), hi(offset), lane.into());
        match (memory, op.mem_form()) {
            (Some(memory), Some(form)) => {
                self.put_value([form as u16, dst, addr, a, low, high, lane, memory]);
            }
            _ => self.put_value([op as u16, dst, addr, a, low, high, lane]),
        }
        self.push_value(Ty::V128);
    }

    fn store_lane(&mut self, op: Op, arg: MemArg, lane: u8) {
        if !self.reachable {
            return;
        }
        let a = self.pop_value();
        let (addr, offset, memory) = self.lane_address(&arg);
        let addr = self.slot(addr.0, addr.1);
        let a = self.slot(a.0, a.1);
        let (low, high, lane) = (lo(offset), hi(offset), lane.into());
        match (memory, op.mem_form()) {
            (Some(memory), Some(form)) => {
                self.put(&mut [form as u16, addr, a, low, high, lane, memory]);
            }
            _ => {
                self.put(&mut [op as u16, addr, a, low, high, lane]);
            }
        }
    }
}
