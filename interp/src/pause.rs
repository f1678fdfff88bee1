//! Activations that paused: put aside, and gone on with later.
//!
//! A pause leaves everything that matters in the arena: slots are written always, and the linker takes nothing for
//! granted behind an op that can pause. What is kept beside it is one position.
#![allow(unsafe_code, reason = "runs the machine")]

use crate::activation::{Activation, Exit, PauseReason};
use crate::module::FrameInfo;
use crate::vm::Vm;

/// A paused activation that was put aside. Others can run above it in the meantime; it goes on when it is the innermost
/// again.
#[derive(Debug)]
#[must_use]
pub struct Paused {
    activation: Activation,
    /// Where it goes on, in the code space.
    ip: u32,
    // The registers, as what began since may never be finished: whoever has it can forget it.
    fp: u32,
    records: u32,
    inst: u32,
    depth: u32,
    stack: u32,
}

impl Vm {
    /// Puts the innermost activation aside, which has just paused ([`Exit::Paused`]).
    pub fn put_aside(&mut self, activation: Activation) -> Paused {
        let ip = self.code_position();
        self.stand_at(ip, self.pause == PauseReason::Interrupted);
        let module = self.instances.get(self.inst as usize).map(|i| &i.module);
        let frame = module.and_then(|m| m.frame_bytes(ip));
        // Its frames stay: whatever begins now lies above them. (It always is a frame of a module's; were it not,
        // nothing could begin.)
        self.top = frame.map_or(self.max_stack, |bytes| self.frame_at() + bytes);
        self.aside(activation, ip)
    }

    /// The activation with the registers as they are.
    pub(crate) fn aside(&self, activation: Activation, ip: u32) -> Paused {
        Paused {
            activation,
            ip,
            fp: self.frame_at(),
            records: self.records_bytes(),
            inst: self.inst,
            depth: self.depth,
            stack: self.current,
        }
    }

    /// Sets `ip` for who walks the stack: to the op that paused, also if it goes on behind that.
    fn stand_at(&mut self, ip: u32, behind: bool) {
        let at = ip as usize - usize::from(behind);
        self.ip = self.code_base.wrapping_add(at);
    }

    /// An activation that was made by hand, its registers set: it goes on at `ip`, maybe behind the op that paused, and
    /// its frames end at `end`.
    pub(crate) fn paused_at(
        &mut self,
        activation: Activation,
        ip: u32,
        behind: bool,
        end: u32,
    ) -> Paused {
        self.stand_at(ip, behind);
        self.top = end;
        self.aside(activation, ip)
    }

    /// Goes on with an activation; [`Vm::finish`] ends it, or [`Vm::put_aside`] if it pauses again.
    ///
    /// # Errors
    /// As [`Vm::invoke`].
    ///
    /// # Safety
    /// - As [`Vm::invoke`]; and every activation begun since is finished, or nobody will go on with it.
    pub unsafe fn go_on(vm: *mut Vm, paused: Paused) -> (Activation, Result<(), Exit>) {
        // SAFETY: the caller's promise.
        unsafe {
            let activation = (*vm).take_back(paused);
            let result = Vm::run(vm);
            (activation, result)
        }
    }

    /// An activation as it was when it paused.
    ///
    /// # Safety
    /// - Every activation begun since is finished, or nobody will go on with it.
    pub unsafe fn take_back(&mut self, paused: Paused) -> Activation {
        if self.current != paused.stack {
            self.end_stacks_up_to(paused.stack);
        }
        self.top = paused.activation.place();
        self.depth = paused.depth;
        self.entry_stack = paused.activation.stack();
        if !self.host_clauses.is_empty() {
            self.drop_host_clauses();
        }
        // SAFETY: I6: `ip` is where an op stands, as code never moves while its module lives. I3: frames and records were
        // in the chunk, which never shrinks, and nothing since was put over them.
        unsafe {
            self.ip = self.code_base.add(paused.ip as usize);
            self.fp = self.stack_base().add(paused.fp as usize);
            self.csp = self.stack_end().sub(paused.records as usize);
        }
        // What has changed the instance meanwhile has taken all of it anew.
        if self.inst != paused.inst {
            self.install(paused.inst);
        }
        paused.activation
    }

    /// Gives a paused activation up.
    pub fn give_up(&mut self, paused: Paused) {
        // SAFETY: nobody will go on with what was begun since, as that lies above.
        let activation = unsafe { self.take_back(paused) };
        self.finish(activation);
    }

    /// As [`Vm::backtrace`], of an activation that was put aside and is the innermost.
    pub fn paused_backtrace(&self, paused: &Paused, limit: usize) -> Vec<FrameInfo> {
        self.frames_from(paused.ip, &paused.activation, limit)
    }
}

impl Paused {
    /// The same activation in a machine that [`Vm::fork`] made.
    pub(crate) fn same_in_fork(&self) -> Paused {
        Paused {
            activation: self.activation.same_in_fork(),
            ..*self
        }
    }

    /// Where its outermost frame begins.
    pub(crate) fn frame(&self) -> u32 {
        self.activation.frame()
    }
}
