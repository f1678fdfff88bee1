//! A case under sheave.

use anyhow::Result;
use sheave::{
    AsContext, AsContextMut, Backend, CallOutcome, Config, Engine, Executor, Extern, ExternRef,
    ExternType, Func, FuncType, Global, HeapType, Instance, Memory, Module, Ref, Store,
    StoreLimits, Table, Tag, Trap, Val, ValType,
};

use crate::case::{CALLS_AND_LOOPS, COUNTER, Event, Failure, Random, Type, Value, hash};

/// What differs between runs under sheave; none of it may be seen.
#[derive(Clone, Debug)]
pub struct Mode {
    pub executor: Executor,
    pub lazy: bool,
    pub lazy_validation: bool,
    pub interruption: bool,
    pub heap: bool,
    /// The store moves between calls.
    pub relocate: bool,
    /// The module goes through an image.
    pub image: bool,
    pub fuel: bool,
    /// Fuel of each call, if fuel is on.
    pub fuel_per_call: u64,
    /// Each call gets its fuel in small parts, and pauses in between.
    pub pausing: bool,
}

impl Mode {
    pub fn engine(&self) -> Result<Engine> {
        let mut config = Config::new();
        config
            .executor(self.executor)
            .lazy_translation(self.lazy)
            .lazy_validation(self.lazy_validation)
            .parallel_compilation(false)
            .interruption(self.interruption)
            .consume_fuel(self.fuel)
            .wasm_custom_page_sizes(true)
            .wasm_wide_arithmetic(true)
            .wasm_stack_switching(true)
            .arena_backend(if self.heap {
                Backend::Heap
            } else {
                Backend::Auto
            })
            .max_wasm_stack(64 << 20)
            .memory_reservation(16 << 20)
            .code_reservation(64 << 20);
        Engine::new(&config)
    }
}

/// What a run under sheave shows.
pub struct Run {
    pub events: Vec<Event>,
    /// The fuel that each call took.
    pub fuel: Vec<u64>,
}

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    calls: u64,
    limits: StoreLimits,
}

fn type_of(ty: &ValType) -> Type {
    match ty {
        ValType::I32 => Type::I32,
        ValType::I64 => Type::I64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        ValType::V128 => Type::V128,
        ValType::Ref(r) if *r.heap_type() == HeapType::Extern => Type::Extern,
        _ => Type::Func,
    }
}

fn to_val(mut store: impl AsContextMut, value: &Value) -> Val {
    match *value {
        Value::I32(v) => Val::I32(v),
        Value::I64(v) => Val::I64(v),
        Value::F32(v) => Val::F32(v),
        Value::F64(v) => Val::F64(v),
        Value::V128(v) => Val::V128(v.into()),
        Value::Func(_) => Val::FuncRef(None),
        Value::Extern(e) => Val::ExternRef(
            e.map(|e| ExternRef::new(store.as_context_mut(), e).expect("an externref")),
        ),
    }
}

fn from_val(store: impl AsContext, val: &Val, funcs: &[Func]) -> Value {
    let place = |f: &Func| funcs.iter().position(|g| g == f).unwrap_or(usize::MAX);
    match val {
        Val::I32(v) => Value::I32(*v),
        Val::I64(v) => Value::I64(*v),
        Val::F32(v) => Value::F32(*v),
        Val::F64(v) => Value::F64(*v),
        Val::FuncRef(f) => Value::Func(f.as_ref().map(place)),
        // Only where a type was damaged.
        Val::AnyRef(_) | Val::ExnRef(_) | Val::ContRef(_) => Value::Func(None),
        Val::V128(v) => Value::V128(v.as_u128()),
        // Damage can make an internal reference an external one: that has no host value.
        Val::ExternRef(e) => Value::Extern(e.map(|e| {
            let data = e.data(store.as_context()).ok().flatten();
            data.and_then(|d| d.downcast_ref()).map_or(u32::MAX, |d| *d)
        })),
    }
}

fn failure(error: &anyhow::Error) -> Failure {
    let Some(trap) = error.downcast_ref::<Trap>() else {
        return Failure::Error;
    };
    Failure::Trap(match trap {
        Trap::Unreachable => "unreachable",
        Trap::MemoryOutOfBounds => "out of bounds memory access",
        Trap::TableOutOfBounds => "undefined element",
        Trap::IndirectCallToNull => "uninitialized element",
        Trap::BadSignature => "indirect call type mismatch",
        Trap::IntegerOverflow => "integer overflow",
        Trap::IntegerDivisionByZero => "integer divide by zero",
        Trap::BadConversionToInteger => "invalid conversion to integer",
        Trap::StackOverflow => "call stack exhausted",
        Trap::OutOfFuel => "out of fuel",
        _ => "another trap",
    })
}

