//! Small edits of modules, on their bytes.

use anyhow::Result;
use wasmparser::{Operator, Parser, Payload};

/// The module with one more export of a global.
pub fn with_export(wasm: &[u8], name: &str, global: u32) -> Option<Vec<u8>> {
    let mut out = wasm[..8].to_vec();
    let mut at = 8;
    let mut done = false;
    let entry = |body: &mut Vec<u8>| {
        write_leb(body, name.len() as u32);
        body.extend(name.as_bytes());
        body.push(3);
        write_leb(body, global);
    };
    let section = |out: &mut Vec<u8>, body: &[u8]| {
        out.push(7);
        write_leb(out, body.len() as u32);
        out.extend(body);
    };
    while at < wasm.len() {
        let start = at;
        let id = wasm[at];
        at += 1;
        let size = read_leb(wasm, &mut at)? as usize;
        let end = at + size;
        if id == 7 {
            let count = read_leb(wasm, &mut at)?;
            let mut body = Vec::new();
            write_leb(&mut body, count + 1);
            body.extend(&wasm[at..end]);
            entry(&mut body);
            section(&mut out, &body);
            done = true;
        } else {
            if !done && matches!(id, 8..=12) {
                let mut body = vec![1];
                entry(&mut body);
                section(&mut out, &body);
                done = true;
            }
            out.extend(&wasm[start..end]);
        }
        at = end;
    }
    Some(out)
}

fn read_leb(wasm: &[u8], at: &mut usize) -> Option<u32> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let byte = *wasm.get(*at)?;
        *at += 1;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn write_leb(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The module as wasmi 2.0.0 gets it: with an `i32.popcnt` before each `select`, which changes no result. wasmi joins a
/// `select` with a comparison with zero before it, and then takes the condition from where the comparison, now gone, would
/// have put it.
pub fn for_wasmi(wasm: &[u8]) -> Result<Vec<u8>> {
    const POPCNT: u8 = 0x69;
    insert_before(wasm, |op| match op {
        Operator::Select | Operator::TypedSelect { .. } => &[POPCNT],
        _ => &[],
    })
}

/// The module with shorter arrays: an `i32.and` with 1023 before each `array.new` and `array.new_default`. How large an object
/// may be is up to the engine.
pub fn with_short_arrays(wasm: &[u8]) -> Result<Vec<u8>> {
    const CONST_1023_AND: [u8; 4] = [0x41, 0xff, 0x07, 0x71];
    insert_before(wasm, |op| match op {
        Operator::ArrayNew { .. } | Operator::ArrayNewDefault { .. } => &CONST_1023_AND,
        _ => &[],
    })
}

/// The module with the bytes that `insert` gives before each operator of its functions.
fn insert_before(wasm: &[u8], insert: impl Fn(&Operator<'_>) -> &'static [u8]) -> Result<Vec<u8>> {
    const CODE: u8 = 10;
    let mut out = wasm[..8].to_vec();
    let mut code = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let (mut bytes, mut from) = (Vec::<u8>::new(), range.start as usize);
                for op in body.get_operators_reader()?.into_iter_with_offsets() {
                    let (op, at) = op?;
                    let more = insert(&op);
                    if !more.is_empty() {
                        bytes.extend(&wasm[from..at as usize]);
                        bytes.extend(more);
                        from = at as usize;
                    }
                }
                bytes.extend(&wasm[from..range.end as usize]);
                write_leb(&mut code, bytes.len() as u32);
                code.extend(bytes);
            }
            _ => {}
        }
    }
    let count = Parser::new(0)
        .parse_all(wasm)
        .filter(|p| matches!(p, Ok(Payload::CodeSectionEntry(_))))
        .count();
    let mut at = 8;
    while at < wasm.len() {
        let start = at;
        let id = wasm[at];
        at += 1;
        let size = read_leb(wasm, &mut at).unwrap_or(0) as usize;
        at += size;
        if id == CODE {
            let mut body = Vec::new();
            write_leb(&mut body, count as u32);
            body.extend(&code);
            out.push(CODE);
            write_leb(&mut out, body.len() as u32);
            out.extend(body);
        } else {
            out.extend(&wasm[start..at]);
        }
    }
    Ok(out)
}
