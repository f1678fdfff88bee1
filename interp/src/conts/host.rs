//! Continuations in the host's hands: made, resumed, and suspended to.

use crate::activation::{Activation, Exit};
use crate::calls::raise;
use crate::code_space::EXIT_AT;
use crate::conts::ops::{Arguments, Payload, Resumption};
use crate::layout::Layouts;
use crate::regs::EXIT_SUSPENDED;
use crate::store::{FuncAddr, InstAddr, TagAddr};
use crate::trap::Trap;
use crate::vm::Vm;
use crate::walk::Waits;
use sheave_isa::Op;

/// What an activation that the host resumed a continuation in suspends to.
#[derive(Debug)]
pub(crate) struct HostClauses {
    /// How deep the activation is.
    pub(super) depth: u32,
    pub(super) clauses: Box<[(TagAddr, u32)]>,
}

/// A suspension that reached the host. Its payload is in the activation's frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Suspended {
    /// Which of the host's clauses it is for.
    pub clause: usize,
    /// Reference to the continuation; nothing keeps it alive but what the host does with it.
    pub cont: u32,
}

impl Vm {
    /// A continuation of the type with identity `ty` that calls `func`.
    ///
    /// # Errors
    /// If there is no room.
    pub fn alloc_cont(&mut self, ty: u32, func: FuncAddr) -> Result<u32, Trap> {
        self.update_types();
        self.new_fresh_cont(ty, func)
    }

    /// Goes on with a continuation in an activation whose `n` slots of arguments are in place. On `Ok` the `results` slots
    /// that it returned are there instead; on [`Exit::Suspended`], the payload. `clauses` are the tags that it may suspend
    /// with, each with the identity of the type of the continuation that it then is.
    ///
    /// # Errors
    /// See [`Exit`]. After `Paused`, the activation is still there.
    ///
    /// # Safety
    /// - As [`Vm::invoke`]; the activation has room for arguments, results, and the payload of each tag.
    pub unsafe fn resume_cont(
        vm: *mut Vm,
        activation: &Activation,
        cont: u32,
        n: u16,
        results: u16,
        clauses: &[(TagAddr, u32)],
    ) -> Result<(), Exit> {
        // SAFETY: the caller's promise.
        unsafe {
            let cont = (*vm).usable_cont(cont).map_err(Exit::Trap)?;
            let ready = match Vm::prepare(vm, &cont, n.into(), results, 0) {
                Ok(ready) => ready,
                Err(code) => return Vm::ended(vm, code),
            };
            let m = &mut *vm;
            m.wait_for_cont(activation, results, clauses);
            let parent = m.current;
            let args = Arguments {
                base: 0,
                n,
                last: None,
            };
            match Vm::go_to(vm, &cont, ready, parent, args) {
                0 => Vm::run(vm),
                code => Vm::ended(vm, code),
            }
        }
    }

    /// As [`Vm::resume_cont`], but throws an exception where the continuation waits.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Safety
    /// - As there.
    pub unsafe fn resume_cont_throw(
        vm: *mut Vm,
        activation: &Activation,
        cont: u32,
        exn: u32,
        results: u16,
        clauses: &[(TagAddr, u32)],
    ) -> Result<(), Exit> {
        // SAFETY: the caller's promise.
        unsafe {
            let cont = (*vm).usable_cont(cont).map_err(Exit::Trap)?;
            (*vm).wait_for_cont(activation, results, clauses);
            let op = Resumption {
                base: 0,
                n: 0,
                clauses: 0,
                next: EXIT_AT,
            };
            match Vm::throw_into(vm, &cont, exn, results, op) {
                0 => Vm::run(vm),
                code => Vm::ended(vm, code),
            }
        }
    }

    /// The activation's frame waits as a parent does; when it has the results, it goes on at `exit`.
    pub(super) unsafe fn wait_for_cont(
        &mut self,
        activation: &Activation,
        results: u16,
        clauses: &[(TagAddr, u32)],
    ) {
        self.update_types();
        // SAFETY: I3: `begin` made room for the records; I6 for `exit`.
        unsafe {
            self.fp = self.stack_base().add(activation.frame() as usize);
            self.push_exit(activation);
            self.ip = self.code_base.add(EXIT_AT as usize);
        }
        self.save_stack(EXIT_AT, 0, results, 0);
        self.host_clauses.push(HostClauses {
            depth: self.depth,
            clauses: clauses.into(),
        });
    }

    /// How the host function that returns [`HostStatus::Suspend`](crate::HostStatus::Suspend) suspends: with that tag, and
    /// the slots of its payload.
    pub fn set_suspension(&mut self, tag: TagAddr, payload: Vec<u64>) {
        self.suspending = Some((tag, payload));
    }

    /// The host function that a suspension of the activation cannot cross, where it is imported: the instance that called
    /// it, and the index of the import. To be asked after the activation ended with [`Trap::UnhandledTag`].
    pub fn import_in_the_way(&self, activation: &Activation) -> Option<(InstAddr, u32)> {
        let mut place = self.place_around(activation);
        for _ in 0..self.across.crossed_in_vain {
            while self.go_out(&mut place)? != Waits::Host {}
        }
        let inst = place.inst;
        let module = &self.instances.get(inst as usize)?.module;
        let mut layouts = Layouts::default();
        let (func, pos) = self.op_at(inst, place.at, &mut layouts)?;
        let layout = layouts.of(module, inst, func).ok()?;
        let op = layout.at(pos)?;
        match op.op {
            Op::CallImport | Op::ReturnCallImport => {
                Some((InstAddr(inst), op.get("import")? as u32))
            }
            _ => None,
        }
    }

    /// As [`Vm::suspend_to`], where no clause in code is for the tag. `outer` is the outermost stack that is not the activation's
    /// first, and `bytes` those of all chunks up to it.
    #[cold]
    pub(crate) unsafe fn suspend_to_host(
        vm: *mut Vm,
        tag: TagAddr,
        payload: Payload<'_>,
        dst: u16,
        next: u32,
        (outer, bytes): (u32, u32),
    ) -> u32 {
        // SAFETY: I1; the activation's frame has room for the payload (`resume_cont`).
        unsafe {
            let m = &mut *vm;
            let own = m.host_clauses.last().filter(|c| c.depth == m.depth);
            let found = own.and_then(|own| {
                let clause = own.clauses.iter().position(|c| c.0 == tag)?;
                Some((clause, own.clauses[clause].1))
            });
            let Some((clause, ty)) = found else {
                return Vm::suspend_across(vm, tag, payload, dst, next);
            };
            let cont = match m.new_cont(ty, m.current, 0) {
                Ok(cont) => cont,
                Err(trap) => return raise(vm, trap),
            };
            let old = m.fp;
            m.suspend_stacks(outer, bytes, next, dst, m.results_of_tag(tag));
            m.install_stack(m.entry_stack);
            payload.move_to(m.fp, old);
            m.suspended = Some(Suspended { clause, cont });
            EXIT_SUSPENDED
        }
    }

    /// The clauses of activations that are no more.
    #[cold]
    pub(crate) fn drop_host_clauses(&mut self) {
        let depth = self.depth;
        self.host_clauses.retain(|c| c.depth <= depth);
    }
}
