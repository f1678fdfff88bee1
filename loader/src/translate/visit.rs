//! One method for each operator that is plainly one op, or nearly.

use super::ops::Swap;
use super::{Translator, Ty};
use sheave_isa::Op;
use wasmparser::{HeapType, Ieee32, Ieee64, MemArg};

macro_rules! unary {
    ($($visit:ident $op:ident $ty:ident,)*) => {
        impl Translator<'_> {
            $(#[inline] pub(super) fn $visit(&mut self) { self.unary(Op::$op, Ty::$ty); })*
        }
    };
}

macro_rules! binary {
    ($($visit:ident $op:ident $ty:ident $out:ident $swap:expr;)*) => {
        impl Translator<'_> {
            $(
                #[inline]
                pub(super) fn $visit(&mut self) {
                    self.binary(Op::$op, Ty::$ty, Ty::$out, $swap);
                }
            )*
        }
    };
}

macro_rules! loads {
    ($($visit:ident $op:ident $ty:ident,)*) => {
        impl Translator<'_> {
            $(#[inline] pub(super) fn $visit(&mut self, arg: MemArg) { self.load(Op::$op, Ty::$ty, arg); })*
        }
    };
}

macro_rules! stores {
    ($($visit:ident $op:ident,)*) => {
        impl Translator<'_> {
            $(#[inline] pub(super) fn $visit(&mut self, arg: MemArg) { self.store(Op::$op, arg); })*
        }
    };
}

unary! {
    visit_i32_clz I32Clz I32,
    visit_i32_ctz I32Ctz I32,
    visit_i32_popcnt I32Popcnt I32,
    visit_i32_extend8_s I32Extend8S I32,
    visit_i32_extend16_s I32Extend16S I32,
    visit_i64_clz I64Clz I64,
    visit_i64_ctz I64Ctz I64,
    visit_i64_popcnt I64Popcnt I64,
    visit_i64_extend8_s I64Extend8S I64,
    visit_i64_extend16_s I64Extend16S I64,
    visit_i64_extend32_s I64Extend32S I64,
    visit_f32_abs F32Abs F32,
    visit_f32_neg F32Neg F32,
    visit_f32_ceil F32Ceil F32,
    visit_f32_floor F32Floor F32,
    visit_f32_trunc F32Trunc F32,
    visit_f32_nearest F32Nearest F32,
    visit_f32_sqrt F32Sqrt F32,
    visit_f64_abs F64Abs F64,
    visit_f64_neg F64Neg F64,
    visit_f64_ceil F64Ceil F64,
    visit_f64_floor F64Floor F64,
    visit_f64_trunc F64Trunc F64,
    visit_f64_nearest F64Nearest F64,
    visit_f64_sqrt F64Sqrt F64,
    visit_i64_extend_i32_s I64ExtendI32S I64,
    visit_i32_trunc_f32_s I32TruncF32S I32,
    visit_i32_trunc_f32_u I32TruncF32U I32,
    visit_i32_trunc_f64_s I32TruncF64S I32,
    visit_i32_trunc_f64_u I32TruncF64U I32,
    visit_i64_trunc_f32_s I64TruncF32S I64,
    visit_i64_trunc_f32_u I64TruncF32U I64,
    visit_i64_trunc_f64_s I64TruncF64S I64,
    visit_i64_trunc_f64_u I64TruncF64U I64,
    visit_i32_trunc_sat_f32_s I32TruncSatF32S I32,
    visit_i32_trunc_sat_f32_u I32TruncSatF32U I32,
    visit_i32_trunc_sat_f64_s I32TruncSatF64S I32,
    visit_i32_trunc_sat_f64_u I32TruncSatF64U I32,
    visit_i64_trunc_sat_f32_s I64TruncSatF32S I64,
    visit_i64_trunc_sat_f32_u I64TruncSatF32U I64,
    visit_i64_trunc_sat_f64_s I64TruncSatF64S I64,
    visit_i64_trunc_sat_f64_u I64TruncSatF64U I64,
    visit_f32_convert_i32_s F32ConvertI32S F32,
    visit_f32_convert_i32_u F32ConvertI32U F32,
    visit_f32_convert_i64_s F32ConvertI64S F32,
    visit_f32_convert_i64_u F32ConvertI64U F32,
    visit_f32_demote_f64 F32DemoteF64 F32,
    visit_f64_convert_i32_s F64ConvertI32S F64,
    visit_f64_convert_i32_u F64ConvertI32U F64,
    visit_f64_convert_i64_s F64ConvertI64S F64,
    visit_f64_convert_i64_u F64ConvertI64U F64,
    visit_f64_promote_f32 F64PromoteF32 F64,
}

