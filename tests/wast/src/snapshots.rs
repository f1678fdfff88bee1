//! The store of a script, replaced by one that is restored from its snapshot.

use crate::script::Runner;
use crate::{Options, spectest};
use sheave::{
    Backend, Engine, Error, Executor, Extern, Func, Instance, Linker, Module, ModuleHash, Modules,
    Restore, Snapshot, SnapshotOptions, Store,
};
use std::collections::HashMap;

/// Engines that stores are restored in, in turn, with the modules they have met.
pub(crate) struct Others {
    engines: Vec<(Engine, HashMap<ModuleHash, Module>)>,
    next: usize,
}

impl Others {
    /// The runner's engine and one that differs from it wherever it can; none without snapshots.
    pub(crate) fn new(engine: &Engine, options: &Options) -> Result<Others, Error> {
        let mut engines = Vec::new();
        if options.snapshots {
            let mut config = options.config();
            config.arena_backend(Backend::Heap);
            let other = [Executor::Threaded, Executor::Portable]
                .into_iter()
                .find(|e| e.available() && *e != engine.executor());
            config.executor(other.unwrap_or(engine.executor()));
            engines.push((Engine::new(&config)?, HashMap::new()));
            engines.push((engine.clone(), HashMap::new()));
        }
        Ok(Others { engines, next: 0 })
    }
}

/// Parts of a name of a handle.
const BETWEEN: char = '\0';

impl Runner {
    /// Replaces the store, and everything that names what is in it.
    pub(crate) fn snapshot_and_restore(&mut self) -> Result<(), Error> {
        let defined: Vec<(String, Extern)> = self
            .linker
            .iter(&mut self.store)
            .map(|(module, name, item)| (format!("{module}{BETWEEN}{name}"), item))
            .collect();
        let name_of = |func: &Func| {
            let same = |(_, item): &&(String, Extern)| *item == Extern::Func(*func);
            let (name, _) = defined.iter().find(same)?;
            let (module, name) = name.split_once(BETWEEN)?;
            Some((module.to_owned(), name.to_owned()))
        };
        let mut options = SnapshotOptions::new()
            .externs(|value| {
                let number = value.downcast_ref::<u32>();
                Ok(number.map(|n| n.to_le_bytes().to_vec()))
            })
            .funcs(name_of);
        for (name, item) in &defined {
            options = options.handle(name.as_str(), *item);
        }
        let snapshot = self.store.snapshot_with(options)?;
        let bytes = snapshot.to_bytes_with(Modules::ByHash);
        let have: Vec<Module> = self
            .store
            .instances()
            .map(|i| i.module(&self.store).clone())
            .collect();
        let place = |i: &Instance, store: &Store<()>| store.instances().position(|x| x == *i);
        let named: Vec<_> = self
            .instances
            .iter()
            .map(|(name, i)| (name.clone(), place(i, &self.store)))
            .collect();
        let current = self.current.and_then(|i| place(&i, &self.store));

        let turn = self.others.next % self.others.engines.len();
        self.others.next += 1;
        let (engine, modules) = &mut self.others.engines[turn];
        let mut linker = Linker::new(engine);
        linker.allow_shadowing(true);
        spectest::define_functions(&mut linker)?;
        let snapshot = Snapshot::from_bytes(&bytes)?;
        let restore = Restore::new(engine, &snapshot, &linker);
        let restore = restore.modules(|hash| {
            if let Some(module) = modules.get(hash) {
                return Ok(Some(module.clone()));
            }
            let Some(module) = have.iter().find(|module| module.hash() == *hash) else {
                return Ok(None);
            };
            let module = Module::from_binary(engine, module.wasm())?;
            modules.insert(*hash, module.clone());
            Ok(Some(module))
        });
        let restore = restore.externs(|bytes| {
            let bytes = bytes.first_chunk().copied();
            Ok(Box::new(bytes.map(u32::from_le_bytes).unwrap_or_default()))
        });
        let mut store = restore.store(())?;
        store.relocate()?;
        for (name, _) in &defined {
            if let Some(item) = store.restored(name)
                && let Some((module, name)) = name.split_once(BETWEEN)
            {
                linker.define(&store, module, name, item)?;
            }
        }
        let instances: Vec<Instance> = store.instances().collect();
        let at = |place: Option<usize>| place.and_then(|i| instances.get(i).copied());
        self.instances = named
            .into_iter()
            .filter_map(|(name, place)| Some((name, at(place)?)))
            .collect();
        self.current = at(current);
        let again = |module: &Module| Module::from_binary(engine, module.wasm());
        for module in self.definitions.values_mut() {
            *module = again(module)?;
        }
        if let Some(module) = &mut self.last_definition {
            *module = again(module)?;
        }
        (self.engine, self.store, self.linker) = (engine.clone(), store, linker);
        Ok(())
    }
}
