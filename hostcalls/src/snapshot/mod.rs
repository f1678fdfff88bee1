//! A store's state, taken at rest or with a call paused: to go on from later, elsewhere, or more than once.

mod blob;
pub(crate) mod codec;
#[cfg(feature = "zstd")]
mod compressed;
mod contents;
mod delta;
mod describe;
mod file;
mod handles;
mod heap;
mod modules;
mod pages;
mod restore;
mod state;
mod take;
mod template;
mod types;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, anyhow, bail};

use crate::{Engine, Result};
use blob::Blob;
use contents::{Contents, SnapshotId};
pub use describe::{
    Description, HeapDescription, InstanceDescription, MemoryDescription, PausedDescription,
    StackDescription, TableDescription,
};
use file::{Decoded, Layout, Section};
pub(crate) use handles::Restored;
pub use modules::ModuleHash;
pub use restore::Restore;
pub use take::SnapshotOptions;
pub use template::Template;

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
pub struct Snapshot(Arc<Inner>, Arc<[u8]>, Option<Arc<Snapshot>>);

struct Inner {
    contents: Contents,
    /// The engine it was taken in.
    engine: Option<Engine>,
    /// Of the file it was read from.
    sections: Vec<Section>,
    id: OnceLock<SnapshotId>,
}

/// Whether a snapshot's file contains its modules.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Modules {
    /// Their bytes.
    #[default]
    Embedded,
    /// Their images, with all functions translated ([`Module::serialize`](crate::Module::serialize)): longer to write, but
    /// who restores it need neither validate nor translate anything, and what is not used is not even read.
    Translated,
    /// Only their hashes: who restores it must have them ([`Restore::modules`]).
    ByHash,
}

impl Snapshot {
    /// One that was just taken.
    fn taken(contents: Contents, engine: Engine, base: Option<&Snapshot>) -> Snapshot {
        let inner = Inner {
            contents,
            engine: Some(engine),
            sections: Vec::new(),
            id: OnceLock::new(),
        };
        let base = base.map(|base| Arc::new(base.clone()));
        Snapshot(Arc::new(inner), Arc::default(), base)
    }

    /// From a file.
    fn decoded(file: &Blob) -> Result<Snapshot> {
        #[cfg(feature = "zstd")]
        let file = &if compressed::is_compressed(file) {
            compressed::unpack(file)?
        } else {
            file.clone()
        };
        let Decoded {
            contents,
            host,
            id,
            sections,
        } = file::decode(file)?;
        let inner = Inner {
            contents,
            engine: None,
            sections,
            id: id.into(),
        };
        Ok(Snapshot(Arc::new(inner), host, None))
    }

    /// The same snapshot, with bytes of the embedder's in it: what else a program needs to go on, which the store does not
    /// know. They are kept as they are.
    pub fn with_host_state(self, bytes: impl Into<Arc<[u8]>>) -> Snapshot {
        Snapshot(self.0, bytes.into(), self.2)
    }

    /// The bytes that [`Snapshot::with_host_state`] put in; empty if it did not.
    pub fn host_state(&self) -> &[u8] {
        &self.1
    }

    fn contents(&self) -> &Contents {
        &self.0.contents
    }

