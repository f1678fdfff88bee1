//! What `run`, `resume` and `snapshot` have in common: the engine, the store, what a program is given, and how it ends.

use crate::args::GuestArgs;
use crate::failure::Failure;
use crate::snapshots::{self, Now, Requests};
use crate::timeout::Watch;
use crate::{load, values};
use sheave::wasi::{self, DirPerms, FilePerms, I32Exit, WasiCtx, WasiCtxBuilder};
use sheave::{
    Engine, Error, Func, Instance, Linker, Store, StoreLimits, StoreLimitsBuilder, Trap, Val,
    WasmBacktrace,
};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// The exit code of a trap: what a shell sees of a process that aborted.
const TRAPPED: u8 = 134;

/// What a store holds for the host.
pub(crate) struct State {
    pub(crate) wasi: WasiCtx,
    pub(crate) limits: StoreLimits,
    pub(crate) now: Now,
}

/// Why a run did not end with results.
pub(crate) enum End {
    /// The command failed.
    Failure(Failure),
    /// The guest did, or exited.
    Error(Error),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// An engine that counts fuel, or looks for interruptions, or not.
pub(crate) fn engine(args: &GuestArgs, fuel: bool, interruption: bool) -> Result<Engine, Failure> {
    let executor = args.executor.map(Into::into);
    load::check_executor(executor)?;
    let mut config = args.features.config();
    config.consume_fuel(fuel);
    config.interruption(interruption);
    if let Some(executor) = executor {
        config.executor(executor);
    }
    config.host_stack_report(args.host_stack_report);
    if let Some(bytes) = args.host_stack_limit {
        config.host_stack_limit(bytes);
    }
    config.host_stack_overflow_message(args.host_stack_report || args.host_stack_limit.is_some());
    Engine::new(&config).map_err(|error| Failure::new(format_args!("{error:#}")))
}

/// What the host keeps for a program with this context.
pub(crate) fn state(args: &GuestArgs, wasi: WasiCtx) -> State {
    let mut limits = StoreLimitsBuilder::new();
    if let Some(bytes) = args.max_memory {
        limits = limits.memory_size(bytes);
    }
    State {
        wasi,
        limits: limits.build(),
        now: Now::Never,
    }
}

/// Sets the limits of a store.
pub(crate) fn limit(args: &GuestArgs, store: &mut Store<State>) -> Result<(), Failure> {
    store.limiter(|state| &mut state.limits);
    match args.fuel {
        Some(fuel) => store.set_fuel(fuel).map_err(Failure::new),
        None => Ok(()),
    }
}

/// What a program is given: our streams, directories and variables.
pub(crate) fn wasi(args: &GuestArgs) -> Result<WasiCtxBuilder, Failure> {
    let mut wasi = WasiCtxBuilder::new();
    wasi.inherit_stdio();
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
    Ok(wasi)
}

pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>, Failure> {
    let mut linker = Linker::new(engine);
    wasi::add_to_linker(&mut linker, |state: &mut State| &mut state.wasi).map_err(Failure::new)?;
    snapshots::add_to_linker(&mut linker).map_err(Failure::new)?;
    Ok(linker)
}

/// What was asked for on how the host fared.
pub(crate) fn host_report(args: &GuestArgs, store: &Store<State>) {
    if args.host_stack_report {
        eprint!("{}", store.engine().host_stack_report());
    }
}

/// Watches over the time that a program has.
pub(crate) fn watch(args: &GuestArgs, requests: &Arc<Requests>) -> Option<Watch> {
    let time = args.timeout?;
    let requests = Arc::clone(requests);
    let give_up = move || {
        eprintln!("sheave: trap: timed out after {time:?}, in a host call");
        std::process::exit(TRAPPED.into());
    };
    Some(Watch::start(time, move || requests.end(), give_up))
}

/// An exported function, and its arguments as they were given.
pub(crate) fn entry(
    store: &mut Store<State>,
    instance: Instance,
    file: &Path,
    name: &str,
    args: &[String],
) -> Result<(Func, Vec<Val>), Failure> {
    let func = instance.get_func(&mut *store, name);
    let func =
        func.ok_or_else(|| Failure::of(file, format_args!("no function `{name}` is exported")))?;
    let ty = func.ty(&*store);
    let (want, got) = (ty.params().len(), args.len());
    if want != got {
        return Err(Failure::usage(format_args!(
            "`{name}` takes {want} arguments, {got} were given"
        )));
    }
    let parse = |(text, ty): (&String, _)| values::parse(text, &ty).map_err(Failure::usage);
    let params = args.iter().zip(ty.params()).map(parse);
    Ok((func, params.collect::<Result<_, _>>()?))
}

/// Places for the results of a function.
pub(crate) fn results(store: &Store<State>, func: Func) -> Vec<Val> {
    vec![Val::I32(0); func.ty(store).results().len()]
}

/// Prints results, or how a guest ended that gave none, and gives the exit code that says so.
pub(crate) fn ended(args: &GuestArgs, ended: Result<Vec<Val>, End>) -> Result<ExitCode, Failure> {
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

fn report(args: &GuestArgs, error: &Error) -> ExitCode {
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

/// Whether this error came from running wasm, rather than from linking it.
pub(crate) fn ran(error: &Error) -> bool {
    error.downcast_ref::<Trap>().is_some()
        || error.downcast_ref::<I32Exit>().is_some()
        || error.downcast_ref::<WasmBacktrace>().is_some()
}
