//! The frames and return records of a paused activation, made anew.
#![allow(unsafe_code, reason = "writes frames and records")]

use std::sync::Arc;

use sheave_isa::{FuncShape, Instr, Op};

use super::{PausedState, RestoreError, inconsistent};
use crate::code_space::{CROSS_AT, RET_AT};
use crate::layout::{Layout, Layouts};
use crate::module::{CodeModule, FrameInfo};
use crate::pause::Paused;
use crate::vm::Vm;

/// Frames and records as they are to lie in a chunk.
pub(super) struct Laid {
    /// Records, in the order in which they are pushed.
    pub(super) records: Vec<(u32, u32)>,
    /// Where the innermost frame begins and ends, counted from where the outermost does.
    pub(super) fp: u32,
    pub(super) end: u32,
    pub(super) innermost: FrameCode,
    /// Of the outermost function.
    pub(super) shape: FuncShape,
}

impl Vm {
    /// Makes the frames of the waiting call on the first stack; what it waits for runs on another one, if the call waits
    /// in a continuation.
    pub(super) fn restore_paused(
        &mut self,
        paused: &PausedState,
        layouts: &mut Layouts,
    ) -> Result<Paused, RestoreError> {
        let laid = self.lay_out(&paused.frames, layouts)?;
        let shape = laid.shape;
        if shape.results != paused.results {
            return inconsistent("the paused call gives other results");
        }
        let activation = self.begin(shape.params.max(shape.results))?;
        let first = activation.frame();
        let room = u64::from(laid.end) + laid.records.len() as u64 * 8;
        self.reserve_stack(first, room)?;
        if paused.bytes.len() != laid.end as usize {
            return inconsistent("length of the frames");
        }
        // SAFETY: I3, room was made for the frames and the records.
        unsafe {
            self.push_exit(&activation);
            for (code, delta) in &laid.records {
                self.push_record(*code, *delta);
            }
            let to = self.stack_base().add(first as usize);
            to.copy_from_nonoverlapping(paused.bytes.as_ptr(), paused.bytes.len());
            self.fp = to.add(laid.fp as usize);
        }
        let inst = paused.frames[0].inst.0;
        let pos = paused.frames[0].pos;
        self.install(inst);
        if paused.stack != 0 {
            let Some(waits) = laid.innermost.resumption(self, pos) else {
                return inconsistent("a call waits for a continuation where it resumes none");
            };
            self.wait_in(0, &waits);
            let (at, behind, end) = self.go_to_paused(paused.stack)?;
            return Ok(self.paused_at(activation, at, behind, end));
        }
        let Some((ip, behind)) = laid.innermost.pause(pos) else {
            return inconsistent("a call waits where it cannot pause");
        };
        let at = laid.innermost.start + ip;
        Ok(self.paused_at(activation, at, behind, first + laid.end))
    }

    /// Where frames and records are to lie; the frames are from the innermost outward.
    pub(super) fn lay_out(
        &self,
        frames: &[FrameInfo],
        layouts: &mut Layouts,
    ) -> Result<Laid, RestoreError> {
        let Some((outermost, inner)) = frames.split_last() else {
            return inconsistent("a stack without frames");
        };
        let mut callee = self.restored_frame(outermost, layouts)?;
        let shape = callee.shape;
        let (mut fp, mut end) = (0_u32, callee.bytes);
        let mut records = Vec::new();
        for (caller, frame) in frames[1..].iter().zip(inner).rev() {
            let caller_code = callee;
            callee = self.restored_frame(frame, layouts)?;
            let Some(call) = caller_code.call(caller.pos) else {
                return inconsistent("a frame waits where no call is");
            };
            if call.results != callee.shape.results {
                return inconsistent("a call waits for other results");
            }
            let delta = u32::from(call.base) * 8;
            let place = |fp: u32, bytes: u32| {
                let fp = fp.checked_add(delta)?;
                Some((fp, fp.checked_add(bytes)?))
            };
            (fp, end) = place(fp, callee.bytes).ok_or(RestoreError::StackOverflow)?;
            records.push((caller_code.start + call.next, delta));
            if frame.inst != caller.inst {
                records.push((caller.inst.0, 0));
                records.push((CROSS_AT, 0));
            }
        }
        Ok(Laid {
            records,
            fp,
            end,
            innermost: callee,
            shape,
        })
    }

    /// The code of a frame's function, linked.
    fn restored_frame(
        &self,
        frame: &FrameInfo,
        layouts: &mut Layouts,
    ) -> Result<FrameCode, RestoreError> {
        let module = self.instances.get(frame.inst.0 as usize).map(|i| &i.module);
        let Some((module, (shape, _))) =
            module.and_then(|m| Some((m, m.defined_shape(frame.func)?)))
        else {
            return inconsistent("a frame of no function");
        };
        let cell = module.link(frame.func).map_err(RestoreError::Load)?;
        let layout = layouts
            .of(module, frame.inst.0, frame.func)
            .map_err(RestoreError::Load)?;
        Ok(FrameCode {
            module: Arc::clone(module),
            layout,
            shape,
            start: cell as u32,
            bytes: (cell >> 32) as u32,
        })
    }
}

