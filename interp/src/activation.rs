//! Calls from the host: one activation each, nested natively when a host function calls back.
#![allow(unsafe_code, reason = "runs the machine")]

use crate::awaiting::Awaited;
use crate::code_space::EXIT_AT;
use crate::conts::{Place, Suspended};
use crate::executor;
use crate::layout::Layouts;
use crate::module::{FrameInfo, SourceError};
use crate::regs::{
    EXIT_AWAITS, EXIT_CROSSES, EXIT_DONE, EXIT_DROPPED, EXIT_HOST, EXIT_LOAD, EXIT_PAUSED,
    EXIT_SUSPENDED, EXIT_THROWN,
};
use crate::store::{FuncAddr, InstAddr};
use crate::trap::Trap;
use crate::vm::{HostStatus, Vm};
use crate::walk::Waits;

/// Why an activation did not end with results.
#[derive(Debug)]
#[non_exhaustive]
pub enum Exit {
    /// A trap.
    Trap(Trap),
    /// A host function failed; the host knows why.
    Host,
    /// A function could not be loaded at its first call.
    Load(SourceError),
    /// An exception that nothing in the activation catches: [`Vm::take_pending_exception`].
    Thrown,
    /// A continuation that the host resumed has suspended to one of its clauses.
    Suspended(Suspended),
    /// It can go on: [`Vm::put_aside`]; or be given up: [`Vm::finish`].
    Paused(PauseReason),
    /// A host function is to be run outside of the machine, which then goes on: [`Vm::await_host`]. Or it is given up:
    /// [`Vm::finish`].
    Awaits,
    /// A suspension goes on to an activation further out, across the host function that began this one: [`Vm::sleep`],
    /// or [`Vm::do_not_cross`].
    Crosses,
    /// The continuation that it is in was dropped.
    Dropped,
}

/// Why an activation paused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PauseReason {
    /// The fuel does not suffice for the next block.
    OutOfFuel,
    /// The interrupt flag was set.
    Interrupted,
    /// An imported host function asked for it; it is called again when the call goes on.
    HostCall,
}

/// An activation that was begun; [`Vm::finish`] ends it. Innermost first.
#[derive(Debug)]
#[must_use]
pub struct Activation {
    inst: u32,
    fp: u32,
    /// Where the outer activation is, in the code space.
    ip: u32,
    records: u32,
    top: u32,
    /// Byte of the chunk where arguments go and results come.
    frame: u32,
    /// The stack it began on, and the one that the outer one began on.
    stack: u32,
    entry: u32,
}

/// Native frames that host calls may nest.
pub(crate) const MAX_DEPTH: u32 = if cfg!(miri) { 16 } else { 256 };

impl Vm {
    /// Begins an activation with room for `slots` arguments or results, which start at [`Activation::frame`].
    ///
    /// # Errors
    /// If the stack limit is reached.
    #[inline]
    pub fn begin(&mut self, slots: u32) -> Result<Activation, Trap> {
        if self.depth >= MAX_DEPTH {
            return Err(Trap::StackOverflow);
        }
        let records = self.reserve_stack(self.top, u64::from(slots) * 8)?;
        self.depth += 1;
        let entry = core::mem::replace(&mut self.entry_stack, self.current);
        Ok(Activation {
            inst: self.inst,
            fp: self.frame_at(),
            ip: self.code_position(),
            records,
            top: self.top,
            frame: self.top,
            stack: self.current,
            entry,
        })
    }

