//! Blocks: what is open, and what becomes of the stack where control flow meets.

use super::{NONE, Translator, Ty};
use sheave_isa::Op;
use wasmparser::BlockType;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FrameKind {
    Function,
    Block,
    Loop,
    If,
    Else,
    Try,
}

/// The values a block takes or gives. Everywhere else these are counted in slots.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signature {
    Empty,
    Result(Ty),
    /// One result: a reference of this type of the module.
    Reference(u32),
    Type(u32),
}

/// A block that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) kind: FrameKind,
    pub(super) signature: Signature,
    pub(super) n_params: u32,
    pub(super) n_results: u32,
    /// Height of the stack below the parameters.
    pub(super) height: u32,
    /// Length of the log of initialised locals at its start.
    pub(super) inits: u32,
    /// The start of a loop.
    pub(super) start: u32,
    /// The last branch to the end.
    pub(super) to_end: u32,
    /// The branch of an `if` to its `else`.
    pub(super) to_else: u32,
    /// The last entry of the branch table `stamp` that goes to this block by way of a stub.
    pub(super) to_stub: u32,
    pub(super) stamp: u32,
    /// For a loop that begins with a branch out of it, the frame that leads to.
    pub(super) exit: u32,
}

/// The type of the module that values of this type refer to.
fn concrete_type(ty: wasmparser::ValType) -> Option<u32> {
    match ty {
        wasmparser::ValType::Ref(ty) => match ty.heap_type() {
            wasmparser::HeapType::Concrete(index) => index.as_module_index(),
            _ => None,
        },
        _ => None,
    }
}

impl Frame {
    pub(super) fn function(type_index: u32, n_results: u32) -> Self {
        Self {
            kind: FrameKind::Function,
            signature: Signature::Type(type_index),
            n_params: 0,
            n_results,
            height: 0,
            inits: 0,
            start: NONE,
            to_end: NONE,
            to_else: NONE,
            to_stub: NONE,
            stamp: 0,
            exit: NONE,
        }
    }

    /// How many slots a branch to it carries.
    pub(super) fn arity(&self) -> u32 {
        if self.kind == FrameKind::Loop {
            self.n_params
        } else {
            self.n_results
        }
    }
}