/// The code of a frame that is made anew.
pub(super) struct FrameCode {
    module: Arc<CodeModule>,
    layout: Arc<Layout>,
    shape: FuncShape,
    /// Where its linked form lies in the code space.
    pub(super) start: u32,
    /// Bytes of the frame.
    bytes: u32,
}

/// A call that a frame waits for.
struct WaitingCall {
    base: u16,
    /// Slots of its results.
    results: u32,
    /// Where the frame goes on, in bytes of the linked form.
    next: u32,
}

/// What a frame waits for, other than for a call to return. Positions are in the code space.
pub(super) struct Waits {
    pub(super) at: u32,
    pub(super) next: u32,
    pub(super) clauses: u16,
    pub(super) dst: u16,
    pub(super) want: u16,
}

impl FrameCode {
    /// The resumption at `pos`.
    pub(super) fn resumption(&self, vm: &Vm, pos: u32) -> Option<Waits> {
        let instr = self.layout.at(pos)?;
        if !matches!(instr.op, Op::Resume | Op::ResumeThrow | Op::ResumeThrowRef) {
            return None;
        }
        let (_, want) = vm.slots_of_type(self.type_id(instr.get("ty")?)?);
        let clauses = instr.get("clauses")? as u16;
        self.waits(&instr, clauses, instr.get("base")? as u16, want)
    }

    /// The suspension at `pos`, which may be a host function's that was called there.
    pub(super) fn suspension(&self, vm: &Vm, pos: u32) -> Option<Waits> {
        let instr = self.layout.at(pos)?;
        let base = |instr: &Instr<'_>| Some(instr.get("base")? as u16);
        match instr.op {
            Op::Suspend => {
                let tag = *self.module.desc().tags.get(instr.get("tag")? as usize)?;
                let (_, want) = vm.slots_of_type(self.type_id(tag.into())?);
                self.waits(&instr, 0, base(&instr)?, want)
            }
            Op::Switch => {
                let (want, _) = vm.slots_of_type(self.type_id(instr.get("back")?)?);
                self.waits(&instr, 0, base(&instr)?, want)
            }
            Op::CallImport | Op::CallIndirect | Op::CallRef => {
                let want = self.call(pos)?.results.try_into().ok()?;
                self.waits(&instr, 0, base(&instr)?, want)
            }
            Op::ReturnCallImport | Op::ReturnCallIndirect | Op::ReturnCallRef => {
                let want = self.shape.results.try_into().ok()?;
                let mut waits = self.waits(&instr, 0, 0, want)?;
                waits.next = RET_AT;
                Some(waits)
            }
            _ => None,
        }
    }

    fn waits(&self, instr: &Instr<'_>, clauses: u16, dst: u16, want: u16) -> Option<Waits> {
        Some(Waits {
            at: self.start + self.layout.linked(instr.pos)?,
            next: self.start + self.behind(instr)?,
            clauses,
            dst,
            want,
        })
    }

    /// The engine-wide identity of a type of the module.
    fn type_id(&self, ty: u64) -> Option<u32> {
        Some(self.module.desc().types.get(ty as usize)?.1)
    }

    /// The call at `pos`.
    fn call(&self, pos: u32) -> Option<WaitingCall> {
        let instr = self.layout.at(pos)?;
        let index = |name| instr.get(name).map(|x| x as u32);
        let (shape, _) = match instr.op {
            Op::Call => self.module.defined_shape(index("func")?)?,
            Op::CallImport => self.module.shape(index("import")?)?,
            Op::CallIndirect | Op::CallRef => {
                *self.module.desc().types.get(index("ty")? as usize)?
            }
            _ => return None,
        };
        Some(WaitingCall {
            base: instr.get("base")? as u16,
            results: shape.results,
            next: self.behind(&instr)?,
        })
    }

    /// Where a pause at `pos` goes on, in bytes of the linked form, and whether that is behind the op that paused.
    pub(super) fn pause(&self, pos: u32) -> Option<(u32, bool)> {
        let instr = self.layout.at(pos)?;
        let behind_check = self
            .layout
            .before(pos)
            .is_some_and(|before| before.op == Op::Check);
        // A host function that asked for a pause is called again. Behind a `check` it does not matter which of the two it
        // was: more is live at the `check`.
        let at_pause =
            matches!(instr.op, Op::Fuel | Op::Check) || instr.op == Op::CallImport && !behind_check;
        (behind_check || at_pause).then_some((self.layout.linked(pos)?, !at_pause))
    }

    /// Where the linked form goes on behind an op.
    fn behind(&self, instr: &Instr<'_>) -> Option<u32> {
        self.layout.linked(instr.pos + instr.units.len() as u32)
    }
}
