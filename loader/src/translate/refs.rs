//! Typed function references: calls of them, and branches on null.

use super::Translator;
use super::emit::{hi, lo};
use super::stack::{Entry, Kind};
use sheave_isa::Op;

impl Translator<'_> {
    pub(super) fn visit_call_ref(&mut self, ty: u32) {
        if !self.reachable {
            return;
        }
        let (f, at) = self.pop();
        // As at `call_indirect`: what made the reference stays next to the call.
        let made = self.set_aside(f, at);
        let n = self.shape(ty).0;
        self.settle_top(n);
        self.bring_back(made);
        let f = self.slot(f, at);
        let base = self.arguments(ty);
        self.put(&mut [Op::CallRef as u16, f, lo(ty), hi(ty), base]);
        self.push_type_results(ty);
    }

    pub(super) fn visit_return_call_ref(&mut self, ty: u32) {
        if !self.reachable {
            return;
        }
        let (f, at) = self.pop();
        let f = self.slot(f, at);
        let n = self.shape(ty).0 as u16;
        let base = self.arguments(ty);
        self.put(&mut [Op::ReturnCallRef as u16, f, lo(ty), hi(ty), base, n]);
        self.begin_fuel_block();
        self.reachable = false;
    }

    /// Checks the top entry, which stays what it is.
    pub(super) fn visit_ref_as_non_null(&mut self) {
        if !self.reachable {
            return;
        }
        let (entry, at) = self.pop();
        let slot = self.slot(entry, at);
        self.put(&mut [Op::RefAsNonNull as u16, slot]);
        self.push_again(entry);
    }

    /// Branches without the reference if it is null; else it stays.
    pub(super) fn visit_br_on_null(&mut self, depth: u32) {
        if !self.reachable {
            return;
        }
        let (entry, at) = self.pop();
        let target = self.target(depth);
        self.settle_for(target, Some((entry, at)));
        let slot = self.slot(entry, at);
        self.branch_on(target, Op::BrI64Eqz, Op::BrI64Nez, &[slot]);
        self.push_again(entry);
    }

    /// Branches with the reference if it is not null; else it is gone.
    pub(super) fn visit_br_on_non_null(&mut self, depth: u32) {
        if !self.reachable {
            return;
        }
        let target = self.target(depth);
        self.settle_for(target, None);
        let at = self.height() - 1;
        let entry = self.stack[at as usize];
        let slot = self.slot(entry, at);
        self.branch_on(target, Op::BrI64Nez, Op::BrI64Eqz, &[slot]);
        self.pop();
    }

    /// Pushes what was popped a moment ago, where control has not met another way since.
    pub(super) fn push_again(&mut self, entry: Entry) {
        match entry.kind {
            // Entries below may have left the local's list.
            Kind::Local => self.push_local(entry.x),
            Kind::Temp | Kind::Const => self.push(entry),
        }
    }
}
