//! Suspensions across host functions that can sleep.
//!
//! ```text
//!   native stack      run (outer activation) ► entry of a host function │ its own stack: the host function ► run (inner) │
//!   stacks in the arena   … parent (has the clause) ◄── stack: frames of the outer ▪ of the inner activation ◄── …
//! ```
//!
//! The inner activation finds the handler beyond the stack it began on, and makes the continuation, while all of it can
//! still fail. Then it stops with [`Exit::Crosses`](crate::Exit::Crosses); the host leaves the host function's native stack, whose
//! entry answers [`HostStatus::Asleep`] to the outer `run`. That one goes on at the handler, if it is in the outer
//! activation, or stops in the same way. No frame is moved: a continuation is then a chain of stacks as ever, and beside
//! it the list of the host functions that sleep in it ([`Sleeper`]).
//!
//! Whoever resumes it goes the other way: stacks are put in place, then the outermost sleeper is woken, within the op that
//! resumes; its inner activation wakes the next, and the innermost goes on with the message, or with what was resumed with.
#![allow(unsafe_code, reason = "goes from activation to activation")]

use crate::activation::MAX_DEPTH;
use crate::awaiting::{Awaited, host_ended};
use crate::calls::raise;
use crate::conts::ops::{Found, Payload, Reach};
use crate::conts::sleepers::{Message, Sleeper};
use crate::conts::stacks::State;
use crate::regs::{EXIT_CROSSES, EXIT_DROPPED, EXIT_HOST, EXIT_SUSPENDED, put_u64};
use crate::store::TagAddr;
use crate::trap::Trap;
use crate::vm::{HostStatus, Vm};

/// Who handles a suspension.
enum Handler {
    Code(Found),
    /// A clause of the host's, of that index.
    Host(usize),
}

/// What is found beyond the stack that the innermost activation began on.
struct Target {
    /// How deep the activation is, and how many host functions are on the way.
    depth: u32,
    host_frames: u32,
    handler: Handler,
    /// The outermost stack that is suspended, and the bytes of all.
    outer: u32,
    bytes: u32,
    /// The identity of the continuation's type.
    ty: u32,
}

/// What is suspended with, until it is moved.
enum Kept {
    InFrame { base: u16, n: u16 },
    Given(Vec<u64>),
}

/// A suspension on its way.
pub(super) struct Crossing {
    target: Target,
    cont: u32,
    payload: Kept,
    next: u32,
    dst: u16,
    want: u16,
    /// Those that were met so far.
    sleepers: Vec<Sleeper>,
}

impl Crossing {
    /// How many host functions it crosses, if it has not crossed any yet.
    pub(super) fn to_be_crossed(&self) -> usize {
        match self.sleepers.len() {
            0 => self.target.host_frames as usize,
            _ => 0,
        }
    }
}

// Suspensions.
impl Vm {
    /// Who handles a suspension beyond the stack that the innermost activation began on.
    fn find_across(&mut self, tag: TagAddr) -> Option<Target> {
        let (entry, mut depth) = (self.entry_stack, self.depth);
        let mut found = None;
        self.across.crossed_in_vain = 0;
        let frames = self.across.frames.clone();
        for (crossed, frame) in (1..).zip(frames.iter().rev()) {
            if frame.depth + 1 != depth || !frame.open || frame.waits {
                break;
            }
            depth = frame.depth;
            self.across.crossed_in_vain = crossed;
            self.entry_stack = frame.entry_stack;
            if self.current == self.entry_stack {
                continue;
            }
            let Reach {
                outer,
                bytes,
                clause,
            } = self.find_clause(tag, false);
            let handler = match clause {
                Some(code) => {
                    let ty = self.clause_type(&code);
                    Some((Handler::Code(code), ty))
                }
                None => self.find_host_clause(depth, tag),
            };
            if let Some((handler, ty)) = handler {
                found = Some(Target {
                    depth,
                    host_frames: crossed,
                    handler,
                    outer,
                    bytes,
                    ty,
                });
                break;
            }
        }
        self.entry_stack = entry;
        found
    }

    /// The clause that the host has for a tag in the activation that is so deep.
    fn find_host_clause(&self, depth: u32, tag: TagAddr) -> Option<(Handler, u32)> {
        let of_it = self.host_clauses.iter().rfind(|c| c.depth == depth)?;
        let clause = of_it.clauses.iter().position(|c| c.0 == tag)?;
        Some((Handler::Host(clause), of_it.clauses[clause].1))
    }

    /// As [`Vm::suspend_to`], where nothing in the activation is for the tag.
    #[cold]
    pub(super) unsafe fn suspend_across(
        vm: *mut Vm,
        tag: TagAddr,
        payload: Payload<'_>,
        dst: u16,
        next: u32,
    ) -> u32 {
        // SAFETY: I1.
        unsafe {
            let m = &mut *vm;
            let Some(target) = m.find_across(tag) else {
                return raise(vm, Trap::UnhandledTag);
            };
            // Nothing that comes after this fails, or allocates.
            let cont = match m.new_cont(target.ty, m.current, 0) {
                Ok(cont) => cont,
                Err(trap) => return raise(vm, trap),
            };
            let payload = match payload {
                Payload::InFrame { base, n } => Kept::InFrame { base, n },
                Payload::Given(slots) => Kept::Given(slots.to_vec()),
            };
            m.across.crossing = Some(Box::new(Crossing {
                target,
                cont,
                payload,
                next,
                dst,
                want: m.results_of_tag(tag),
                sleepers: Vec::new(),
            }));
            EXIT_CROSSES
        }
    }
}

