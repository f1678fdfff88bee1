//! Runs the export `run` of a module, which may call `host.log`.

use sheave::{Engine, Linker, Module, Result, Store};

fn main() -> Result<()> {
    let bytes = std::fs::read(std::env::args().nth(1).unwrap_or_default())?;
    let engine = Engine::default();
    let module = Module::from_vec(&engine, bytes)?;
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "log", |x: i32| println!("{x}"))?;
    let instance = linker.instantiate(&mut store, &module)?;
    let run = instance.get_typed_func::<i32, i64>(&mut store, "run")?;
    println!("{}", run.call(&mut store, 5)?);
    Ok(())
}
