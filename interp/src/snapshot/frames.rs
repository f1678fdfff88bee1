//! The frames and return records of a paused activation, made anew.
#![allow(unsafe_code, reason = "writes frames and records")]

use std::sync::Arc;

use sheave_isa::{FuncShape, Instr, Instrs, Op};

use super::{PausedState, RestoreError, inconsistent};
use crate::code_space::CROSS_AT;
use crate::module::{CodeModule, FrameInfo};
use crate::pause::Paused;
use crate::vm::Vm;

impl Vm {
    pub(super) fn restore_paused(&mut self, paused: &PausedState) -> Result<Paused, RestoreError> {
        let [innermost, outer @ ..] = &paused.frames[..] else {
            return inconsistent("a paused call without frames");
        };
        let outermost = paused.frames.last().unwrap_or(innermost);
        let mut callee = self.restored_frame(outermost)?;
        let shape = callee.shape;
        if shape.results != paused.results {
            return inconsistent("the paused call gives other results");
        }
        let activation = self.begin(shape.params.max(shape.results))?;
        let mut fp = activation.frame();
        self.reserve_stack(fp, callee.bytes.into())?;
        // SAFETY: I3, room for records was made with that of the frame.
        unsafe { self.push_exit(&activation) };
        for (caller, frame) in outer.iter().zip(&paused.frames).rev() {
            let caller_code = callee;
            callee = self.restored_frame(frame)?;
            let Some(call) = caller_code.call(caller.pos) else {
                return inconsistent("a frame waits where no call is");
            };
            if call.results != callee.shape.results {
                return inconsistent("a call waits for other results");
            }
            let delta = u32::from(call.base) * 8;
            self.reserve_stack(fp + delta, callee.bytes.into())?;
            fp += delta;
            // SAFETY: I3, as above.
            unsafe {
                self.push_record(caller_code.start + call.next, delta);
                if frame.inst != caller.inst {
                    self.push_record(caller.inst.0, 0);
                    self.push_record(CROSS_AT, 0);
                }
            }
        }
        let Some((ip, behind)) = callee.pause(innermost.pos) else {
            return inconsistent("a call waits where it cannot pause");
        };
        let end = fp + callee.bytes;
        if paused.bytes.len() != (end - activation.frame()) as usize {
            return inconsistent("length of the frames");
        }
        // SAFETY: I3, room was made up to the end of the innermost frame.
        unsafe {
            let to = self.stack_base.add(activation.frame() as usize);
            to.copy_from_nonoverlapping(paused.bytes.as_ptr(), paused.bytes.len());
            self.fp = self.stack_base.add(fp as usize);
        }
        self.install(innermost.inst.0);
        let at = callee.start + ip;
        Ok(self.paused_at(activation, at, behind, end))
    }

    /// The code of a frame's function, linked.
    fn restored_frame(&self, frame: &FrameInfo) -> Result<FrameCode, RestoreError> {
        let module = self.instances.get(frame.inst.0 as usize).map(|i| &i.module);
        let Some((module, (shape, _))) =
            module.and_then(|m| Some((m, m.defined_shape(frame.func)?)))
        else {
            return inconsistent("a frame of no function");
        };
        let cell = module.link(frame.func).map_err(RestoreError::Load)?;
        let source = module
            .source()
            .code(frame.func)
            .map_err(RestoreError::Load)?;
        Ok(FrameCode {
            module: Arc::clone(module),
            code: source.code.into_owned(),
            shape,
            start: cell as u32,
            bytes: (cell >> 32) as u32,
        })
    }
}

/// The code of a frame that is made anew.
struct FrameCode {
    module: Arc<CodeModule>,
    code: Vec<u16>,
    shape: FuncShape,
    /// Where its linked form lies in the code space.
    start: u32,
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

impl FrameCode {
    /// The op at `pos` and the one before it.
    fn at(&self, pos: u32) -> Option<(Instr<'_>, Option<Instr<'_>>)> {
        let mut before = None;
        for instr in Instrs::new(&self.code) {
            let instr = instr.ok()?;
            if instr.pos >= pos {
                return (instr.pos == pos).then_some((instr, before));
            }
            before = Some(instr);
        }
        None
    }

    /// The call at `pos`.
    fn call(&self, pos: u32) -> Option<WaitingCall> {
        let (instr, _) = self.at(pos)?;
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
            next: self.linked(pos + instr.units.len() as u32),
        })
    }

    /// Where a pause at `pos` goes on, in bytes of the linked form, and whether that is behind the op that paused.
    fn pause(&self, pos: u32) -> Option<(u32, bool)> {
        let (instr, before) = self.at(pos)?;
        let behind_check = before.is_some_and(|before| before.op == Op::Check);
        // A host function that asked for a pause is called again. Behind a `check` it does not matter which of the two it
        // was: more is live at the `check`.
        let at_pause =
            matches!(instr.op, Op::Fuel | Op::Check) || instr.op == Op::CallImport && !behind_check;
        (behind_check || at_pause).then(|| (self.linked(pos), !at_pause))
    }

    fn linked(&self, pos: u32) -> u32 {
        self.module.linked_position(&self.code, pos)
    }
}
