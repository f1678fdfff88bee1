//! The one memory block of a sheave store.
//!
//! An [`Arena`] is a single block of address space that holds everything a store owns: a page with
//! the header, the VM heap, and the linear memories. Everything in it is named by an offset from
//! ONE base pointer, so the block can be moved, copied, written to a file and taken up again on
//! another machine.
//!
//! ```text
//! base ──► header │ VM heap: objects of 16 bytes and more │ room … │ memory 0 │ room … │ memory 1 …
//!          0      4096                             heap_len        │ 64 KiB aligned, u64 offsets
//!          └────────────── u32 offsets ────────────────────────────┘
//! ```
//!
//! - The allocator's state (free lists, end of the heap, memory directory) lies in the block, in a
//!   little-endian layout that is the same on every target: see `docs/arena-layout.md`.
//! - Bytes in the block are *data, never authority*. What decides which addresses may be touched
//!   is kept beside the block, in [`Arena`] itself; a hostile byte in the block can make an
//!   operation fail or give a wrong answer, never reach outside.
//! - Two backends give the block its bytes (see [`Backend`]). What they share is everything else.
//!
//! This crate does not know what the objects are, nor who calls it.
//!
//! ```
//! use sheave_arena::{Arena, ArenaConfig, U32};
//!
//! let mut arena = Arena::new(&ArenaConfig::default())?;
//! let counter = arena.alloc_value(U32::new(41))?;
//! arena.get_mut(counter)?.set(42);
//! arena.relocate()?;
//! assert_eq!(arena.read(counter)?.get(), 42);
//!
//! let memory = arena.memory_new(65536, 10 * 65536)?;
//! arena.memory_bytes_mut(memory)[7] = 1;
//! arena.memory_grow(memory, 2 * 65536)?;
//! assert_eq!(arena.memory_bytes(memory)[7], 1);
//! # Ok::<(), sheave_arena::ArenaError>(())
//! ```

#![no_std]

extern crate alloc;

mod arena;
mod backend;
mod config;
mod error;
pub mod layout;
mod le;
mod mapping;
mod memories;
mod objects;
mod offset;
mod plain;
mod raw;

pub use arena::Arena;
pub use backend::FilePlace;
pub use config::{ArenaConfig, Backend};
pub use error::ArenaError;
pub use le::{U16, U32, U64};
pub use memories::{MemoryId, MemoryInfo};
pub use offset::Offset;
pub use plain::Plain;
