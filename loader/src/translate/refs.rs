//! References of all types; typed function references: calls of them, and branches on null.

use super::emit::{hi, lo};
use super::stack::{Entry, Kind};
use super::{Translator, Ty};
use crate::types::HeapType;
use sheave_isa::Op;
use wasmparser::AbstractHeapType;

impl Translator<'_> {
    // ---- types ----------------------------------------------------------------------------------

    /// What a reference of this type is.
    pub(super) fn ref_ty(&self, ty: HeapType) -> Ty {
        match ty {
            HeapType::Func | HeapType::NoFunc => Ty::Ref,
            HeapType::Concrete(index) => self.ref_ty_of(index),
            _ => Ty::GcRef,
        }
    }

    /// As `ref_ty`, of a type that was read just now.
    pub(super) fn ref_ty_read(&self, ty: wasmparser::HeapType) -> Ty {
        match ty {
            wasmparser::HeapType::Abstract { ty, .. } => match ty {
                AbstractHeapType::Func | AbstractHeapType::NoFunc => Ty::Ref,
                _ => Ty::GcRef,
            },
            wasmparser::HeapType::Concrete(index) | wasmparser::HeapType::Exact(index) => index
                .as_module_index()
                .map_or(Ty::Ref, |i| self.ref_ty_of(i)),
        }
    }

    /// What a reference to this type of the module is.
    pub(super) fn ref_ty_of(&self, index: u32) -> Ty {
        match self.info.type_as_func(index) {
            Some(_) => Ty::Ref,
            None => Ty::GcRef,
        }
    }

    // ---- operators ------------------------------------------------------------------------------

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
        let pos = self.put(&mut [Op::CallRef as u16, f, lo(ty), hi(ty), base]);
        self.safepoint(pos);
        self.can_throw(pos);
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
        let pos = self.put(&mut [Op::ReturnCallRef as u16, f, lo(ty), hi(ty), base, n]);
        self.tail_call(pos);
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
        self.begin_fuel_block();
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
        self.begin_fuel_block();
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
