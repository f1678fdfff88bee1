//! Host functions that can sleep in continuations: those under way, those that do, and what the host and the collector do
//! with them. How they come to sleep and are woken is in `across.rs`.
#![allow(unsafe_code, reason = "runs the machine")]

use std::collections::BTreeMap;

use crate::activation::{Activation, Exit, MAX_DEPTH};
use crate::awaiting::Awaited;
use crate::conts::across::{Crossing, wake, wake_next};
use crate::conts::host::HostClauses;
use crate::conts::stacks::State;
use crate::executor;
use crate::module::SourceError;
use crate::trap::Trap;
use crate::vm::{HostStatus, Vm};

/// What the host does for host functions that sleep.
#[derive(Clone, Copy, Debug)]
pub struct SleepHooks {
    /// Whether the sleeper of that number can be woken here. If not, the host keeps the reason as that of a host function
    /// that failed. Uses nothing of the machine.
    pub can_wake: unsafe fn(cx: *mut (), sleeper: u32) -> bool,
    /// Goes on with the sleeper; says how the host function ended, or that it sleeps again.
    pub wake: unsafe fn(cx: *mut (), sleeper: u32) -> HostStatus,
}

/// A host function under way that can sleep.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostFrame {
    /// How deep the activation is that called it, and the stack that this one began on.
    pub(super) depth: u32,
    pub(super) entry_stack: u32,
    /// Whether suspensions may cross it.
    pub(super) open: bool,
    /// Not now: the activation that it began waits for host functions in another way.
    pub(super) waits: bool,
}

/// A host function that sleeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleeper {
    /// The host's number of it.
    pub(super) number: u32,
    pub(super) lane: u32,
    /// Where it returns to.
    pub(super) awaited: Awaited,
}

/// What a continuation's innermost activation gets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Message {
    /// What it is resumed with is in its frame.
    #[default]
    GoOn,
    /// The exception of this reference; with `returned`, the current frame is no more.
    Throw { exn: u32, returned: bool },
    /// The continuation was dropped: activations end, from the innermost outward.
    End,
}

/// Host functions that can sleep, and those that do.
#[derive(Default)]
pub(crate) struct Across {
    pub(super) hooks: Option<SleepHooks>,
    /// Those under way, the innermost last.
    pub(super) frames: Vec<HostFrame>,
    /// By the innermost stack of the continuation they are in; of each, the innermost first.
    pub(super) asleep: BTreeMap<u32, Vec<Sleeper>>,
    /// Innermost stacks of continuations that nothing refers to any more.
    pub(super) dropped: Vec<u32>,
    pub(super) crossing: Option<Box<Crossing>>,
    /// The one that has just fallen asleep, and its lane.
    pub(super) fell_asleep: (u32, u32),
    /// Those that are still to be woken, the outermost last; and what the innermost activation gets then.
    pub(super) waking: Vec<Sleeper>,
    pub(super) message: Message,
    /// How many host functions the last suspension that nothing handles could have crossed.
    pub(crate) crossed_in_vain: u32,
    /// How deep the activation is in which the host last called a host function itself.
    pub(crate) direct: u32,
}

/// What an activation that sleeps keeps of the machine.
#[derive(Debug)]
#[must_use]
pub struct Slept {
    clauses: Option<HostClauses>,
}

// What the host does around a host function that can sleep.
impl Vm {
    /// A host function that can sleep is about to begin: gives the lane of its roots. [`Vm::enter_sleeper`] before it
    /// runs, [`Vm::leave_sleeper`] when it stops running, and then [`Vm::asleep`] or [`Vm::end_sleeper`].
    pub fn begin_sleeper(&mut self, hooks: SleepHooks) -> u32 {
        self.across.hooks = Some(hooks);
        self.gc.roots.new_lane()
    }

    /// It runs from now on, above the innermost activation; gives the lane that was left.
    pub fn enter_sleeper(&mut self, lane: u32) -> u32 {
        let ends = matches!(self.across.message, Message::End);
        self.across.frames.push(HostFrame {
            depth: self.depth,
            entry_stack: self.entry_stack,
            open: !ends && self.across.direct != self.depth,
            waits: false,
        });
        self.gc.roots.set_asleep(lane, false);
        self.gc.roots.enter_lane(lane)
    }

    /// The host function that was entered last has stopped running.
    pub fn leave_sleeper(&mut self, outer_lane: u32) {
        self.across.frames.pop();
        self.gc.roots.enter_lane(outer_lane);
    }

    /// It sleeps, and is known by that number: its entry answers [`HostStatus::Asleep`].
    pub fn asleep(&mut self, number: u32, lane: u32) {
        self.gc.roots.set_asleep(lane, true);
        self.across.fell_asleep = (number, lane);
    }

    /// It has ended.
    pub fn end_sleeper(&mut self, lane: u32) {
        self.gc.roots.end_lane(lane);
    }

    /// The innermost activation, just begun, cannot be left by [`Vm::sleep`]: no suspension crosses the host function that
    /// began it, until [`Vm::end_waiting`].
    pub fn set_waiting(&mut self) {
        if let Some(frame) = self.across.frames.last_mut()
            && frame.depth + 1 == self.depth
        {
            frame.waits = true;
        }
    }

    /// That activation is finished.
    pub fn end_waiting(&mut self) {
        if let Some(frame) = self.across.frames.last_mut()
            && frame.depth == self.depth
        {
            frame.waits = false;
        }
    }

    /// How many host functions the suspension will cross that has just begun; 0 if it has crossed some.
    pub fn to_be_crossed(&self) -> usize {
        let crossing = self.across.crossing.as_ref();
        crossing.map_or(0, |c| c.to_be_crossed())
    }

