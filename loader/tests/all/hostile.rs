//! Modules that were made to hurt: everything stays linear in their size.
//!
//! What is counted is bytecode, and that it comes at all: quadratic work on these sizes would take
//! hours.

use crate::verify::verify_all;
use sheave_loader::{LoadErrorKind, Module, Options, WasmFeatures};

/// Smaller where each step is slow.
const SCALE: usize = if cfg!(miri) { 2000 } else { 1 };

fn leb(mut n: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(contents.len()), contents].concat()
}

/// A module with one function of this type, these locals and this code.
fn module(ty: &[u8], locals: &[u8], code: &[u8]) -> Vec<u8> {
    module_with(&[ty], locals, code)
}

fn module_with(types: &[&[u8]], locals: &[u8], code: &[u8]) -> Vec<u8> {
    let body = [locals, code].concat();
    let mut out = b"\0asm\x01\0\0\0".to_vec();
    out.extend(section(
        1,
        &[&leb(types.len()), &types.concat()[..]].concat(),
    ));
    out.extend(section(3, &[1, 0]));
    out.extend(section(10, &[&[1][..], &leb(body.len()), &body].concat()));
    out
}

const NO_LOCALS: &[u8] = &[0];
const NULLARY: &[u8] = &[0x60, 0, 0];
const UNARY: &[u8] = &[0x60, 1, 0x7f, 0];

/// Units of bytecode for each byte of the module's only function.
fn expansion(bytes: &[u8]) -> usize {
    expansion_with(bytes, WasmFeatures::empty())
}

/// As `expansion`, with more features than are on by default.
fn expansion_with(bytes: &[u8], more: WasmFeatures) -> usize {
    let mut options = Options::default();
    options.features.insert(more);
    verify_all(bytes, &options);
    let module = Module::new(bytes, &options).expect("valid");
    options.lazy_translation = false;
    let eager = Module::new(bytes, &options).expect("valid");
    assert_eq!(module.code(0), eager.code(0));
    module.code(0).expect("small enough").code.len() / bytes.len()
}

#[test]
fn deep_nesting() {
    let n = 100_000 / SCALE;
    for open in [&[0x02, 0x40][..], &[0x03, 0x40], &[0x41, 0, 0x04, 0x40]] {
        let code = [open.repeat(n), vec![0x0b; n + 1]].concat();
        assert!(expansion(&module(NULLARY, NO_LOCALS, &code)) <= 4);
    }
    // With an `else` in each, a branch out of all of them, and in unreachable code.
    let mut code = [0x41, 0, 0x04, 0x40].repeat(n);
    code.extend([0x0c].iter().chain(&leb(n)));
    code.extend([0x05, 0x0b].repeat(n));
    code.push(0x0b);
    assert!(expansion(&module(NULLARY, NO_LOCALS, &code)) <= 4);
    let code = [vec![0x00], [0x02, 0x40].repeat(n), vec![0x0b; n + 1]].concat();
    assert_eq!(expansion(&module(NULLARY, NO_LOCALS, &code)), 0);
}

#[test]
fn many_locals() {
    let n = 50_000 / SCALE;
    let locals = [&[1][..], &leb(n), &[0x7f]].concat();
    // Each is read before it is written; then each is on the stack when it changes.
    let mut code = Vec::new();
    for i in 0..n {
        code.extend([&[0x20][..], &leb(i)].concat());
    }
    for i in 0..n {
        code.extend([&[0x41, 1, 0x21][..], &leb(i)].concat());
    }
    code.extend(vec![0x1a; n]);
    code.push(0x0b);
    let bytes = module(NULLARY, &locals, &code);
    if 2 * n > 65_535 {
        let options = Options {
            lazy_translation: false,
            ..Options::default()
        };
        let error = Module::new(bytes, &options).unwrap_err();
        assert_eq!(error.kind, LoadErrorKind::TooManySlots);
        assert_eq!(
            error.to_string().split(" (").next(),
            Some("function needs more than 65,535 slots")
        );
    } else {
        assert!(expansion(&bytes) <= 4);
    }
    // Too many to declare: the error is the validator's.
    let locals = [&[1][..], &leb(50_001), &[0x7f]].concat();
    let error = Module::new(module(NULLARY, &locals, &[0x0b]), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("too many"), "{error}");
}

#[test]
fn one_local_often() {
    // The stack is full of one local, which then changes, and that many times.
    let n = 10_000 / SCALE;
    let locals = [1, 1, 0x7f];
    let mut code = [0x20, 0].repeat(n);
    for _ in 0..n {
        code.extend([0x41, 1, 0x21, 0]);
    }
    code.extend(vec![0x1a; n]);
    code.push(0x0b);
    assert!(expansion(&module(NULLARY, &locals, &code)) <= 4);
    // Blocks above it, and calls that take only the lower of two entries of it.
    let mut code = [0x20, 0].repeat(n);
    code.extend([0x02, 0x40, 0x0b].repeat(n));
    code.extend(vec![0x1a; n]);
    code.push(0x0b);
    assert!(expansion(&module(NULLARY, &locals, &code)) <= 4);
}

