//! The parts of a WebAssembly module that are checked at different times.

use core::ops::Range;

/// When a part of the module is needed, and so checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// Headers of sections and whatever is in none of the others: when an image is opened.
    Declarations = 0,
    /// Function bodies: to find the source of a position in the bytecode.
    Bodies = 1,
    /// Contents of data segments: at instantiation.
    Data = 2,
    /// Custom sections: for names.
    Custom = 3,
}

/// The checksum of the parts of a module that are of this class, `None` if it is malformed.
pub(super) fn checksum(wasm: &[u8], class: Class) -> Option<u32> {
    let mut hasher = crc32fast::Hasher::new();
    each(wasm, |found, range| {
        if found == class {
            hasher.update(&wasm[range]);
        }
    })?;
    Some(hasher.finalize())
}

/// Calls `visit` with each part of a module in order.
fn each(wasm: &[u8], mut visit: impl FnMut(Class, Range<usize>)) -> Option<()> {
    let mut at = 8;
    visit(Class::Declarations, 0..wasm.get(..at)?.len());
    while at < wasm.len() {
        let start = at;
        let id = wasm[at];
        at += 1;
        let len = usize::try_from(leb128_u32(wasm, &mut at)?).ok()?;
        let end = at.checked_add(len).filter(|end| *end <= wasm.len())?;
        visit(Class::Declarations, start..at);
        let class = match id {
            0 => Class::Custom,
            10 => Class::Bodies,
            11 => Class::Data,
            _ => Class::Declarations,
        };
        visit(class, at..end);
        at = end;
    }
    Some(())
}

fn leb128_u32(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let mut value = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
