//! What a snapshot says, apart from how it is written.

use sheave_interp::{FuncAddr, PauseReason, VmState};
use sheave_loader::{GlobalType, MemoryType, SubType, TableType};

use super::handles::Handles;
use super::heap::HeapPages;
use super::modules::ModuleSource;
use super::pages::PageSet;

/// A store's state. Numbers of types are positions in `types`, not identities of an engine.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// Which code the frames are of.
    pub(super) code: CodeVersion,
    /// The types that anything here is of.
    pub(super) types: Vec<SubType>,
    /// Where each recursion group of `types` ends.
    pub(super) group_ends: Vec<u32>,
    pub(super) modules: Vec<ModuleSource>,
    /// Which module each instance is of.
    pub(super) instances: Vec<u32>,
    /// Types by MemAddr, TableAddr, GlobalAddr.
    pub(super) memory_types: Vec<MemoryType>,
    pub(super) table_types: Vec<TableType>,
    pub(super) global_types: Vec<GlobalType>,
    /// The names that host functions are imported by, ascending by address.
    pub(super) host_funcs: Vec<HostName>,
    pub(super) vm: VmState,
    /// The function that was called, and why it waits.
    pub(super) paused: Option<(FuncAddr, PauseReason)>,
    /// What the memories hold; where there is a base, the pages that differ from its.
    pub(super) memories: PageSet,
    pub(super) heap: HeapPages,
    /// What the embedder made of the host values that objects stand for, in their order.
    pub(super) externs: Vec<Vec<u8>>,
    /// What the embedder gave a name.
    pub(super) handles: Handles,
    /// The snapshot that `memories` are pages relative to.
    pub(super) base: Option<SnapshotId>,
}

/// What a snapshot's state and pages are known by: a hash of their checksums.
pub(super) type SnapshotId = [u8; 32];

/// What the translation of a module depends on: positions in code mean the same where these are equal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CodeVersion {
    pub(super) isa_version: u32,
    pub(super) isa_hash: u64,
    pub(super) fuel: bool,
    pub(super) interruption: bool,
}

/// The name that a host function is imported by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct HostName {
    pub(super) addr: FuncAddr,
    pub(super) module: Box<str>,
    pub(super) name: Box<str>,
}

impl CodeVersion {
    pub(super) fn of(engine: &crate::Engine) -> CodeVersion {
        let options = &engine.config().options;
        CodeVersion {
            isa_version: sheave_isa::ISA_VERSION,
            isa_hash: sheave_isa::ISA_HASH,
            fuel: options.fuel,
            interruption: options.interruption,
        }
    }
}
