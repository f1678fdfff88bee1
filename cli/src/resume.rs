//! `sheave resume`: a program that goes on from a snapshot.

use crate::args::ResumeArgs;
use crate::failure::Failure;
use crate::guest::{self, End, State};
use crate::load;
use crate::snapshots::{self, Driver, Ended, Now, Pending, Program, Requests};
use crate::stats::Stats;
use sheave::wasi::LostDescriptors;
use sheave::{Engine, Restore, Snapshot, Store, Val};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn main(args: &ResumeArgs) -> Result<ExitCode, Failure> {
    let mut stats = Stats::start();
    let requests = Requests::start(&args.snapshots)?;
    let of_file = |error: &dyn core::fmt::Display| Failure::of(&args.file, error);
    let writer = args.snapshots.writer()?;
    let snapshot = Snapshot::open(&args.file)
        .map_err(|error| of_file(&format_args!("{:#}", error.root_cause())))?;
    let program = Program::of(&snapshot).map_err(|error| of_file(&error))?;
    check(args, &snapshot, &program)?;
    if args.rewind_output {
        snapshots::rewind(program.outputs).map_err(Failure::new)?;
    }
    let engine = guest::engine(&args.guest, program.fuel, program.interruption)?;
    let mut store = restore(args, &engine, &snapshot, &program)?;
    drop(snapshot);
    stats.loaded();
    requests.watch(store.interrupt_handle());
    let mut driver = Driver {
        requests: Arc::clone(&requests),
        writer,
        leave: false,
        program,
    };
    let _watch = guest::watch(&args.guest, &requests);
    let before = store.get_fuel().ok();

    let ended = go_on(args, &mut store, &mut driver);
    stats.called();
    driver.finish();
    if args.guest.stats {
        let fuel = before.and_then(|before| Some(before - store.get_fuel().ok()?));
        stats.print(fuel, store.used_bytes());
    }
    guest::host_report(&args.guest, &store);
    guest::ended(&args.guest, ended)
}

/// Refuses what cannot be done with this snapshot.
fn check(args: &ResumeArgs, snapshot: &Snapshot, program: &Program) -> Result<(), Failure> {
    if args.guest.fuel.is_some() && !program.fuel {
        return Err(Failure::usage(
            "--fuel: the program was started without it, so its code does not count fuel",
        ));
    }
    let pauses = args.guest.timeout.is_some() || args.snapshots.snapshot_to.is_some();
    if pauses && !program.interruption {
        return Err(Failure::usage(
            "the program was started so that it cannot be interrupted",
        ));
    }
    if args.invoke.is_some() && snapshot.has_paused_call() {
        return Err(Failure::usage(
            "--invoke: a call waits in the snapshot, which must go on first",
        ));
    }
    Ok(())
}

fn restore(
    args: &ResumeArgs,
    engine: &Engine,
    snapshot: &Snapshot,
    program: &Program,
) -> Result<Store<State>, Failure> {
    let mut wasi = guest::wasi(&args.guest)?;
    if args.invoke.is_none() && !args.args.is_empty() {
        wasi.arg(&program.name).args(&args.args);
    }
    let lost = if args.allow_lost_files {
        LostDescriptors::BadDescriptor
    } else {
        LostDescriptors::Refuse
    };
    let wasi = wasi.build_from(&program.wasi, lost);
    let wasi = wasi.map_err(|error| Failure::of(&args.file, error))?;
    let mut state = guest::state(&args.guest, wasi);
    if args.snapshots.snapshot_to.is_some() {
        state.now = Now::Idle;
        state.wasi.pause_at_input(args.snapshots.snapshot_at_input);
    }
    if program.pending == Pending::Now {
        state.now = Now::Answer(1);
    }
    let linker = guest::linker(engine)?;
    let file = args.module.as_deref();
    let file = file.unwrap_or_else(|| Path::new(&program.file));
    let restore = Restore::new(engine, snapshot, &linker);
    // One that is there is taken from there; of the others a program has but one.
    let store = if args.module.is_some() || snapshot.lacks_modules() {
        let module = load::module(engine, file)?;
        let found = move |hash: &_| Ok((module.hash() == *hash).then(|| module.clone()));
        restore.modules(found).store(state)
    } else {
        restore.store(state)
    };
    let mut store = store.map_err(|error| Failure::of(&args.file, format_args!("{error:#}")))?;
    guest::limit(&args.guest, &mut store)?;
    Ok(store)
}

/// Goes on with the call that waits, or calls what is to be called.
fn go_on(
    args: &ResumeArgs,
    store: &mut Store<State>,
    driver: &mut Driver,
) -> Result<Vec<Val>, End> {
    if args.snapshots.snapshot_after_start {
        driver.at_rest(store).map_err(End::Error)?;
    }
    if let Some(waiting) = store.paused_call() {
        let mut results = guest::results(store, waiting.func());
        let ended = driver.run(store, &mut results, |store, results| {
            store.resume_call(results)
        });
        return ended.map(|_: Ended| results).map_err(End::Error);
    }
    let mut invoked = None;
    if let Some(name) = &args.invoke {
        driver.program.invoke = Some(name.clone());
        driver.program.args.clone_from(&args.args);
    } else if !args.args.is_empty() && driver.program.invoke.is_some() {
        driver.program.args.clone_from(&args.args);
    }
    if let Some(name) = &driver.program.invoke {
        invoked = Some((name.as_str(), &driver.program.args[..]));
    }
    let (name, params) = invoked.unwrap_or(("_start", &[]));
    // Whatever the others were for, the last one is the program.
    let Some(instance) = store.instances().last() else {
        return Err(Failure::of(&args.file, "there is nothing in the snapshot to call").into());
    };
    let (func, params) = guest::entry(store, instance, &args.file, name, params)?;
    let mut results = guest::results(store, func);
    let ended = driver.run(store, &mut results, |store, results| {
        func.call_resumable(store, &params, results)
    });
    ended.map(|_: Ended| results).map_err(End::Error)
}
