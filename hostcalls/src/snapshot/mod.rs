//! A store's state, taken at rest or with a call paused: to go on from later, elsewhere, or more than once.

pub(crate) mod codec;
mod contents;
mod file;
mod pages;
mod restore;
mod state;
mod take;
mod types;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::module::Module;
use crate::{Engine, Result};
use contents::Contents;

/// What a store held when [`Store::snapshot`](crate::Store::snapshot) was called: its modules, instances, memories,
/// tables, globals, objects, and the call that waits in it, if one does. Cheap to clone; `Send + Sync`.
///
/// ```
/// # use sheave_hostcalls::{CallOutcome, Config, Engine, Instance, Linker, Module, Snapshot, Store, Val};
/// let engine = Engine::new(Config::new().consume_fuel(true))?;
/// let module = Module::new(&engine, r#"(module (func (export "sum") (param i32) (result i32) (local i32)
///     (loop $l
///         (local.set 1 (i32.add (local.get 1) (local.get 0)))
///         (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
///     (local.get 1)))"#)?;
/// let mut store = Store::new(&engine, ());
/// let sum = Instance::new(&mut store, &module, &[])?.get_func(&mut store, "sum").unwrap();
/// store.set_fuel(100)?;
/// let mut results = [Val::I32(0)];
/// sum.call_resumable(&mut store, &[Val::I32(100)], &mut results)?;
///
/// // In the middle of the loop: to bytes, and into another store, of another engine.
/// let bytes = store.snapshot()?.to_bytes();
/// let other = Engine::new(Config::new().consume_fuel(true))?;
/// let snapshot = Snapshot::from_bytes(&bytes)?;
/// let mut copy = Store::restore(&other, &snapshot, &Linker::new(&other), ())?;
/// copy.set_fuel(10_000)?;
/// assert_eq!(copy.resume_call(&mut results)?, CallOutcome::Finished);
/// assert_eq!(results[0].unwrap_i32(), 5050);
/// # Ok::<(), sheave_hostcalls::Error>(())
/// ```
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>, Arc<[u8]>);

struct Inner {
    contents: Contents,
    /// The engine it was taken in, and its modules there.
    live: Option<(Engine, Vec<Module>)>,
}

impl Snapshot {
    fn new(contents: Contents, live: Option<(Engine, Vec<Module>)>) -> Snapshot {
        Snapshot(Arc::new(Inner { contents, live }), Arc::default())
    }

    /// The same snapshot, with bytes of the embedder's in it: what else a program needs to go on, which the store does not
    /// know. They are kept as they are.
    pub fn with_host_state(self, bytes: impl Into<Arc<[u8]>>) -> Snapshot {
        Snapshot(self.0, bytes.into())
    }

    /// The bytes that [`Snapshot::with_host_state`] put in; empty if it did not.
    pub fn host_state(&self) -> &[u8] {
        &self.1
    }

    fn contents(&self) -> &Contents {
        &self.0.contents
    }

    /// Its bytes, in the format of `docs/snapshot-format.md`: the same for the same state, on every machine.
    pub fn to_bytes(&self) -> Vec<u8> {
        file::encode(self.contents(), &self.1)
    }

    /// A snapshot from its bytes.
    ///
    /// # Errors
    /// If they are not a whole snapshot of this version. What they say is checked against the modules when a store is
    /// restored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Snapshot> {
        let (contents, host) = file::decode(bytes)?;
        Ok(Snapshot::new(contents, None).with_host_state(host))
    }

    /// Writes it to a file: under another name first, which then replaces the file at once, so that whatever happens
    /// there is the old file or the new one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_to(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        sheave_loader::write_file(path, &self.to_bytes())
            .with_context(|| format!("writing snapshot {}", path.display()))
    }

    /// Reads it from a file.
    ///
    /// # Errors
    /// If the file cannot be read, or as [`Snapshot::from_bytes`].
    pub fn open(path: impl AsRef<Path>) -> Result<Snapshot> {
        let path = path.as_ref();
        let bytes = std::fs::read(path);
        bytes
            .map_err(crate::Error::from)
            .and_then(|bytes| Snapshot::from_bytes(&bytes))
            .with_context(|| format!("opening snapshot {}", path.display()))
    }

    /// Whether bytes start as a snapshot does.
    pub fn is_snapshot(bytes: &[u8]) -> bool {
        bytes.starts_with(&file::MAGIC)
    }

    /// Whether a call waits in it.
    pub fn has_paused_call(&self) -> bool {
        self.contents().paused.is_some()
    }
}

impl core::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let contents = self.contents();
        f.debug_struct("Snapshot")
            .field("instances", &contents.instances.len())
            .field("page_bytes", &contents.page_bytes())
            .field("paused_call", &self.has_paused_call())
            .finish_non_exhaustive()
    }
}
