//! sheave itself, in its default configuration.

use super::{Calls, Engine, Guest, Result, Startup};
use sheave::{Config, Linker, Module, Store, TypedFunc};

pub struct Sheave;

struct Loaded {
    store: Store<()>,
    run: TypedFunc<i32, i64>,
}

struct Called {
    store: Store<()>,
    add: TypedFunc<(i32, i32), i32>,
    out: TypedFunc<i32, i32>,
}

/// Removed when the benches are done with it.
struct TemporaryFile(std::path::PathBuf);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn start(config: &Config, module: impl FnOnce(&sheave::Engine) -> Result<Module>) -> Result<()> {
    let engine = sheave::Engine::new(config)?;
    let module = module(&engine)?;
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module)?;
    std::hint::black_box(linker.instantiate(&mut store, &module)?);
    Ok(())
}

impl Engine for Sheave {
    fn name(&self) -> &'static str {
        "sheave"
    }

    fn about(&self) -> String {
        format!("sheave {}, the default configuration", env!("CARGO_PKG_VERSION"))
    }

    fn load(&self, wasm: &[u8]) -> Result<Box<dyn Guest>> {
        let engine = sheave::Engine::default();
        let module = Module::new(&engine, wasm)?;
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate(&mut store, &module)?;
        let run = instance.get_typed_func(&mut store, "run")?;
        Ok(Box::new(Loaded { store, run }))
    }

    fn calls(&self, wasm: &[u8]) -> Result<Box<dyn Calls>> {
        let engine = sheave::Engine::default();
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
        let config = |lazy_translation: bool, lazy_validation: bool, parallel: bool| {
            let mut config = Config::new();
            config.lazy_translation(lazy_translation).lazy_validation(lazy_validation).parallel_compilation(parallel);
            config
        };
        let modes = [
            ("eager, one core", config(false, false, false)),
            ("eager, all cores", config(false, false, true)),
            ("lazy translation, one core", config(true, false, false)),
            ("lazy translation, all cores", config(true, false, true)),
            ("lazy validation too", config(true, true, false)),
        ];
        let one = |(name, config)| {
            let wasm = wasm.to_vec();
            Startup::new(name, move || start(&config, |engine| Ok(Module::new(engine, &wasm)?)))
        };
        let mut ways: Vec<Startup> = modes.map(one).into();
        // An image file holds the module and its bytecode, and is mapped.
        let image = std::env::temp_dir().join(format!("sheave-compare-{}.image", std::process::id()));
        Module::new(&sheave::Engine::default(), wasm)?.write_image(&image)?;
        let image = TemporaryFile(image);
        ways.push(Startup::new("image file", move || start(&Config::new(), |engine| Ok(Module::open_image(engine, &image.0)?))));
        Ok(ways)
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