    /// The suspension that has just begun does not take place: the activation ends with [`Trap::UnhandledTag`].
    pub fn do_not_cross(&mut self) {
        self.across.crossing = None;
        self.across.crossed_in_vain = 0;
    }

    /// The innermost activation, which has ended with [`Exit::Crosses`], is left, to go on by [`Vm::awake`].
    pub fn sleep(&mut self, activation: &Activation) -> Slept {
        let own = self
            .host_clauses
            .last()
            .is_some_and(|c| c.depth == self.depth);
        let clauses = if own { self.host_clauses.pop() } else { None };
        self.depth -= 1;
        self.entry_stack = activation.around();
        Slept { clauses }
    }

    /// Goes on with an activation that sleeps, whose host function was woken.
    ///
    /// # Errors
    /// As [`Vm::invoke`].
    ///
    /// # Safety
    /// - As [`Vm::invoke`]; and the hook to wake the host function that began it was called, by the machine.
    pub unsafe fn awake(
        vm: *mut Vm,
        activation: &mut Activation,
        slept: Slept,
    ) -> Result<(), Exit> {
        // SAFETY: the caller's promise.
        unsafe {
            let m = &mut *vm;
            m.depth += 1;
            activation.set_around(m.entry_stack);
            m.entry_stack = activation.stack();
            let depth = m.depth;
            m.host_clauses
                .extend(slept.clauses.map(|c| HostClauses { depth, ..c }));
            let code = match wake_next(vm) {
                0 => executor::run(vm),
                code => code,
            };
            Vm::ended(vm, code)
        }
    }

    /// The numbers of those that sleep, in all continuations.
    pub fn sleepers(&self) -> impl Iterator<Item = u32> + '_ {
        self.across.asleep.values().flatten().map(|s| s.number)
    }

    /// Whether there are continuations to be ended ([`Vm::next_dropped`]).
    #[inline]
    pub fn has_dropped(&self) -> bool {
        !self.across.dropped.is_empty()
    }

    /// Takes a continuation that nothing refers to, and of whose sleepers `can` says that they can be woken here.
    pub fn next_dropped(&mut self, mut can: impl FnMut(u32) -> bool) -> Option<u32> {
        let Across {
            asleep, dropped, ..
        } = &mut self.across;
        let fits = |inner: &u32| asleep[inner].iter().all(|s| can(s.number));
        let found = dropped.iter().position(fits)?;
        Some(dropped.swap_remove(found))
    }

    /// Nothing is to refer any more to continuations with sleepers.
    pub fn drop_all_sleepers(&mut self) {
        let all: Vec<u32> = self.across.asleep.keys().copied().collect();
        for inner in all {
            self.drop_asleep(inner);
        }
    }

    fn drop_asleep(&mut self, inner: u32) {
        let state = &mut self.stacks[inner].standing.state;
        if core::mem::replace(state, State::Dropped) != State::Dropped {
            self.across.dropped.push(inner);
        }
    }

    /// Wakes the sleepers of a continuation that [`Vm::next_dropped`] gave, for the inner calls of each to fail with
    /// [`Exit::Dropped`], and frees it.
    ///
    /// # Errors
    /// If there is no room for an activation; it is to be ended later then.
    ///
    /// # Safety
    /// - As [`Vm::invoke`].
    pub unsafe fn end_dropped(vm: *mut Vm, inner: u32) -> Result<(), Trap> {
        // SAFETY: the caller's promise.
        unsafe {
            let m = &mut *vm;
            let activation = match m.begin(0) {
                Ok(activation) if m.depth + m.across.asleep[&inner].len() as u32 <= MAX_DEPTH => {
                    activation
                }
                begun => {
                    m.across.dropped.push(inner);
                    m.finish(begun?);
                    return Err(Trap::StackOverflow);
                }
            };
            m.wait_for_cont(&activation, 0, &[]);
            let (outer, bytes) = m.stacks.extent(inner);
            m.put_in_place(inner, outer, bytes, m.current);
            m.across.message = Message::End;
            wake(vm, inner);
            (*vm).finish(activation);
            Ok(())
        }
    }
}

// What the collector asks.
impl Vm {
    /// Adds the roots of the host functions that sleep in a continuation.
    pub(crate) fn sleeper_roots(&self, inner: u32, roots: &mut Vec<u32>) {
        let sleepers = self.across.asleep.get(&inner);
        for sleeper in sleepers.into_iter().flatten() {
            roots.extend(self.gc.roots.on_lane(sleeper.lane));
        }
    }

    /// Adds the roots of what is still to be ended.
    pub(crate) fn dropped_roots(&self, roots: &mut Vec<u32>) -> Result<(), SourceError> {
        for inner in &self.across.dropped {
            self.suspended_roots(*inner, roots)?;
            self.sleeper_roots(*inner, roots);
        }
        Ok(())
    }

    /// Continuations with sleepers that were not reached are to be ended; until then they are roots, which are given.
    pub(crate) fn drop_unreached_sleepers(&mut self) -> Result<Vec<u32>, SourceError> {
        let mut roots = Vec::new();
        let unreached = |inner: &&u32| {
            let stack = &self.stacks[**inner];
            stack.standing.state == State::WithHost && !stack.marked
        };
        let unreached: Vec<u32> = self
            .across
            .asleep
            .keys()
            .filter(unreached)
            .copied()
            .collect();
        for inner in unreached {
            self.suspended_roots(inner, &mut roots)?;
            self.sleeper_roots(inner, &mut roots);
            self.drop_asleep(inner);
        }
        Ok(roots)
    }
}
