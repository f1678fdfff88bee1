//! Writes what is derived from the rows.

use std::fmt::Write as _;

use crate::{Operand, Row};

fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut up = true;
    for c in name.chars() {
        if c == '_' {
            // Digits on both sides of an underscore would merge.
            up = true;
        } else if up {
            out.extend(c.to_uppercase());
            up = false;
        } else {
            out.push(c);
        }
    }
    out
}

fn units(o: &Operand) -> usize {
    match o.role.as_str() {
        "imm" => match o.ty.as_str() {
            "u16" | "i16" => 1,
            "i32" | "u32" | "f32" => 2,
            "i64" | "u64" | "f64" => 4,
            "v128" => 8,
            t => panic!("immediate of type {t}"),
        },
        "in" | "out" | "inout" | "set" | "range" | "base" | "table" | "mem" => 1,
        _ => 2,
    }
}

fn role(r: &str) -> String {
    match r {
        "gimport" => "GlobalImport".into(),
        "inout" => "InOut".into(),
        other => camel(other),
    }
}

pub(crate) fn generate(rows: &[Row], text: &str) -> String {
    let mut s = String::new();
    let n = rows.len();
    let w = &mut s;
    // FNV-1a of the table: two builds agree on the bytecode exactly if they agree on this.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    writeln!(w, "/// Hash of the table that this crate was built from.\npub const ISA_HASH: u64 = {hash:#x};").unwrap();
    writeln!(
        w,
        "/// Number of opcodes.\npub const OP_COUNT: usize = {n};"
    )
    .unwrap();
    writeln!(w, "/// The opcodes, in table order.\n#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]\n#[repr(u16)]\npub enum Op {{").unwrap();
    for r in rows {
        writeln!(w, "    /// {}\n    {},", r.doc, camel(&r.name)).unwrap();
    }
    writeln!(
        w,
        "}}\n/// Every opcode, by its number.\npub static ALL: [Op; OP_COUNT] = ["
    )
    .unwrap();
    for r in rows {
        writeln!(w, "    Op::{},", camel(&r.name)).unwrap();
    }
    writeln!(
        w,
        "];\n/// The table.\npub static OPS: [OpDef; OP_COUNT] = ["
    )
    .unwrap();
    for r in rows {
        let len = 1 + r.operands.iter().map(units).sum::<usize>();
        write!(w, "    OpDef {{ name: {:?}, section: {:?}, doc: {:?}, kind: Kind::{}, keeps: {}, ends: {}, len_units: {len}, operands: &[", r.name, r.section, r.doc, camel(&r.kind), r.attrs.iter().any(|a| a == "keep") || matches!(r.kind.as_str(), "value" | "checked" | "load"), r.attrs.iter().any(|a| a == "end")).unwrap();
        let mut at = 1;
        for o in &r.operands {
            write!(
                w,
                "Operand {{ name: {:?}, place: Place {{ role: Role::{}, ty: Ty::{}, at: {at} }} }}, ",
                o.name,
                role(&o.role),
                o.ty.to_uppercase()
            )
            .unwrap();
            at += units(o);
        }
        writeln!(w, "] }},").unwrap();
    }
    writeln!(w, "];\n/// What each op does, as the Rust text that both executors are made from.\npub static EFFECTS: [&str; OP_COUNT] = [").unwrap();
    for r in rows {
        writeln!(w, "    {:?},", r.effect).unwrap();
    }
    writeln!(w, "];").unwrap();
    operand_names(rows, w);
    lookups(rows, w);
    encoders(rows, w);
    s
}

