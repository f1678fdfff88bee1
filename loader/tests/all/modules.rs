//! What modules declare, lazy and eager loading, errors and positions.

use crate::verify::verify_all;
use sheave_loader::{
    ConstOp, DataMode, ElementItems, ExportKind, ImportType, LoadErrorKind, Module, Options,
    ValType, WasmFeatures,
};

fn wat(source: &str) -> Vec<u8> {
    wat::parse_str(source).expect("the module is well-formed")
}

fn load(source: &str) -> Module {
    Module::new(wat(source), &Options::default()).expect("the module is valid")
}

fn error(source: &str) -> sheave_loader::LoadError {
    Module::new(wat(source), &Options::default()).expect_err("the module is not valid")
}

#[test]
fn declarations() {
    let module = load(
        r#"(module $m
             (import "a" "f" (func $f (param i32 f64) (result i64)))
             (import "a" "g" (global $g (mut i32)))
             (table 3 10 funcref)
             (memory 2 5)
             (global $h i64 (i64.add (i64.const 1) (i64.const 2)))
             (func $start)
             (start $start)
             (export "run" (func $start))
             (export "mem" (memory 0))
             (elem (i32.const 1) $f $start)
             (data (i32.const 8) "hello"))"#,
    );
    let info = module.info();
    assert_eq!(
        (
            info.funcs.len(),
            info.n_imported_funcs,
            info.n_defined_funcs()
        ),
        (2, 1, 1)
    );
    assert_eq!(info.func_type(0).unwrap().to_string(), "[i32 f64] -> [i64]");
    assert_eq!(&*info.imports[0].module, "a");
    assert!(matches!(info.imports[1].ty, ImportType::Global(g) if g.mutable));
    assert_eq!((info.tables[0].min, info.tables[0].max), (3, Some(10)));
    assert_eq!(
        (info.memories[0].min_pages, info.memories[0].max_pages),
        (2, Some(5))
    );
    assert_eq!(info.globals[1].content, ValType::I64);
    assert_eq!(
        info.global_defs[0].init[..],
        [ConstOp::I64Const(1), ConstOp::I64Const(2), ConstOp::I64Add]
    );
    assert_eq!(info.start, Some(1));
    assert_eq!(info.exports[1].kind, ExportKind::Memory);
    assert_eq!(info.elements[0].items, ElementItems::Funcs([0, 1].into()));
    assert!(matches!(
        &info.data[0].mode,
        DataMode::Active { memory: 0, .. }
    ));
    assert_eq!(module.data(0), Ok(&b"hello"[..]));
    assert_eq!(module.func_name(0), Some("f"));
    assert_eq!(module.func_name(1), Some("start"));
    assert_eq!(module.func_name(2), None);
    assert_eq!(module.module_name(), Some("m"));
}

#[test]
fn errors_have_offsets_and_names() {
    let invalid = error("(module (func (result i32) i64.const 1))");
    assert!(invalid.offset > 8, "{invalid}");
    assert!(matches!(&invalid.kind, LoadErrorKind::Invalid { message }
        if message.contains("type mismatch")));

    let options = Options {
        features: WasmFeatures::WASM2 - WasmFeatures::SIMD,
        ..Options::default()
    };
    let feature = |source: &str| match Module::new(wat(source), &options).unwrap_err().kind {
        LoadErrorKind::Feature { feature, .. } => feature,
        kind => panic!("{kind:?}"),
    };
    assert_eq!(
        feature("(module (func (result v128) v128.const i64x2 0 0))"),
        "simd"
    );
    assert_eq!(feature("(module (func v128.const i64x2 0 0 drop))"), "simd");
    assert_eq!(feature("(module (memory i64 1))"), "memory64");
    assert_eq!(feature("(module (tag))"), "exceptions");
    assert_eq!(feature("(module (memory 1 1 shared))"), "threads");
    assert_eq!(feature("(module (type (struct)))"), "gc");
    assert_eq!(feature("(module (type (sub (func))))"), "gc");
    assert_eq!(
        feature("(module (func (param (ref func))))"),
        "function-references"
    );

    let features = Options::default().features - WasmFeatures::TAIL_CALL;
    let options = Options {
        features,
        ..Options::default()
    };
    let error = Module::new(wat("(module (func return_call 0))"), &options).unwrap_err();
    assert!(error.to_string().contains("`tail-call`"), "{error}");

    let component = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];
    let error = Module::new(component, &Options::default()).unwrap_err();
    assert_eq!(error.kind, LoadErrorKind::Component);
    assert!(Module::new(*b"hello", &Options::default()).is_err());
}

