//! Going back to the start of a loop with one op.

use super::condition::{comparison, negated};
use super::control::FrameKind;
use super::emit::{MARK, RECORD};
use super::{NONE, Translator};
use sheave_isa::{LABEL, Op};

impl Translator<'_> {
    /// Goes back to the start of a loop by a conditional branch, where the op before or the first
    /// of the loop is a branch out of it: one op less each time around.
    pub(super) fn repeat(&mut self, target: usize) -> bool {
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
}
