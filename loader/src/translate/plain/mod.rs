//! Validates plain functions: those that use numbers only, and the operators for them that
//! compilers have always used.
//!
//! wasmparser validates everything; this knows the rules for most functions of most programs, and
//! takes a fraction of the instructions. It says of a function that it is valid, or nothing: not
//! what is wrong, nor where, nor whether anything is. Then wasmparser is asked, so that what is
//! accepted, and every error, is what wasmparser says.
//!
//! The algorithm is that of the specification's appendix ("Validation Algorithm"), with types that
//! are the same or are not. References, vectors, exceptions, atomics, other memories than the
//! first, and immediates of unusual length are not plain.
//!
//! Here all methods that give an `Option` give something if what they saw was plain and valid.

mod code;
mod driver;
mod frequent;
mod signature;
#[cfg(test)]
mod tests;

use super::MAX_SLOTS;
use crate::info::ModuleInfo;
use crate::types::{RefType, ValType};
use code::Code;
use signature::{ACCESSES, Type, signature};
use wasmparser::WasmFeatures;

pub(super) use driver::{translate_plain, validate_plain};

/// Proposals that plain functions use; their rules depend on no others.
const NEEDED: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES);

/// wasmparser does not allow more locals than this.
const MAX_LOCALS: usize = 50_000;

/// So many bytes more may be read in vain than with success before no more is tried.
const PATIENCE: usize = 16 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FrameKind {
    Block,
    Loop,
    If,
}

/// The parameters and results of a block.
#[derive(Clone, Copy, Debug)]
enum BlockType {
    Empty,
    Result(Type),
    Func(u32),
}

/// A block that is open.
#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: FrameKind,
    ty: BlockType,
    /// Height of the operand stack below it.
    height: usize,
    /// Whether the rest of it cannot be reached.
    unreachable: bool,
}

impl Frame {
    fn function(type_index: u32) -> Self {
        Self {
            kind: FrameKind::Block,
            ty: BlockType::Func(type_index),
            height: 0,
            unreachable: false,
        }
    }
}

/// Validates plain functions of one module, one after the other; its memory is used again.
pub(super) struct PlainFunctions<'m> {
    info: &'m ModuleInfo,
    enabled: bool,
    /// The address type of the first memory, if there is one.
    address: Option<Type>,
    locals: Vec<Type>,
    operands: Vec<Type>,
    /// The open blocks around the innermost one.
    outer: Vec<Frame>,
    /// The innermost block.
    frame: Frame,
    /// Whether the function's own frame is open.
    open: bool,
    /// Bytes of functions that turned out to be plain, and those read of others.
    used: usize,
    wasted: usize,
}

impl<'m> PlainFunctions<'m> {
    pub(super) fn new(info: &'m ModuleInfo, features: WasmFeatures) -> Self {
        let first = info.memories.first();
        Self {
            info,
            enabled: features.contains(NEEDED),
            address: first.map(|memory| Type::of_index(memory.memory64)),
            locals: Vec::new(),
            operands: Vec::new(),
            outer: Vec::new(),
            frame: Frame::function(0),
            open: false,
            used: 0,
            wasted: 0,
        }
    }

    /// Whether functions of this module are likely to be plain.
    fn is_worth_trying(&self) -> bool {
        self.enabled && self.wasted <= self.used + PATIENCE
    }

    /// Begins a function; its locals are to be declared next.
    fn begin(&mut self, type_index: u32) -> Option<()> {
        self.operands.clear();
        self.outer.clear();
        self.frame = Frame::function(type_index);
        self.open = true;
        self.locals.clear();
        for ty in self.info.type_as_func(type_index)?.params() {
            self.locals.push(Type::of(*ty)?);
        }
        Some(())
    }

    /// Declares `count` locals.
    fn declare(&mut self, count: u32, ty: wasmparser::ValType) -> Option<()> {
        let n = self.locals.len() + count as usize;
        if n > MAX_LOCALS {
            return None;
        }
        self.locals.resize(n, Type::of_read(ty)?);
        Some(())
    }

    /// Whether the stack is no higher than that of a function that can run.
    #[inline]
    fn is_low(&self) -> bool {
        self.operands.len() <= MAX_SLOTS as usize
    }