fn import(store: &mut Store<Log>, i: usize, ty: &ExternType, seed: u64) -> Result<Extern> {
    Ok(match ty {
        ExternType::Func(ty) => {
            let (result_types, ty) = (
                ty.results().map(|t| type_of(&t)).collect::<Vec<_>>(),
                ty.clone(),
            );
            Func::new(&mut *store, ty, move |mut caller, args, results| {
                let args = args.iter().map(|v| from_val(&caller, v, &[])).collect();
                let log = caller.data_mut();
                log.events.push(Event::Host(i, args));
                log.calls += 1;
                let n = log.calls;
                for (k, (result, ty)) in results.iter_mut().zip(&result_types).enumerate() {
                    *result = to_val(&mut caller, &Value::of(*ty, seed ^ n << 20 ^ k as u64));
                }
                Ok(())
            })
            .into()
        }
        ExternType::Global(ty) => {
            let val = to_val(
                &mut *store,
                &Value::of(type_of(ty.content()), seed ^ i as u64),
            );
            Global::new(&mut *store, ty.clone(), val)?.into()
        }
        ExternType::Table(ty) => {
            Table::new(&mut *store, ty.clone(), Ref::null(ty.element().heap_type()))?.into()
        }
        ExternType::Memory(ty) => Memory::new(&mut *store, ty.clone())?.into(),
        ExternType::Tag(ty) => Tag::new(&mut *store, ty)?.into(),
    })
}

fn shape(ty: &FuncType) -> (Vec<Type>, Vec<Type>) {
    (
        ty.params().map(|t| type_of(&t)).collect(),
        ty.results().map(|t| type_of(&t)).collect(),
    )
}

/// Runs a module: instantiates it twice, calls each exported function with values that follow from the seed, looks at everything.
pub fn run(wasm: &[u8], seed: u64, mode: &Mode) -> Result<Run> {
    let engine = mode.engine()?;
    let Ok(module) = Module::from_binary(&engine, wasm) else {
        return Ok(Run {
            events: vec![Event::Rejected],
            fuel: Vec::new(),
        });
    };
    let module = if mode.image {
        Module::deserialize(&engine, module.serialize()?)?
    } else {
        module
    };
    run_module(&module, seed, mode, StoreLimits::default())
}

