//! Conditional branches, merged with what made their condition.

use super::emit::{hi, lo};
use super::stack::{Entry, Kind};
use super::{NONE, Translator};
use sheave_isa::{LABEL, Op};
use std::sync::LazyLock;

impl Translator<'_> {
    /// Branches if `cond` (taken from height `at`) is not zero, or with `not` if it is zero; the
    /// displacement is left to be filled in. Gives the branch's position.
    pub(super) fn branch_if(&mut self, cond: Entry, at: u32, not: bool, link: u32) -> u32 {
        let (l, h) = (lo(link), hi(link));
        if let Some(op) = self.last_op_of(cond, at) {
            if let Some(pos) = self.fused_branch(op, not, l, h) {
                return pos;
            }
        } else if cond.kind == Kind::Local
            && !not
            && let Some(pos) = self.increment_and_test(cond.x as u16, l, h)
        {
            return pos;
        }
        let slot = self.slot_low((cond, at));
        let op = if not { Op::BrEqz } else { Op::BrNez };
        self.put(&mut [op as u16, slot, l, h])
    }

    /// Merges the last op, which made the condition, with the branch, if there is an op for it.
    pub(super) fn fused_branch(&mut self, op: Op, not: bool, l: u16, h: u16) -> Option<u32> {
        let fused = if not {
            op.branch_not_form()
        } else {
            op.branch_form()
        };
        if let Some(fused) = fused {
            if let Some(pos) = self.increment_and_branch(op, not, l, h) {
                return Some(pos);
            }
            if let Some(pos) = self.sum_and_branch(op, not, l, h) {
                return Some(pos);
            }
            let len = self.len_at(self.last);
            let [_, _, a, b, c, d, ..] = self.take_last().units;
            return Some(match len {
                4 => self.put(&mut [fused as u16, a, b, l, h]),
                5 => self.put(&mut [fused as u16, a, b, c, l, h]),
                _ => self.put(&mut [fused as u16, a, b, c, d, l, h]),
            });
        }
        let fused = match (op, not) {
            (Op::I32Eqz, not) => {
                let [_, _, a, ..] = self.take_last().units;
                // The negation of something that itself merges with a branch.
                if self.last != NONE
                    && u32::from(a) >= self.n_locals
                    && self.asm.code[self.last as usize + 1] == a
                    && let Some(op) = self.opcode_at(self.last)
                    && op != Op::I32Eqz
                    && let Some(pos) = self.fused_branch(op, !not, l, h)
                {
                    return Some(pos);
                }
                let fused = if not { Op::BrNez } else { Op::BrEqz };
                return Some(self.put(&mut [fused as u16, a, l, h]));
            }
            (Op::I64Eqz, true) => Op::BrI64Nez,
            (Op::I64Eqz, false) => Op::BrI64Eqz,
            (Op::I32AndImm, not) => {
                if self.asm.code[self.last as usize + 4] != 0 {
                    return None;
                }
                let [_, _, a, mask, ..] = self.take_last().units;
                let fused = if not { Op::BrI32TestNot } else { Op::BrI32Test };
                return Some(self.put(&mut [fused as u16, a, mask, l, h]));
            }
            _ => return None,
        };
        let [_, _, a, ..] = self.take_last().units;
        Some(self.put(&mut [fused as u16, a, l, h]))
    }

    /// `x += imm` is the last op, and `x` the condition.
    pub(super) fn increment_and_test(&mut self, x: u16, l: u16, h: u16) -> Option<u32> {
        if self.last == NONE {
            return None;
        }
        let [op, dst, src, imm, sign] = *self.asm.code[self.last as usize..].first_chunk()?;
        let fits = op & !LABEL == Op::I32AddImm as u16 && dst == x && src == x && is_i16(imm, sign);
        if !fits {
            return None;
        }
        self.take_last();
        Some(self.put(&mut [Op::I32IncBrNez as u16, x, imm, l, h]))
    }

    /// `x += imm` and a comparison of `x` are the last two ops.
    fn increment_and_branch(&mut self, op: Op, not: bool, l: u16, h: u16) -> Option<u32> {
        if self.prev == NONE {
            return None;
        }
        match self.opcode_at(self.prev) {
            Some(Op::I32AddImm) => {}
            Some(Op::I32Add) => return self.add_and_branch(op, not, l, h),
            Some(Op::I64AddImm) => return self.add_and_branch64(op, not, l, h),
            _ => return None,
        }
        let [x, src, imm, sign] = *self.asm.code[self.prev as usize + 1..].first_chunk()?;
        if x != src || !is_i16(imm, sign) {
            return None;
        }
        let [a, b] = *self.asm.code[self.last as usize + 2..].first_chunk()?;
        let high = self
            .asm
            .code
            .get(self.last as usize + 4)
            .copied()
            .unwrap_or(0);
        let op = if not { op.negated_form()? } else { op };
        let (fused, other) = match op {
            Op::I32Ne if a == x => (Op::I32IncBrNe, b),
            Op::I32Ne if b == x => (Op::I32IncBrNe, a),
            Op::I32LtS if a == x => (Op::I32IncBrLtS, b),
            Op::I32GtS if b == x => (Op::I32IncBrLtS, a),
            Op::I32LtU if a == x => (Op::I32IncBrLtU, b),
            Op::I32GtU if b == x => (Op::I32IncBrLtU, a),
            Op::I32NeImm if a == x => {
                self.take_last();
                self.take_last();
                return Some(self.put(&mut [Op::I32IncBrNeImm as u16, x, imm, b, high, l, h]));
            }
            _ => return None,
        };
        if other == x {
            return None;
        }
        self.take_last();
        self.take_last();
        Some(self.put(&mut [fused as u16, x, imm, other, l, h]))
    }

    /// `x += imm` and whether `x` is not a constant, both of i64, are the last two ops.
    fn add_and_branch64(&mut self, op: Op, not: bool, l: u16, h: u16) -> Option<u32> {
        let [x, src, imm, sign] = *self.asm.code[self.prev as usize + 1..].first_chunk()?;
        let op = if not { op.negated_form()? } else { op };
        if op != Op::I64NeImm || x != src || !is_i16(imm, sign) {
            return None;
        }
        let [a, low, high] = *self.asm.code[self.last as usize + 2..].first_chunk()?;
        if a != x {
            return None;
        }
        self.take_last();
        self.take_last();
        Some(self.put(&mut [Op::I64IncBrNeImm as u16, x, imm, low, high, l, h]))
    }

    /// A sum that nothing else needs and its unsigned comparison are the last two ops: the check of
    /// an index against a length.
    fn sum_and_branch(&mut self, op: Op, not: bool, l: u16, h: u16) -> Option<u32> {
        if self.prev == NONE {
            return None;
        }
        let op = if not { op.negated_form()? } else { op };
        let [a, b] = *self.asm.code[self.last as usize + 2..].first_chunk()?;
        let (sum, below, limit) = match op {
            Op::I32LtU => (a, true, b),
            Op::I32GtU => (b, true, a),
            Op::I32GeU => (a, false, b),
            Op::I32LeU => (b, false, a),
            _ => return None,
        };
        let [x, first, second, ..] = *self.asm.code[self.prev as usize + 1..].first_chunk::<3>()?;
        if x != sum || limit == sum || u32::from(x) < self.n_locals {
            return None;
        }
        let fused = match (self.opcode_at(self.prev)?, below) {
            (Op::I32Add, true) => Op::BrI32AddLtU,
            (Op::I32Add, false) => Op::BrI32AddGeU,
            (Op::I32AddImm, _) if !is_i16(second, self.asm.code[self.prev as usize + 4]) => {
                return None;
            }
            (Op::I32AddImm, true) => Op::BrI32AddImmLtU,
            (Op::I32AddImm, false) => Op::BrI32AddImmGeU,
            _ => return None,
        };
        self.take_last();
        self.take_last();
        Some(self.put(&mut [fused as u16, first, second, limit, l, h]))
    }

    /// `x += a` and whether `x < b`, unsigned, are the last two ops.
    fn add_and_branch(&mut self, op: Op, not: bool, l: u16, h: u16) -> Option<u32> {
        let [x, src, src2] = *self.asm.code[self.prev as usize + 1..].first_chunk()?;
        let [a, b] = *self.asm.code[self.last as usize + 2..].first_chunk()?;
        let op = if not { op.negated_form()? } else { op };
        let added = match x {
            _ if x == src => src2,
            _ if x == src2 => src,
            _ => return None,
        };
        let limit = match op {
            Op::I32LtU if a == x => b,
            Op::I32GtU if b == x => a,
            _ => return None,
        };
        if added == x || limit == x {
            return None;
        }
        self.take_last();
        self.take_last();
        Some(self.put(&mut [Op::I32AddBrLtU as u16, x, added, limit, l, h]))
    }
}

