//! The stacks of continuations, as plain data and made anew.
#![allow(unsafe_code, reason = "copies frames and writes records")]

use super::frames::{Laid, Waits};
use super::{RestoreError, StackState, VmState, inconsistent};
use crate::code_space::is_of_no_function;
use crate::conts::{Landing, NONE, Place, Stack, State};
use crate::layout::Layouts;
use crate::module::{FrameInfo, SourceError};
use crate::regs::put_u64;
use crate::store::InstAddr;
use crate::vm::Vm;

impl Vm {
    /// The stacks of all suspended continuations, and those that the waiting call runs on besides the first.
    pub(super) fn stack_states(&self) -> Result<Vec<StackState>, SourceError> {
        let mut states = Vec::new();
        let mut layouts = Layouts::default();
        for number in self.stacks.numbers() {
            let place = if number == self.current {
                self.current_place()
            } else {
                self.waiting_place(number)
            };
            let stack = &self.stacks[number];
            let frames = self.frames_on(place, &mut layouts);
            let end = match frames.first() {
                // A host function is all that there is, and its results are to come.
                None => 0,
                Some(_) => {
                    let module = &self.instances[place.inst as usize].module;
                    let bytes = module.frame_bytes(place.at);
                    place.fp + bytes.ok_or("a stack has no innermost frame")?
                }
            };
            // SAFETY: I3: frames lie in the chunk up to the end of the innermost.
            let bytes = (0..end).map(|at| unsafe { self.chunk(number, at).read() });
            states.push(StackState {
                number,
                parent: (stack.parent != NONE).then_some(stack.parent),
                suspended: self.stacks.is_suspended(number),
                bytes: bytes.collect(),
                results: stack.results,
                frames,
            });
        }
        let most = most_stacks(states.len());
        if states.last().is_some_and(|last| last.number >= most) {
            return Err("too few stacks are left of the many there were".into());
        }
        Ok(states)
    }

    /// The frames on one stack, from the innermost outward.
    pub(super) fn frames_on(&self, mut place: Place, layouts: &mut Layouts) -> Vec<FrameInfo> {
        let mut frames = Vec::new();
        while !is_of_no_function(place.at)
            && let Some((func, pos)) = self.op_at(place.inst, place.at, layouts)
        {
            frames.push(FrameInfo {
                inst: InstAddr(place.inst),
                func,
                pos,
            });
            if self.go_out(&mut place) != Some(crate::walk::Waits::Call) {
                break;
            }
        }
        frames
    }

    /// Makes the stacks of continuations; those of the waiting call, whose innermost is `current`, get their parents.
    pub(super) fn restore_stacks(
        &mut self,
        state: &VmState,
        layouts: &mut Layouts,
    ) -> Result<(), RestoreError> {
        let current = state.paused.as_ref().map_or(0, |paused| paused.stack);
        for stack in &state.stacks {
            let known = self.stacks.numbers().last().unwrap_or(0);
            if stack.number <= known || stack.number >= most_stacks(state.stacks.len()) {
                return inconsistent("the number of a stack");
            }
            self.restore_stack(stack, stack.number == current, layouts)?;
        }
        self.check_chains(state, current)
    }

    fn restore_stack(
        &mut self,
        state: &StackState,
        is_current: bool,
        layouts: &mut Layouts,
    ) -> Result<(), RestoreError> {
        let (laid, results) = if state.frames.is_empty() {
            (None, state.results)
        } else {
            let laid = self.lay_out(&state.frames, layouts)?;
            let results = u16::try_from(laid.shape.results).unwrap_or(u16::MAX);
            (Some(laid), results)
        };
        let (end, records) = match &laid {
            Some(Laid { end, records, .. }) => (*end, &records[..]),
            None => (u32::from(results) * 8, &[][..]),
        };
        if state.results != results || laid.is_some() && state.bytes.len() != end as usize {
            return inconsistent("length of the frames of a stack");
        }
        let room = u64::from(end) + records.len() as u64 * 8;
        let number = self.new_stack_with_number(room, results, state.number)?;
        let len = self.stacks[number].len;
        // SAFETY: I3: room was made for the frames below, and for the records above them.
        unsafe {
            let to = self.chunk(number, 0);
            to.copy_from_nonoverlapping(state.bytes.as_ptr(), state.bytes.len());
            for (k, (code, second)) in (0..).zip(records) {
                let record = u64::from(*second) << 32 | u64::from(*code);
                put_u64(self.chunk(number, len - 16 - k * 8), 0, record);
            }
        }
        let n_records = records.len() as u32;
        let stack = &mut self.stacks[number];
        stack.csp -= n_records * 8;
        if state.suspended {
            stack.standing.state = State::Suspended;
        }
        let Some(laid) = laid else {
            // A host function's, which has suspended: its results go where they are expected.
            stack.landing = Landing::new(0, results, 0);
            return if state.suspended {
                Ok(())
            } else {
                inconsistent("a host function is in the middle of a call")
            };
        };
        let FrameInfo { inst, pos, .. } = state.frames[0];
        stack.fp = stack.off + laid.fp;
        stack.standing.inst = inst.0;
        if is_current {
            let Some((at, behind)) = laid.innermost.pause(pos) else {
                return inconsistent("a call waits where it cannot pause");
            };
            // Until it is installed: where it goes on, whether behind the op, and where its innermost frame ends.
            let stack = &mut self.stacks[number];
            (stack.at, stack.next) = (laid.innermost.start + at, u32::from(behind));
            stack.bytes = laid.end;
            return Ok(());
        }
        let waits = if state.suspended {
            laid.innermost.suspension(self, pos)
        } else {
            laid.innermost.resumption(self, pos)
        };
        let Some(waits) = waits else {
            return inconsistent("a stack waits where it cannot");
        };
        self.wait_in(number, &waits);
        Ok(())
    }

