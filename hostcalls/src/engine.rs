//! What all modules and stores share: settings, code, types.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sheave_interp::CodeSpace;
use sheave_types::TypeRegistry;

use crate::Result;
use crate::config::Config;
use crate::host_stacks::HostStacks;
use crate::interrupt::Epochs;

/// Settings, translated code, and the identities of types. Cheap to clone; `Send + Sync`.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    config: Config,
    space: Arc<CodeSpace>,
    types: Arc<TypeRegistry>,
    epochs: Mutex<Epochs>,
    host_stacks: HostStacks,
}

impl Engine {
    /// An engine with these settings.
    ///
    /// # Errors
    /// If there is no address space for its code, or a feature was switched on that this version does not have.
    pub fn new(config: &Config) -> Result<Engine> {
        if let Some(missing) = config.missing() {
            let why = missing.missing.unwrap_or_default();
            anyhow::bail!("the feature {} is not supported: {why}", missing.name);
        }
        let space = CodeSpace::new(config.executor, config.code_bytes)
            .or_else(|_| CodeSpace::new(config.executor, config.code_bytes / 16))?;
        Ok(Engine(Arc::new(Inner {
            config: config.clone(),
            space,
            types: Arc::default(),
            epochs: Mutex::default(),
            host_stacks: HostStacks::new(&config.host_stacks)?,
        })))
    }

    /// Its settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The executor that runs its code.
    pub fn executor(&self) -> sheave_interp::Executor {
        self.0.space.executor()
    }

    /// Translates a module ahead, to the bytes of an image: see [`Module::serialize`](crate::Module::serialize).
    ///
    /// # Errors
    /// If the module is invalid.
    pub fn precompile_module(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        crate::Module::new(self, bytes)?.serialize()
    }

    /// Whether both are the same engine.
    pub fn same(a: &Engine, b: &Engine) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// Lets time go on by one epoch: each store whose deadline is reached is interrupted. May be called from any
    /// thread, as often as wanted. See [`Config::epoch_interruption`].
    pub fn increment_epoch(&self) {
        self.epochs().increment();
    }

    pub(crate) fn epochs(&self) -> std::sync::MutexGuard<'_, Epochs> {
        self.0.epochs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn space(&self) -> &Arc<CodeSpace> {
        &self.0.space
    }

    pub(crate) fn host_stacks(&self) -> &HostStacks {
        &self.0.host_stacks
    }

    /// A number that no other store has had, of whatever engine: handles carry it.
    pub(crate) fn next_store_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// The types of all modules.
    pub(crate) fn types(&self) -> &Arc<TypeRegistry> {
        &self.0.types
    }
}

impl Default for Engine {
    /// An engine with the default settings.
    ///
    /// # Panics
    /// If there is no address space for its code.
    fn default() -> Engine {
        Engine::new(&Config::new()).expect("address space for code")
    }
}

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}
