//! `docs/isa.md`, written from the table.

use core::fmt::Write as _;

use crate::{OPS, Operand, Role};

/// The manual of the bytecode as Markdown.
pub fn manual() -> String {
    let mut out = String::from(
        "# The bytecode\n\nMade from `interp/isa/*.isa`; a test compares. Code is a sequence of 16-bit little-endian units: the opcode, then\nthe operands in this order. `sN` is a frame slot of 8 bytes. Internal ops are the executor's own.\n",
    );
    let mut section = "";
    for (number, op) in OPS.iter().enumerate() {
        if op.section != section {
            section = op.section;
            let _ = write!(
                out,
                "\n## {section}\n\n| no. | op | operands | units | what it does |\n|---|---|---|---|---|\n"
            );
        }
        let operands: Vec<String> = op.operands.iter().map(operand).collect();
        let _ = writeln!(
            out,
            "| {number} | `{}` | {} | {} | {}{} |",
            op.name,
            operands.join(", "),
            op.len_units,
            op.doc.replace('|', "\\|"),
            if op.kind == crate::Kind::Internal {
                " (internal)"
            } else {
                ""
            }
        );
    }
    out
}

fn operand(o: &Operand) -> String {
    let ty = format!("{:?}", o.ty).to_lowercase();
    match o.role {
        Role::In | Role::Out | Role::InOut => format!(
            "{}: {} {ty}",
            o.name,
            format!("{:?}", o.role).to_lowercase()
        ),
        Role::Imm => format!("{}: {ty}", o.name),
        role => format!("{}: {}", o.name, format!("{role:?}").to_lowercase()),
    }
}
