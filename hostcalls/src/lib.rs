//! The embedder's view of sheave, in the shape that users of Wasmtime know.
//!
//! [`Engine`] and [`Module`] are shared by threads; a [`Store`] is one relocatable block of bytes with what belongs
//! beside it; [`Func`], [`Memory`], [`Table`], [`Global`] and [`Instance`] are handles into a store, as small as a
//! number, and are used together with it. What errors carry: the [`Trap`] or the host's own error, and a
//! [`WasmBacktrace`], both found by `downcast_ref`.

mod backtrace;
mod composite;
mod config;
mod constant;
mod cont_type;
mod continuations;
mod disassembly;
mod engine;
mod epochs;
mod exceptions;
mod externs;
mod fuel;
mod func;
mod futures;
mod gc;
mod global;
mod host;
mod host_frames;
mod host_stacks;
mod instance;
mod instantiate;
mod interrupt;
mod into_func;
mod limits;
mod linker;
mod matching;
mod memory;
mod memory_type;
mod module;
mod resume;
mod snapshot;
mod store;
mod store_ref;
mod table;
mod tag;
mod typed;
mod typed_refs;
mod types;
mod valtype;
mod values;
mod vector;

#[cfg(feature = "wasi")]
pub mod wasi;

pub use anyhow::{Context, Error, bail, ensure, format_err};
pub use backtrace::{FrameInfo, WasmBacktrace};
pub use config::Config;
pub use continuations::{Resumed, SuspendCall, Suspension};
pub use disassembly::{DisassembledOp, Disassembly};
pub use engine::Engine;
pub use exceptions::ThrownException;
pub use externs::{Export, Extern};
pub use func::Func;
pub use futures::WasmTyList;
pub use gc::{
    AnyRef, ArrayRef, ArrayRefPre, ContRef, EqRef, ExnRef, ExnRefPre, ExternRef, GcHeapOutOfMemory,
    GcRef, I31, OwnedRooted, RootScope, Rooted, RootedGcRef, StructRef, StructRefPre,
};
pub use global::Global;
pub use host_frames::HostFrameError;
pub use host_stacks::{HostStackReport, HostStackUse};
pub use instance::Instance;
pub use instantiate::InstancePre;
pub use interrupt::{InterruptHandle, UpdateDeadline};
pub use into_func::{IntoFunc, WasmRet};
pub use limits::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};
pub use linker::{Linker, UnknownImportError};
pub use memory::{Memory, MemoryAccessError, SharedMemoryError};
pub use module::Module;
pub use resume::{CallOutcome, PauseCall, PausedCall};
pub use sheave_fiber::{StackBounds, StackCreator, StackError, StackMemory};
pub use sheave_interp::{Backend, Executor, GcStats, PauseReason, Trap};
pub use sheave_loader::{Feature, FeatureOrigin, LoadError, LoadErrorKind};
pub use snapshot::{
    Description, HeapDescription, InstanceDescription, MemoryDescription, ModuleHash, Modules,
    PausedDescription, Restore, Snapshot, SnapshotOptions, StackDescription, TableDescription,
    Template,
};
pub use store::{AsContext, AsContextMut, Caller, Store, StoreContext, StoreContextMut};
pub use table::Table;
pub use tag::Tag;
pub use typed::{TypedFunc, WasmParams, WasmResults, WasmTy};
pub use typed_refs::{NoExtern, NoFunc, NoneRef};
pub use types::{
    ArrayType, ContType, ExnType, ExportType, ExternType, FieldType, Finality, FuncType,
    GlobalType, HeapType, ImportType, MemoryType, MemoryTypeBuilder, Mutability, RefType,
    StorageType, StructType, TableType, TagType, ValType,
};
pub use values::{Ref, Val};
pub use vector::V128;

/// The result of what can fail; [`Error`] is `anyhow`'s.
pub type Result<T, E = Error> = core::result::Result<T, E>;
