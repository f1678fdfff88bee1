//! wasmi 2.0: direct-threaded dispatch by tail calls, without fuel.

use super::{Calls, Engine, Guest, Result, Startup};
use wasmi::{CompilationMode, Config, Func, Instance, Linker, Module, Store, TypedFunc, Val};

pub struct Wasmi;

struct Loaded {
    store: Store<()>,
    run: TypedFunc<i32, i64>,
}

struct Called {
    store: Store<()>,
    add: TypedFunc<(i32, i32), i32>,
    out: TypedFunc<i32, i32>,
}

fn engine(mode: CompilationMode) -> wasmi::Engine {
    let mut config = Config::default();
    config.compilation_mode(mode).set_max_recursion_depth(1 << 20).set_max_stack_height(64 << 20);
    wasmi::Engine::new(&config)
}

fn start(mode: CompilationMode, wasm: &[u8]) -> Result<()> {
    let engine = engine(mode);
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    for import in module.imports() {
        let ty = import.ty().func().expect("only functions are imported").clone();
        let results: Vec<Val> = ty.results().iter().map(|ty| Val::default_for_ty(*ty)).collect();
        let stub = Func::new(&mut store, ty, move |_, _, out| {
            out.clone_from_slice(&results);
            Ok(())
        });
        linker.define(import.module(), import.name(), stub)?;
    }
    let instance = linker.instantiate_and_start(&mut store, &module)?;
    std::hint::black_box((&store, instance));
    Ok(())
}

impl Engine for Wasmi {
    fn name(&self) -> &'static str {
        "wasmi"
    }

    fn about(&self) -> String {
        "wasmi 2.0.0, eager, tail-call dispatch".into()
    }

    fn load(&self, wasm: &[u8]) -> Result<Box<dyn Guest>> {
        let engine = engine(CompilationMode::Eager);
        let module = Module::new(&engine, wasm)?;
        let mut store = Store::new(&engine, ());
        let instance: Instance = Linker::new(&engine).instantiate_and_start(&mut store, &module)?;
        let run = instance.get_typed_func(&store, "run")?;
        Ok(Box::new(Loaded { store, run }))
    }

    fn calls(&self, wasm: &[u8]) -> Result<Box<dyn Calls>> {
        let engine = engine(CompilationMode::Eager);
        let module = Module::new(&engine, wasm)?;
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "add", |a: i32, b: i32| a.wrapping_add(b))?;
        let instance = linker.instantiate_and_start(&mut store, &module)?;
        let add = instance.get_typed_func(&store, "add")?;
        let out = instance.get_typed_func(&store, "out")?;
        Ok(Box::new(Called { store, add, out }))
    }

    fn startup(&self, wasm: &[u8]) -> Result<Vec<Startup>> {
        let modes = [
            ("eager", CompilationMode::Eager),
            ("lazy translation", CompilationMode::LazyTranslation),
            ("lazy", CompilationMode::Lazy),
        ];
        let one = |(name, mode)| {
            let wasm = wasm.to_vec();
            Startup::new(name, move || start(mode, &wasm))
        };
        Ok(modes.map(one).into())
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
