//! Reads `ops.isa` and writes the opcode enum, the `OPS` table, the effects, the encoders and the form look-ups.

use std::{env, fs, path::Path};

mod read;
mod write;

#[derive(Clone, Debug)]
struct Operand {
    name: String,
    role: String,
    ty: String,
}

#[derive(Clone, Debug, Default)]
struct Row {
    section: String,
    doc: String,
    kind: String,
    attrs: Vec<String>,
    name: String,
    operands: Vec<Operand>,
    effect: String,
    /// (relation, name of the other op)
    links: Vec<(&'static str, String)>,
}

fn main() {
    println!("cargo:rerun-if-changed=ops.isa");
    println!("cargo:rerun-if-changed=build");
    let text = fs::read_to_string("ops.isa").expect("ops.isa is beside build.rs");
    let rows = read::parse(&text);
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(
        Path::new(&out).join("ops.rs"),
        write::generate(&rows, &text),
    )
    .expect("OUT_DIR is writable");
}
