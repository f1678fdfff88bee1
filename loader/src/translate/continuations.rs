//! Continuations: made, bound, resumed, suspended, switched to.
//!
//! The clauses of a resumption stand right behind its op, one op each, and are never run: the machine looks at them when
//! something suspends, and otherwise goes on behind them.
//!
//! A clause is a branch. When it is taken, every local is in its slot, and so is everything below the height of the block
//! that it leads to: that was settled when the block was opened. The machine puts the payload and the continuation into the
//! slots of the label's parameters.

use super::Translator;
use super::control::{Frame, FrameKind, Signature};
use super::emit::{hi, lo};
use super::maps::Slots;
use crate::error::LoadErrorKind;
use crate::types::{FuncType, ValType};
use sheave_isa::Op;
use wasmparser::{Handle, ResumeTable};

/// The type of the module that the last of these refers to; in a valid module there is one where this is asked.
fn last_reference(types: &[ValType]) -> u32 {
    let last = types.last().and_then(|ty| ty.as_ref());
    last.and_then(|ty| ty.heap_type.concrete()).unwrap_or(0)
}

/// Operands of a resumption or a switch that are in place, and not on the stack any more.
struct Operands {
    /// The slot of the continuation.
    cont: u16,
    /// The slot of the first argument. Results come there.
    base: u16,
    /// What held references before the operands were taken.
    live: Option<Slots>,
}

