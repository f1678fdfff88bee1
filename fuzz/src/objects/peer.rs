//! The same programs under wasmtime.

use wasmtime::{Caller, Collector, Config, Engine, FuncType, Linker, Module, Store, Trap, ValType};

use super::Outcome;

/// Runs a program, which gives the same as under sheave.
pub fn run(wasm: &[u8]) -> wasmtime::Result<Outcome> {
    let mut config = Config::new();
    config
        .wasm_gc(true)
        .wasm_function_references(true)
        .wasm_exceptions(true)
        .collector(Collector::Copying);
    let engine = Engine::new(&config)?;
    let module = Module::from_binary(&engine, wasm)?;
    let mut store: Store<Vec<i64>> = Store::new(&engine, Vec::new());
    let mut linker = Linker::new(&engine);
    let note = |mut caller: Caller<'_, Vec<i64>>, n: i64| caller.data_mut().push(n);
    linker.func_wrap("", "note", note)?;
    let any = FuncType::new(&engine, [ValType::ANYREF], [ValType::ANYREF]);
    linker.func_new("", "same", any, |_, args, results| {
        results[0] = args[0];
        Ok(())
    })?;
    let instance = linker.instantiate(&mut store, &module)?;
    let run = instance.get_typed_func::<i32, i64>(&mut store, "run")?;
    let done = match run.call(&mut store, 200) {
        Ok(hash) => Ok(hash),
        Err(error) => match error.downcast_ref::<Trap>() {
            Some(trap) => Err(trap.to_string().replace("wasm trap: ", "")),
            None => return Err(error),
        },
    };
    Ok((done, store.into_data()))
}
