//! What plain operators take and give, by opcode. Spec: binary-instr-numeric, binary-instr-memory.

use crate::types::ValType;

/// The type of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Type {
    I32,
    I64,
    F32,
    F64,
    /// Any of them: unreachable code made it.
    Unknown,
}

use Type::{F32, F64, I32, I64, Unknown};

impl Type {
    #[inline]
    pub(super) fn of(ty: ValType) -> Option<Self> {
        match ty {
            ValType::I32 => Some(I32),
            ValType::I64 => Some(I64),
            ValType::F32 => Some(F32),
            ValType::F64 => Some(F64),
            ValType::V128 | ValType::Ref(_) => None,
        }
    }

    /// The type that was read.
    #[inline]
    pub(super) fn of_read(ty: wasmparser::ValType) -> Option<Self> {
        use wasmparser::ValType;
        match ty {
            ValType::I32 => Some(I32),
            ValType::I64 => Some(I64),
            ValType::F32 => Some(F32),
            ValType::F64 => Some(F64),
            ValType::V128 | ValType::Ref(_) => None,
        }
    }

    /// The type that is written with this byte. Spec: binary-numtype.
    pub(super) fn of_byte(byte: u8) -> Option<Self> {
        match byte {
            0x7f => Some(I32),
            0x7e => Some(I64),
            0x7d => Some(F32),
            0x7c => Some(F64),
            _ => None,
        }
    }

    /// The type of addresses of a memory, or of indices of a table.
    pub(super) fn of_index(has_64_bits: bool) -> Self {
        if has_64_bits { I64 } else { I32 }
    }

    pub(super) fn as_slice(self) -> Option<&'static [ValType]> {
        match self {
            I32 => Some(&[ValType::I32]),
            I64 => Some(&[ValType::I64]),
            F32 => Some(&[ValType::F32]),
            F64 => Some(&[ValType::F64]),
            Unknown => None,
        }
    }
}

/// A numeric operator: it has one operand, or two of the same type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature {
    pub(super) binary: bool,
    pub(super) operands: Type,
    pub(super) result: Type,
}

/// The opcodes 0x45 to 0xc4: the last of each run of operators that take and give the same.
const NUMERIC: [(u8, bool, Type, Type); 32] = [
    (0x45, false, I32, I32), // eqz
    (0x4f, true, I32, I32),  // comparisons
    (0x50, false, I64, I32),
    (0x5a, true, I64, I32),
    (0x60, true, F32, I32),
    (0x66, true, F64, I32),
    (0x69, false, I32, I32), // arithmetic
    (0x78, true, I32, I32),
    (0x7b, false, I64, I64),
    (0x8a, true, I64, I64),
    (0x91, false, F32, F32),
    (0x98, true, F32, F32),
    (0x9f, false, F64, F64),
    (0xa6, true, F64, F64),
    (0xa7, false, I64, I32), // i32.wrap
    (0xa9, false, F32, I32),
    (0xab, false, F64, I32),
    (0xad, false, I32, I64),
    (0xaf, false, F32, I64),
    (0xb1, false, F64, I64),
    (0xb3, false, I32, F32),
    (0xb5, false, I64, F32),
    (0xb6, false, F64, F32), // f32.demote
    (0xb8, false, I32, F64),
    (0xba, false, I64, F64),
    (0xbb, false, F32, F64), // f64.promote
    (0xbc, false, F32, I32), // reinterpretations
    (0xbd, false, F64, I64),
    (0xbe, false, I32, F32),
    (0xbf, false, I64, F64),
    (0xc1, false, I32, I32), // sign extensions
    (0xc4, false, I64, I64),
];

const FIRST: u8 = 0x45;
const LAST: u8 = 0xc4;

static SIGNATURES: [Signature; (LAST - FIRST) as usize + 1] = {
    let none = Signature {
        binary: false,
        operands: Unknown,
        result: Unknown,
    };
    let mut all = [none; (LAST - FIRST) as usize + 1];
    let (mut opcode, mut run) = (FIRST, 0);
    while opcode <= LAST {
        let (last, binary, operands, result) = NUMERIC[run];
        all[(opcode - FIRST) as usize] = Signature {
            binary,
            operands,
            result,
        };
        if opcode == last {
            run += 1;
        }
        opcode += 1;
    }
    assert!(run == NUMERIC.len());
    all
};

/// The signature of a numeric operator.
#[inline]
pub(super) fn signature(opcode: u8) -> &'static Signature {
    &SIGNATURES[usize::from(opcode.clamp(FIRST, LAST) - FIRST)]
}

/// A load or store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    pub(super) store: bool,
    /// The type of the value.
    pub(super) ty: Type,
    /// Binary logarithm of the bytes in memory.
    pub(super) max_align: u8,
}

const fn load(ty: Type, max_align: u8) -> Access {
    Access {
        store: false,
        ty,
        max_align,
    }
}

const fn store(ty: Type, max_align: u8) -> Access {
    Access {
        store: true,
        ty,
        max_align,
    }
}

/// The opcodes 0x28 to 0x3e.
pub(super) static ACCESSES: [Access; 23] = [
    load(I32, 2),
    load(I64, 3),
    load(F32, 2),
    load(F64, 3),
    load(I32, 0),
    load(I32, 0),
    load(I32, 1),
    load(I32, 1),
    load(I64, 0),
    load(I64, 0),
    load(I64, 1),
    load(I64, 1),
    load(I64, 2),
    load(I64, 2),
    store(I32, 2),
    store(I64, 3),
    store(F32, 2),
    store(F64, 3),
    store(I32, 0),
    store(I32, 1),
    store(I64, 0),
    store(I64, 1),
    store(I64, 2),
];