    /// Any operator but those of [`frequent`].
    fn operator(&mut self, code: &mut Code<'_>) -> Option<()> {
        if !self.open {
            return None;
        }
        match code.byte()? {
            0x00 => self.end_reachable(),
            0x01 => {}
            0x02 => self.open_read(FrameKind::Block, code)?,
            0x03 => self.open_read(FrameKind::Loop, code)?,
            0x04 => {
                self.pop(Type::I32)?;
                self.open_read(FrameKind::If, code)?;
            }
            0x05 => {
                let frame = self.close()?;
                if frame.kind != FrameKind::If {
                    return None;
                }
                self.frame = self.outer.pop()?;
                self.open(FrameKind::Block, frame.ty)?;
            }
            0x0e => self.br_table(code)?,
            0x0f => {
                self.pop_all(self.label(self.outer.len() as u32)?)?;
                self.end_reachable();
            }
            0x11 => self.call_indirect(code)?,
            0x1a => {
                self.pop_any()?;
            }
            0x1b => self.select()?,
            opcode @ 0x28..=0x3e => {
                let access = &ACCESSES[usize::from(opcode - 0x28)];
                code.memarg(access.max_align)?;
                self.access(access)?;
            }
            // `memory.size`
            0x3f => {
                code.zero()?;
                self.operands.push(self.address?);
            }
            // `memory.grow`
            0x40 => {
                code.zero()?;
                let address = self.address?;
                self.pop(address)?;
                self.operands.push(address);
            }
            0x41 => {
                code.i32()?;
                self.operands.push(Type::I32);
            }
            0x42 => {
                code.i64()?;
                self.operands.push(Type::I64);
            }
            0x43 => {
                code.skip(4)?;
                self.operands.push(Type::F32);
            }
            0x44 => {
                code.skip(8)?;
                self.operands.push(Type::F64);
            }
            opcode @ 0x45..=0xc4 => self.numeric(opcode)?,
            0xfc => self.prefixed(code)?,
            _ => return None,
        }
        Some(())
    }

    #[inline]
    fn numeric(&mut self, opcode: u8) -> Option<()> {
        let signature = signature(opcode);
        if signature.binary {
            self.pop(signature.operands)?;
        }
        self.pop(signature.operands)?;
        self.operands.push(signature.result);
        Some(())
    }

    /// A load or store of the first memory.
    #[inline]
    fn access(&mut self, access: &signature::Access) -> Option<()> {
        let address = self.address?;
        if access.store {
            self.pop(access.ty)?;
            self.pop(address)
        } else {
            self.pop(address)?;
            self.operands.push(access.ty);
            Some(())
        }
    }

    fn prefixed(&mut self, code: &mut Code<'_>) -> Option<()> {
        let (operand, result) = match code.byte()? {
            0 | 1 => (Type::F32, Type::I32),
            2 | 3 => (Type::F64, Type::I32),
            4 | 5 => (Type::F32, Type::I64),
            6 | 7 => (Type::F64, Type::I64),
            // `memory.copy`
            10 => {
                let address = self.address?;
                code.zero()?;
                code.zero()?;
                self.pop(address)?;
                self.pop(address)?;
                return self.pop(address);
            }
            // `memory.fill`
            11 => {
                let address = self.address?;
                code.zero()?;
                self.pop(address)?;
                self.pop(Type::I32)?;
                return self.pop(address);
            }
            _ => return None,
        };
        self.pop(operand)?;
        self.operands.push(result);
        Some(())
    }

    fn select(&mut self) -> Option<()> {
        self.pop(Type::I32)?;
        let result = match (self.pop_any()?, self.pop_any()?) {
            (Type::Unknown, other) | (other, Type::Unknown) => other,
            (b, a) if a == b => a,
            _ => return None,
        };
        self.operands.push(result);
        Some(())
    }

    fn call(&mut self, type_index: u32) -> Option<()> {
        let ty = self.info.type_as_func(type_index)?;
        self.pop_all(ty.params())?;
        self.push_all(ty.results())
    }

    fn call_indirect(&mut self, code: &mut Code<'_>) -> Option<()> {
        let ty = code.index()?;
        let table = self.info.tables.get(code.index()? as usize)?;
        if table.element != RefType::FUNCREF {
            return None;
        }
        self.pop(Type::of_index(table.table64))?;
        self.call(ty)
    }