    /// Notes what a stack waits for. The first stack's frame is the current one.
    pub(super) fn wait_in(&mut self, number: u32, waits: &Waits) {
        if number == self.current {
            self.save_stack(0, 0, 0, 0);
        }
        let stack = &mut self.stacks[number];
        (stack.at, stack.next) = (waits.at, waits.next);
        stack.landing = Landing::new(waits.dst, waits.want, waits.clauses);
    }

    /// Gives every stack its parent: each is in one chain, from the innermost of a suspended continuation, or of the
    /// waiting call, outward; and each wants what the one inside gives.
    fn check_chains(&mut self, state: &VmState, current: u32) -> Result<(), RestoreError> {
        let parents = state.stacks.iter().map(|s| (s.number, s.parent));
        let parents: std::collections::HashMap<_, _> = parents.collect();
        let mut unseen = parents.len();
        let mut seen = std::collections::HashSet::new();
        let innermost = state.stacks.iter().filter(|s| s.suspended);
        let innermost: Vec<u32> = innermost.map(|s| s.number).chain([current]).collect();
        for inner in innermost.into_iter().filter(|inner| *inner != 0) {
            let is_call = inner == current;
            let (mut number, mut bytes) = (inner, 0_u64);
            loop {
                let Some(parent) = parents.get(&number) else {
                    return inconsistent("a stack that is not there");
                };
                let suspended = self.stacks.is_suspended(number);
                if !seen.insert(number) || suspended != (number == inner && !is_call) {
                    return inconsistent("a stack in two continuations");
                }
                unseen -= 1;
                bytes += u64::from(self.stacks[number].len);
                match *parent {
                    None if !is_call => break,
                    Some(0) if is_call => {
                        self.stacks[number].parent = 0;
                        break;
                    }
                    Some(parent) if parents.contains_key(&parent) => {
                        let gives = self.stacks[number].results;
                        if self.stacks[parent].landing.want() != gives || parent == current {
                            return inconsistent("a stack waits for other results");
                        }
                        self.stacks[number].parent = parent;
                        number = parent;
                    }
                    _ => return inconsistent("a stack without a parent"),
                }
            }
            if bytes > u64::from(self.max_stack) {
                return Err(RestoreError::StackOverflow);
            }
            if !is_call {
                self.stacks.suspend(inner, number, bytes as u32);
            }
        }
        if unseen > 0 {
            return inconsistent("a stack of no continuation");
        }
        Ok(())
    }

    /// Makes the stack that the waiting call has paused on the current one; the first one waits for it. Gives where it
    /// goes on, whether that is behind the op that paused, and where its frames end.
    pub(super) fn go_to_paused(&mut self, current: u32) -> Result<(u32, bool, u32), RestoreError> {
        let Stack {
            at, next, bytes, ..
        } = self.stacks[current];
        let (mut number, mut chain) = (current, 0_u64);
        while number != 0 {
            let stack = &self.stacks[number];
            chain += u64::from(stack.len);
            if stack.parent == 0 && stack.results != self.stacks[0].landing.want() {
                return inconsistent("the first stack waits for other results");
            }
            // `check_chains` went the same way.
            number = stack.parent;
        }
        let chain = chain + u64::from(self.chain_bytes);
        match u32::try_from(chain) {
            Ok(chain) if chain <= self.max_stack.max(self.stack_len()) => self.chain_bytes = chain,
            _ => return Err(RestoreError::StackOverflow),
        }
        self.install_stack(current);
        Ok((at, next != 0, bytes))
    }
}

/// Numbers of stacks are below this, so that a file cannot make the list of them long.
fn most_stacks(count: usize) -> u32 {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    (1_u32 << 20).saturating_add(count.saturating_mul(8))
}
