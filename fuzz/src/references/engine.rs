//! A module under an engine: sheave's API and wasmtime's are alike enough for one text.

/// What is seen of a value. References are followed for a few steps.
#[derive(Clone, PartialEq, Debug)]
pub enum Seen {
    /// A number, by its type and bits.
    Number(&'static str, u128),
    Null,
    I31(u32),
    Struct(Vec<Seen>),
    /// Its length, and the first elements.
    Array(u32, Vec<Seen>),
    Exception(Vec<Seen>),
    /// A function, a host's value, or what lies too deep to be looked at.
    Something,
}

/// How a call ended otherwise.
#[derive(Clone, PartialEq, Debug)]
pub enum Failure {
    /// By a trap, in the words that the engines share.
    Trap(String),
    /// By an exception that nothing caught, with these values.
    Thrown(Seen),
    /// A limit that engines may have as they like was reached.
    Limit,
    Error(String),
}

/// What is seen of a run. Equal runs look equal.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    Rejected(String),
    Instance(Result<(), Failure>),
    Call(String, Result<Vec<Seen>, Failure>),
    Global(String, Seen),
    Memory(String, u64, u64),
    Table(String, Vec<Seen>),
}

/// Bytes that the memories, tables and objects of a store may take.
pub const LIMIT: usize = 64 << 20;