#[test]
fn huge_branch_table() {
    let n = 1_000_000 / SCALE;
    let code = [&[0x20, 0, 0x0e][..], &leb(n), &vec![0; n], &[0, 0x0b]].concat();
    assert!(expansion(&module(UNARY, NO_LOCALS, &code)) <= 4);
}

#[test]
fn branch_tables_with_many_values() {
    // A hundred values go to each of a hundred blocks, and that a hundred times.
    let n = if cfg!(miri) { 5 } else { 100 };
    let many = [&[0x60, 0][..], &leb(n), &vec![0x7f; n]].concat();
    let mut code = Vec::new();
    for _ in 0..n {
        // Junk below the results, so that they have to move.
        code.extend([0x02, 1, 0x41, 7]);
    }
    for _ in 0..n {
        code.extend([0x02, 0x40]);
        code.extend([0x41, 1].repeat(n));
        code.extend([&[0x20, 0, 0x0e][..], &leb(n)].concat());
        for depth in 0..n {
            code.extend(leb(depth + 1));
        }
        code.extend(leb(n));
        code.push(0x0b);
    }
    // Then only the last block's values are wanted.
    code.push(0x00);
    for _ in 0..n {
        code.push(0x0b);
        code.extend(vec![0x1a; n]);
        code.push(0x00);
    }
    code.push(0x0b);
    let bytes = module_with(&[UNARY, &many], NO_LOCALS, &code);
    match Module::new(bytes.clone(), &Options::default()) {
        Ok(_) => assert!(expansion(&bytes) <= 12),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn conditional_branches_with_many_values() {
    let n = if cfg!(miri) { 8 } else { 500 };
    let many = [&[0x60, 0][..], &leb(n), &vec![0x7f; n]].concat();
    let mut code = vec![0x02, 1, 0x41, 9];
    code.extend([0x41, 1].repeat(n));
    code.extend([0x20, 0, 0x0d, 0].repeat(n));
    code.extend(vec![0x1a; n + 1]);
    code.extend([0x41, 1].repeat(n));
    code.push(0x0b);
    code.extend(vec![0x1a; n]);
    code.push(0x0b);
    assert!(expansion(&module_with(&[UNARY, &many], NO_LOCALS, &code)) <= 4);
}

#[test]
#[cfg_attr(miri, ignore = "65,536 values take minutes")]
fn a_stack_without_end() {
    // Each call leaves a thousand values.
    let many = [&[0x60, 0][..], &leb(1000), &[0x7f; 1000]].concat();
    let body = [&[0x00][..], &[0x10, 0].repeat(100_000), &[0x00, 0x0b]].concat();
    let bytes = module_with(&[&many], &[], &body);
    for lazy_translation in [false, true] {
        let options = Options {
            lazy_translation,
            ..Options::default()
        };
        let error = Module::new(bytes.clone(), &options).unwrap_err();
        assert_eq!(error.kind, LoadErrorKind::TooManySlots);
    }
}

#[test]
fn resumptions_with_many_clauses() {
    // 100 resumptions inside 10,000 blocks, each with a clause for every tenth of these: for a tag, in turn with a switch.
    let (blocks, resumptions) = if cfg!(miri) { (20, 3) } else { (10_000, 100) };
    let clauses = blocks / 10;
    let types: [&[u8]; 3] = [
        &[0x60, 0, 0],
        // (cont 0), (func (result (ref null 1)))
        &[0x5d, 0],
        &[0x60, 0, 1, 0x63, 1],
    ];
    let mut code = [0x02, 2].repeat(blocks);
    for _ in 0..resumptions {
        // ref.null, resume
        code.extend([0xd0, 1, 0xe3, 1]);
        code.extend(leb(2 * clauses));
        for clause in 0..clauses {
            code.extend([&[0, 0][..], &leb(clause * 10), &[1, 0]].concat());
        }
    }
    code.extend([0x00, 0x0b].iter());
    code.extend([0x1a, 0x00, 0x0b].repeat(blocks - 1));
    code.extend([0x1a, 0x0b]);
    let body = [NO_LOCALS, &code].concat();
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    bytes.extend(section(1, &[&[3][..], &types.concat()].concat()));
    bytes.extend(section(3, &[1, 0]));
    bytes.extend(section(13, &[1, 0, 0]));
    bytes.extend(section(10, &[&[1][..], &leb(body.len()), &body].concat()));
    assert!(expansion_with(&bytes, WasmFeatures::STACK_SWITCHING) <= 4);
}

#[test]
fn giant_function() {
    let n = 1_000_000 / SCALE;
    let code = [[0x20, 0, 0x41, 1, 0x6a, 0x21, 0].repeat(n), vec![0x0b]].concat();
    assert!(expansion(&module(UNARY, NO_LOCALS, &code)) <= 2);
}
