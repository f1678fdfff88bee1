//! The decoder and the disassembler: plain loops over the table.

use core::fmt::Write as _;

use crate::{LABEL, Op, Place, Role, Ty};

/// One decoded op.
#[derive(Clone, Copy, Debug)]
pub struct Instr<'a> {
    /// Where it starts, in units from the function's start.
    pub pos: u32,
    /// The opcode.
    pub op: Op,
    /// Some branch leads here.
    pub label: bool,
    /// Its units, opcode included.
    pub units: &'a [u16],
}

/// Reads ops one after the other; ends early, with an error, at an unknown opcode or a truncated op.
#[derive(Clone, Debug)]
pub struct Instrs<'a> {
    code: &'a [u16],
    pos: usize,
}

impl<'a> Instrs<'a> {
    /// Starts at the beginning of `code`.
    pub fn new(code: &'a [u16]) -> Instrs<'a> {
        Instrs { code, pos: 0 }
    }

    /// Starts at unit `pos` of `code`, where an op starts.
    pub fn at(code: &'a [u16], pos: u32) -> Instrs<'a> {
        Instrs {
            code,
            pos: pos as usize,
        }
    }
}

impl<'a> Iterator for Instrs<'a> {
    /// The op, or the position (in units) where none could be decoded.
    type Item = Result<Instr<'a>, u32>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.code.get(self.pos..).filter(|r| !r.is_empty())?;
        let pos = self.pos as u32;
        let units = match Op::from_unit(rest[0]).map(|op| (op, rest.get(..op.len()))) {
            Some((op, Some(units))) => {
                self.pos += units.len();
                return Some(Ok(Instr {
                    pos,
                    op,
                    label: rest[0] & LABEL != 0,
                    units,
                }));
            }
            _ => self.code.len(),
        };
        self.pos = units;
        Some(Err(pos))
    }
}

impl Instr<'_> {
    /// The raw bits of an operand, zero-extended; the low half of one of 128 bits.
    #[inline]
    pub fn raw(&self, operand: &Place) -> u64 {
        read_operand(self.units, operand)
    }

    /// The bits of the operand of that name.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.op.shape().operand(name).map(|o| self.raw(o))
    }

    /// How many, if it has an operand that says so.
    #[inline]
    pub fn n(&self) -> Option<u64> {
        self.op.shape().n().map(|o| self.raw(o))
    }

    /// Where its branch leads, in units from the function's start; `None` if it has none or it leads before the start.
    pub fn target(&self) -> Option<u32> {
        let label = self
            .op
            .shape()
            .operands()
            .iter()
            .find(|o| o.role == Role::Label)?;
        let disp = self.raw(label) as u32 as i32;
        u32::try_from(i64::from(self.pos) + i64::from(disp)).ok()
    }
}

/// The raw bits of `operand` in an op's units, zero-extended; the low half of one of 128 bits.
#[inline]
pub fn read_operand(units: &[u16], operand: &Place) -> u64 {
    let at = usize::from(operand.at);
    let unit = |i: usize| u64::from(units[at + i]) << (16 * i);
    match operand.units() {
        1 => unit(0),
        2 => unit(0) | unit(1),
        _ => unit(0) | unit(1) | unit(2) | unit(3),
    }
}

/// The text of a function: one op a line, positions only where a branch leads.
pub fn disassemble(code: &[u16]) -> String {
    let mut out = String::new();
    for instr in Instrs::new(code) {
        match instr {
            Ok(i) => {
                if i.label {
                    let _ = writeln!(out, "@{}:", i.pos);
                }
                let _ = writeln!(out, "    {i}");
            }
            Err(pos) => {
                let _ = writeln!(out, "    <no op at {pos}>");
            }
        }
    }
    out
}

impl core::fmt::Display for Instr<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let def = self.op.def();
        f.write_str(def.name)?;
        for (i, o) in def.operands.iter().enumerate() {
            f.write_str(if i == 0 { " " } else { ", " })?;
            let raw = self.raw(o);
            match o.role {
                Role::Out | Role::In | Role::InOut | Role::Set | Role::Range | Role::Base => {
                    write!(f, "s{raw}")?
                }
                Role::Label => match self.target() {
                    Some(t) => write!(f, "@{t}")?,
                    None => write!(f, "@?")?,
                },
                Role::Imm => match o.ty {
                    Ty::I16 => write!(f, "{}", raw as u16 as i16)?,
                    Ty::I32 => write!(f, "{}", raw as u32 as i32)?,
                    Ty::I64 => write!(f, "{}", raw as i64)?,
                    Ty::F32 => write!(f, "{:?}", f32::from_bits(raw as u32))?,
                    Ty::F64 => write!(f, "{:?}", f64::from_bits(raw))?,
                    Ty::U16 | Ty::U32 | Ty::U64 => write!(f, "{raw}")?,
                    Ty::V128 => {
                        let at = usize::from(o.at);
                        f.write_str("0x")?;
                        for unit in self.units[at..at + o.units()].iter().rev() {
                            write!(f, "{unit:04x}")?;
                        }
                    }
                },
                _ => write!(f, "{} {raw}", o.name)?,
            }
        }
        Ok(())
    }
}