/// A module with enough functions for several batches, of which one may be wrong.
fn many_functions(wrong: &[usize]) -> Vec<u8> {
    let n = if cfg!(miri) { 20 } else { 3000 };
    let mut source = String::from("(module (memory 1)");
    for i in 0..n {
        let value = if wrong.contains(&i) {
            "(i64.const 0)"
        } else {
            "(local.get 1)"
        };
        source.push_str(&format!(
            "(func (param i32 i32) (result i32) (local i32 i64)
               (loop $l (result i32)
                 (local.set 2 (i32.add (local.get 2) (i32.load offset={i} (local.get 0))))
                 (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 4)))
                                     {value}))
                 (local.get 2)))"
        ));
    }
    source.push(')');
    wat(&source)
}

#[test]
fn however_it_is_loaded_the_code_is_the_same() {
    let bytes = many_functions(&[]);
    let lazy = Module::new(bytes.clone(), &Options::default()).unwrap();
    for threads in [1, 2, 5] {
        for lazy_validation in [false, true] {
            let options = Options {
                lazy_translation: lazy_validation,
                lazy_validation,
                threads,
                ..Options::default()
            };
            let other = Module::new(bytes.clone(), &options).unwrap();
            for func in 0..lazy.info().n_defined_funcs() {
                assert_eq!(lazy.code(func), other.code(func));
            }
        }
    }
}

#[test]
fn the_first_error_is_reported_whatever_the_threads() {
    let wrong: &[usize] = if cfg!(miri) {
        &[5, 9]
    } else {
        &[1700, 1250, 2900]
    };
    let bytes = many_functions(wrong);
    let error = |lazy_translation, threads| {
        let options = Options {
            lazy_translation,
            threads,
            ..Options::default()
        };
        Module::new(bytes.clone(), &options).unwrap_err()
    };
    let first = error(true, 1);
    for threads in [1, 2, 7] {
        assert_eq!(error(true, threads), first);
        assert_eq!(error(false, threads), first);
    }
    // On demand, only the wrong functions fail.
    let options = Options {
        lazy_validation: true,
        ..Options::default()
    };
    let module = Module::new(bytes.clone(), &options).unwrap();
    let failed: Vec<_> = (0..module.info().n_defined_funcs())
        .filter(|func| module.code(*func).is_err())
        .map(|func| func as usize)
        .collect();
    let mut wrong = wrong.to_vec();
    wrong.sort_unstable();
    assert_eq!(failed, wrong);
}

#[test]
fn an_error_in_a_body_comes_before_one_behind_it() {
    let mut bytes = wat("(module (func (result i32) i64.const 1) (data \"x\"))");
    // The data section's last byte is gone.
    bytes.pop();
    let error = Module::new(bytes.clone(), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("type mismatch"), "{error}");
    let options = Options {
        lazy_validation: true,
        ..Options::default()
    };
    let error = Module::new(bytes, &options).unwrap_err();
    assert!(!error.to_string().contains("type mismatch"), "{error}");
}