binary! {
    visit_i32_mul I32Mul I32 I32 Swap::Yes;
    visit_i32_div_s I32DivS I32 I32 Swap::No;
    visit_i32_div_u I32DivU I32 I32 Swap::No;
    visit_i32_rem_s I32RemS I32 I32 Swap::No;
    visit_i32_rem_u I32RemU I32 I32 Swap::No;
    visit_i32_or I32Or I32 I32 Swap::Yes;
    visit_i32_shl I32Shl I32 I32 Swap::No;
    visit_i32_shr_s I32ShrS I32 I32 Swap::No;
    visit_i32_shr_u I32ShrU I32 I32 Swap::No;
    visit_i32_rotr I32Rotr I32 I32 Swap::No;
    visit_i64_div_s I64DivS I64 I64 Swap::No;
    visit_i64_div_u I64DivU I64 I64 Swap::No;
    visit_i64_rem_s I64RemS I64 I64 Swap::No;
    visit_i64_rem_u I64RemU I64 I64 Swap::No;
    visit_i64_or I64Or I64 I64 Swap::Yes;
    visit_i64_shr_s I64ShrS I64 I64 Swap::No;
    visit_i64_shr_u I64ShrU I64 I64 Swap::No;
    visit_i64_rotr I64Rotr I64 I64 Swap::No;
    visit_i32_eq I32Eq I32 I32 Swap::Yes;
    visit_i32_ne I32Ne I32 I32 Swap::Yes;
    visit_i32_lt_s I32LtS I32 I32 Swap::To(Op::I32GtS);
    visit_i32_lt_u I32LtU I32 I32 Swap::To(Op::I32GtU);
    visit_i32_gt_s I32GtS I32 I32 Swap::To(Op::I32LtS);
    visit_i32_gt_u I32GtU I32 I32 Swap::To(Op::I32LtU);
    visit_i32_le_s I32LeS I32 I32 Swap::To(Op::I32GeS);
    visit_i32_le_u I32LeU I32 I32 Swap::To(Op::I32GeU);
    visit_i32_ge_s I32GeS I32 I32 Swap::To(Op::I32LeS);
    visit_i32_ge_u I32GeU I32 I32 Swap::To(Op::I32LeU);
    visit_i64_eq I64Eq I64 I32 Swap::Yes;
    visit_i64_ne I64Ne I64 I32 Swap::Yes;
    visit_i64_lt_s I64LtS I64 I32 Swap::To(Op::I64GtS);
    visit_i64_lt_u I64LtU I64 I32 Swap::To(Op::I64GtU);
    visit_i64_gt_s I64GtS I64 I32 Swap::To(Op::I64LtS);
    visit_i64_gt_u I64GtU I64 I32 Swap::To(Op::I64LtU);
    visit_i64_le_s I64LeS I64 I32 Swap::To(Op::I64GeS);
    visit_i64_le_u I64LeU I64 I32 Swap::To(Op::I64GeU);
    visit_i64_ge_s I64GeS I64 I32 Swap::To(Op::I64LeS);
    visit_i64_ge_u I64GeU I64 I32 Swap::To(Op::I64LeU);
    visit_f32_eq F32Eq F32 I32 Swap::No;
    visit_f32_ne F32Ne F32 I32 Swap::No;
    visit_f32_lt F32Lt F32 I32 Swap::No;
    visit_f32_gt F32Gt F32 I32 Swap::No;
    visit_f32_le F32Le F32 I32 Swap::No;
    visit_f32_ge F32Ge F32 I32 Swap::No;
    visit_f64_eq F64Eq F64 I32 Swap::No;
    visit_f64_ne F64Ne F64 I32 Swap::No;
    visit_f64_lt F64Lt F64 I32 Swap::No;
    visit_f64_gt F64Gt F64 I32 Swap::No;
    visit_f64_le F64Le F64 I32 Swap::No;
    visit_f64_ge F64Ge F64 I32 Swap::No;
    visit_f32_sub F32Sub F32 F32 Swap::No;
    visit_f32_mul F32Mul F32 F32 Swap::Yes;
    visit_f32_div F32Div F32 F32 Swap::No;
    visit_f32_min F32Min F32 F32 Swap::No;
    visit_f32_max F32Max F32 F32 Swap::No;
    visit_f32_copysign F32Copysign F32 F32 Swap::No;
    visit_f64_sub F64Sub F64 F64 Swap::No;
    visit_f64_mul F64Mul F64 F64 Swap::Yes;
    visit_f64_div F64Div F64 F64 Swap::No;
    visit_f64_min F64Min F64 F64 Swap::No;
    visit_f64_max F64Max F64 F64 Swap::No;
    visit_f64_copysign F64Copysign F64 F64 Swap::No;
}

