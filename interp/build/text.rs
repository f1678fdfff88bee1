//! The texts of effects.

use sheave_isa::Ty;

/// Splits `word(args)rest` after the word; gives the arguments and the rest.
pub(crate) fn args(s: &str) -> (Vec<String>, &str) {
    assert!(s.starts_with('('), "arguments expected: {s}");
    let (mut depth, mut start, mut out) = (0, 1, Vec::new());
    for (i, c) in s.char_indices() {
        match c {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => {
                depth -= 1;
                if depth == 0 {
                    if i > start {
                        out.push(s[start..i].trim().to_string());
                    }
                    return (out, &s[i + 1..]);
                }
            }
            ',' if depth == 1 => {
                out.push(s[start..i].trim().to_string());
                start = i + 1;
            }
            _ => {}
        }
    }
    panic!("unbalanced: {s}");
}

/// The Rust type of an operand.
pub(crate) fn rust_ty(ty: Ty) -> &'static str {
    match ty {
        Ty::I16 => "i16",
        Ty::U16 => "u16",
        Ty::I32 => "i32",
        Ty::U32 => "u32",
        Ty::I64 => "i64",
        Ty::U64 => "u64",
        Ty::F32 => "f32",
        Ty::F64 => "f64",
        Ty::V128 => "V128",
    }
}
