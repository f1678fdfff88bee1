//! Second handlers, for processors that have more than the target asks for.

use std::fmt::Write as _;

use sheave_isa::OPS;

use crate::{For, PARAMS, body};

/// The ops that have a second handler for processors with SSSE3, and its function in `simd::x86::ssse3`.
const SSSE3: &[(&str, &str)] = &[("i8x16_swizzle", "swizzle"), ("i8x16_shuffle", "shuffle")];

pub(crate) fn ssse3(s: &mut String, abi: &str) {
    s.push_str("/// The handler of an op for processors with SSSE3, if it has another one.\npub(crate) fn ssse3_handler(op: sheave_isa::Op) -> Option<Handler> {\n match op as usize {\n");
    let mut handlers = String::new();
    for (name, function) in SSSE3 {
        let index = OPS.iter().position(|op| op.name == *name);
        let index = index.expect("an op of the table");
        let text = body(For::Threaded, index, &OPS[index], None, &mut String::new());
        let text = text.replace(
            &format!("simd::{function}("),
            &format!("simd::x86::ssse3::{function}("),
        );
        writeln!(s, "    {index} => Some(h_{name}_ssse3),").unwrap();
        write!(handlers, "#[target_feature(enable = \"ssse3\")]\nunsafe extern \"{abi}\" fn h_{name}_ssse3({PARAMS}) -> u32 {{\n // SAFETY: as every handler; the linker has asked for SSSE3.\n unsafe {{ {text} }}\n}}\n").unwrap();
    }
    s.push_str("    _ => None,\n }\n}\n");
    s.push_str(&handlers);
}