/// The host function that was called has fallen asleep. [`crossed`] is to follow.
#[cold]
pub(crate) unsafe fn fell_asleep(vm: *mut Vm, awaited: Awaited) -> u32 {
    // SAFETY: I1.
    let m = unsafe { &mut *vm };
    let (number, lane) = m.across.fell_asleep;
    if let Some(crossing) = &mut m.across.crossing {
        crossing.sleepers.push(Sleeper {
            number,
            lane,
            awaited,
        });
    }
    EXIT_CROSSES
}

/// A suspension has come to this activation: it is handled here, or crosses on.
#[cold]
pub(crate) unsafe fn crossed(vm: *mut Vm) -> u32 {
    // SAFETY: I1; I2 for what the op and the clause say of their frames. The registers are those of the innermost frame.
    unsafe {
        let m = &mut *vm;
        let here = |c: &mut Box<Crossing>| c.target.depth == m.depth;
        let Some(crossing) = m.across.crossing.take_if(here) else {
            return EXIT_CROSSES;
        };
        let Crossing {
            target,
            cont,
            payload,
            next,
            dst,
            want,
            sleepers,
            ..
        } = *crossing;
        let (inner, old) = (m.current, m.fp);
        let parent = match &target.handler {
            Handler::Code(found) => found.parent,
            Handler::Host(_) => m.entry_stack,
        };
        m.suspend_stacks(target.outer, target.bytes, next, dst, want);
        m.stacks[inner].standing.state = State::WithHost;
        m.across.asleep.insert(inner, sleepers);
        m.install_stack(parent);
        let payload = match &payload {
            Kept::InFrame { base, n } => Payload::InFrame { base: *base, n: *n },
            Kept::Given(slots) => Payload::Given(slots),
        };
        match target.handler {
            Handler::Code(found) => {
                let n = payload.move_to(m.fp.add(usize::from(found.base) * 8), old);
                put_u64(m.fp, found.base + n, cont.into());
                m.ip = m.code_base.add(found.target as usize);
                0
            }
            Handler::Host(clause) => {
                payload.move_to(m.fp, old);
                m.suspended = Some(super::Suspended { clause, cont });
                EXIT_SUSPENDED
            }
        }
    }
}

// Resumptions.

/// Whether the sleepers of a continuation, if it has any, can be woken here. It can still be used if not.
#[inline]
pub(crate) unsafe fn check_sleepers(vm: *mut Vm, inner: u32) -> Result<(), u32> {
    // SAFETY: I1.
    unsafe {
        match (&(*vm).stacks)[inner].standing.state {
            State::WithHost => can_wake_all(vm, inner),
            _ => Ok(()),
        }
    }
}

#[cold]
unsafe fn can_wake_all(vm: *mut Vm, inner: u32) -> Result<(), u32> {
    // SAFETY: I1; the hook uses nothing of the machine.
    unsafe {
        let m = &*vm;
        let sleepers = &m.across.asleep[&inner];
        if m.depth as usize + sleepers.len() > MAX_DEPTH as usize {
            return Err(raise(vm, Trap::StackOverflow));
        }
        let Some(hooks) = m.across.hooks else {
            return Err(EXIT_HOST);
        };
        let cx = m.host_cx;
        let can = sleepers.iter().all(|s| (hooks.can_wake)(cx, s.number));
        if can { Ok(()) } else { Err(EXIT_HOST) }
    }
}

/// Wakes the sleepers of a continuation whose stacks are in place, and goes on with it. Gives 0 where the machine goes on
/// in this activation.
#[cold]
pub(crate) unsafe fn wake(vm: *mut Vm, inner: u32) -> u32 {
    // SAFETY: I1.
    unsafe {
        let across = &mut (*vm).across;
        across.waking = across.asleep.remove(&inner).unwrap_or_default();
        wake_next(vm)
    }
}

/// As [`wake`], with an exception for where it waits.
#[cold]
pub(crate) unsafe fn wake_to_throw(vm: *mut Vm, inner: u32, exn: u32, returned: bool) -> u32 {
    // SAFETY: I1.
    unsafe {
        (*vm).across.message = Message::Throw { exn, returned };
        wake(vm, inner)
    }
}

/// Wakes the outermost of those that are to be woken; if there is none, the current activation gets the message.
pub(super) unsafe fn wake_next(vm: *mut Vm) -> u32 {
    // SAFETY: I1: no reference is alive while the host runs; the host's promises of `new_host_func`.
    unsafe {
        let across = &mut (*vm).across;
        let (Some(sleeper), Some(hooks)) = (across.waking.pop(), across.hooks) else {
            return match core::mem::take(&mut across.message) {
                Message::GoOn => 0,
                Message::Throw { exn, returned } => (*vm).unwind(exn, returned),
                Message::End => EXIT_DROPPED,
            };
        };
        let ends = matches!(across.message, Message::End);
        let (cx, top) = ((*vm).host_cx, (*vm).top);
        let status = (hooks.wake)(cx, sleeper.number);
        (*vm).top = top;
        match status {
            HostStatus::Asleep => {
                fell_asleep(vm, sleeper.awaited);
                crossed(vm)
            }
            // However it ended: what called it is to end, too.
            _ if ends => {
                (*vm).take_pending_exception();
                (*vm).suspending = None;
                EXIT_DROPPED
            }
            status => host_ended(vm, sleeper.awaited, status),
        }
    }
}
