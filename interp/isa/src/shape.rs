//! The table without its texts: what the verifier, the linker and the translator read.
//!
//! No row holds a pointer, so the table is small and needs no relocation when a program starts; and a program that
//! prints no bytecode does not hold the texts.

use crate::{Kind, NAME_OF, OP_COUNT, OPERAND_NAMES, OPS, Role, Ty};

/// What an operand is, and where.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// What it is.
    pub role: Role,
    /// The type it is read or written as.
    pub ty: Ty,
    /// Its first unit, counted from the op's start.
    pub at: u8,
}

impl Place {
    /// How many slots it names, if it names slots at all.
    pub const fn slots(&self) -> u32 {
        match self.ty {
            Ty::V128 => 2,
            _ => 1,
        }
    }

    /// Width in units.
    pub const fn units(&self) -> usize {
        match self.role {
            Role::Imm => match self.ty {
                Ty::I16 | Ty::U16 => 1,
                Ty::I32 | Ty::U32 | Ty::F32 => 2,
                Ty::I64 | Ty::U64 | Ty::F64 => 4,
                Ty::V128 => 8,
            },
            Role::Out
            | Role::In
            | Role::InOut
            | Role::Set
            | Role::Range
            | Role::Base
            | Role::Table
            | Role::Mem => 1,
            _ => 2,
        }
    }
}

/// A row without texts.
#[derive(Clone, Copy, Debug)]
pub struct OpShape {
    /// How its effect is written.
    pub kind: Kind,
    /// Writes no slot other than its `out` operand.
    pub keeps: bool,
    /// Control never goes on to the next op.
    pub ends: bool,
    /// Length in units, opcode included.
    pub len_units: u8,
    first: u16,
    count: u8,
    /// Which operand is called `n`.
    n: u8,
}

impl OpShape {
    /// The operands, in the order of the encoding.
    #[inline]
    pub fn operands(&self) -> &'static [Place] {
        &PLACES[usize::from(self.first)..][..usize::from(self.count)]
    }

    /// The operand of that name.
    pub fn operand(&self, name: &str) -> Option<&'static Place> {
        let names = &NAME_OF[usize::from(self.first)..][..usize::from(self.count)];
        let k = names
            .iter()
            .position(|i| OPERAND_NAMES[usize::from(*i)] == name)?;
        self.operands().get(k)
    }

    /// The operand that says how many: the one called `n`.
    #[inline]
    pub fn n(&self) -> Option<&'static Place> {
        self.operands().get(usize::from(self.n))
    }
}

/// By opcode.
pub static SHAPES: [OpShape; OP_COUNT] = {
    let none = OpShape {
        kind: Kind::Internal,
        keeps: false,
        ends: false,
        len_units: 0,
        first: 0,
        count: 0,
        n: 0,
    };
    let mut all = [none; OP_COUNT];
    let (mut i, mut first) = (0, 0);
    while i < OP_COUNT {
        let (op, mut n, mut k) = (&OPS[i], u8::MAX, 0);
        while k < op.operands.len() {
            if matches!(op.operands[k].name.as_bytes(), b"n") {
                n = k as u8;
            }
            k += 1;
        }
        all[i] = OpShape {
            kind: op.kind,
            keeps: op.keeps,
            ends: op.ends,
            len_units: op.len_units,
            first,
            count: k as u8,
            n,
        };
        first += k as u16;
        i += 1;
    }
    all
};

/// How many operands all rows have.
const PLACE_COUNT: usize = {
    let (mut i, mut count) = (0, 0);
    while i < OP_COUNT {
        count += OPS[i].operands.len();
        i += 1;
    }
    assert!(count <= u16::MAX as usize);
    count
};

/// The operands of all rows, one row after the other.
static PLACES: [Place; PLACE_COUNT] = {
    let none = Place {
        role: Role::Imm,
        ty: Ty::I16,
        at: 0,
    };
    let mut all = [none; PLACE_COUNT];
    let (mut i, mut at) = (0, 0);
    while i < OP_COUNT {
        let mut k = 0;
        while k < OPS[i].operands.len() {
            all[at] = OPS[i].operands[k].place;
            at += 1;
            k += 1;
        }
        i += 1;
    }
    all
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_texts_say_the_same() {
        for (op, shape) in OPS.iter().zip(&SHAPES) {
            assert_eq!((op.len_units, op.kind), (shape.len_units, shape.kind));
            assert_eq!(op.operands.len(), shape.operands().len(), "{}", op.name);
            for (operand, place) in op.operands.iter().zip(shape.operands()) {
                assert_eq!(
                    (operand.role, operand.ty, operand.at),
                    (place.role, place.ty, place.at)
                );
                let named = shape.operand(operand.name);
                assert!(named.is_some_and(|named| core::ptr::eq(named, place)));
            }
            let n = op.operands.iter().find(|o| o.name == "n").map(|o| o.at);
            assert_eq!(shape.n().map(|o| o.at), n);
        }
    }
}