impl Translator<'_> {
    pub(super) fn open(&mut self, kind: FrameKind, ty: BlockType) {
        let (signature, n_params, n_results) = match ty {
            BlockType::Empty => (Signature::Empty, 0, 0),
            BlockType::Type(ty) => {
                let concrete = concrete_type(ty);
                let ty = self.ty_read(ty);
                let slots = if ty == Ty::V128 { 2 } else { 1 };
                let signature = match concrete {
                    Some(index) => Signature::Reference(index),
                    None => Signature::Result(ty),
                };
                (signature, 0, slots)
            }
            BlockType::FuncType(index) => {
                let (params, results) = self.shape(index);
                (Signature::Type(index), params, results)
            }
        };
        self.frames.push(Frame {
            kind,
            signature,
            n_params,
            n_results,
            height: self.height() - n_params,
            inits: self.init_log.len() as u32,
            start: NONE,
            to_end: NONE,
            to_else: NONE,
            to_stub: NONE,
            stamp: 0,
            exit: NONE,
        });
    }

    /// How many slots the parameters and results of a type take.
    pub(super) fn shape(&self, type_index: u32) -> (u32, u32) {
        self.info
            .shapes
            .get(type_index as usize)
            .map_or((0, 0), |shape| (shape.params, shape.results))
    }

    pub(super) fn visit_block(&mut self, ty: BlockType) {
        if !self.reachable {
            self.dead_blocks += 1;
            return;
        }
        self.settle_locals();
        self.open(FrameKind::Block, ty);
    }

    pub(super) fn visit_loop(&mut self, ty: BlockType) {
        if !self.reachable {
            self.dead_blocks += 1;
            return;
        }
        self.settle_locals();
        self.open(FrameKind::Loop, ty);
        let top = self.frames.len() - 1;
        self.settle_top(self.frames[top].n_params);
        self.label_here();
        self.begin_fuel_block();
        self.frames[top].start = self.asm.pos();
        self.last_loop = top;
        if self.options.interruption {
            let pos = self.put(&mut [Op::Check as u16]);
            self.safepoint(pos);
        }
    }

    pub(super) fn visit_if(&mut self, ty: BlockType) {
        if !self.reachable {
            self.dead_blocks += 1;
            return;
        }
        let (cond, at) = self.pop();
        self.open(FrameKind::If, ty);
        let top = self.frames.len() - 1;
        let n_params = self.frames[top].n_params;
        if self.lazy_locals > 0 || self.is_top_unsettled(n_params) {
            let made = self.set_aside(cond, at);
            self.settle_locals();
            self.settle_top(n_params);
            self.bring_back(made);
        }
        self.frames[top].to_else = self.branch_if(cond, at, true, NONE);
        self.begin_fuel_block();
    }

    pub(super) fn visit_else(&mut self) {
        if self.dead_blocks > 0 {
            return;
        }
        let Some(top) = self.frames.len().checked_sub(1) else {
            return;
        };
        let frame = self.frames[top];
        if self.reachable {
            self.settle_top(frame.n_results);
            self.jump(top);
        }
        self.truncate(frame.height);
        self.push_params(frame.signature);
        self.forget_initialised(frame.inits);
        self.frames[top].kind = FrameKind::Else;
        self.frames[top].to_else = NONE;
        self.place(frame.to_else);
        self.begin_fuel_block();
        self.reachable = true;
    }

    pub(super) fn visit_end(&mut self) {
        if self.dead_blocks > 0 {
            self.dead_blocks -= 1;
            return;
        }
        let Some(frame) = self.frames.pop() else {
            return;
        };
        if frame.kind == FrameKind::Try {
            self.end_try();
        }
        match frame.kind {
            FrameKind::Function => {
                if self.reachable {
                    self.put_return(true);
                }
                if frame.to_end != NONE {
                    self.return_caught(&frame);
                }
                self.begin_fuel_block();
                self.reachable = false;
            }
            // Only the way through it leads on: nothing is merged.
            FrameKind::Loop => {}
            FrameKind::Block | FrameKind::Try if frame.to_end == NONE => {}
            FrameKind::Block | FrameKind::Try | FrameKind::If | FrameKind::Else => {
                if frame.kind == FrameKind::Else && frame.to_end == NONE && !self.reachable {
                    return;
                }
                if self.reachable {
                    self.settle_top(frame.n_results);
                }
                self.forget_initialised(frame.inits);
                self.place(frame.to_end);
                self.place(frame.to_else);
                self.truncate(frame.height);
                self.push_results(frame.signature);
                self.begin_fuel_block();
                self.reachable = true;
            }
        }
    }

    fn push_params(&mut self, signature: Signature) {
        if let Signature::Type(index) = signature {
            self.push_type_params(index);
        }
    }

    /// Pushes the parameters of a function of this type.
    pub(super) fn push_type_params(&mut self, index: u32) {
        let info = self.info;
        for ty in info.type_as_func(index).map_or(&[][..], |ty| ty.params()) {
            self.push_value(self.ty(*ty));
        }
    }

    pub(super) fn push_results(&mut self, signature: Signature) {
        match signature {
            Signature::Empty => {}
            Signature::Result(ty) => self.push_value(ty),
            Signature::Reference(index) => self.push_value(self.ref_ty_of(index)),
            Signature::Type(index) => self.push_type_results(index),
        }
    }

    /// Pushes the results of a function of this type.
    pub(super) fn push_type_results(&mut self, index: u32) {
        let info = self.info;
        for ty in info.type_as_func(index).map_or(&[][..], |ty| ty.results()) {
            self.push_value(self.ty(*ty));
        }
    }
}