    /// Runs `func` in an activation whose arguments are in place. On `Ok` the results are there instead.
    ///
    /// # Errors
    /// See [`Exit`]. After `Paused`, the activation is still there.
    ///
    /// # Safety
    /// - `vm` is alive, and nobody holds a reference to it or into the arena.
    /// - The host context is set; the pointer it was made from is the one `vm` was derived from.
    /// - `activation` is the innermost, with room for the function's arguments and results.
    #[inline]
    pub unsafe fn invoke(vm: *mut Vm, activation: &Activation, func: FuncAddr) -> Result<(), Exit> {
        // SAFETY: the caller's promise; the reference ends before the machine runs.
        unsafe {
            {
                let m = &mut *vm;
                let Some(rec) = m.funcs.get(func.0 as usize) else {
                    return Err(Exit::Trap(Trap::NullReference));
                };
                if let Some(entry) = rec.entry {
                    return Vm::invoke_host(vm, activation, entry, func);
                }
                let inst = rec.inst;
                let cell = rec.cell;
                if m.inst != inst {
                    m.install(inst);
                }
                let mut value = (*cell).load(core::sync::atomic::Ordering::Acquire);
                if value >> 32 == u64::from(u32::MAX) {
                    value = m
                        .link_cell(cell)
                        .map_err(|e| m.not_entered(Exit::Load(e)))?;
                }
                m.reserve_stack(activation.frame, value >> 32)
                    .map_err(|t| m.not_entered(Exit::Trap(t)))?;
                m.fp = m.stack_base().add(activation.frame as usize);
                m.push_exit(activation);
                m.ip = m.code_base.add(value as u32 as usize);
            }
            Vm::run(vm)
        }
    }

    /// Pushes the records below the outermost frame of an activation.
    ///
    /// # Safety
    /// - Room for a frame, and so for records, was made (I3).
    #[inline]
    pub(crate) unsafe fn push_exit(&mut self, activation: &Activation) {
        // SAFETY: the caller's promise.
        unsafe {
            // For who walks the stack: where the outer activation stands.
            self.push_record(activation.inst, 0);
            self.push_record(activation.ip, activation.fp);
            self.push_record(EXIT_AT, 0);
        }
    }

    /// An activation that fails before its first op: `ip` still is where another one ended.
    #[cold]
    fn not_entered(&mut self, exit: Exit) -> Exit {
        self.ip = self.code_base;
        exit
    }

    pub(crate) unsafe fn run(vm: *mut Vm) -> Result<(), Exit> {
        // SAFETY: the caller's promise.
        unsafe {
            let code = executor::run(vm);
            Vm::ended(vm, code)
        }
    }

    /// The machine has stopped with that code.
    #[inline]
    pub(crate) unsafe fn ended(vm: *mut Vm, code: u32) -> Result<(), Exit> {
        if code == EXIT_DONE {
            // SAFETY: the machine has stopped. The stack cannot be walked until the activation is finished.
            unsafe { (*vm).ip = (*vm).code_base };
            return Ok(());
        }
        // SAFETY: the machine has stopped.
        let m = unsafe { &mut *vm };
        Err(match code {
            EXIT_HOST => Exit::Host,
            EXIT_THROWN => Exit::Thrown,
            EXIT_SUSPENDED => match m.suspended.take() {
                Some(suspended) => {
                    m.ip = m.code_base;
                    Exit::Suspended(suspended)
                }
                None => Exit::Trap(Trap::UnhandledTag),
            },
            EXIT_PAUSED => Exit::Paused(m.pause),
            EXIT_AWAITS => Exit::Awaits,
            EXIT_CROSSES => Exit::Crosses,
            EXIT_DROPPED => Exit::Dropped,
            EXIT_LOAD => match m.load_error.take() {
                Some(e) => Exit::Load(e),
                None => Exit::Trap(Trap::Unreachable),
            },
            _ => Exit::Trap(m.trap),
        })
    }

    unsafe fn invoke_host(
        vm: *mut Vm,
        activation: &Activation,
        entry: crate::HostEntry,
        func: FuncAddr,
    ) -> Result<(), Exit> {
        // SAFETY: the caller's promise; `data` is what the function was registered with.
        unsafe {
            let rec = &(&(*vm).funcs)[func.0 as usize];
            let (data, slots, cx) = (rec.data, u32::from(rec.slots), (*vm).host_cx);
            let top = (*vm).top;
            (*vm).top = activation.frame + slots * 8;
            let depth = (*vm).depth;
            let direct = core::mem::replace(&mut (*vm).across.direct, depth);
            let status = entry(cx, data, activation.frame);
            (*vm).across.direct = direct;
            (*vm).top = top;
            if status == HostStatus::Awaits {
                (*vm).awaited = Awaited::new(func, activation.frame, None);
            }
            (*vm).host_result(status)
        }
    }

