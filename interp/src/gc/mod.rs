//! Garbage-collected objects: structs, arrays, host values, exceptions.
//!
//! They lie in a linear memory of the arena that no module can name, made when the first object is. See `docs/gc.md`.

pub(crate) mod access;
mod collect;
mod frames;
mod heap;
mod host;
mod maps;
mod mark;
mod object;
pub(crate) mod ops;
mod roots;
mod state;
pub(crate) mod types;

pub use collect::GcStats;
pub use host::ObjectKind;
pub use maps::RefMaps;
pub use roots::{OwnedRoot, Root, Roots};
pub use state::{HeapState, HeapTypes, ObjectRun, TypeWords};

use sheave_arena::MemoryId;

use crate::module::SourceError;

/// What a store's heap is, besides what handlers see of it in `Vm`. All of it is host memory.
#[derive(Debug)]
pub(crate) struct Gc {
    pub(crate) types: types::ObjectTypes,
    pub(crate) roots: Roots,
    /// Offsets of the cells of globals that hold traced references.
    pub(crate) traced_globals: Vec<u32>,
    /// The exception on its way out of the guest.
    pub(crate) pending_exception: u32,
    memory: Option<MemoryId>,
    space: heap::Space,
    mark_stack: usize,
    stats: GcStats,
    failed: Option<SourceError>,
    /// Collect at every allocation.
    stress: bool,
    /// Objects that stand for host values.
    externs: Vec<u32>,
    /// Host indices of those that died.
    dead_externs: Vec<u32>,
}

impl Gc {
    /// For a machine with a copy of the heap, or none. The host holds nothing there yet.
    pub(crate) fn fork(&self) -> Gc {
        Gc {
            types: self.types.clone(),
            roots: Roots::default(),
            traced_globals: self.traced_globals.clone(),
            pending_exception: self.pending_exception,
            memory: self.memory,
            space: self.space.fork(),
            mark_stack: self.mark_stack,
            stats: self.stats,
            failed: None,
            stress: self.stress,
            externs: self.externs.clone(),
            dead_externs: Vec::new(),
        }
    }
}

impl Default for Gc {
    fn default() -> Gc {
        Gc {
            types: types::ObjectTypes::default(),
            roots: Roots::default(),
            traced_globals: Vec::new(),
            pending_exception: 0,
            memory: None,
            space: heap::Space::default(),
            mark_stack: mark::STACK,
            stats: GcStats::default(),
            failed: None,
            stress: false,
            externs: Vec::new(),
            dead_externs: Vec::new(),
        }
    }
}
