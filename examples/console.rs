//! A program whose only import prints a character, as the WebAssembly of compilers for garbage-collected languages often
//! has it: under the usual collector, or, with `--stress`, with a collection at every allocation.
//!
//! `cargo run --release --example console -- [--stress] FILE.wasm`
//! (`tests/programs/run.sh moonbit` makes such a file.)

use sheave::{Caller, Config, Engine, Linker, Module, Result, Store};
use std::io::Write;

fn main() -> Result<()> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let stress = args.first().is_some_and(|arg| arg == "--stress");
    if stress {
        args.remove(0);
    }
    let [path] = &args[..] else {
        eprintln!("usage: console [--stress] FILE.wasm");
        std::process::exit(2);
    };
    let mut config = Config::new();
    config.gc_stress(stress);
    let engine = Engine::new(&config)?;
    let module = Module::from_file(&engine, path)?;
    let mut linker = Linker::new(&engine);
    // Units of UTF-16, one a call. What is printed when the program traps is what it printed before.
    let print = |mut caller: Caller<'_, Vec<u16>>, unit: i32| caller.data_mut().push(unit as u16);
    linker.func_wrap("spectest", "print_char", print)?;
    let mut store = Store::new(&engine, Vec::new());
    let ran = linker
        .instantiate(&mut store, &module)
        .and_then(|instance| {
            instance
                .get_typed_func::<(), ()>(&mut store, "_start")?
                .call(&mut store, ())
        });
    std::io::stdout().write_all(String::from_utf16_lossy(store.data()).as_bytes())?;
    let stats = store.gc_stats();
    eprintln!(
        "{} collections, {} bytes allocated",
        stats.collections, stats.allocated_bytes
    );
    ran
}
