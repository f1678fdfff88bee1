//! Blocks and branches.
//!
//! A branch whose target is not placed yet holds, where its displacement will be, the position of
//! the branch before it that goes to the same block: a list that costs nothing.

use super::emit::{MARK, RECORD, Taken, hi, lo};
use super::stack::{Entry, Kind};
use super::{NONE, Translator, Ty};
use sheave_isa::{LABEL, Op};
use std::sync::LazyLock;
use wasmparser::{BlockType, BrTable};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FrameKind {
    Function,
    Block,
    Loop,
    If,
    Else,
}

/// The values a block takes or gives.
#[derive(Clone, Copy, Debug)]
enum Signature {
    Empty,
    Result(Ty),
    Type(u32),
}

/// A block that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    kind: FrameKind,
    signature: Signature,
    n_params: u32,
    n_results: u32,
    /// Height of the stack below the parameters.
    height: u32,
    /// Length of the log of initialised locals at its start.
    inits: u32,
    /// The start of a loop.
    start: u32,
    /// The last branch to the end.
    to_end: u32,
    /// The branch of an `if` to its `else`.
    to_else: u32,
    /// The last entry of the branch table `stamp` that goes to this block by way of a stub.
    to_stub: u32,
    stamp: u32,
    /// For a loop that begins with a branch out of it, the frame that leads to.
    exit: u32,
}

impl Frame {
    pub(super) fn function(type_index: u32, n_results: u32) -> Self {
        Self {
            kind: FrameKind::Function,
            signature: Signature::Type(type_index),
            n_params: 0,
            n_results,
            height: 0,
            inits: 0,
            start: NONE,
            to_end: NONE,
            to_else: NONE,
            to_stub: NONE,
            stamp: 0,
            exit: NONE,
        }
    }

    /// How many values a branch to it carries.
    fn arity(&self) -> u32 {
        if self.kind == FrameKind::Loop {
            self.n_params
        } else {
            self.n_results
        }
    }
}

