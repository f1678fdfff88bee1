//! A case under wasmi.

use anyhow::Result;
use wasmi::{
    AsContext, AsContextMut, Config, Engine, Extern, ExternRef, ExternType, Func, FuncType, Global,
    Instance, Memory, Module, Nullable, Ref, RefType, Store, Table, TrapCode, Val, ValType,
};

use crate::case::{CALLS_AND_LOOPS, COUNTER, Event, Failure, Random, Type, Value, hash};

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    calls: u64,
}

fn engine() -> Engine {
    let mut config = Config::default();
    config
        .wasm_memory64(true)
        .wasm_custom_page_sizes(true)
        .wasm_wide_arithmetic(true)
        .set_max_recursion_depth(1 << 20)
        .set_max_stack_height(256 << 20);
    Engine::new(&config)
}

fn type_of(ty: &ValType) -> Type {
    match ty {
        ValType::I32 => Type::I32,
        ValType::I64 => Type::I64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        ValType::V128 => Type::V128,
        ValType::ExternRef => Type::Extern,
        _ => Type::Func,
    }
}

fn to_val(mut store: impl AsContextMut, value: &Value) -> Val {
    match *value {
        Value::I32(v) => Val::I32(v),
        Value::I64(v) => Val::I64(v),
        Value::F32(v) => Val::F32(wasmi::F32::from_bits(v)),
        Value::F64(v) => Val::F64(wasmi::F64::from_bits(v)),
        Value::V128(v) => Val::V128(v.into()),
        Value::Func(_) => Val::FuncRef(Nullable::Null),
        Value::Extern(e) => Val::ExternRef(match e {
            Some(e) => Nullable::Val(ExternRef::new(store.as_context_mut(), e)),
            None => Nullable::Null,
        }),
    }
}

/// wasmi's functions have no equality; what is printed of them does.
fn from_val<T: 'static>(store: impl AsContext<Data = T>, val: &Val, funcs: &[String]) -> Value {
    match val {
        Val::I32(v) => Value::I32(*v),
        Val::I64(v) => Value::I64(*v),
        Val::F32(v) => Value::F32(v.to_bits()),
        Val::F64(v) => Value::F64(v.to_bits()),
        Val::FuncRef(f) => Value::Func(f.val().map(|f| {
            let f = format!("{f:?}");
            funcs.iter().position(|g| *g == f).unwrap_or(usize::MAX)
        })),
        Val::ExternRef(e) => Value::Extern(e.val().map(|e| {
            *e.data(store.as_context())
                .downcast_ref::<u32>()
                .expect("our externref")
        })),
        Val::V128(v) => Value::V128(v.as_u128()),
    }
}

fn failure(error: &wasmi::Error) -> Failure {
    let Some(trap) = error.as_trap_code() else {
        return Failure::Error;
    };
    Failure::Trap(match trap {
        TrapCode::UnreachableCodeReached => "unreachable",
        TrapCode::MemoryOutOfBounds => "out of bounds memory access",
        TrapCode::TableOutOfBounds => "undefined element",
        TrapCode::IndirectCallToNull => "uninitialized element",
        TrapCode::BadSignature => "indirect call type mismatch",
        TrapCode::IntegerOverflow => "integer overflow",
        TrapCode::IntegerDivisionByZero => "integer divide by zero",
        TrapCode::BadConversionToInteger => "invalid conversion to integer",
        TrapCode::StackOverflow => "call stack exhausted",
        _ => "another trap",
    })
}

fn import(store: &mut Store<Log>, i: usize, ty: &ExternType, seed: u64) -> Result<Extern> {
    Ok(match ty {
        ExternType::Func(ty) => {
            let (result_types, ty) = (
                ty.results().iter().map(type_of).collect::<Vec<_>>(),
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
                &Value::of(type_of(&ty.content()), seed ^ i as u64),
            );
            Global::new(&mut *store, val, ty.mutability()).into()
        }
        ExternType::Table(ty) => {
            let null = Ref::null(if ty.element() == RefType::Extern {
                RefType::Extern
            } else {
                RefType::Func
            });
            Table::new(&mut *store, *ty, null)?.into()
        }
        ExternType::Memory(ty) => Memory::new(&mut *store, *ty)?.into(),
    })
}