loads! {
    visit_i32_load I32Load I32,
    visit_i32_load8_s I32Load8S I32,
    visit_i32_load8_u I32Load8U I32,
    visit_i32_load16_s I32Load16S I32,
    visit_i32_load16_u I32Load16U I32,
    visit_i64_load I64Load I64,
    visit_i64_load8_s I64Load8S I64,
    visit_i64_load8_u I64Load8U I64,
    visit_i64_load16_s I64Load16S I64,
    visit_i64_load16_u I64Load16U I64,
    visit_i64_load32_s I64Load32S I64,
    visit_i64_load32_u I64Load32U I64,
    visit_f32_load F32Load F32,
    visit_f64_load F64Load F64,
}

stores! {
    visit_i32_store I32Store,
    visit_i32_store8 I32Store8,
    visit_i32_store16 I32Store16,
    visit_i64_store I64Store,
    visit_i64_store8 I64Store8,
    visit_i64_store16 I64Store16,
    visit_i64_store32 I64Store32,
    visit_f32_store F32Store,
    visit_f64_store F64Store,
}

macro_rules! same_bits {
    ($($visit:ident $ty:ident,)*) => {
        impl Translator<'_> {
            $(#[inline] pub(super) fn $visit(&mut self) { self.same_bits(Ty::$ty); })*
        }
    };
}

same_bits! {
    // An i32 is zero-extended in its slot.
    visit_i64_extend_i32_u I64,
    visit_i32_reinterpret_f32 I32,
    visit_i64_reinterpret_f64 I64,
    visit_f32_reinterpret_i32 F32,
    visit_f64_reinterpret_i64 F64,
}

