//! Garbage-collected objects: structs, arrays, host values, exceptions.
//!
//! They lie in a linear memory of the arena that no module can name, made when the first object is. See `docs/gc.md`.

pub(crate) mod access;
mod heap;
mod host;
mod maps;
mod object;
pub(crate) mod ops;
mod roots;
pub(crate) mod types;

pub use host::ObjectKind;
pub use maps::RefMaps;
pub use roots::{OwnedRoot, Root, Roots};

use sheave_arena::MemoryId;

/// What a store's heap is, besides what handlers see of it in `Vm`. All of it is host memory.
#[derive(Default, Debug)]
pub(crate) struct Gc {
    pub(crate) types: types::ObjectTypes,
    pub(crate) roots: Roots,
    /// Offsets of the cells of globals that hold traced references.
    pub(crate) traced_globals: Vec<u32>,
    /// The exception on its way out of the guest.
    pub(crate) pending_exception: u32,
    memory: Option<MemoryId>,
    /// Collect at every allocation.
    stress: bool,
    /// Objects that stand for host values.
    externs: Vec<u32>,
    /// Host indices of those that died.
    dead_externs: Vec<u32>,
}
