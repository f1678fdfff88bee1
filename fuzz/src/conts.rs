//! Modules with continuations: those of the project's scripts, as wasm-smith makes none.

use std::sync::LazyLock;

use wast::parser::{ParseBuffer, parse};
use wast::{QuoteWat, Wast, WastDirective};

const SCRIPTS: [&str; 9] = [
    include_str!("../../tests/continuations/values.wast"),
    include_str!("../../tests/continuations/once.wast"),
    include_str!("../../tests/continuations/dispatch.wast"),
    include_str!("../../tests/continuations/switch.wast"),
    include_str!("../../tests/continuations/exceptions.wast"),
    include_str!("../../tests/continuations/traps.wast"),
    include_str!("../../tests/continuations/tail_calls.wast"),
    include_str!("../../tests/continuations/collect.wast"),
    include_str!("../../tests/continuations/instances.wast"),
];

static MODULES: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| SCRIPTS.iter().copied().flat_map(modules).collect());

/// The modules of a script.
fn modules(script: &str) -> Vec<Vec<u8>> {
    let buffer = ParseBuffer::new(script).expect("words");
    let script = parse::<Wast<'_>>(&buffer).expect("a script");
    let modules = script.directives.into_iter().filter_map(|d| match d {
        WastDirective::Module(module @ QuoteWat::Wat(_)) => Some(module),
        WastDirective::ModuleDefinition(module) => Some(module),
        _ => None,
    });
    modules
        .map(|mut module| module.encode().expect("a module"))
        .collect()
}

/// One of them.
pub fn module(n: u64) -> &'static [u8] {
    let modules = &*MODULES;
    &modules[(n % modules.len() as u64) as usize]
}
