//! The bytecode of sheave: one table (`*.isa`), and what is derived from it as data.
//!
//! Code is a sequence of 16-bit *units*, little-endian: an op is one unit of opcode, then its operands in table order
//! (see [`Role`] and [`Ty`] for their widths). [`LABEL`] is set in the opcode unit of each op that a branch leads to.
//! Branch displacements count units from the START of the branching op. Nothing in the code depends on where it lies.
//!
//! ```text
//!   unit  0          1      2    3
//!        ┌──────────┬──────┬────┬────┐
//!        │L  opcode │ dst  │ a  │ b  │      i32_add dst, a, b
//!        └──────────┴──────┴────┴────┘
//! ```
//!
//! What an op *does* is text here ([`EFFECTS`]): `sheave-interp` compiles it, twice.
#![forbid(unsafe_code)]

mod asm;
mod decode;
mod manual;
pub mod ref_kind;
mod shape;
mod verify;

pub use asm::Asm;
pub use decode::{Instr, Instrs, disassemble, read_operand};
pub use manual::manual;
pub use shape::{OpShape, Place, SHAPES};
pub use verify::{FuncShape, ModuleShape, VerifyError, VerifyErrorKind, verify};

/// Version of the encoding rules; the table itself is identified by [`ISA_HASH`].
pub const ISA_VERSION: u32 = 1;

/// Set in the opcode unit of an op that some branch leads to.
pub const LABEL: u16 = 1 << 15;

/// How an op's effect is written in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `out = effect`.
    Value,
    /// `out = effect?`.
    Checked,
    /// A load from memory; may trap.
    Load,
    /// A store to memory; may trap.
    Store,
    /// Acts on the machine's registers.
    Control,
    /// A call out of the loop.
    Slow,
    /// Made by the executor for itself, never valid in a function's code.
    Internal,
}

/// What an operand is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A slot that is written (1 unit).
    Out,
    /// A slot that is read (1 unit).
    In,
    /// A slot that is read and written (1 unit).
    InOut,
    /// A slot that a control op writes (1 unit).
    Set,
    /// An immediate, as wide as its type.
    Imm,
    /// A branch displacement in units from the op's start (2 units).
    Label,
    /// The first of `n` slots, where `n` is the operand of that name (1 unit).
    Range,
    /// The first slot of a call's arguments and results (1 unit).
    Base,
    /// Index of a function that the module defines, counted from 0 (2 units).
    Func,
    /// Index of an imported function (2 units).
    Import,
    /// Type index (2 units).
    Type,
    /// Tag index (2 units).
    Tag,
    /// Table index (1 unit).
    Table,
    /// Memory index (1 unit).
    Mem,
    /// Index of a global that the module defines, counted from 0 (2 units).
    Global,
    /// Index of an imported global (2 units).
    GlobalImport,
    /// Data segment index (2 units).
    Data,
    /// Element segment index (2 units).
    Elem,
}

/// The Rust type that an operand is read or written as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(
    missing_docs,
    reason = "all but the last are the Rust type of that name"
)]
pub enum Ty {
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    /// 16 bytes, in two consecutive slots: the low half in the lower one. Interpreted by lanes, all little-endian.
    V128,
}

/// One operand of an op: a [`Place`] with a name.
#[derive(Clone, Copy, Debug)]
pub struct Operand {
    /// Its name in the table.
    pub name: &'static str,
    /// What it is and where.
    pub place: Place,
}

impl core::ops::Deref for Operand {
    type Target = Place;
    fn deref(&self) -> &Place {
        &self.place
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OpDef {
    /// The mnemonic.
    pub name: &'static str,
    /// The heading it stands under in the manual.
    pub section: &'static str,
    /// What it does, in one line.
    pub doc: &'static str,
    /// How its effect is written.
    pub kind: Kind,
    /// Writes no slot other than its `out` operand.
    pub keeps: bool,
    /// Control never goes on to the next op.
    pub ends: bool,
    /// Length in units, opcode included.
    pub len_units: u8,
    /// The operands, in the order of the encoding.
    pub operands: &'static [Operand],
}

impl Op {
    /// The opcode of an opcode unit (its label bit is ignored).
    #[inline]
    pub fn from_unit(unit: u16) -> Option<Op> {
        ALL.get(usize::from(unit & !LABEL)).copied()
    }

    /// The table's row.
    #[inline]
    pub fn def(self) -> &'static OpDef {
        &OPS[self as usize]
    }

    /// What code that runs needs of the row.
    #[inline]
    pub fn shape(self) -> &'static OpShape {
        &SHAPES[self as usize]
    }

    /// Length in units, opcode included.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "an op is never empty")]
    pub fn len(self) -> usize {
        usize::from(self.shape().len_units)
    }
}

#[inline]
fn form(table: &'static [u16; OP_COUNT], op: Op) -> Option<Op> {
    ALL.get(usize::from(table[op as usize])).copied()
}

include!(concat!(env!("OUT_DIR"), "/ops.rs"));
