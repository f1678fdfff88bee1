//! Runs sheave bytecode on an arena.
//!
//! One [`Vm`] is one store: the [arena](sheave_arena::Arena) with everything the guest can touch, and beside it, in
//! host memory, what grants authority (where memories lie and how long they are, code, host functions, types), always
//! indexed with a bounds check. Code lives in a [`CodeSpace`] that all stores of an engine share and that never moves.
//!
//! Both executors are made by `build/` from the table in `sheave-isa`: [`Executor::Threaded`] (handlers that end in
//! a jump to the next) and [`Executor::Portable`] (a `match` in a loop; Miri, debug builds, other targets). They run
//! the same canonical bytecode, linked for each by `link.rs`, and cannot be told apart by a guest.
//!
//! ```text
//!   one stack chunk in the arena
//!   base                                                         top
//!   │ frame of f │ frame of g (overlaps f's temporaries) … ──►  ◄── records │
//!                ▲ fp                                         ▲ csp
//! ```
//!
//! A wasm call pushes a record {code offset u32, frame delta u32} and moves `fp`; it never uses the native stack.
#![cfg_attr(
    not(all(
        feature = "simd",
        feature = "gc",
        feature = "threads",
        feature = "stack-switching",
        portable
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "a build without some ops or an executor lacks who used it"
    )
)]

mod activation;
mod atomics;
mod awaiting;
mod calls;
mod code_space;
mod conts;
mod exceptions;
mod executor;
mod gc;
#[cfg(feature = "fuzzing")]
mod guest_bytes;
mod handlers;
mod layout;
mod link;
mod memories;
mod module;
mod num;
mod pause;
mod regs;
mod simd;
mod slow;
mod snapshot;
mod stack;
mod store;
mod tables;
mod trap;
mod vm;
mod walk;

pub use activation::{Activation, Exit, PauseReason};
pub use awaiting::Awaiting;
pub use code_space::{CodeSpace, CodeSpaceError};
pub use conts::{SleepHooks, Slept, Suspended};
pub use executor::Executor;
pub use gc::{
    GcStats, HeapState, HeapTypes, ObjectKind, ObjectRun, OwnedRoot, RefMaps, Root, Roots,
    TypeWords,
};
pub use memories::MemorySpec;
pub use module::{CodeModule, FrameInfo, FunctionCode, ModuleDesc, ModuleSource, SourceError};
pub use pause::Paused;
pub use sheave_arena::{ArenaConfig, ArenaError, Backend, FilePlace};
pub use sheave_isa::FuncShape;
pub use snapshot::{
    FuncState, GlobalState, HostFunc, InstanceState, PausedState, Place, RestoreError, StackState,
    TableState, VmState,
};
pub use store::{
    ElemSegment, FuncAddr, GlobalAddr, InstAddr, InstanceInit, LimitRequest, MemAddr, StoreError,
    TableAddr, TagAddr,
};
pub use trap::Trap;
pub use vm::{HostEntry, HostStatus, LimitAnswer, LimitHook, Vm, VmConfig};