impl Translator<'_> {
    #[inline]
    pub(super) fn visit_nop(&mut self) {}

    #[inline]
    pub(super) fn visit_i32_const(&mut self, value: i32) {
        if self.reachable {
            self.push_const(Ty::I32, u64::from(value as u32));
        }
    }

    #[inline]
    pub(super) fn visit_i64_const(&mut self, value: i64) {
        if self.reachable {
            self.push_const(Ty::I64, value as u64);
        }
    }

    #[inline]
    pub(super) fn visit_f32_const(&mut self, value: Ieee32) {
        if self.reachable {
            self.push_const(Ty::F32, u64::from(value.bits()));
        }
    }

    #[inline]
    pub(super) fn visit_f64_const(&mut self, value: Ieee64) {
        if self.reachable {
            self.push_const(Ty::F64, value.bits());
        }
    }

    pub(super) fn visit_i32_wrap_i64(&mut self) {
        match self.stack.last_mut() {
            Some(entry) if self.reachable && entry.is_const() => {
                (entry.ty, entry.bits) = (Ty::I32, u64::from(entry.bits as u32));
            }
            _ => self.unary(Op::I32WrapI64, Ty::I32),
        }
    }

    pub(super) fn visit_i32_eqz(&mut self) {
        self.eqz(Op::I32Eqz);
    }

    pub(super) fn visit_i64_eqz(&mut self) {
        self.eqz(Op::I64Eqz);
    }

    pub(super) fn visit_typed_select(&mut self, _ty: wasmparser::ValType) {
        self.visit_select();
    }

    // Never valid.
    pub(super) fn visit_typed_select_multi(&mut self, _types: Vec<wasmparser::ValType>) {}

    // ---- references -----------------------------------------------------------------------------

    pub(super) fn visit_ref_null(&mut self, ty: HeapType) {
        if self.reachable {
            self.push_const(self.ref_ty_read(ty), 0);
        }
    }

    pub(super) fn visit_ref_is_null(&mut self) {
        self.eqz(Op::I64Eqz);
    }

    pub(super) fn visit_ref_func(&mut self, index: u32) {
        let extra = [index as u16, (index >> 16) as u16];
        self.result::<0, 2>(Op::RefFunc, extra, Ty::Ref);
    }

    // ---- memories and tables --------------------------------------------------------------------

    pub(super) fn visit_memory_size(&mut self, mem: u32) {
        self.result::<0, 1>(Op::MemorySize, [mem as u16], self.memory_ty(mem));
    }

    pub(super) fn visit_memory_grow(&mut self, mem: u32) {
        self.result::<1, 1>(Op::MemoryGrow, [mem as u16], self.memory_ty(mem));
    }

    pub(super) fn visit_memory_fill(&mut self, mem: u32) {
        self.effect::<3, 1>(Op::MemoryFill, [mem as u16]);
    }

    pub(super) fn visit_memory_copy(&mut self, dst: u32, src: u32) {
        self.effect::<3, 2>(Op::MemoryCopy, [dst as u16, src as u16]);
    }

    pub(super) fn visit_memory_init(&mut self, data: u32, mem: u32) {
        self.effect::<3, 3>(
            Op::MemoryInit,
            [mem as u16, data as u16, (data >> 16) as u16],
        );
    }

    pub(super) fn visit_data_drop(&mut self, data: u32) {
        self.effect::<0, 2>(Op::DataDrop, [data as u16, (data >> 16) as u16]);
    }

    pub(super) fn visit_table_get(&mut self, table: u32) {
        let table16 = self.index16(table);
        let element = self.info.tables.get(table as usize);
        let ty = element.map_or(Ty::Ref, |table| self.ref_ty(table.element.heap_type));
        self.result::<1, 1>(Op::TableGet, [table16], ty);
    }

    pub(super) fn visit_table_set(&mut self, table: u32) {
        let table = self.index16(table);
        self.effect::<2, 1>(Op::TableSet, [table]);
    }

    pub(super) fn visit_table_size(&mut self, table: u32) {
        let ty = self.table_ty(table);
        let table = self.index16(table);
        self.result::<0, 1>(Op::TableSize, [table], ty);
    }

    pub(super) fn visit_table_grow(&mut self, table: u32) {
        let ty = self.table_ty(table);
        let table = self.index16(table);
        self.result::<2, 1>(Op::TableGrow, [table], ty);
    }

    pub(super) fn visit_table_fill(&mut self, table: u32) {
        let table = self.index16(table);
        self.effect::<3, 1>(Op::TableFill, [table]);
    }

    pub(super) fn visit_table_copy(&mut self, dst: u32, src: u32) {
        let (dst, src) = (self.index16(dst), self.index16(src));
        self.effect::<3, 2>(Op::TableCopy, [dst, src]);
    }

    pub(super) fn visit_table_init(&mut self, elem: u32, table: u32) {
        let table = self.index16(table);
        self.effect::<3, 3>(Op::TableInit, [table, elem as u16, (elem >> 16) as u16]);
    }

    pub(super) fn visit_elem_drop(&mut self, elem: u32) {
        self.effect::<0, 2>(Op::ElemDrop, [elem as u16, (elem >> 16) as u16]);
    }
}