fn shape(ty: &FuncType) -> (Vec<Type>, Vec<Type>) {
    (
        ty.params().iter().map(type_of).collect(),
        ty.results().iter().map(type_of).collect(),
    )
}

/// As [`crate::ours::run`].
pub fn run(wasm: &[u8], seed: u64) -> Result<Vec<Event>> {
    let engine = engine();
    let Ok(module) = Module::new(&engine, wasm) else {
        return Ok(vec![Event::Rejected]);
    };
    let mut store = Store::new(&engine, Log::default());
    let types: Vec<ExternType> = module.imports().map(|i| i.ty().clone()).collect();
    let mut imports = Vec::new();
    for (i, ty) in types.iter().enumerate() {
        // Numbered by kind: wasmi gives imports in the order of their kinds.
        let nth = types[..i]
            .iter()
            .filter(|t| std::mem::discriminant(*t) == std::mem::discriminant(ty))
            .count();
        imports.push(import(&mut store, nth, ty, seed)?);
    }
    let names: Vec<String> = module.exports().map(|e| e.name().to_string()).collect();
    let mut exports: Vec<(String, Extern)> = Vec::new();
    let mut counters = Vec::new();
    for copy in ["a", "b"] {
        if copy == "b" {
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
        let instance = match Instance::new(&mut store, &module, &imports) {
            Ok(instance) => instance,
            Err(e) => {
                store
                    .data_mut()
                    .events
                    .push(Event::Instance(Err(failure(&e))));
                return Ok(store.into_data().events);
            }
        };
        store.data_mut().events.push(Event::Instance(Ok(())));
        let mut own: Vec<(String, Extern)> = names
            .iter()
            .filter_map(|n| {
                instance
                    .get_export(&store, n)
                    .map(|e| (format!("{copy}.{n}"), e))
            })
            .collect();
        own.sort_by(|a, b| a.0.cmp(&b.0));
        exports.extend(own);
        counters.extend(instance.get_global(&store, COUNTER));
    }
    let funcs: Vec<(String, Func)> = exports
        .iter()
        .filter_map(|(n, e)| Some((n.clone(), e.clone().into_func()?)))
        .collect();
    let places: Vec<String> = funcs.iter().map(|(_, f)| format!("{f:?}")).collect();
    let mut random = Random(seed ^ 0xca11);
    for round in 0..2 {
        for (name, func) in &funcs {
            for counter in &counters {
                counter
                    .set(&mut store, Val::I32(CALLS_AND_LOOPS as i32))
                    .map_err(|e| anyhow::anyhow!("{e:?}"))?;
            }
            let ty = func.ty(&store);
            let mut args = Vec::new();
            for param in ty.params() {
                args.push(to_val(
                    &mut store,
                    &Value::of(type_of(param), random.next()),
                ));
            }
            let mut results = vec![Val::I32(0); ty.results().len()];
            let result = match func.call(&mut store, &args, &mut results) {
                Ok(()) => Ok(results
                    .iter()
                    .map(|v| from_val(&store, v, &places))
                    .collect()),
                Err(e) => Err(failure(&e)),
            };
            store
                .data_mut()
                .events
                .push(Event::Call(format!("{name} ({round})"), result));
        }
    }
    for (name, e) in exports {
        let event = match e {
            Extern::Func(_) => continue,
            Extern::Global(g) => Event::Global(name, from_val(&store, &g.get(&store), &places)),
            Extern::Memory(m) => Event::Memory(name, m.size(&store), hash(m.data(&store))),
            Extern::Table(t) => {
                let all: Vec<Ref> = (0..t.size(&store))
                    .filter_map(|i| t.get(&store, i))
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
    Ok(store.into_data().events)
}

/// `run(n)` of a program.
pub fn program(wasm: &[u8], n: i32) -> Result<i64> {
    let engine = engine();
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    let run = Instance::new(&mut store, &module, &[])?.get_typed_func::<i32, i64>(&store, "run")?;
    Ok(run.call(&mut store, n)?)
}