impl Translator<'_> {
    pub(super) fn visit_cont_new(&mut self, ty: u32) {
        self.new_of::<1, 2>(Op::ContNew, [lo(ty), hi(ty)]);
    }

    pub(super) fn visit_cont_bind(&mut self, from: u32, to: u32) {
        if !self.reachable {
            return;
        }
        // The last parameters stay.
        let n = self.shape(from).0.saturating_sub(self.shape(to).0);
        let Operands { cont, base, live } = self.operands(n);
        let op = Op::ContBind as u16;
        let [from, from_high, to, to_high] = [lo(from), hi(from), lo(to), hi(to)];
        let n = n as u16;
        let pos = self.put(&mut [op, base, cont, base, n, from, from_high, to, to_high]);
        self.made(pos, live);
    }

    pub(super) fn visit_suspend(&mut self, tag: u32) {
        if !self.reachable {
            return;
        }
        let ty = self.tag_type(tag);
        let n = self.shape(ty).0;
        self.settle_top(n);
        let live = self.live();
        let base = self.arguments(ty);
        let op = Op::Suspend as u16;
        let r = self.shape(ty).1 as u16;
        let pos = self.put(&mut [op, lo(tag), hi(tag), base, n as u16, r, 0]);
        self.safepoint_with(pos, live);
        self.can_throw(pos);
        self.push_type_results(ty);
    }

    pub(super) fn visit_resume(&mut self, ty: u32, table: ResumeTable) {
        if !self.reachable {
            return;
        }
        let (n, r) = self.shape(ty);
        let Operands { cont, base, live } = self.operands(n);
        let clauses = self.clause_count(&table);
        let (op, n, r) = (Op::Resume as u16, n as u16, r as u16);
        let pos = self.put(&mut [op, cont, lo(ty), hi(ty), base, n, r, clauses]);
        self.resumed(pos, live, ty, &table);
    }

    pub(super) fn visit_resume_throw(&mut self, ty: u32, tag: u32, table: ResumeTable) {
        if !self.reachable {
            return;
        }
        let n = self.shape(self.tag_type(tag)).0;
        let Operands { cont, base, live } = self.operands(n);
        let clauses = self.clause_count(&table);
        let op = Op::ResumeThrow as u16;
        let (tag, tag_high, n) = (lo(tag), hi(tag), n as u16);
        let pos = self.put(&mut [op, cont, lo(ty), hi(ty), tag, tag_high, base, n, clauses]);
        self.resumed(pos, live, ty, &table);
    }

    pub(super) fn visit_resume_throw_ref(&mut self, ty: u32, table: ResumeTable) {
        if !self.reachable {
            return;
        }
        // The exception is an operand of its own: what is settled need not be where it lies.
        let live = self.live();
        let (cont, cont_at) = self.pop();
        let (exn, at) = self.pop();
        let exn = self.slot(exn, at);
        let cont = self.slot(cont, cont_at);
        let base = self.temp(at);
        let clauses = self.clause_count(&table);
        let op = Op::ResumeThrowRef as u16;
        let pos = self.put(&mut [op, cont, exn, lo(ty), hi(ty), base, clauses]);
        self.resumed(pos, live, ty, &table);
    }

    pub(super) fn visit_switch(&mut self, ty: u32, tag: u32) {
        if !self.reachable {
            return;
        }
        let n = self.shape(ty).0.saturating_sub(1);
        let back = self.switched_from(ty);
        let Operands { cont, base, live } = self.operands(n);
        let op = Op::Switch as u16;
        let [ty, ty_high, to, to_high] = [lo(ty), hi(ty), lo(back), hi(back)];
        let (tag, tag_high, n) = (lo(tag), hi(tag), n as u16);
        let r = self.shape(back).0 as u16;
        let pos = self.put(&mut [
            op, cont, ty, ty_high, to, to_high, tag, tag_high, base, n, r, 0,
        ]);
        self.safepoint_with(pos, live);
        self.can_throw(pos);
        self.push_type_params(self.function_of(back));
    }

    // ---- types ----------------------------------------------------------------------------------

    /// The function type of a continuation type.
    fn function_of(&self, ty: u32) -> u32 {
        let def = self.info.types.get(ty as usize);
        def.and_then(|def| def.as_cont()).unwrap_or(ty)
    }

    /// The type of the continuation that a continuation of this type gets when it is switched to: its last parameter.
    fn switched_from(&self, ty: u32) -> u32 {
        let func = self.info.type_as_func(self.function_of(ty));
        last_reference(func.map_or(&[], FuncType::params))
    }

    /// The type of the continuation that a clause for this block's label gets: the last of the values that it carries.
    fn continuation_of(&self, frame: &Frame) -> u32 {
        match frame.signature {
            Signature::Reference(index) => index,
            Signature::Type(index) => {
                let ty = self.info.type_as_func(index);
                last_reference(ty.map_or(&[], |ty| match frame.kind {
                    FrameKind::Loop => ty.params(),
                    _ => ty.results(),
                }))
            }
            Signature::Empty | Signature::Result(_) => 0,
        }
    }

    /// The function type of a tag.
    pub(super) fn tag_type(&self, tag: u32) -> u32 {
        self.info.tags.get(tag as usize).copied().unwrap_or(0)
    }

    // ---- operands and clauses -------------------------------------------------------------------

    /// Puts `n` slots of arguments in place, and takes them and the continuation above them from the stack.
    fn operands(&mut self, n: u32) -> Operands {
        let (entry, at) = self.pop();
        // As at `call_ref`: what made the reference stays next to the op that uses it.
        let made = self.set_aside(entry, at);
        self.settle_top(n);
        self.bring_back(made);
        let cont = self.slot(entry, at);
        self.push_again(entry);
        let live = self.live();
        self.truncate(at.saturating_sub(n));
        Operands {
            cont,
            base: self.temp(self.height()),
            live,
        }
    }

    /// How many clauses there are. More than an op can say are refused.
    fn clause_count(&mut self, table: &ResumeTable) -> u16 {
        u16::try_from(table.handlers.len()).unwrap_or_else(|_| {
            self.failed = Some(LoadErrorKind::CodeTooLarge);
            u16::MAX
        })
    }

    /// What follows the op of a resumption at `pos`: its clauses, and its results.
    fn resumed(&mut self, mut pos: u32, live: Option<Slots>, ty: u32, table: &ResumeTable) {
        self.safepoint_with(pos, live);
        self.can_throw(pos);
        let mut branches = false;
        for clause in &table.handlers {
            pos = match *clause {
                Handle::OnLabel { tag, label } => {
                    branches = true;
                    self.put_clause(tag, label)
                }
                Handle::OnSwitch { tag } => {
                    let op = Op::OnSwitch as u16;
                    self.put(&mut [op, lo(tag), hi(tag), 0, 0, 0, 0, 0, 0])
                }
            };
        }
        // What is thrown comes from wherever the resumption goes on: behind the clauses.
        if !table.handlers.is_empty() {
            self.can_throw(pos);
        }
        self.push_type_results(self.function_of(ty));
        if branches {
            self.begin_fuel_block();
        }
    }

    /// Writes a clause that leads to a label.
    fn put_clause(&mut self, tag: u32, label: u32) -> u32 {
        let target = self.target(label);
        let frame = &self.frames[target];
        let (height, n) = (frame.height, frame.arity());
        let ty = self.continuation_of(frame);
        self.max_height = self.max_height.max(height + n);
        let (tag, tag_high, base, n) = (lo(tag), hi(tag), self.temp(height), n as u16);
        let op = Op::On as u16;
        let pos = self.put(&mut [op, tag, tag_high, lo(ty), hi(ty), base, n, 0, 0]);
        self.aim(pos, pos + 7, target);
        pos
    }
}
