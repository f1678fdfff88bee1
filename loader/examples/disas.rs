//! Prints the bytecode of a module's functions, or how long loading it takes:
//! `disas FILE [FUNC|--time]`.
#![allow(clippy::print_stdout, reason = "it is a program")]

use sheave_loader::{Module, Options};
use std::time::Instant;

fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().expect("a file");
    let what = args.next();
    let bytes = wat::parse_file(&path).expect("a module");
    if what.as_deref() == Some("--time") {
        return time(&bytes);
    }
    let module = Module::new(bytes, &Options::default()).expect("a valid module");
    let only = what.map(|f| f.parse::<u32>().expect("a function index"));
    for func in 0..module.info().n_defined_funcs() {
        if only.is_none_or(|f| f == func) {
            let code = module.code(func).expect("it was validated");
            println!("func {func}: {} slots", code.frame_slots);
            println!("{}", sheave_isa::disassemble(&code.code));
        }
    }
}

fn time(bytes: &[u8]) {
    let path = std::env::temp_dir().join("sheave-disas-example.image");
    let module = Module::new(bytes, &Options::default()).expect("a valid module");
    module.write_image(&path).expect("a writable directory");
    for _ in 0..3 {
        let start = Instant::now();
        let module = Module::open_image(&path, &Options::default()).expect("what was written");
        println!("open image: {:?}", start.elapsed());
        drop(module);
    }
    std::fs::remove_file(&path).expect("it was written");
    for threads in [1, 0] {
        for (name, lazy_translation, lazy_validation) in [
            ("lazy", true, true),
            ("validate", true, false),
            ("eager", false, false),
        ] {
            let options = Options {
                lazy_translation,
                lazy_validation,
                threads,
                ..Options::default()
            };
            let best = (0..5)
                .map(|_| {
                    let bytes = bytes.to_vec();
                    let start = Instant::now();
                    let module = Module::new(bytes, &options).expect("a valid module");
                    let time = start.elapsed();
                    drop(module);
                    time
                })
                .min()
                .expect("five times");
            println!("{name:9} threads {threads}: {best:?}");
        }
    }
}
