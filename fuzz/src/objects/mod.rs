//! Programs that make objects, throw some, forget most of them and look at the others: what they compute must not depend on when the
//! collector runs, nor on the executor, nor, with the feature `wasmtime`, on the engine.

mod code;
mod module;
#[cfg(feature = "wasmtime")]
mod peer;

use sheave::{
    Backend, CallOutcome, Caller, Config, Context as _, Engine, Error, Executor, Func, FuncType,
    Linker, Module, Result, Store, Trap, Val, ValType,
};

use crate::random::Random;

pub use module::module;

/// One way to run a program; none may be seen.
#[derive(Clone, Debug)]
struct Way {
    executor: Executor,
    /// Every allocation collects.
    stress: bool,
    /// Host functions collect.
    collect: bool,
    lazy: bool,
    image: bool,
    heap: bool,
    /// Runs in small parts by fuel, collecting in between.
    pausing: bool,
}

fn ways(seed: u64) -> Vec<Way> {
    let mut random = Random(seed ^ 0x6c0b);
    let mut flip = || random.one_in(2);
    let plain = Way {
        executor: Executor::Portable,
        stress: false,
        collect: false,
        lazy: true,
        image: false,
        heap: false,
        pausing: false,
    };
    vec![
        plain.clone(),
        Way {
            stress: true,
            collect: flip(),
            lazy: flip(),
            ..plain.clone()
        },
        Way {
            executor: Executor::best(),
            stress: flip(),
            collect: true,
            image: flip(),
            heap: flip(),
            ..plain.clone()
        },
        Way {
            executor: Executor::best(),
            stress: flip(),
            pausing: true,
            ..plain
        },
    ]
}

/// What a run shows: the hash or the trap, and what was noted on the way.
type Outcome = (Result<i64, String>, Vec<i64>);

fn run(text: &str, way: &Way) -> Result<Outcome> {
    let mut config = Config::new();
    config
        .executor(way.executor)
        .lazy_translation(way.lazy)
        .consume_fuel(way.pausing)
        .gc_stress(way.stress)
        .arena_backend(if way.heap {
            Backend::Heap
        } else {
            Backend::Auto
        });
    let engine = Engine::new(&config)?;
    let mut module = Module::new(&engine, text)?;
    if way.image {
        module = Module::deserialize(&engine, module.serialize()?)?;
    }
    let mut store: Store<Vec<i64>> = Store::new(&engine, Vec::new());
    let mut linker = Linker::new(&engine);
    let collect = way.collect;
    linker.func_wrap(
        "",
        "note",
        move |mut caller: Caller<'_, Vec<i64>>, n: i64| {
            if collect {
                caller.gc(None)?;
            }
            caller.data_mut().push(n);
            Ok::<(), Error>(())
        },
    )?;
    let any = FuncType::new(&engine, [ValType::ANYREF], [ValType::ANYREF]);
    linker.func_new("", "same", any, move |mut caller, args, results| {
        if collect {
            caller.gc(None)?;
        }
        results[0] = args[0];
        Ok(())
    })?;
    if way.pausing {
        // Instantiation cannot pause.
        store.set_fuel(1 << 40)?;
    }
    let instance = linker.instantiate(&mut store, &module)?;
    let func = instance.get_func(&mut store, "run").context("run")?;
    let mut results = [Val::I64(0)];
    let args = [Val::I32(200)];
    let done = if way.pausing {
        in_parts(&mut store, &func, &args, &mut results)
    } else {
        func.call(&mut store, &args, &mut results)
    };
    let done = match done {
        Ok(()) => Ok(results[0].unwrap_i64()),
        Err(error) => match error.downcast_ref::<Trap>() {
            Some(trap) => Err(trap.to_string()),
            None => return Err(error),
        },
    };
    Ok((done, store.into_data()))
}

fn in_parts(
    store: &mut Store<Vec<i64>>,
    func: &Func,
    args: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let mut part = 20;
    store.set_fuel(part)?;
    let mut outcome = func.call_resumable(&mut *store, args, results)?;
    while let CallOutcome::Paused(_) = outcome {
        store.gc(None)?;
        part += 1 + part / 4;
        store.set_fuel(store.get_fuel()? + part)?;
        outcome = store.resume_call(results)?;
    }
    Ok(())
}

/// Checks the program of a seed: whether it ran to its end, or how runs differ.
pub fn check(seed: u64) -> Result<bool, String> {
    let text = module(seed);
    let mut first: Option<Outcome> = None;
    for way in ways(seed) {
        let outcome = run(&text, &way).map_err(|e| format!("{way:?}: {e:#}"))?;
        match &first {
            None => first = Some(outcome),
            Some(first) if *first != outcome => {
                return Err(format!("{way:?}: {outcome:?}\n  the first: {first:?}"));
            }
            Some(_) => {}
        }
    }
    #[cfg(feature = "wasmtime")]
    {
        let module = Module::new(&Engine::default(), &text).map_err(|e| format!("{e:#}"))?;
        let theirs = peer::run(module.wasm()).map_err(|e| format!("wasmtime: {e:#}"))?;
        if first.as_ref() != Some(&theirs) {
            return Err(format!("wasmtime: {theirs:?}\n  sheave: {first:?}"));
        }
    }
    Ok(first.is_some_and(|f| f.0.is_ok()))
}

/// Runs programs for some time; gives how many differ.
pub fn fuzz(seed: u64, seconds: u64) -> u64 {
    let mut seeds = Random(seed);
    let start = std::time::Instant::now();
    let (mut programs, mut ended, mut found) = (0_u64, 0_u64, 0_u64);
    while start.elapsed().as_secs() < seconds {
        let seed = seeds.next();
        programs += 1;
        let done = std::panic::catch_unwind(|| check(seed));
        match done.unwrap_or_else(|_| Err("panic".into())) {
            Ok(true) => ended += 1,
            Ok(false) => {}
            Err(text) => {
                found += 1;
                println!("FOUND --objects --case {seed:#x}: {text}");
            }
        }
    }
    println!("{seconds} s: {programs} programs, {ended} ran to their end, {found} found");
    found
}