/// The names of operands, each once, and for each operand of the table which it has: so code that
/// looks for one by name does not hold the rows.
fn operand_names(rows: &[Row], w: &mut String) {
    let mut names: Vec<&str> = Vec::new();
    let mut of = String::new();
    for o in rows.iter().flat_map(|r| &r.operands) {
        let i = names.iter().position(|name| *name == o.name);
        let i = i.unwrap_or_else(|| {
            names.push(&o.name);
            names.len() - 1
        });
        write!(of, "{i},").unwrap();
    }
    writeln!(
        w,
        "pub(crate) static OPERAND_NAMES: [&str; {}] = {names:?};",
        names.len()
    )
    .unwrap();
    writeln!(w, "/// Indices of names, by the place in `PLACES`.\npub(crate) static NAME_OF: [u8; {}] = [{of}];", of.matches(',').count()).unwrap();
}

fn lookups(rows: &[Row], w: &mut String) {
    for (relation, doc) in [
        (
            "imm",
            "The form whose last operand (a store's value) is an immediate.",
        ),
        ("rimm", "The form whose first operand is an immediate."),
        ("branch", "The branch taken if this comparison holds."),
        (
            "branch_not",
            "The branch taken if this comparison does not hold.",
        ),
        (
            "negated",
            "The comparison that holds exactly if this one does not.",
        ),
        (
            "add",
            "The load or store whose address is the sum of two slots.",
        ),
        (
            "addi",
            "The load or store whose address is a slot plus an immediate, wrapping.",
        ),
        ("abs", "The load or store whose address is an immediate."),
        (
            "add_shl",
            "The load or store whose address is a slot plus another one, shifted left.",
        ),
        ("mem", "The load or store in any memory."),
        (
            "m64",
            "The load or store in memory 0 if that has 64-bit addresses.",
        ),
        ("select", "The `select` whose condition is this comparison."),
    ] {
        let table = relation.to_uppercase();
        writeln!(w, "static {table}_FORM: [u16; OP_COUNT] = [").unwrap();
        for r in rows {
            let target = r.links.iter().find(|(k, _)| *k == relation).map(|(_, n)| n);
            match target {
                Some(t) => {
                    let i = rows
                        .iter()
                        .position(|o| o.name == *t)
                        .unwrap_or_else(|| panic!("no row {t}"));
                    write!(w, "{i},").unwrap();
                }
                None => write!(w, "{},", u16::MAX).unwrap(),
            }
        }
        writeln!(w, "];\nimpl Op {{\n    /// {doc}\n    #[inline]\n    pub fn {relation}_form(self) -> Option<Op> {{ form(&{table}_FORM, self) }}\n}}").unwrap();
    }
}

fn encoders(rows: &[Row], w: &mut String) {
    writeln!(w, "/// One encoder an op: each appends the op and gives the position (in units) where it starts.\n#[allow(clippy::too_many_arguments, reason = \"an operand each\")]\nimpl Asm {{").unwrap();
    for r in rows.iter().filter(|r| r.kind != "internal") {
        let (mut params, mut body) = (String::new(), format!("Op::{} as u16", camel(&r.name)));
        for o in &r.operands {
            let ty = match o.role.as_str() {
                "imm" if o.ty == "v128" => "u128",
                "imm" => o.ty.as_str(),
                "in" | "out" | "inout" | "set" | "range" | "base" | "table" | "mem" => "u16",
                "label" => "i32",
                _ => "u32",
            };
            write!(params, ", {}: {ty}", o.name).unwrap();
            let n = &o.name;
            let bits = match ty {
                "f32" | "f64" => format!("{n}.to_bits()"),
                "i32" => format!("({n} as u32)"),
                "i64" => format!("({n} as u64)"),
                "i16" => format!("({n} as u16)"),
                _ => n.clone(),
            };
            match units(o) {
                1 => write!(body, ", {bits}").unwrap(),
                k => {
                    write!(body, ", {bits} as u16").unwrap();
                    for i in 1..k {
                        write!(body, ", ({bits} >> {}) as u16", 16 * i).unwrap();
                    }
                }
            }
        }
        writeln!(w, "    /// {}\n    #[inline]\n    pub fn {}(&mut self{params}) -> u32 {{ self.push(&[{body}]) }}", r.doc, r.name).unwrap();
    }
    writeln!(w, "}}").unwrap();
}
