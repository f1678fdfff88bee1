//! Host functions that run while the machine stands still: the activation that called one is put aside with its frames in
//! the arena, takes no native stack, and goes on when the host function has ended.
#![allow(unsafe_code, reason = "runs the machine")]

use crate::activation::{Activation, Exit};
use crate::calls::host_exit;
use crate::conts::suspend_host;
use crate::exceptions::throw_pending;
use crate::executor;
use crate::pause::Paused;
use crate::regs::{EXIT_HOST, EXIT_SUSPENDED, EXIT_THROWN, get_u64};
use crate::store::FuncAddr;
use crate::vm::{HostStatus, Vm};

/// The host function that the machine was left for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaited {
    func: FuncAddr,
    /// Byte of the chunk where its arguments are and its results go.
    frame: u32,
    back: Option<Back>,
}

/// Where a host function returns to that the host did not call itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Back {
    /// In the code space.
    pub(crate) next: u32,
    /// The frame that called it is no more.
    pub(crate) left: bool,
}

impl Awaited {
    pub(crate) const NONE: Awaited = Awaited {
        func: FuncAddr(u32::MAX),
        frame: 0,
        back: None,
    };

    #[cold]
    pub(crate) fn new(func: FuncAddr, frame: u32, back: Option<Back>) -> Awaited {
        Awaited { func, frame, back }
    }
}

/// An activation that waits for a host function. Others can run above it in the meantime; it goes on when it is the
/// innermost again.
#[derive(Debug)]
#[must_use]
pub struct Awaiting {
    paused: Paused,
    awaited: Awaited,
}

impl Awaiting {
    /// Where the host function's arguments are and its results go: [`Vm::frame_ptr`] of this.
    pub fn frame(&self) -> u32 {
        self.awaited.frame
    }

    /// The host function.
    pub fn func(&self) -> FuncAddr {
        self.awaited.func
    }
}

impl Vm {
    /// Puts the innermost activation aside, which has just ended with [`Exit::Awaits`].
    pub fn await_host(&mut self, activation: Activation) -> Awaiting {
        let awaited = self.awaited;
        let rec = self.funcs.get(awaited.func.0 as usize);
        let slots = rec.map_or(0, |rec| rec.slots);
        let paused = self.aside(activation, self.code_position());
        self.top = awaited.frame + u32::from(slots) * 8;
        Awaiting { paused, awaited }
    }

    /// What [`Vm::new_host_func`] was given as `data`; null if there is no such host function.
    pub fn host_data(&self, func: FuncAddr) -> *const () {
        let rec = self.funcs.get(func.0 as usize);
        rec.map_or(core::ptr::null(), |rec| rec.data)
    }

    /// Goes on with an activation whose host function has ended as `status` says; [`Vm::finish`] ends it.
    ///
    /// # Errors
    /// As [`Vm::invoke`].
    ///
    /// # Safety
    /// - As [`Vm::invoke`]; and every activation begun since is finished, or nobody will go on with it.
    pub unsafe fn go_on_with(
        vm: *mut Vm,
        awaiting: Awaiting,
        status: HostStatus,
    ) -> (Activation, Result<(), Exit>) {
        let Awaiting { paused, awaited } = awaiting;
        // SAFETY: the caller's promise. `next` is where an op stands.
        unsafe {
            let activation = (*vm).take_back(paused);
            if awaited.back.is_none() {
                return (activation, (*vm).host_result(status));
            }
            let code = host_ended(vm, awaited, status);
            let code = if code == 0 { executor::run(vm) } else { code };
            (activation, Vm::ended(vm, code))
        }
    }

    /// Gives an activation up that waits for a host function.
    pub fn give_up_awaiting(&mut self, awaiting: Awaiting) {
        self.give_up(awaiting.paused);
    }
}

/// Goes on as if the host function had been called where the machine stands, and had ended so. Gives 0 where that goes on.
///
/// # Safety
/// - `ip` is at the op that called it, and `fp` the frame of that op (I1, I3).
pub(crate) unsafe fn host_ended(vm: *mut Vm, awaited: Awaited, status: HostStatus) -> u32 {
    let Some(Back { next, left }) = awaited.back else {
        return EXIT_HOST;
    };
    // SAFETY: the caller's promise. `next` is where an op stands.
    unsafe {
        if status == HostStatus::Done {
            (*vm).acc = get_u64((*vm).stack_base().add(awaited.frame as usize), 0);
            (*vm).ip = (*vm).code_base.add(next as usize);
            return 0;
        }
        match host_exit(vm, status) {
            EXIT_THROWN => throw_pending(vm, left),
            EXIT_SUSPENDED => {
                let base = (awaited.frame - (&*vm).frame_at()) / 8;
                suspend_host(vm, awaited.func, base as u16, next)
            }
            code => code,
        }
    }
}