/// The comparison that a conditional branch makes, and whether it is taken if that does not hold.
pub(super) fn comparison(branch: Op) -> Option<(Op, bool)> {
    static COMPARISON: LazyLock<Vec<Option<(Op, bool)>>> = LazyLock::new(|| {
        let mut comparison = vec![None; sheave_isa::OP_COUNT];
        for op in sheave_isa::ALL {
            if let Some(branch) = op.branch_not_form() {
                comparison[branch as usize].get_or_insert((op, true));
            }
        }
        for op in sheave_isa::ALL {
            if let Some(branch) = op.branch_form() {
                comparison[branch as usize] = Some((op, false));
            }
        }
        comparison
    });
    COMPARISON[branch as usize]
}

/// The conditional branch that is taken exactly if this one is not.
pub(super) fn negated(op: Op) -> Option<Op> {
    static NEGATED: LazyLock<Vec<Option<Op>>> = LazyLock::new(|| {
        let mut negated = vec![None; sheave_isa::OP_COUNT];
        let pairs = sheave_isa::ALL
            .iter()
            .filter_map(|op| op.branch_form().zip(op.branch_not_form()));
        let others = [
            (Op::BrNez, Op::BrEqz),
            (Op::BrI64Nez, Op::BrI64Eqz),
            (Op::BrI32Test, Op::BrI32TestNot),
            (Op::BrI32AddGeU, Op::BrI32AddLtU),
            (Op::BrI32AddImmGeU, Op::BrI32AddImmLtU),
        ];
        for (a, b) in pairs.chain(others) {
            negated[a as usize] = Some(b);
            negated[b as usize] = Some(a);
        }
        negated
    });
    NEGATED[op as usize]
}

/// Whether a 32-bit immediate is a sign-extended 16-bit one.
pub(super) fn is_i16(low: u16, high: u16) -> bool {
    high == ((low as i16) >> 15) as u16
}