    /// How a host function that the host itself called ended.
    pub(crate) fn host_result(&mut self, status: HostStatus) -> Result<(), Exit> {
        match status {
            HostStatus::Done => Ok(()),
            HostStatus::Failed | HostStatus::Pause | HostStatus::Asleep => Err(Exit::Host),
            HostStatus::Trap(t) => Err(Exit::Trap(t)),
            HostStatus::Thrown => Err(Exit::Thrown),
            // The host called it, and the host is in the way.
            HostStatus::Suspend => {
                self.suspending = None;
                Err(Exit::Trap(Trap::UnhandledTag))
            }
            HostStatus::Awaits => Err(Exit::Awaits),
        }
    }

    /// Ends an activation, however it went: what was active before is current again.
    #[inline]
    pub fn finish(&mut self, activation: Activation) {
        self.depth -= 1;
        self.top = activation.top;
        self.entry_stack = activation.entry;
        if self.current != activation.stack {
            self.end_stacks_up_to(activation.stack);
        }
        if !self.host_clauses.is_empty() {
            self.drop_host_clauses();
        }
        // SAFETY: I3, both were inside the chunk, which never shrinks.
        unsafe {
            self.fp = self.stack_base().add(activation.fp as usize);
            self.csp = self.stack_end().sub(activation.records as usize);
        }
        self.ip = self.code_base.wrapping_add(activation.ip as usize);
        if self.inst != activation.inst {
            self.install(activation.inst);
        }
    }

    /// The wasm frames of the innermost activation, from the innermost outward, at most `limit` of them. To be asked
    /// after it trapped or paused and before [`Vm::finish`].
    pub fn backtrace(&self, activation: &Activation, limit: usize) -> Vec<FrameInfo> {
        self.frames_from(self.code_position(), activation, limit)
    }

    /// Where `ip` is in the code space.
    pub(crate) fn code_position(&self) -> u32 {
        (self.ip.addr().wrapping_sub(self.code_base.addr())) as u32
    }

    /// The frames of the innermost activation, whose innermost op is at `at`.
    pub(crate) fn frames_from(
        &self,
        at: u32,
        activation: &Activation,
        limit: usize,
    ) -> Vec<FrameInfo> {
        let mut frames = Vec::new();
        let mut layouts = Layouts::default();
        let mut place = Place {
            at,
            ..self.current_place()
        };
        while frames.len() < limit && (place.inst as usize) < self.instances.len() {
            if let Some((func, pos)) = self.op_at(place.inst, place.at, &mut layouts) {
                frames.push(FrameInfo {
                    inst: InstAddr(place.inst),
                    func,
                    pos,
                });
            }
            // One that was never entered has no records of its own.
            let begins = place.stack == activation.stack
                && place.csp >= place.len.saturating_sub(activation.records);
            if begins || matches!(self.go_out(&mut place), None | Some(Waits::Host)) {
                break;
            }
        }
        frames
    }
}

impl Activation {
    /// The same activation in a machine that [`Vm::fork`] made.
    pub(crate) fn same_in_fork(&self) -> Activation {
        Activation { ..*self }
    }

    /// The first byte above all frames that were in use when it began.
    pub(crate) fn place(&self) -> u32 {
        self.top
    }

    /// Where the activation around it stands: instance and position in the code space.
    pub(crate) fn outer(&self) -> (u32, u32) {
        (self.inst, self.ip)
    }

    /// The stack it began on, the innermost frame there, and the bytes of records.
    pub(crate) fn begun_at(&self) -> (u32, u32, u32) {
        (self.stack, self.fp, self.records)
    }

    /// The stack that the activation around it began on.
    pub(crate) fn around(&self) -> u32 {
        self.entry
    }

    /// Another activation is around it now.
    pub(crate) fn set_around(&mut self, entry: u32) {
        self.entry = entry;
    }

    /// The stack it began on.
    pub(crate) fn stack(&self) -> u32 {
        self.stack
    }

    /// Where its arguments go and its results come: [`Vm::frame_ptr`] of this.
    #[inline]
    pub fn frame(&self) -> u32 {
        self.frame
    }
}
