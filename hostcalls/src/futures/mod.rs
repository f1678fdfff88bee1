//! Calls that wait: host functions that are futures, and calls of wasm that are.
//!
//! When wasm calls an async host function, the machine is left first: the activation is put aside, its frames in the
//! arena. Only then is the closure called and its future polled, by the future of the call (`AsyncCall`). So nothing of the
//! machine is on the native stack while it waits, and while a host function's future holds the [`Caller`](crate::Caller),
//! nobody else touches the store: who polls has it borrowed mutably, and keeps what it needs beside it.
//!
//! ```text
//!   executor ─ polls ─► AsyncCall ─ polls ─► the host function's future ─ may hold ─► AsyncCall of an inner call ─► …
//!                           │                        │ Caller
//!                           └── pointer to ────────► store ◄── pointer to ──────────────────┘
//! ```

mod api;
mod call;
mod host_future;
mod twins;

pub use api::WasmTyList;
