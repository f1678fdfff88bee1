//! wasmtime: its portable interpreter Pulley, and its JIT as the upper limit.

use super::{Calls, Engine, Guest, Result, Startup};
use wasmtime::{Config, Linker, Module, Store, TypedFunc};

pub struct Wasmtime {
    pub pulley: bool,
}

struct Loaded {
    store: Store<()>,
    run: TypedFunc<i32, i64>,
}

struct Called {
    store: Store<()>,
    add: TypedFunc<(i32, i32), i32>,
    out: TypedFunc<i32, i32>,
}

impl Wasmtime {
    fn engine(&self) -> Result<wasmtime::Engine> {
        let mut config = Config::new();
        if self.pulley {
            config.target(if cfg!(target_pointer_width = "64") { "pulley64" } else { "pulley32" })?;
        }
        Ok(wasmtime::Engine::new(&config)?)
    }
}

impl Engine for Wasmtime {
    fn name(&self) -> &'static str {
        if self.pulley { "pulley" } else { "jit" }
    }

    fn about(&self) -> String {
        format!("wasmtime 48.0.8, {}", if self.pulley { "Pulley" } else { "Cranelift JIT (the upper limit)" })
    }

    fn load(&self, wasm: &[u8]) -> Result<Box<dyn Guest>> {
        let engine = self.engine()?;
        let module = Module::new(&engine, wasm)?;
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
        let run = instance.get_typed_func(&mut store, "run")?;
        Ok(Box::new(Loaded { store, run }))
    }

    fn calls(&self, wasm: &[u8]) -> Result<Box<dyn Calls>> {
        let engine = self.engine()?;
        let module = Module::new(&engine, wasm)?;
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "add", |a: i32, b: i32| a.wrapping_add(b))?;
        let instance = linker.instantiate(&mut store, &module)?;
        let add = instance.get_typed_func(&mut store, "add")?;
        let out = instance.get_typed_func(&mut store, "out")?;
        Ok(Box::new(Called { store, add, out }))
    }

    fn startup(&self, wasm: &[u8]) -> Result<Vec<Startup>> {
        if self.pulley {
            return Ok(Vec::new());
        }
        let wasm = wasm.to_vec();
        let mut config = Config::new();
        config.parallel_compilation(false);
        Ok(vec![Startup::new("compile, one core (once)", move || {
            let engine = wasmtime::Engine::new(&config)?;
            let module = Module::new(&engine, &wasm)?;
            let mut store = Store::new(&engine, ());
            let mut linker = Linker::new(&engine);
            linker.define_unknown_imports_as_traps(&module)?;
            std::hint::black_box(linker.instantiate(&mut store, &module)?);
            Ok(())
        })])
    }
}

impl Guest for Loaded {
    fn run(&mut self, n: u32) -> Result<u64> {
        Ok(self.run.call(&mut self.store, n as i32)? as u64)
    }
}

impl Calls for Called {
    fn into_guest(&mut self, times: u32) -> Result<u32> {
        let mut last = 0;
        for i in 0..times {
            last = self.add.call(&mut self.store, (last, i as i32))?;
        }
        Ok(last as u32)
    }

    fn out_of_guest(&mut self, times: u32) -> Result<u32> {
        Ok(self.out.call(&mut self.store, times as i32)? as u32)
    }
}
