//! Prints the bytecode of a module's functions, or how long loading it takes, or which
//! ops there are and which follow each other, weighted by how deep they are in loops:
//! `disas FILE [FUNC|--ops|--time [lazy|validate|eager]]`.
#![allow(clippy::print_stdout, reason = "it is a program")]

use sheave_loader::{Module, Options};
use std::collections::HashMap;
use std::time::Instant;

fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().expect("a file");
    let what = args.next();
    let bytes = wat::parse_file(&path).expect("a module");
    if what.as_deref() == Some("--time") {
        return time(&bytes, args.next().as_deref());
    }
    if what.as_deref() == Some("--ops") {
        return ops(bytes);
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

fn time(bytes: &[u8], only: Option<&str>) {
    if only.is_none() {
        time_image(bytes);
    }
    for threads in [1, 0] {
        for (name, lazy_translation, lazy_validation) in [
            ("lazy", true, true),
            ("validate", true, false),
            ("eager", false, false),
        ] {
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let options = Options {
                lazy_translation,
                lazy_validation,
                threads,
                ..Options::default()
            };
            let best = (0..5)
                .map(|_| {
                    let start = Instant::now();
                    let module = Module::from_slice(bytes, &options).expect("a valid module");
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

fn time_image(bytes: &[u8]) {
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
}

fn ops(bytes: Vec<u8>) {
    let module = Module::new(bytes, &Options::default()).expect("a valid module");
    let mut single = HashMap::<_, u64>::new();
    let mut pairs = HashMap::<_, u64>::new();
    for func in 0..module.info().n_defined_funcs() {
        let code = module.code(func).expect("it was validated");
        let instrs: Vec<_> = sheave_isa::Instrs::new(&code.code)
            .map(|i| i.expect("an op"))
            .collect();
        // A branch back closes a loop.
        let mut depth = vec![0_i32; code.code.len() + 1];
        for i in &instrs {
            if let Some(target) = i.target().filter(|t| *t <= i.pos) {
                depth[target as usize] += 1;
                depth[i.pos as usize + 1] -= 1;
            }
        }
        let mut now = 0;
        let mut before = 0;
        let mut previous = None;
        for i in &instrs {
            now += depth[before..=i.pos as usize].iter().sum::<i32>();
            before = i.pos as usize + 1;
            let weight = 10_u64.pow(now.clamp(0, 4) as u32);
            let name = i.op.def().name;
            *single.entry(name).or_default() += weight;
            if let Some(previous) = previous.filter(|_| !i.label) {
                *pairs.entry((previous, name)).or_default() += weight;
            }
            previous = Some(name);
        }
    }
    let total = single.values().sum::<u64>() as f64;
    let mut single: Vec<_> = single.into_iter().collect();
    single.sort_by_key(|(name, n)| (core::cmp::Reverse(*n), *name));
    for (name, n) in single.iter().take(60) {
        println!("{:6.2} %  {name}", 100.0 * *n as f64 / total);
    }
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_by_key(|(name, n)| (core::cmp::Reverse(*n), *name));
    for ((a, b), n) in pairs.iter().take(100) {
        println!("{:6.2} %  {a} / {b}", 100.0 * *n as f64 / total);
    }
}
