//! Features: what is on, what can be switched, and the page that says so.

use std::fmt::Write as _;

use sheave_hostcalls::{Config, Engine, Feature, FeatureOrigin, Module};

fn page() -> String {
    let mut text = String::from(
        "# Features\n\n\
         Made from the table in `loader/src/features.rs` by `BLESS=1 cargo test -p sheave-hostcalls --test api features`. \
         The name is that of `--features` on the command line; the switch is a method of `Config`, under Wasmtime's name \
         where Wasmtime has one.\n\n\
         | feature | what it is | switch | WebAssembly | by default |\n|---|---|---|---|---|\n",
    );
    for f in Config::features() {
        let state = match f.missing {
            Some(why) => format!("not supported: {why}"),
            None if f.is_default() => "on".into(),
            None => "off".into(),
        };
        let Feature {
            name,
            doc,
            switch,
            origin,
            ..
        } = f;
        let doc = doc.trim();
        let _ = writeln!(text, "| {name} | {doc} | `{switch}` | {origin} | {state} |");
    }
    text
}

#[test]
#[cfg_attr(miri, ignore = "reads a file")]
fn the_page_of_features_is_that_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/features.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    let have = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        have == page(),
        "docs/features.md is not what the table says; BLESS=1 writes it"
    );
}

#[test]
fn what_came_with_webassembly_3_is_on_by_default() {
    for f in Config::features() {
        if f.is_supported() && f.origin <= FeatureOrigin::Wasm3 {
            assert!(f.is_default(), "{}", f.name);
        }
    }
}

#[test]
fn a_feature_that_is_not_there_cannot_be_switched_on() {
    let mut config = Config::new();
    config.wasm_memory_control(true);
    let error = Engine::new(&config).unwrap_err().to_string();
    assert!(error.starts_with("the feature memory-control is not supported"));
    config.wasm_memory_control(false);
    Engine::new(&config).unwrap();
}

#[test]
fn a_switch_decides_which_modules_are_valid() {
    let valid = |enable| {
        let mut config = Config::new();
        config.wasm_tail_call(enable);
        let engine = Engine::new(&config).unwrap();
        Module::new(&engine, "(module (func $f (return_call $f)))").is_ok()
    };
    assert!(valid(true) && !valid(false));
    assert!(Config::supports("tail-call") && !Config::supports("no such feature"));
}