#[test]
fn positions_lead_to_operators() {
    let bytes = wat("(module (memory 1) (func (param i32 i32) (result i32)
           local.get 0
           local.get 1
           i32.add
           i32.load
           local.get 0
           (local.set 0 (i32.load offset=4 (local.get 0)))
           i32.div_s))");
    let module = Module::new(bytes.clone(), &Options::default()).unwrap();
    let code = module.code(0).unwrap();
    let positions = module.positions(0).unwrap();
    let ops: Vec<_> = sheave_isa::Instrs::new(&code.code)
        .map(|i| i.unwrap())
        .collect();
    assert_eq!(ops.len(), positions.len(), "one for each op");
    // The opcode bytes of: i32.load (with the sum), the copy of the old value, the second load,
    // i32.div_s, end.
    let opcodes: Vec<_> = positions
        .iter()
        .map(|(_, offset)| bytes[*offset as usize])
        .collect();
    assert_eq!(opcodes, [0x28, 0x21, 0x28, 0x6d, 0x0b]);
    for (op, (pos, offset)) in ops.iter().zip(&positions) {
        assert_eq!(op.pos, *pos);
        assert_eq!(module.wasm_offset(0, *pos), Some(*offset as usize));
    }
}

#[test]
fn a_copy_has_no_debugging_sections() {
    let source = |debugging: &str, other: &str| {
        wat(&format!(
            r#"(module (memory 1) {debugging} {other}
                 (func $f (param i32) (result i32) (i32.load (local.get 0))) (data "abc"))"#
        ))
    };
    let other = r#"(@custom "other" (after last) "kept")"#;
    let debugging = r#"(@custom ".debug_info" (after last) "0123456789")
        (@custom ".debug_empty" (after last) "")"#;
    let bytes = source(debugging, other);
    let copy = Module::from_slice(&bytes, &Options::default()).unwrap();
    let whole = Module::new(bytes.clone(), &Options::default()).unwrap();
    assert_eq!(copy.code(0), whole.code(0));
    assert_eq!(copy.positions(0), whole.positions(0));
    assert_eq!(copy.data(0), whole.data(0));
    assert_eq!(copy.func_name(0), Some("f"));
    assert_eq!(whole.func_name(0), Some("f"));
    assert!(copy.wasm().len() < whole.wasm().len());
    assert_eq!(copy.wasm(), source("", other));
    let customs = |module: &Module| -> Vec<_> {
        let all = module.info().custom_sections.iter();
        all.map(|(name, range)| (name.to_string(), module.wasm()[range.clone()].to_vec()))
            .collect()
    };
    let kept: Vec<_> = customs(&whole)
        .into_iter()
        .filter(|(name, _)| !name.starts_with(".debug_"))
        .collect();
    assert_eq!(customs(&copy), kept);
    let image = copy.to_image().unwrap();
    assert_eq!(
        Module::from_image(image, &Options::default())
            .unwrap()
            .code(0),
        whole.code(0)
    );

    // Before the code they stay, since its offsets are those of the module that was given.
    let bytes = source(
        r#"(@custom ".debug_info" (before first) "0123456789")"#,
        other,
    );
    let copy = Module::from_slice(&bytes, &Options::default()).unwrap();
    assert_eq!(copy.wasm(), bytes);
}

#[test]
fn code_options_are_obeyed() {
    let source = "(module (func (param i32) (loop (br_if 0 (local.get 0)))))";
    let ops = |fuel, interruption| {
        let options = Options {
            fuel,
            interruption,
            ..Options::default()
        };
        verify_all(&wat(source), &options);
        let module = Module::new(wat(source), &options).unwrap();
        sheave_isa::disassemble(&module.code(0).unwrap().code)
    };
    assert!(!ops(false, false).contains("fuel") && !ops(false, false).contains("check"));
    assert!(ops(true, false).contains("fuel") && !ops(true, false).contains("check"));
    assert!(!ops(false, true).contains("fuel"));
    assert_eq!(
        ops(false, true).matches("check").count(),
        2,
        "at the entry and in the loop"
    );
}

#[test]
fn programs_verify() {
    // Programs that are not part of the repository, if somebody has put some there.
    let Ok(dir) = std::env::var("SHEAVE_WASM_DIR") else {
        return;
    };
    for entry in std::fs::read_dir(dir).expect("SHEAVE_WASM_DIR is a directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "wasm") {
            let bytes = std::fs::read(&path).expect("readable");
            for on in [false, true] {
                let options = Options {
                    fuel: on,
                    interruption: on,
                    lazy_translation: on,
                    ..Options::default()
                };
                verify_all(&bytes, &options);
            }
        }
    }
}
