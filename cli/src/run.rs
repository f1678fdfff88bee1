//! `sheave run`: a program of WASI preview 1, or one exported function. And what `sheave snapshot` has in common with it.

use crate::args::{GuestArgs, RunArgs};
use crate::failure::Failure;
use crate::guest::{self, End, State};
use crate::load;
use crate::snapshots::{Driver, Ended, Now, Pending, Program, Requests, SnapshotArgs};
use crate::stats::Stats;
use sheave::{Instance, Linker, Module, Store, Val};
use std::path::Path;
use std::process::ExitCode;

/// A program that is to be started.
pub(crate) struct Start<'a> {
    pub(crate) file: &'a Path,
    pub(crate) invoke: Option<&'a str>,
    pub(crate) args: &'a [String],
    pub(crate) guest: &'a GuestArgs,
    pub(crate) snapshots: &'a SnapshotArgs,
    /// Whether the first snapshot is the end.
    pub(crate) leave: bool,
}

pub(crate) fn main(args: &RunArgs) -> Result<ExitCode, Failure> {
    let requests = Requests::start(&args.snapshots)?;
    let mut ended = Ended::Finished;
    Start {
        file: &args.file,
        invoke: args.invoke.as_deref(),
        args: &args.args,
        guest: &args.guest,
        snapshots: &args.snapshots,
        leave: false,
    }
    .run(&requests, &mut ended)
}

impl Start<'_> {
    /// Runs it, and says in `how` whether it has come to its end.
    pub(crate) fn run(
        &self,
        requests: &std::sync::Arc<Requests>,
        how: &mut Ended,
    ) -> Result<ExitCode, Failure> {
        let mut stats = Stats::start();
        let args = self.guest;
        let interruption = args.timeout.is_some() || self.snapshots.snapshot_to.is_some();
        let engine = guest::engine(args, args.fuel.is_some(), interruption)?;
        let writer = self.snapshots.writer()?;
        let module = load::module(&engine, self.file)?;
        stats.loaded();
        let mut store = self.store(&engine)?;
        requests.watch(store.interrupt_handle());
        let linker = guest::linker(&engine)?;
        let mut driver = Driver {
            requests: std::sync::Arc::clone(requests),
            writer,
            leave: self.leave,
            program: self.program(interruption),
        };
        let _watch = guest::watch(args, requests);

        let ended = self.call(&linker, &mut store, &module, &mut driver, &mut stats);
        driver.finish();
        if args.stats {
            let fuel = args
                .fuel
                .and_then(|given| Some(given - store.get_fuel().ok()?));
            stats.print(fuel, store.used_bytes());
        }
        guest::host_report(args, &store);
        let ended = ended.map(|results| match results {
            Some(results) => results,
            None => {
                *how = Ended::InSnapshot;
                Vec::new()
            }
        });
        guest::ended(args, ended)
    }

    fn store(&self, engine: &sheave::Engine) -> Result<Store<State>, Failure> {
        let mut wasi = guest::wasi(self.guest)?;
        wasi.arg(self.file.to_string_lossy());
        if self.invoke.is_none() {
            wasi.args(self.args);
        }
        let mut state = guest::state(self.guest, wasi.build());
        if self.snapshots.snapshot_to.is_some() {
            state.now = Now::Idle;
            state.wasi.pause_at_input(self.snapshots.snapshot_at_input);
        }
        let mut store = Store::new(engine, state);
        guest::limit(self.guest, &mut store)?;
        Ok(store)
    }

    /// What a snapshot says of it.
    fn program(&self, interruption: bool) -> Program {
        let file = std::path::absolute(self.file);
        Program {
            fuel: self.guest.fuel.is_some(),
            interruption,
            pending: Pending::Nothing,
            name: self.file.to_string_lossy().into_owned(),
            file: file.map_or_else(|_| String::new(), |f| f.to_string_lossy().into_owned()),
            invoke: self.invoke.map(str::to_owned),
            args: self.args.to_vec(),
            outputs: [None; 2],
            wasi: Vec::new(),
        }
    }

    /// Runs it; gives its results, or nothing if it waits in a snapshot.
    fn call(
        &self,
        linker: &Linker<State>,
        store: &mut Store<State>,
        module: &Module,
        driver: &mut Driver,
        stats: &mut Stats,
    ) -> Result<Option<Vec<Val>>, End> {
        let instance = self.instantiate(linker, store, module)?;
        stats.instantiated();
        let is_program = instance.get_func(&mut *store, "_start").is_some();
        if self.invoke.is_some() || !is_program {
            // A reactor wants this once, before anything else.
            if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut *store, "_initialize") {
                initialize.call(&mut *store, ()).map_err(End::Error)?;
            }
        }
        let only_initialised = self.leave && self.invoke.is_none() && !is_program;
        if (self.snapshots.snapshot_after_start || only_initialised)
            && driver.at_rest(store).map_err(End::Error)? == Ended::InSnapshot
        {
            return Ok(None);
        }
        if self.invoke.is_none() && !is_program {
            let text = "no `_start` is exported; name a function with --invoke";
            return Err(Failure::of(self.file, text).into());
        }
        let (name, args) = match self.invoke {
            Some(name) => (name, self.args),
            None => ("_start", &[][..]),
        };
        let (func, params) = guest::entry(store, instance, self.file, name, args)?;
        let mut results = guest::results(store, func);
        let ended = driver.run(store, &mut results, |store, results| {
            func.call_resumable(store, &params, results)
        });
        stats.called();
        match ended.map_err(End::Error)? {
            Ended::Finished => Ok(Some(results)),
            Ended::InSnapshot => Ok(None),
        }
    }

    fn instantiate(
        &self,
        linker: &Linker<State>,
        store: &mut Store<State>,
        module: &Module,
    ) -> Result<Instance, End> {
        linker.instantiate(store, module).map_err(|error| {
            if guest::ran(&error) {
                End::Error(error)
            } else {
                Failure::of(self.file, format_args!("{error:#}")).into()
            }
        })
    }
}
