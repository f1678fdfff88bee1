//! Branches: where they lead, and the values they carry.
//!
//! A branch whose target is not placed yet holds, where its displacement will be, the position of
//! the branch before it that goes to the same block: a list that costs nothing.

use super::control::FrameKind;
use super::emit::{MARK, RECORD, Taken, hi, lo};
use super::exceptions::CLAUSE;
use super::ops::Popped;
use super::stack::{Entry, Kind};
use super::{NONE, Translator};
use sheave_isa::Op;
use wasmparser::BrTable;

impl Translator<'_> {
    /// The frame that a branch of this depth leads to.
    pub(super) fn target(&self, depth: u32) -> usize {
        (self.frames.len() - 1).saturating_sub(depth as usize)
    }

    /// Makes this list of branches lead to the next op.
    pub(super) fn place(&mut self, mut branch: u32) {
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
            if branch & CLAUSE != 0 {
                branch = self.handlers.place(branch, here);
                continue;
            }
            let label = branch + self.len_at(branch) - 2;
            let next = self.u32_at(label);
            self.asm.patch_u32(label, here.wrapping_sub(branch));
            branch = next;
        }
        self.label_here();
    }

    /// Branches to a block whose values are in place.
    pub(super) fn jump(&mut self, target: usize) {
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
    pub(super) fn aim(&mut self, pos: u32, label: u32, target: usize) {
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
        if consume && src != dst && (n == 1 || self.is_one_vector(n)) {
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
    pub(super) fn is_carried(&self, target: usize) -> bool {
        let frame = &self.frames[target];
        let n = frame.arity();
        n == 0 || (self.height() - n == frame.height && !self.is_top_unsettled(n))
    }

    /// As `is_carried` when the values are known to be settled.
    fn is_carried_settled(&self, target: usize, n: u32) -> bool {
        n == 0 || self.height() - n == self.frames[target].height
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

    pub(super) fn visit_br_if(&mut self, depth: u32) {
        if !self.reachable {
            return;
        }
        let (cond, at) = self.pop();
        let target = self.target(depth);
        self.settle_for(target, Some((cond, at)));
        if target != 0 && self.is_carried(target) {
            let pos = self.branch_if(cond, at, false, NONE);
            self.branched(pos, target);
        } else {
            let over = self.branch_if(cond, at, true, NONE);
            self.leave(target);
            self.place(over);
        }
        self.begin_fuel_block();
    }

    /// Branches to a block by `branch`, or around the way there by `not`, its opposite. Both have
    /// these operands before their displacement. Fuel is to be counted anew afterwards.
    pub(super) fn branch_on(&mut self, target: usize, branch: Op, not: Op, operands: &[u16]) {
        if target != 0 && self.is_carried(target) {
            let pos = self.put_branch(branch, operands);
            self.branched(pos, target);
        } else {
            let over = self.put_branch(not, operands);
            self.leave(target);
            self.place(over);
        }
    }

    /// Writes a branch whose displacement is left to be filled in, at the end of a list.
    fn put_branch(&mut self, op: Op, operands: &[u16]) -> u32 {
        let mut units = [0; 8];
        let end = operands.len() + 3;
        units[0] = op as u16;
        units[1..end - 2].copy_from_slice(operands);
        units[end - 2..end].copy_from_slice(&[lo(NONE), hi(NONE)]);
        self.put_slice(&mut units[..end])
    }

    /// Makes the conditional branch that was just written lead to a block.
    fn branched(&mut self, pos: u32, target: usize) {
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
    }

    /// Many values that conditional branches carry are settled once, so that the next such branch
    /// has little to do; before what made the condition, which was popped.
    pub(super) fn settle_for(&mut self, target: usize, cond: Option<Popped>) {
        let n = self.frames[target].arity();
        if (n > 4 || (n > 1 && target == 0)) && self.is_top_unsettled(n) {
            let made = cond.and_then(|(cond, at)| self.set_aside(cond, at));
            self.settle_top(n);
            self.bring_back(made);
        }
    }

    /// Goes to a block with its values, which stay on the stack for whoever does not.
    fn leave(&mut self, target: usize) {
        let n = self.frames[target].arity();
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

    /// Returns the values on top of the stack.
    pub(super) fn put_return(&mut self, consume: bool) {
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
            2 if self.is_one_vector(2) => {
                let at = self.height() - 2;
                let entry = self.stack[at as usize];
                let slot = self.slot(entry, at);
                self.put(&mut [Op::RetV128 as u16, slot]);
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
}
