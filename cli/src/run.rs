//! `sheave run`: a program of WASI preview 1, or one exported function.

use crate::args::RunArgs;
use crate::failure::Failure;
use crate::stats::Stats;
use crate::timeout::Watch;
use crate::{load, values};
use sheave::wasi::{self, DirPerms, FilePerms, I32Exit, WasiCtx, WasiCtxBuilder};
use sheave::{
    Config, Engine, Error, Func, Instance, Linker, Module, Store, StoreLimits, StoreLimitsBuilder,
    Trap, Val, WasmBacktrace,
};
use std::process::ExitCode;
use std::time::Duration;

/// The exit code of a trap: what a shell sees of a process that aborted.
const TRAPPED: u8 = 134;

/// What a store holds for the host.
struct State {
    wasi: WasiCtx,
    limits: StoreLimits,
}

pub(crate) fn main(args: &RunArgs) -> Result<ExitCode, Failure> {
    let mut stats = Stats::start();
    let engine = engine(args)?;
    let module = load::module(&engine, &args.file)?;
    stats.loaded();
    let mut store = store(args, &engine)?;
    let linker = linker(&engine)?;
    let _watch = args.timeout.map(|time| watch(time, &store));

    let ended = run(args, &linker, &mut store, &module, &mut stats);
    if args.stats {
        let fuel = args
            .fuel
            .and_then(|given| Some(given - store.get_fuel().ok()?));
        stats.print(fuel, store.used_bytes());
    }
    match ended {
        Ok(results) => {
            results
                .iter()
                .for_each(|value| println!("{}", values::show(value)));
            Ok(ExitCode::SUCCESS)
        }
        Err(End::Failure(failure)) => Err(failure),
        Err(End::Error(error)) => Ok(report(args, &error)),
    }
}

/// Why a run did not end with results.
enum End {
    /// The command failed.
    Failure(Failure),
    /// The guest did, or exited.
    Error(Error),
}

fn engine(args: &RunArgs) -> Result<Engine, Failure> {
    let executor = args.executor.map(Into::into);
    load::check_executor(executor)?;
    let mut config = Config::new();
    config.consume_fuel(args.fuel.is_some());
    config.interruption(args.timeout.is_some());
    if let Some(executor) = executor {
        config.executor(executor);
    }
    Engine::new(&config).map_err(|error| Failure::new(format_args!("{error:#}")))
}

fn store(args: &RunArgs, engine: &Engine) -> Result<Store<State>, Failure> {
    let mut limits = StoreLimitsBuilder::new();
    if let Some(bytes) = args.max_memory {
        limits = limits.memory_size(bytes);
    }
    let state = State {
        wasi: wasi_ctx(args)?,
        limits: limits.build(),
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limits);
    if let Some(fuel) = args.fuel {
        store.set_fuel(fuel).map_err(Failure::new)?;
    }
    Ok(store)
}

fn wasi_ctx(args: &RunArgs) -> Result<WasiCtx, Failure> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio();
    wasi.arg(args.file.to_string_lossy());
    if args.invoke.is_none() {
        wasi.args(&args.args);
    }
    for variable in &args.env {
        match variable.split_once('=') {
            Some((key, value)) => wasi.env(key, value),
            None => match std::env::var(variable) {
                Ok(value) => wasi.env(variable, value),
                Err(_) => {
                    return Err(Failure::usage(format_args!(
                        "--env {variable}: no such variable here"
                    )));
                }
            },
        };
    }
    for dir in &args.dirs {
        let (host, guest) = dir.split_once("::").unwrap_or((dir, dir));
        let opened = wasi.preopened_dir(host, guest, DirPerms::all(), FilePerms::all());
        opened.map_err(|error| Failure::io(host.as_ref(), &error))?;
    }
    Ok(wasi.build())
}

fn linker(engine: &Engine) -> Result<Linker<State>, Failure> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker, |state: &mut State| &mut state.wasi).map_err(Failure::new)?;
    Ok(linker)
}

fn watch(time: Duration, store: &Store<State>) -> Watch {
    let guest = store.interrupt_handle();
    let give_up = move || {
        eprintln!("sheave: trap: timed out after {time:?}, in a host call");
        std::process::exit(TRAPPED.into());
    };
    Watch::start(time, move || guest.interrupt(), give_up)
}

fn run(
    args: &RunArgs,
    linker: &Linker<State>,
    store: &mut Store<State>,
    module: &Module,
    stats: &mut Stats,
) -> Result<Vec<Val>, End> {
    let path = &args.file;
    let instance = linker.instantiate(&mut *store, module).map_err(|error| {
        if ran(&error) {
            End::Error(error)
        } else {
            End::Failure(Failure::of(path, format_args!("{error:#}")))
        }
    })?;
    stats.instantiated();
    let (func, params) = entry(args, store, instance).map_err(End::Failure)?;
    if args.invoke.is_some() {
        // A reactor wants this once, before anything else.
        if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut *store, "_initialize") {
            initialize.call(&mut *store, ()).map_err(End::Error)?;
        }
    }
    let mut results = vec![Val::I32(0); func.ty(&*store).results().len()];
    let called = func.call(&mut *store, &params, &mut results);
    stats.called();
    called.map(|()| results).map_err(End::Error)
}

/// Whether this error came from running wasm, rather than from linking it.
fn ran(error: &Error) -> bool {
    error.downcast_ref::<Trap>().is_some()
        || error.downcast_ref::<I32Exit>().is_some()
        || error.downcast_ref::<WasmBacktrace>().is_some()
}

/// The function to call, and its arguments.
fn entry(
    args: &RunArgs,
    store: &mut Store<State>,
    instance: Instance,
) -> Result<(Func, Vec<Val>), Failure> {
    let path = &args.file;
    let Some(name) = &args.invoke else {
        let start = instance.get_func(&mut *store, "_start");
        let start = start.ok_or_else(|| {
            Failure::of(
                path,
                "no `_start` is exported; name a function with --invoke",
            )
        })?;
        return Ok((start, Vec::new()));
    };
    let func = instance.get_func(&mut *store, name);
    let func =
        func.ok_or_else(|| Failure::of(path, format_args!("no function `{name}` is exported")))?;
    let ty = func.ty(&*store);
    let (want, got) = (ty.params().len(), args.args.len());
    if want != got {
        return Err(Failure::usage(format_args!(
            "`{name}` takes {want} arguments, {got} were given"
        )));
    }
    let parse = |(text, ty): (&String, _)| values::parse(text, &ty).map_err(Failure::usage);
    let params = args
        .args
        .iter()
        .zip(ty.params())
        .map(parse)
        .collect::<Result<_, _>>()?;
    Ok((func, params))
}

/// Prints how a guest ended that did not return, and gives the exit code that says so.
fn report(args: &RunArgs, error: &Error) -> ExitCode {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return ExitCode::from(exit.process_exit_code());
    }
    let trap = error.downcast_ref::<Trap>();
    match (trap, args.timeout) {
        (Some(Trap::Interrupt), Some(time)) => eprintln!("sheave: trap: timed out after {time:?}"),
        (Some(trap), _) => eprintln!("sheave: trap: {trap}"),
        (None, _) => eprintln!("sheave: {:#}", error.root_cause()),
    }
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        eprintln!("{backtrace}");
    }
    ExitCode::from(TRAPPED)
}