    /// Its bytes, in the format of `docs/snapshot-format.md`: the same for the same state, on every machine.
    ///
    /// # Panics
    /// If its heap cannot be walked, which that of a store always can.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_bytes_with(Modules::Embedded)
    }

    /// As [`Snapshot::to_bytes`], with or without the modules.
    ///
    /// # Panics
    /// As there.
    pub fn to_bytes_with(&self, modules: Modules) -> Vec<u8> {
        let layout = Layout::new(self, modules);
        layout.expect("a heap that can be walked").to_vec()
    }

    /// A snapshot from its bytes, all of which are checked against their checksums.
    ///
    /// # Errors
    /// If they are not a whole snapshot of this version. What they say is checked against the modules when a store is
    /// restored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Snapshot> {
        let snapshot = Snapshot::decoded(&bytes.to_vec().into())?;
        snapshot.verify()?;
        Ok(snapshot)
    }

    /// Writes it to a file: under another name first, which then replaces the file at once, so that whatever happens
    /// there is the old file or the new one. Pages of zeros take no room on file systems that know holes.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_to(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write_with(path, Modules::Embedded, |_, _| {})
    }

    /// As [`Snapshot::write_to`], with or without the modules. `progress` is told now and then how many bytes of how many
    /// are written.
    ///
    /// # Errors
    /// As there.
    pub fn write_with(
        &self,
        path: impl AsRef<Path>,
        modules: Modules,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<()> {
        let path = path.as_ref();
        let layout = Layout::new(self, modules)?;
        let len = layout.len();
        let written = sheave_loader::replace_file(path, |file| {
            layout.write(file, |done| progress(done, len))
        });
        written.with_context(|| format!("writing snapshot {}", path.display()))
    }

    /// Opens a file, which is mapped where that can be done: this takes no longer for a longer one, and so does restoring,
    /// which maps the pages of memories copy-on-write. Nothing may write to the file while the snapshot or a store that
    /// was restored from it is in use; replacing it by renaming another, as [`Snapshot::write_to`] does, is fine.
    ///
    /// State, names and lists of pages are checked against their checksums now; a module when it is used; pages never,
    /// unless [`Snapshot::verify`] is asked to: damage there is damage to what the guest computes, and nothing else.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a whole snapshot of this version.
    pub fn open(path: impl AsRef<Path>) -> Result<Snapshot> {
        let path = path.as_ref();
        let opened = Blob::open(path).map_err(crate::Error::from);
        opened
            .and_then(|file| Snapshot::decoded(&file))
            .with_context(|| format!("opening snapshot {}", path.display()))
    }

    /// Checks every byte of the file that it was opened from against its checksum.
    ///
    /// # Errors
    /// If one is damaged.
    pub fn verify(&self) -> Result<()> {
        self.0.sections.iter().try_for_each(Section::check)
    }

    /// Whether bytes start as a snapshot does.
    pub fn is_snapshot(bytes: &[u8]) -> bool {
        bytes.starts_with(&file::MAGIC)
    }

    /// Whether a call waits in it.
    pub fn has_paused_call(&self) -> bool {
        self.contents().paused.is_some()
    }

    /// The modules of its instances, by hash.
    pub fn modules(&self) -> impl ExactSizeIterator<Item = ModuleHash> {
        self.contents().modules.iter().map(|m| m.hash())
    }

    /// Whether it has only the hash of one of its modules: [`Restore::modules`] must find that, or the snapshot that it
    /// was taken relative to.
    pub fn lacks_modules(&self) -> bool {
        self.contents().modules.iter().any(|m| m.is_elsewhere())
    }

    /// Whether it needs another snapshot, which it was taken relative to ([`Store::snapshot_since`]), and does not have it
    /// yet.
    ///
    /// [`Store::snapshot_since`]: crate::Store::snapshot_since
    pub fn lacks_base(&self) -> bool {
        self.contents().base.is_some() && self.2.is_none()
    }

    /// The same snapshot, together with the one that it was taken relative to.
    ///
    /// # Errors
    /// If that is another one.
    pub fn with_base(self, base: &Snapshot) -> Result<Snapshot> {
        let wanted = self.contents().base;
        if wanted.is_none_or(|id| base.id().ok() != Some(id)) {
            bail!("the snapshot is not relative to this one");
        }
        Ok(Snapshot(self.0, self.1, Some(Arc::new(base.clone()))))
    }

    /// What another is known by that is relative to this.
    fn id(&self) -> Result<SnapshotId> {
        if let Some(id) = self.0.id.get() {
            return Ok(*id);
        }
        let id = Layout::new(self, Modules::ByHash)?.id();
        Ok(*self.0.id.get_or_init(|| id))
    }

    /// The snapshots that it is made of, the one that is relative to no other first.
    fn chain(&self) -> Result<Vec<&Snapshot>> {
        let mut chain = vec![self];
        let mut next = self;
        while next.contents().base.is_some() {
            next = next.2.as_deref().ok_or_else(|| {
                anyhow!("the snapshot is relative to another, which is not there (`Snapshot::with_base`)")
            })?;
            chain.push(next);
        }
        chain.reverse();
        Ok(chain)
    }
}

impl core::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let contents = self.contents();
        f.debug_struct("Snapshot")
            .field("instances", &contents.instances.len())
            .field("page_bytes", &contents.memories.bytes.len())
            .field("paused_call", &self.has_paused_call())
            .finish_non_exhaustive()
    }
}
