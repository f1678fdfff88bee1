//! Reads the table (`*.isa`) and writes the opcode enum, the `OPS` table, the effects, the encoders and the form look-ups.

use std::{env, fs, path::Path};

mod read;
mod write;

/// The files of the table. Opcodes are numbered in this order.
const FILES: &[&str] = &[
    "ops.isa",
    "simd.isa",
    "refs.isa",
    "atomics.isa",
    "conts.isa",
];

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
    println!("cargo:rerun-if-changed=build");
    let mut text = String::new();
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
        text += &fs::read_to_string(file).expect("the table is beside build/");
    }
    let rows = read::parse(&text);
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(
        Path::new(&out).join("ops.rs"),
        write::generate(&rows, &text),
    )
    .expect("OUT_DIR is writable");
}