/// As [`run`], for a module that was loaded with the engine of that mode.
pub fn run_module(module: &Module, seed: u64, mode: &Mode, limits: StoreLimits) -> Result<Run> {
    let mut store = Store::new(module.engine(), Log::default());
    store.data_mut().limits = limits;
    store.limiter(|log| &mut log.limits);
    let mut run = Run {
        events: Vec::new(),
        fuel: Vec::new(),
    };
    if mode.fuel {
        store.set_fuel(mode.fuel_per_call)?;
    }
    let types: Vec<ExternType> = module.imports().map(|i| i.ty()).collect();
    let mut imports = Vec::new();
    for (i, ty) in types.iter().enumerate() {
        // Numbered by kind: wasmi gives imports in the order of their kinds.
        let nth = types[..i]
            .iter()
            .filter(|t| std::mem::discriminant(*t) == std::mem::discriminant(ty))
            .count();
        imports.push(import(&mut store, nth, ty, seed)?);
    }
    let mut exports: Vec<(String, Extern)> = Vec::new();
    let mut counters = Vec::new();
    for copy in ["a", "b"] {
        if copy == "b" {
            // The second instance calls functions of the first where their types fit, and shares tables, memories and globals.
            for (import, ty) in imports.iter_mut().zip(&types) {
                let ExternType::Func(ty) = ty else { continue };
                let same = |f: &Func| shape(&f.ty(&store)) == shape(ty);
                if let Some(f) = exports
                    .iter()
                    .filter_map(|(_, e)| e.clone().into_func())
                    .find(same)
                {
                    *import = f.into();
                }
            }
        }
        let instance = Instance::new(&mut store, module, &imports);
        if mode.fuel {
            run.fuel.push(mode.fuel_per_call - store.get_fuel()?);
        }
        let instance = match instance {
            Ok(instance) => instance,
            Err(e) => {
                store
                    .data_mut()
                    .events
                    .push(Event::Instance(Err(failure(&e))));
                run.events = store.into_data().events;
                return Ok(run);
            }
        };
        store.data_mut().events.push(Event::Instance(Ok(())));
        // wasmi gives exports in the order of their names.
        let mut own: Vec<(String, Extern)> = instance
            .exports(&mut store)
            .map(|e| (format!("{copy}.{}", e.name()), e.into_extern()))
            .collect();
        own.sort_by(|a, b| a.0.cmp(&b.0));
        exports.extend(own);
        counters.extend(instance.get_global(&mut store, COUNTER));
    }
    let funcs: Vec<(String, Func)> = exports
        .iter()
        .filter_map(|(n, e)| Some((n.clone(), e.clone().into_func()?)))
        .collect();
    let places: Vec<Func> = funcs.iter().map(|(_, f)| *f).collect();
    let mut random = Random(seed ^ 0xca11);
    for round in 0..2 {
        for (name, func) in &funcs {
            if mode.relocate && random.clone().one_in(4) {
                store.relocate()?;
            }
            if mode.fuel {
                store.set_fuel(mode.fuel_per_call)?;
            }
            for counter in &counters {
                counter.set(&mut store, Val::I32(CALLS_AND_LOOPS as i32))?;
            }
            let ty = func.ty(&store);
            let mut args = Vec::new();
            for param in ty.params() {
                args.push(to_val(
                    &mut store,
                    &Value::of(type_of(&param), random.next()),
                ));
            }
            let mut results = vec![Val::I32(0); ty.results().len()];
            let mut given = mode.fuel_per_call;
            let called = if mode.pausing {
                in_parts(&mut store, func, &args, &mut results, mode, &mut given)
            } else {
                func.call(&mut store, &args, &mut results)
            };
            let result = match called {
                Ok(()) => Ok(results
                    .iter()
                    .map(|v| from_val(&store, v, &places))
                    .collect()),
                Err(e) => Err(failure(&e)),
            };
            if mode.fuel {
                run.fuel.push(given - store.get_fuel()?);
            }
            store
                .data_mut()
                .events
                .push(Event::Call(format!("{name} ({round})"), result));
        }
    }
    for (name, e) in exports {
        let event = match e {
            Extern::Func(_) | Extern::Tag(_) => continue,
            Extern::Global(g) => {
                let value = g.get(&mut store);
                Event::Global(name, from_val(&store, &value, &places))
            }
            Extern::Memory(m) => Event::Memory(name, m.size(&store), hash(m.data(&store))),
            Extern::Table(t) => {
                let all: Vec<Ref> = (0..t.size(&store))
                    .filter_map(|i| t.get(&mut store, i))
                    .collect();
                Event::Table(
                    name,
                    all.into_iter()
                        .map(|r| from_val(&store, &r.into(), &places))
                        .collect(),
                )
            }
        };
        store.data_mut().events.push(event);
    }
    run.events = store.into_data().events;
    Ok(run)
}

/// A call that gets its fuel in parts, each greater than the one before. Counts what was given.
fn in_parts(
    store: &mut Store<Log>,
    func: &Func,
    args: &[Val],
    results: &mut [Val],
    mode: &Mode,
    given: &mut u64,
) -> Result<()> {
    let mut part = 1;
    store.set_fuel(part)?;
    *given = part;
    let mut outcome = func.call_resumable(store, args, results)?;
    while let CallOutcome::Paused(_) = outcome {
        if mode.relocate && part % 3 == 0 {
            store.relocate()?;
        }
        let left = store.get_fuel()?;
        part += 1 + part / 2;
        *given += part;
        store.set_fuel(left + part)?;
        outcome = store.resume_call(results)?;
    }
    Ok(())
}

/// `run(n)` of a program.
pub fn program(wasm: &[u8], n: i32, mode: &Mode) -> Result<i64> {
    let engine = mode.engine()?;
    let module = Module::from_binary(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    if mode.fuel {
        store.set_fuel(u64::MAX >> 1)?;
    }
    let run =
        Instance::new(&mut store, &module, &[])?.get_typed_func::<i32, i64>(&mut store, "run")?;
    run.call(&mut store, n)
}
