//! What a machine holds, as plain data, and a machine made anew from it.
//!
//! Nothing of the old machine's layout is taken over: tables, globals and stack get fresh places in the new arena, and
//! what is said of them is checked. So whatever the data says, the new store can only fool itself: memory bounds, code,
//! host functions and types come from where they always come from.
//!
//! Addresses (of functions, tables, …) stay, as the guest's references are made of them. A return record is named by
//! the call that left it; where that call's function lies in the code space, and how far its frame moves, is found anew.

mod fork;
mod frames;
mod reach;
mod restore;
mod save;
mod stacks;

use core::fmt;

pub use reach::Place;

use crate::gc::HeapState;
use crate::memories::MemorySpec;
use crate::module::{CodeModule, FrameInfo, SourceError};
use crate::store::{
    ElemSegment, FuncAddr, GlobalAddr, InstAddr, MemAddr, StoreError, TableAddr, TagAddr,
};
use crate::trap::Trap;
use crate::vm::HostEntry;

/// What a machine holds, but for the bytes of its memories.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct VmState {
    /// Fuel left.
    pub fuel: u64,
    /// By MemAddr; `bytes` is the present length.
    pub memories: Vec<MemorySpec>,
    /// By TableAddr.
    pub tables: Vec<TableState>,
    /// By GlobalAddr.
    pub globals: Vec<GlobalState>,
    /// By TagAddr: engine-wide identity of its type.
    pub tags: Vec<u32>,
    /// By FuncAddr.
    pub funcs: Vec<FuncState>,
    /// By InstAddr.
    pub instances: Vec<InstanceState>,
    /// Objects.
    pub heap: HeapState,
    /// Those of suspended continuations, and those of the activation that waits besides the first; by ascending number.
    pub stacks: Vec<StackState>,
    /// The activation that waits.
    pub paused: Option<PausedState>,
}

/// A stack.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct StackState {
    /// What continuations in the heap call it. The first stack, number 0, is not told of.
    pub number: u32,
    /// The stack that goes on when this one ends; none if it is the outermost of a suspended continuation.
    pub parent: Option<u32>,
    /// Whether it is the innermost of a suspended continuation.
    pub suspended: bool,
    /// Its frames, from the innermost outward; none if all there is on it is a host function that suspended.
    pub frames: Vec<FrameInfo>,
    /// The bytes of the frames, from the outermost up.
    pub bytes: Vec<u8>,
    /// Slots of what its outermost function returns.
    pub results: u16,
}

/// A table.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TableState {
    /// Its entries.
    pub entries: Vec<u32>,
    /// The most entries it may grow to.
    pub max: Option<u64>,
    /// Whether its indices have 64 bits.
    pub table64: bool,
    /// Whether its entries are references that the collector follows.
    pub traced: bool,
}

/// A global.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct GlobalState {
    /// The bits of its value.
    pub bits: u128,
    /// Whether it is a reference that the collector follows.
    pub traced: bool,
}

/// A function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FuncState {
    /// A host function; which one, the host knows.
    Host {
        /// Engine-wide identity of its type.
        ty: u32,
        /// Slots of its parameters or results, whichever is more.
        slots: u16,
    },
    /// A function that an instance defines.
    Wasm {
        /// The instance.
        inst: InstAddr,
        /// Its index, imports included.
        func: u32,
    },
}

/// An instance.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct InstanceState {
    /// Its imported functions.
    pub imported_funcs: Vec<FuncAddr>,
    /// All its tables.
    pub tables: Vec<TableAddr>,
    /// All its memories.
    pub memories: Vec<MemAddr>,
    /// All its globals.
    pub globals: Vec<GlobalAddr>,
    /// All its tags.
    pub tags: Vec<TagAddr>,
    /// The references of its element segments; nothing of those that were dropped.
    pub elems: Vec<ElemSegment>,
    /// Which of its data segments were dropped.
    pub data_dropped: Vec<bool>,
}

/// An activation that waits.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PausedState {
    /// The stack that it is on; 0 is the first.
    pub stack: u32,
    /// Its frames on the first stack, from the innermost outward: where each is in its code.
    pub frames: Vec<FrameInfo>,
    /// The bytes of the frames, from the outermost up.
    pub bytes: Vec<u8>,
    /// Slots of the results that it is to give.
    pub results: u32,
}

/// Why no machine can be made from a state.
#[derive(Debug)]
#[non_exhaustive]
pub enum RestoreError {
    /// It contradicts itself or its modules; with what does.
    Inconsistent(&'static str),
    /// There is no room for it.
    Store(StoreError),
    /// The frames do not fit in the stack limit.
    StackOverflow,
    /// A function that the paused call is in cannot be loaded.
    Load(SourceError),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inconsistent(what) => write!(f, "inconsistent snapshot: {what}"),
            Self::Store(error) => error.fmt(f),
            Self::StackOverflow => f.write_str("the paused call does not fit in the stack limit"),
            Self::Load(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RestoreError {}

impl From<StoreError> for RestoreError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Trap> for RestoreError {
    fn from(_: Trap) -> Self {
        Self::StackOverflow
    }
}

const fn inconsistent<T>(what: &'static str) -> Result<T, RestoreError> {
    Err(RestoreError::Inconsistent(what))
}

/// A host function as it is registered: see [`Vm::new_host_func`](crate::Vm::new_host_func).
pub type HostFunc = (HostEntry, *const ());

/// Which instance defines each global, as its how-manieth, by GlobalAddr; none does if the host made it.
type Owners = Vec<Option<(usize, u32)>>;

/// Which instance defines each global; none if two do.
fn owners(n: usize, instances: &[InstanceState], modules: &[&CodeModule]) -> Option<Owners> {
    let mut owners: Owners = vec![None; n];
    for (inst, (instance, module)) in instances.iter().zip(modules).enumerate() {
        let own = instance
            .globals
            .get(module.desc().imported_globals as usize..)?;
        for (k, global) in (0..).zip(own) {
            let before = owners.get_mut(global.0 as usize)?.replace((inst, k));
            if before.is_some() {
                return None;
            }
        }
    }
    Some(owners)
}

/// Whether a global may be a vector: an instance's own that is, or one that the host made.
fn has_two_cells(owner: Option<(usize, u32)>, modules: &[&CodeModule]) -> bool {
    owner.is_none_or(|(inst, k)| modules[inst].desc().own_vectors.binary_search(&k).is_ok())
}
