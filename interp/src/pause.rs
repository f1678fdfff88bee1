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
        Paused { activation, ip }
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
        Paused { activation, ip }
    }

    /// Goes on with an activation; [`Vm::finish`] ends it, or [`Vm::put_aside`] if it pauses again.
    ///
    /// # Errors
    /// As [`Vm::invoke`].
    ///
    /// # Safety
    /// - As [`Vm::invoke`]; and every activation begun since is finished.
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
    /// - Every activation begun since is finished.
    pub unsafe fn take_back(&mut self, paused: Paused) -> Activation {
        self.top = paused.activation.place();
        // SAFETY: I6: `ip` is where an op stands, as code never moves while its module lives.
        self.ip = unsafe { self.code_base.add(paused.ip as usize) };
        self.install(self.inst);
        paused.activation
    }

    /// Gives a paused activation up.
    pub fn give_up(&mut self, paused: Paused) {
        self.finish(paused.activation);
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
            ip: self.ip,
        }
    }

    /// Where its outermost frame begins.
    pub(crate) fn frame(&self) -> u32 {
        self.activation.frame()
    }
}
