//! What a snapshot says, apart from how it is written.

use std::sync::Arc;

use sheave_interp::{FuncAddr, PauseReason, VmState};
use sheave_loader::{GlobalType, MemoryType, SubType, TableType};

/// A store's state. Numbers of types are positions in `types`, not identities of an engine.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Contents {
    /// Which code the frames are of.
    pub(super) code: CodeVersion,
    /// The types that anything here is of.
    pub(super) types: Vec<SubType>,
    /// Where each recursion group of `types` ends.
    pub(super) group_ends: Vec<u32>,
    /// The modules, as WebAssembly.
    pub(super) modules: Vec<Arc<[u8]>>,
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
    /// Which pages of memories hold anything.
    pub(super) runs: Vec<Run>,
    /// Those pages, one behind the other.
    pub(super) pages: Vec<u8>,
}

/// Bytes of a page here: the unit in which zeros are left out.
pub(super) const PAGE: usize = 4096;

/// Pages of a memory that follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) memory: u32,
    pub(super) pages: u32,
    pub(super) first_page: u64,
}

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

impl Contents {
    pub(super) fn page_bytes(&self) -> usize {
        self.pages.len()
    }
}
