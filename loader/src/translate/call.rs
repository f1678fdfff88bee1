//! Calls.

use super::Translator;
use super::emit::{hi, lo};
use sheave_isa::Op;

impl Translator<'_> {
    pub(super) fn visit_call(&mut self, func: u32) {
        if !self.reachable {
            return;
        }
        let ty = self.info.funcs.get(func as usize).copied().unwrap_or(0);
        let base = self.arguments(ty);
        let (op, i) = match func.checked_sub(self.info.n_imported_funcs) {
            Some(i) => (Op::Call, i),
            None => (Op::CallImport, func),
        };
        let pos = self.put(&mut [op as u16, lo(i), hi(i), base]);
        self.safepoint(pos);
        self.can_throw(pos);
        self.push_type_results(ty);
    }

    pub(super) fn visit_call_indirect(&mut self, ty: u32, table: u32) {
        if !self.reachable {
            return;
        }
        let table = self.index16(table);
        let (index, at) = self.pop();
        // The arguments move first, the index last: it stays next to the call that uses it.
        let made = self.set_aside(index, at);
        let n = self.shape(ty).0;
        self.settle_top(n);
        self.bring_back(made);
        let index = self.slot(index, at);
        let base = self.arguments(ty);
        let op = Op::CallIndirect as u16;
        let pos = self.put(&mut [op, index, lo(ty), hi(ty), table, base]);
        self.safepoint(pos);
        self.can_throw(pos);
        self.push_type_results(ty);
    }

    pub(super) fn visit_return_call(&mut self, func: u32) {
        if !self.reachable {
            return;
        }
        let ty = self.info.funcs.get(func as usize).copied().unwrap_or(0);
        let n = self.shape(ty).0 as u16;
        let base = self.arguments(ty);
        let (op, i) = match func.checked_sub(self.info.n_imported_funcs) {
            Some(i) => (Op::ReturnCall, i),
            None => (Op::ReturnCallImport, func),
        };
        let pos = self.put(&mut [op as u16, lo(i), hi(i), base, n]);
        self.tail_call(pos);
        self.begin_fuel_block();
        self.reachable = false;
    }

    pub(super) fn visit_return_call_indirect(&mut self, ty: u32, table: u32) {
        if !self.reachable {
            return;
        }
        let table = self.index16(table);
        let (index, at) = self.pop();
        let index = self.slot(index, at);
        let n = self.shape(ty).0 as u16;
        let base = self.arguments(ty);
        let op = Op::ReturnCallIndirect as u16;
        let pos = self.put(&mut [op, index, lo(ty), hi(ty), table, base, n]);
        self.tail_call(pos);
        self.begin_fuel_block();
        self.reachable = false;
    }

    /// Puts the arguments for a function of this type in place, takes them from the stack, and
    /// gives the slot of the first.
    pub(super) fn arguments(&mut self, ty: u32) -> u16 {
        let n = self.shape(ty).0;
        self.settle_top(n);
        let first = self.height() - n;
        self.truncate(first);
        self.temp(first)
    }
}
