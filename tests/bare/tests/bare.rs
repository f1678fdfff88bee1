//! A build without what can be left out runs modules that need nothing of it, and refuses others by name.

use sheave::{Config, Engine, Executor, Linker, Module, Result, Store};

/// `(module (import "host" "log" (func (param i32))) (func (export "run") (param i32) (result i64) …))`: logs the numbers from
/// its argument down to 1, and gives their product.
const PRODUCT: &[u8] = b"\
    \0asm\x01\0\0\0\x01\x0a\x02\x60\x01\x7f\0\x60\x01\x7f\x01\x7e\x02\x0c\x01\x04host\x03log\0\0\x03\x02\x01\x01\x07\x07\
    \x01\x03run\0\x01\x0a\x24\x01\x22\x01\x01\x7e\x42\x01\x21\x01\x03\x40\x20\0\x10\0\x20\x01\x20\0\xad\x7e\x21\x01\x20\0\
    \x41\x01k\x22\0\x0d\0\x0b\x20\x01\x0b";

#[test]
fn a_program_runs() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(&engine, PRODUCT)?;
    let mut store = Store::new(&engine, Vec::new());
    let mut linker = Linker::new(&engine);
    linker.func_wrap(
        "host",
        "log",
        |mut caller: sheave::Caller<'_, Vec<i32>>, x: i32| {
            caller.data_mut().push(x);
        },
    )?;
    let instance = linker.instantiate(&mut store, &module)?;
    let run = instance.get_typed_func::<i32, i64>(&mut store, "run")?;
    assert_eq!(run.call(&mut store, 5)?, 120);
    assert_eq!(store.data(), &[5, 4, 3, 2, 1]);
    Ok(())
}

/// A function without parameters and results, of these operators.
fn function(operators: &[u8]) -> Vec<u8> {
    let mut wasm = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a".to_vec();
    let body = operators.len() as u8 + 2;
    wasm.extend([body + 2, 1, body, 0]);
    wasm.extend(operators);
    wasm.push(0x0b);
    wasm
}

fn refusal(wasm: &[u8]) -> String {
    match Module::new(&Engine::default(), wasm) {
        Ok(_) => panic!("loads"),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn what_is_left_out_is_refused_by_name() {
    assert!(Module::new(&Engine::default(), function(&[0x41, 0, 0x1a])).is_ok());
    let cases: [(&str, Vec<u8>); 5] = [
        // `v128.const 0, drop`
        (
            "simd",
            function(&[&[0xfd, 12][..], &[0; 16], &[0x1a]].concat()),
        ),
        // A function that takes a v128.
        (
            "simd",
            b"\0asm\x01\0\0\0\x01\x05\x01\x60\x01\x7b\0".to_vec(),
        ),
        // `i32.const 0, ref.i31, drop`
        ("gc", function(&[0x41, 0, 0xfb, 0x1c, 0x1a])),
        // `atomic.fence`
        ("threads", function(&[0xfe, 3, 0])),
        // A continuation type.
        (
            "stack-switching",
            b"\0asm\x01\0\0\0\x01\x06\x02\x60\0\0\x5d\0".to_vec(),
        ),
    ];
    for (feature, wasm) in cases {
        let error = refusal(&wasm);
        assert!(
            error.contains(&format!("`{feature}`")),
            "{feature}: {error}"
        );
    }
}

/// A switch of `Config`.
type Switch = fn(&mut Config, bool) -> &mut Config;

#[test]
fn what_is_left_out_cannot_be_switched_on() {
    let switches: [(&str, Switch); 5] = [
        ("simd", Config::wasm_simd),
        ("relaxed-simd", Config::wasm_relaxed_simd),
        ("gc", Config::wasm_gc),
        ("threads", Config::wasm_threads),
        ("stack-switching", Config::wasm_stack_switching),
    ];
    for (feature, switch) in switches {
        assert!(!Config::supports(feature), "{feature}");
        let mut config = Config::new();
        switch(&mut config, true);
        let error = match Engine::new(&config) {
            Ok(_) => panic!("{feature} is there"),
            Err(error) => error.to_string(),
        };
        assert!(
            error.contains(feature) && error.contains("cargo feature"),
            "{error}"
        );
    }
    assert!(Config::supports("exceptions") && Config::supports("tail-call"));
}

#[test]
fn there_is_one_executor() {
    let other = match Executor::best() {
        Executor::Portable => Executor::Threaded,
        _ => Executor::Portable,
    };
    assert!(Executor::best().available() && !other.available());
    let mut config = Config::new();
    config.executor(other);
    let engine = Engine::new(&config).unwrap();
    assert_eq!(engine.executor(), Executor::best());
}