macro_rules! runner {
    ($name:ident, $e:ident) => {
        /// Runs modules.
        pub mod $name {
            use $e::{
                AnyRef, Engine, Error, Extern, ExternRef, HeapType, I31, Instance, Module, Store,
                StoreLimits, StoreLimitsBuilder, ThrownException, Trap, Val, ValType,
            };

            use super::{Event, Failure, LIMIT, Seen};
            use crate::case::{CALLS_AND_LOOPS, COUNTER, Random, Type, Value, hash};

            fn seen(store: &mut Store<StoreLimits>, val: &Val, depth: usize) -> Seen {
                let number = |ty, bits: u128| Seen::Number(ty, bits);
                match val {
                    Val::I32(v) => number("i32", (*v as u32).into()),
                    Val::I64(v) => number("i64", (*v as u64).into()),
                    Val::F32(v) => number("f32", (*v).into()),
                    Val::F64(v) => number("f64", (*v).into()),
                    Val::V128(v) => number("v128", v.as_u128()),
                    Val::FuncRef(None)
                    | Val::ExternRef(None)
                    | Val::AnyRef(None)
                    | Val::ExnRef(None) => Seen::Null,
                    Val::AnyRef(Some(any)) => {
                        if let Ok(Some(i31)) = any.as_i31(&*store) {
                            return Seen::I31(i31.get_u32());
                        }
                        if depth == 0 {
                            return Seen::Something;
                        }
                        if let Ok(Some(s)) = any.as_struct(&*store) {
                            let fields: Vec<Val> =
                                s.fields(&mut *store).expect("a struct").collect();
                            return Seen::Struct(all(store, &fields, depth - 1));
                        }
                        if let Ok(Some(a)) = any.as_array(&*store) {
                            let len = a.len(&*store).expect("an array");
                            let first: Vec<Val> = a
                                .elems(&mut *store)
                                .expect("an array")
                                .take(20)
                                .collect();
                            return Seen::Array(len, all(store, &first, depth - 1));
                        }
                        Seen::Something
                    }
                    Val::ExnRef(Some(e)) if depth > 0 => {
                        let fields: Vec<Val> =
                            e.fields(&mut *store).expect("an exception").collect();
                        Seen::Exception(all(store, &fields, depth - 1))
                    }
                    _ => Seen::Something,
                }
            }

            fn all(store: &mut Store<StoreLimits>, vals: &[Val], depth: usize) -> Vec<Seen> {
                vals.iter().map(|v| seen(store, v, depth)).collect()
            }

            fn failure(store: &mut Store<StoreLimits>, error: &Error) -> Failure {
                if let Some(trap) = error.downcast_ref::<Trap>() {
                    let text = trap.to_string();
                    let text = text.strip_prefix("wasm trap: ").unwrap_or(&text);
                    return match text {
                        "allocation size too large"
                        | "GC heap out of memory"
                        | "call stack exhausted" => Failure::Limit,
                        _ => Failure::Trap(text.into()),
                    };
                }
                if error.downcast_ref::<ThrownException>().is_some() {
                    let exception = store.take_pending_exception();
                    return Failure::Thrown(seen(store, &Val::ExnRef(exception), 3));
                }
                let text = format!("{error:#}");
                if text.contains("out of memory") || text.contains("limit") {
                    return Failure::Limit;
                }
                Failure::Error(text)
            }

            /// A value of that type, if the host can make one.
            fn argument(store: &mut Store<StoreLimits>, ty: &ValType, n: u64) -> Option<Val> {
                let value = match ty {
                    ValType::I32 => Value::of(Type::I32, n),
                    ValType::I64 => Value::of(Type::I64, n),
                    ValType::F32 => Value::of(Type::F32, n),
                    ValType::F64 => Value::of(Type::F64, n),
                    ValType::V128 => Value::of(Type::V128, n),
                    ValType::Ref(r) => {
                        if r.is_nullable() && n % 3 == 0 {
                            return Some(Val::null_ref(r.heap_type()));
                        }
                        return match r.heap_type() {
                            HeapType::Any | HeapType::Eq | HeapType::I31 => {
                                let i31 = I31::wrapping_u32((n >> 8) as u32);
                                Some(Val::AnyRef(Some(AnyRef::from_i31(store, i31))))
                            }
                            HeapType::Extern => {
                                let e = ExternRef::new(store, n as u32).ok()?;
                                Some(Val::ExternRef(Some(e)))
                            }
                            heap if r.is_nullable() => Some(Val::null_ref(heap)),
                            _ => None,
                        };
                    }
                };
                Some(match value {
                    Value::I32(v) => Val::I32(v),
                    Value::I64(v) => Val::I64(v),
                    Value::F32(v) => Val::F32(v),
                    Value::F64(v) => Val::F64(v),
                    Value::V128(v) => Val::V128(v.into()),
                    Value::Func(_) | Value::Extern(_) => return None,
                })
            }

            /// Instantiates a module without imports, calls each exported function twice, looks at everything.
            pub fn run(engine: &Engine, module: &Module, seed: u64) -> Vec<Event> {
                let limits = StoreLimitsBuilder::new().memory_size(LIMIT).build();
                let mut store = Store::new(engine, limits);
                store.limiter(|limits| limits);
                let mut events = Vec::new();
                let instance = match Instance::new(&mut store, module, &[]) {
                    Ok(instance) => instance,
                    Err(e) => {
                        let failure = failure(&mut store, &e);
                        return vec![Event::Instance(Err(failure))];
                    }
                };
                events.push(Event::Instance(Ok(())));
                let mut exports: Vec<(String, Extern)> = instance
                    .exports(&mut store)
                    .map(|e| (e.name().to_string(), e.into_extern()))
                    .collect();
                exports.sort_by(|a, b| a.0.cmp(&b.0));
                let counter = instance.get_global(&mut store, COUNTER);
                let mut random = Random(seed ^ 0xca11);
                for _ in 0..2 {
                    for (name, export) in &exports {
                        let Some(func) = export.clone().into_func() else {
                            continue;
                        };
                        if let Some(counter) = &counter {
                            let full = Val::I32(CALLS_AND_LOOPS as i32);
                            counter.set(&mut store, full).expect("the counter is an i32");
                        }
                        let ty = func.ty(&store);
                        let args: Vec<Option<Val>> = ty
                            .params()
                            .map(|ty| argument(&mut store, &ty, random.next()))
                            .collect();
                        let Some(args) = args.into_iter().collect::<Option<Vec<Val>>>() else {
                            continue;
                        };
                        let mut results = vec![Val::I32(0); ty.results().len()];
                        let result = match func.call(&mut store, &args, &mut results) {
                            Ok(()) => Ok(all(&mut store, &results, 3)),
                            Err(e) => Err(failure(&mut store, &e)),
                        };
                        events.push(Event::Call(name.clone(), result));
                    }
                }
                for (name, export) in exports {
                    let event = match export {
                        Extern::Global(g) => {
                            let value = g.get(&mut store);
                            Event::Global(name, seen(&mut store, &value, 3))
                        }
                        Extern::Memory(m) => {
                            Event::Memory(name, m.size(&store), hash(m.data(&store)))
                        }
                        Extern::Table(t) => {
                            let entries: Vec<Val> = (0..t.size(&store).min(100))
                                .filter_map(|i| Some(t.get(&mut store, i)?.into()))
                                .collect();
                            Event::Table(name, all(&mut store, &entries, 3))
                        }
                        _ => continue,
                    };
                    events.push(event);
                }
                events
            }
        }
    };
}

runner!(ours, sheave);
#[cfg(feature = "wasmtime")]
runner!(theirs, wasmtime);