    // ---- the operand stack ----------------------------------------------------------------------

    #[inline]
    fn pop_any(&mut self) -> Option<Type> {
        if self.operands.len() > self.frame.height {
            self.operands.pop()
        } else {
            self.frame.unreachable.then_some(Type::Unknown)
        }
    }

    #[inline]
    fn pop(&mut self, expected: Type) -> Option<()> {
        let ty = self.pop_any()?;
        (ty == expected || ty == Type::Unknown).then_some(())
    }

    #[inline]
    fn pop_all(&mut self, types: &[ValType]) -> Option<()> {
        for ty in types.iter().rev() {
            self.pop(Type::of(*ty)?)?;
        }
        Some(())
    }

    #[inline]
    fn push_all(&mut self, types: &[ValType]) -> Option<()> {
        for ty in types {
            self.operands.push(Type::of(*ty)?);
        }
        Some(())
    }

    #[inline]
    fn end_reachable(&mut self) {
        self.operands.truncate(self.frame.height);
        self.frame.unreachable = true;
    }

    // ---- blocks ---------------------------------------------------------------------------------

    #[inline]
    fn params(&self, ty: BlockType) -> Option<&'m [ValType]> {
        match ty {
            BlockType::Func(index) => Some(self.info.type_as_func(index)?.params()),
            _ => Some(&[]),
        }
    }

    #[inline]
    fn results(&self, ty: BlockType) -> Option<&'m [ValType]> {
        match ty {
            BlockType::Empty => Some(&[]),
            BlockType::Result(ty) => ty.as_slice(),
            BlockType::Func(index) => Some(self.info.type_as_func(index)?.results()),
        }
    }

    /// The types of the values that a branch carries.
    #[inline]
    fn label(&self, depth: u32) -> Option<&'m [ValType]> {
        let frame = match (depth as usize).checked_sub(1) {
            None => &self.frame,
            Some(depth) => self.outer.iter().nth_back(depth)?,
        };
        match frame.kind {
            FrameKind::Loop => self.params(frame.ty),
            FrameKind::Block | FrameKind::If => self.results(frame.ty),
        }
    }

    /// A block whose type is read; if it takes several bytes it is not plain.
    fn open_read(&mut self, kind: FrameKind, code: &mut Code<'_>) -> Option<()> {
        let ty = match code.byte()? {
            0x40 => BlockType::Empty,
            index @ 0..0x40 => BlockType::Func(index.into()),
            byte => BlockType::Result(Type::of_byte(byte)?),
        };
        self.pop_all(self.params(ty)?)?;
        self.open(kind, ty)
    }

    #[inline]
    fn open(&mut self, kind: FrameKind, ty: BlockType) -> Option<()> {
        self.outer.push(self.frame);
        self.frame = Frame {
            kind,
            ty,
            height: self.operands.len(),
            unreachable: false,
        };
        self.push_all(self.params(ty)?)
    }

    /// The end of a block's operators: its results, and nothing else, are on the stack.
    #[inline]
    fn close(&mut self) -> Option<Frame> {
        let frame = self.frame;
        self.pop_all(self.results(frame.ty)?)?;
        (self.operands.len() == frame.height).then_some(frame)
    }

    #[inline]
    fn end(&mut self) -> Option<()> {
        let frame = self.close()?;
        let results = self.results(frame.ty)?;
        // Without an `else`, the parameters are the results.
        if frame.kind == FrameKind::If && self.params(frame.ty)? != results {
            return None;
        }
        let Some(outer) = self.outer.pop() else {
            self.open = false;
            return Some(());
        };
        self.frame = outer;
        self.push_all(results)
    }

    fn br_table(&mut self, code: &mut Code<'_>) -> Option<()> {
        let n = code.index()?;
        self.pop(Type::I32)?;
        let mut types = None;
        // The default target comes last.
        for _ in 0..=n {
            let label = self.label(code.index()?)?;
            // In unreachable code they may differ; that is not plain.
            if *types.get_or_insert(label) != label {
                return None;
            }
        }
        self.pop_all(types?)?;
        self.end_reachable();
        Some(())
    }
}