impl Translator<'_> {
    // ---- blocks ---------------------------------------------------------------------------------

    fn open(&mut self, kind: FrameKind, ty: BlockType) {
        let (signature, n_params, n_results) = match ty {
            BlockType::Empty => (Signature::Empty, 0, 0),
            BlockType::Type(ty) => (Signature::Result(ty.into()), 0, 1),
            BlockType::FuncType(index) => {
                let (params, results) = self.shape(index);
                (Signature::Type(index), params, results)
            }
        };
        self.frames.push(Frame {
            kind,
            signature,
            n_params,
            n_results,
            height: self.height() - n_params,
            inits: self.init_log.len() as u32,
            start: NONE,
            to_end: NONE,
            to_else: NONE,
            to_stub: NONE,
            stamp: 0,
            exit: NONE,
        });
    }

    /// Numbers of parameters and results of a type.
    pub(super) fn shape(&self, type_index: u32) -> (u32, u32) {
        self.info
            .types
            .get(type_index as usize)
            .map_or((0, 0), |ty| {
                (ty.params().len() as u32, ty.results().len() as u32)
            })
    }

    pub(super) fn visit_block(&mut self, ty: BlockType) {
        if !self.reachable {
            self.dead_blocks += 1;
            return;
        }
        self.settle_locals();
        self.open(FrameKind::Block, ty);
    }

    pub(super) fn visit_loop(&mut self, ty: BlockType) {
        if !self.reachable {
            self.dead_blocks += 1;
            return;
        }
        self.settle_locals();
        self.open(FrameKind::Loop, ty);
        let top = self.frames.len() - 1;
        self.settle_top(self.frames[top].n_params);
        self.label_here();
        self.begin_fuel_block();
        self.frames[top].start = self.asm.pos();
        self.last_loop = top;
        if self.options.interruption {
            self.put(&mut [Op::Check as u16]);
        }
    }

    pub(super) fn visit_if(&mut self, ty: BlockType) {
        if !self.reachable {
            self.dead_blocks += 1;
            return;
        }
        let (cond, at) = self.pop();
        self.open(FrameKind::If, ty);
        let top = self.frames.len() - 1;
        let n_params = self.frames[top].n_params;
        if self.lazy_locals > 0 || self.is_top_unsettled(n_params) {
            let made = self.set_aside(cond, at);
            self.settle_locals();
            self.settle_top(n_params);
            self.bring_back(made);
        }
        self.frames[top].to_else = self.branch_if(cond, at, true, NONE);
        self.begin_fuel_block();
    }

    pub(super) fn visit_else(&mut self) {
        if self.dead_blocks > 0 {
            return;
        }
        let Some(top) = self.frames.len().checked_sub(1) else {
            return;
        };
        let frame = self.frames[top];
        if self.reachable {
            self.settle_top(frame.n_results);
            self.jump(top);
        }
        self.begin_fuel_block();
        self.truncate(frame.height);
        self.push_params(frame.signature);
        self.forget_initialised(frame.inits);
        self.frames[top].kind = FrameKind::Else;
        self.frames[top].to_else = NONE;
        self.place(frame.to_else);
        self.reachable = true;
    }

    pub(super) fn visit_end(&mut self) {
        if self.dead_blocks > 0 {
            self.dead_blocks -= 1;
            return;
        }
        let Some(frame) = self.frames.pop() else {
            return;
        };
        match frame.kind {
            FrameKind::Function => {
                if self.reachable {
                    self.put_return(true);
                    self.begin_fuel_block();
                }
                self.reachable = false;
            }
            // Only the way through it leads on: nothing is merged.
            FrameKind::Loop => {}
            FrameKind::Block if frame.to_end == NONE => {}
            FrameKind::Block | FrameKind::If | FrameKind::Else => {
                if frame.kind == FrameKind::Else && frame.to_end == NONE && !self.reachable {
                    return;
                }
                if self.reachable {
                    self.settle_top(frame.n_results);
                }
                self.begin_fuel_block();
                self.forget_initialised(frame.inits);
                self.place(frame.to_end);
                self.place(frame.to_else);
                self.truncate(frame.height);
                self.push_results(frame.signature);
                self.reachable = true;
            }
        }
    }

    fn push_params(&mut self, signature: Signature) {
        if let Signature::Type(index) = signature {
            let info = self.info;
            for ty in info
                .types
                .get(index as usize)
                .map_or(&[][..], |ty| ty.params())
            {
                self.push_temp(Ty::from(*ty));
            }
        }
    }

    fn push_results(&mut self, signature: Signature) {
        match signature {
            Signature::Empty => {}
            Signature::Result(ty) => self.push_temp(ty),
            Signature::Type(index) => self.push_type_results(index),
        }
    }

    /// Pushes the results of a function of this type.
    pub(super) fn push_type_results(&mut self, index: u32) {
        let info = self.info;
        for ty in info
            .types
            .get(index as usize)
            .map_or(&[][..], |ty| ty.results())
        {
            self.push_temp(Ty::from(*ty));
        }
    }

    /// Makes this list of branches lead to the next op.
    fn place(&mut self, mut branch: u32) {
        if branch == NONE {
            return;
        }
        // A branch to the next op is none.
        if branch == self.plain_branch && branch + 3 == self.asm.pos() && self.pending & MARK == 0 {
            let next = self.u32_at(branch + 1);
            self.asm.code.truncate(branch as usize);
            if self.pending & RECORD != 0 {
                self.marks.pop();
            }
            branch = next;
        }
        let here = self.asm.pos();
        while branch != NONE {
            let label = branch + self.opcode_at(branch).map_or(0, Op::len) as u32 - 2;
            let next = self.u32_at(label);
            self.asm.patch_u32(label, here.wrapping_sub(branch));
            branch = next;
        }
        self.label_here();
    }

    // ---- branches -------------------------------------------------------------------------------

    /// The frame that a branch of this depth leads to.
    fn target(&self, depth: u32) -> usize {
        (self.frames.len() - 1).saturating_sub(depth as usize)
    }

    /// Branches to a block whose values are in place.
    fn jump(&mut self, target: usize) {
        let copy = (self.last != NONE)
            .then(|| self.opcode_at(self.last))
            .flatten()
            .is_some_and(|op| op == Op::Copy)
            .then(|| self.take_last());
        let pos = match copy {
            Some(Taken {
                units: [_, dst, src, ..],
                ..
            }) => self.put(&mut [Op::CopyBr as u16, dst, src, 0, 0]),
            None => {
                self.plain_branch = self.put(&mut [Op::Br as u16, 0, 0]);
                self.plain_branch
            }
        };
        self.aim(pos, self.asm.pos() - 2, target);
    }

    /// Makes the branch at `pos` with its displacement at `label` lead to a block.
    fn aim(&mut self, pos: u32, label: u32, target: usize) {
        let frame = &mut self.frames[target];
        let value = if frame.kind == FrameKind::Loop {
            frame.start.wrapping_sub(pos)
        } else {
            core::mem::replace(&mut frame.to_end, pos)
        };
        self.asm.patch_u32(label, value);
    }

    /// Copies the values that a branch carries to where its target wants them.
    fn carry(&mut self, target: usize, consume: bool) {
        let frame = &self.frames[target];
        let (n, dst) = (frame.arity(), frame.height);
        let src = self.height() - n;
        if n == 1 && consume && src != dst {
            let entry = self.stack[src as usize];
            if self.is_last(entry, src) {
                let slot = self.temp(dst);
                self.retarget_last(slot);
                return;
            }
        }
        // Upwards: the slots written are never above those still to be read.
        for i in 0..n {
            let entry = self.stack[(src + i) as usize];
            if entry.kind != Kind::Temp || src != dst {
                let slot = self.temp(dst + i);
                self.copy_entry(slot, entry, src + i);
            }
        }
    }

    /// Whether the values that a branch carries are where its target wants them.
    fn is_carried(&self, target: usize) -> bool {
        let frame = &self.frames[target];
        let n = frame.arity();
        n == 0 || (self.height() - n == frame.height && !self.is_top_unsettled(n))
    }

    pub(super) fn visit_br(&mut self, depth: u32) {
        if !self.reachable {
            return;
        }
        let target = self.target(depth);
        if target == 0 {
            self.put_return(true);
        } else if !self.repeat(target) {
            self.carry(target, true);
            self.jump(target);
        }
        self.begin_fuel_block();
        self.reachable = false;
    }

    /// Goes back to the start of a loop by a conditional branch, where the op before or the first
    /// of the loop is a branch out of it: one op less each time around.
    fn repeat(&mut self, target: usize) -> bool {
        let frame = self.frames[target];
        let plain = frame.kind == FrameKind::Loop
            && self.is_carried(target)
            && !self.options.fuel
            && !self.options.interruption;
        if !plain || self.pending & MARK != 0 {
            return false;
        }
        if let Some(exit) = self.take_conditional(target) {
            self.jump(exit);
            return true;
        }
        self.test_again(target)
    }

    /// Turns the last op, a branch out of the loop `target`, into its opposite that goes back to
    /// the loop's start. Gives the frame that it led to.
    fn take_conditional(&mut self, target: usize) -> Option<usize> {
        let (pos, exit) = self.conditional;
        if pos == NONE {
            return None;
        }
        let op = self.opcode_at(pos)?;
        let negated = negated(op)?;
        let label = pos + op.len() as u32 - 2;
        if label + 2 != self.asm.pos() {
            return None;
        }
        let next = self.u32_at(label);
        let frame = self.frames.get_mut(exit)?;
        if frame.kind == FrameKind::Loop || frame.to_end != pos {
            return None;
        }
        frame.to_end = next;
        let at = pos as usize;
        let mut units = [0; 8];
        units[..op.len()].copy_from_slice(&self.asm.code[at..]);
        if units[0] & LABEL != 0 {
            self.pending |= MARK;
        }
        self.asm.code.truncate(at);
        if self.pending & RECORD != 0 {
            self.marks.pop();
        }
        self.last = self.before;
        // If it was the first of the loop, that begins otherwise now.
        self.frames[target].exit = NONE;
        let pos = self.branch_like(negated, &units[1..op.len() - 2]);
        self.aim(pos, self.asm.pos() - 2, target);
        Some(exit)
    }

    /// Writes a conditional branch with these operands, merged with the last op if that adds to
    /// one of them. The displacement is left to be filled in.
    fn branch_like(&mut self, op: Op, operands: &[u16]) -> u32 {
        if let Some((comparison, not)) = comparison(op) {
            let dst = self.temp(self.height());
            let comparison_op = comparison as u16;
            let made = match *operands {
                [a, b] => {
                    self.put_value([comparison_op, dst, a, b]);
                    self.fused_branch(comparison, not, 0, 0)
                }
                [a, b, c] => {
                    self.put_value([comparison_op, dst, a, b, c]);
                    self.fused_branch(comparison, not, 0, 0)
                }
                _ => None,
            };
            if let Some(pos) = made {
                return pos;
            }
        }
        if let ([x], Op::BrNez) = (operands, op)
            && let Some(pos) = self.increment_and_test(*x, 0, 0)
        {
            return pos;
        }
        let mut units = [0; 8];
        units[0] = op as u16;
        units[1..=operands.len()].copy_from_slice(operands);
        self.put_slice(&mut units[..operands.len() + 3])
    }

    /// `x += imm` is the last op, and `x` the condition.
    fn increment_and_test(&mut self, x: u16, l: u16, h: u16) -> Option<u32> {
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

    /// Does at the end of the loop `target` what its first op does, a branch out of it, and goes
    /// on behind that op.
    fn test_again(&mut self, target: usize) -> bool {
        let frame = self.frames[target];
        let exit = frame.exit as usize;
        if exit >= target || self.frames[exit].kind == FrameKind::Loop {
            return false;
        }
        let Some(first) = self.opcode_at(frame.start) else {
            return false;
        };
        let Some(negated) = negated(first) else {
            return false;
        };
        let len = first.len();
        let behind = frame.start + len as u32;
        if behind >= self.asm.pos() || self.frames[exit].n_results > 0 {
            return false;
        }
        let start = frame.start as usize;
        let mut units = [0; 8];
        units[..len].copy_from_slice(&self.asm.code[start..start + len]);
        let pos = self.branch_like(negated, &units[1..len - 2]);
        self.asm
            .patch_u32(self.asm.pos() - 2, behind.wrapping_sub(pos));
        self.asm.mark_label(behind);
        self.jump(exit);
        true
    }

    pub(super) fn visit_return(&mut self) {
        if self.reachable {
            self.put_return(true);
            self.begin_fuel_block();
            self.reachable = false;
        }
    }

    pub(super) fn visit_unreachable(&mut self) {
        if self.reachable {
            self.put(&mut [Op::Unreachable as u16]);
            self.begin_fuel_block();
            self.reachable = false;
        }
    }

    pub(super) fn visit_br_if(&mut self, depth: u32) {
        if !self.reachable {
            return;
        }
        let (cond, at) = self.pop();
        let target = self.target(depth);
        let n = self.frames[target].arity();
        // Many values are settled once, so that the next such branch has little to do.
        if (n > 4 || (n > 1 && target == 0)) && self.is_top_unsettled(n) {
            let made = self.set_aside(cond, at);
            self.settle_top(n);
            self.bring_back(made);
        }
        if target != 0 && self.is_carried(target) {
            let pos = self.branch_if(cond, at, false, NONE);
            self.aim(pos, self.asm.pos() - 2, target);
            self.conditional = (pos, target);
            // The first op of a loop may be tested again at its end.
            if target < self.last_loop
                && let Some(frame) = self.frames.get_mut(self.last_loop)
                && frame.kind == FrameKind::Loop
                && frame.start == pos
            {
                frame.exit = target as u32;
            }
        } else {
            let over = self.branch_if(cond, at, true, NONE);
            if target == 0 {
                self.put_return(false);
            } else if n > 4 {
                let src = self.height() - n;
                let dst = self.frames[target].height;
                self.put_move(self.temp(dst), self.temp(src), n);
                self.jump(target);
            } else {
                self.carry(target, false);
                self.jump(target);
            }
            self.place(over);
        }
        self.begin_fuel_block();
    }

    pub(super) fn visit_br_table(&mut self, table: BrTable<'_>) {
        if !self.reachable {
            return;
        }
        let (index, at) = self.pop();
        let n = self.frames[self.target(table.default())].arity();
        self.settle_top(n);
        let len = table.len();
        if self.last_op_of(index, at) == Some(Op::I32AddImm) {
            let [_, _, a, low, high, ..] = self.take_last().units;
            self.put(&mut [Op::BrTableAdd as u16, a, low, high, lo(len), hi(len)]);
        } else {
            let index = self.slot(index, at);
            self.put(&mut [Op::BrTable as u16, index, lo(len), hi(len)]);
        }
        self.table_stamp += 1;
        for depth in table
            .targets()
            .map_while(Result::ok)
            .chain([table.default()])
        {
            let target = self.target(depth);
            let pos = self.put(&mut [Op::Br as u16, 0, 0]);
            if target != 0 && self.is_carried_settled(target, n) {
                self.aim(pos, pos + 1, target);
                continue;
            }
            let frame = &mut self.frames[target];
            if frame.stamp != self.table_stamp {
                frame.stamp = self.table_stamp;
                frame.to_stub = NONE;
                self.stubs.push(target as u32);
            }
            let next = core::mem::replace(&mut frame.to_stub, pos);
            self.asm.patch_u32(pos + 1, next);
        }
        for i in 0..self.stubs.len() {
            let target = self.stubs[i] as usize;
            self.place(self.frames[target].to_stub);
            if target == 0 {
                self.put_return(false);
            } else {
                let (dst, src) = (self.frames[target].height, self.height() - n);
                self.put_move(self.temp(dst), self.temp(src), n);
                self.jump(target);
            }
        }
        self.stubs.clear();
        self.begin_fuel_block();
        self.reachable = false;
    }

    /// As `is_carried` when the values are known to be settled.
    fn is_carried_settled(&self, target: usize, n: u32) -> bool {
        n == 0 || self.height() - n == self.frames[target].height
    }

    /// Returns the values on top of the stack.
    fn put_return(&mut self, consume: bool) {
        let n = self.n_results;
        match n {
            0 => {
                self.put(&mut [Op::Ret as u16]);
            }
            1 => {
                let at = self.height() - 1;
                let entry = self.stack[at as usize];
                match u32::try_from(entry.bits) {
                    Ok(bits) if entry.is_const() => {
                        self.put(&mut [Op::RetImm as u16, lo(bits), hi(bits)]);
                    }
                    _ => {
                        let slot = self.slot(entry, at);
                        self.put(&mut [Op::Ret1 as u16, slot]);
                    }
                }
            }
            _ => {
                if consume {
                    self.settle_top(n);
                }
                let first = self.temp(self.height() - n);
                self.put(&mut [Op::RetN as u16, first, n as u16]);
            }
        }
    }

    /// Takes the last op back if it made the condition, so that others can come before it.
    pub(super) fn set_aside(&mut self, entry: Entry, height: u32) -> Option<Taken> {
        self.is_last(entry, height).then(|| self.take_last())
    }

    pub(super) fn bring_back(&mut self, made: Option<Taken>) {
        if let Some(made) = made {
            self.put_again(&made);
        }
    }

    // ---- conditions -----------------------------------------------------------------------------

    /// Branches if `cond` (taken from height `at`) is not zero, or with `not` if it is zero; the
    /// displacement is left to be filled in. Gives the branch's position.
    fn branch_if(&mut self, cond: Entry, at: u32, not: bool, link: u32) -> u32 {
        let (l, h) = (lo(link), hi(link));
        if let Some(op) = self.last_op_of(cond, at) {
            if let Some(pos) = self.fused_branch(op, not, l, h) {
                return pos;
            }
        } else if cond.kind == Kind::Local && !not {
            if let Some(pos) = self.increment_and_test(cond.x as u16, l, h) {
                return pos;
            }
        }
        let slot = self.slot_low((cond, at));
        let op = if not { Op::BrEqz } else { Op::BrNez };
        self.put(&mut [op as u16, slot, l, h])
    }

    /// Merges the last op, which made the condition, with the branch, if there is an op for it.
    fn fused_branch(&mut self, op: Op, not: bool, l: u16, h: u16) -> Option<u32> {
        let fused = if not {
            op.branch_not_form()
        } else {
            op.branch_form()
        };
        if let Some(fused) = fused {
            if let Some(pos) = self.increment_and_branch(op, not, l, h) {
                return Some(pos);
            }
            let wide = op.len() == 5;
            let [_, _, a, b, c, ..] = self.take_last().units;
            return Some(if wide {
                self.put(&mut [fused as u16, a, b, c, l, h])
            } else {
                self.put(&mut [fused as u16, a, b, l, h])
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

    /// `x += imm` and a comparison of `x` are the last two ops.
    fn increment_and_branch(&mut self, op: Op, not: bool, l: u16, h: u16) -> Option<u32> {
        if self.prev == NONE {
            return None;
        }
        match self.opcode_at(self.prev) {
            Some(Op::I32AddImm) => {}
            Some(Op::I32Add) => return self.add_and_branch(op, not, l, h),
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
}

impl Translator<'_> {
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
fn comparison(branch: Op) -> Option<(Op, bool)> {
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
fn negated(op: Op) -> Option<Op> {
    static NEGATED: LazyLock<Vec<Option<Op>>> = LazyLock::new(|| {
        let mut negated = vec![None; sheave_isa::OP_COUNT];
        let pairs = sheave_isa::ALL
            .iter()
            .filter_map(|op| op.branch_form().zip(op.branch_not_form()));
        let others = [
            (Op::BrNez, Op::BrEqz),
            (Op::BrI64Nez, Op::BrI64Eqz),
            (Op::BrI32Test, Op::BrI32TestNot),
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
