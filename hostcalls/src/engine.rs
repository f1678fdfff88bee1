//! What all modules and stores share: settings, code, types.

use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sheave_interp::CodeSpace;
use sheave_loader as loader;

use crate::Result;
use crate::config::Config;
use crate::interrupt::Epochs;

/// Settings, translated code, and the identities of function types. Cheap to clone; `Send + Sync`.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    config: Config,
    space: Arc<CodeSpace>,
    types: RwLock<Types>,
    epochs: Mutex<Epochs>,
}

/// Function types by identity and back. Structural, so that types of different modules are one.
#[derive(Default)]
struct Types {
    ids: HashMap<Arc<loader::FuncType>, u32>,
    all: Vec<Arc<loader::FuncType>>,
}

impl Engine {
    /// An engine with these settings.
    ///
    /// # Errors
    /// If there is no address space for its code.
    pub fn new(config: &Config) -> Result<Engine> {
        let space = CodeSpace::new(config.executor, config.code_bytes)
            .or_else(|_| CodeSpace::new(config.executor, config.code_bytes / 16))?;
        Ok(Engine(Arc::new(Inner {
            config: config.clone(),
            space,
            types: RwLock::default(),
            epochs: Mutex::default(),
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

    /// A number that no other store has had, of whatever engine: handles carry it.
    pub(crate) fn next_store_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }

    /// The identity of a function type: equal types have equal identities in all modules of the engine.
    pub(crate) fn type_id(&self, ty: &loader::FuncType) -> u32 {
        if let Some(id) = self
            .0
            .types
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .ids
            .get(ty)
        {
            return *id;
        }
        let mut types = self.0.types.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = types.ids.get(ty) {
            return *id;
        }
        let ty = Arc::new(ty.clone());
        let id = types.all.len() as u32;
        types.all.push(Arc::clone(&ty));
        types.ids.insert(ty, id);
        id
    }

    /// The function type of an identity that this engine gave.
    pub(crate) fn type_of(&self, id: u32) -> Arc<loader::FuncType> {
        let types = self.0.types.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&types.all[id as usize])
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
