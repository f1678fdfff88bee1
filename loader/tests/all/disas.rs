//! `tests/disas/*.wat`: the bytecode expected of each is at its end, in lines that start with
//! `;;=`; `BLESS=1` writes it. The first line may hold options: `;;! fuel interruption
//! stack-switching`.

use crate::verify::verify_all;
use sheave_loader::{Module, Options, WasmFeatures};
use std::fmt::Write as _;
use std::path::Path;

const EXPECTED: &str = ";;=";

fn bytecode(source: &str) -> String {
    let words: Vec<_> = source
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let has = |word| words.first() == Some(&";;!") && words.contains(&word);
    let mut options = Options {
        fuel: has("fuel"),
        interruption: has("interruption"),
        ..Options::default()
    };
    let conts = has("stack-switching");
    options.features.set(WasmFeatures::STACK_SWITCHING, conts);
    let bytes = wat::parse_str(source).expect("the module is well-formed");
    let module = Module::new(bytes.clone(), &options).expect("the module is valid");
    verify_all(&bytes, &options);
    let mut out = String::new();
    for func in 0..module.info().n_defined_funcs() {
        let code = module.code(func).expect("the function is valid");
        let index = func + module.info().n_imported_funcs;
        let name = module
            .func_name(index)
            .map_or(String::new(), |name| format!(" ${name}"));
        let _ = writeln!(out, "func {index}{name}, {} slots", code.frame_slots);
        out.push_str(&sheave_isa::disassemble(&code.code));
    }
    out
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn disas() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disas");
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(dir).expect("the directory is there") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("readable");
        let is_source = |line: &&str| !line.starts_with(EXPECTED);
        let source: Vec<_> = text.lines().filter(is_source).collect();
        let mut blessed = source.join("\n");
        blessed.push('\n');
        for line in bytecode(&blessed).lines() {
            let _ = writeln!(blessed, "{}", format!("{EXPECTED} {line}").trim_end());
        }
        if blessed != text {
            if bless {
                std::fs::write(&path, blessed).expect("writable");
            } else {
                wrong.push(format!("{}\n{blessed}", path.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "other bytecode (BLESS=1 accepts it):\n{}",
        wrong.join("\n")
    );
}
