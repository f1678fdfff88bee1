//! Image files: a module together with the bytecode of all its functions.
//!
//! `docs/image-format.md` describes the bytes. Opening an image reads its header, its index and
//! the declarations of the module; bytecode, data and names are looked at when they are
//! first used, and checked then. An image grants nothing: a function's bytecode passes the
//! verifier before it runs, wherever it comes from.

mod format;
mod memory;
mod read;
mod sections;
mod write;

pub use read::InitialMemory;
pub(crate) use read::{Image, Shared, Storage};
pub(crate) use sections::Class;
pub(crate) use write::encode;
pub use write::{replace_file, write_file};

/// Whether these bytes begin as an image does.
pub(crate) fn is_image(bytes: &[u8]) -> bool {
    bytes.starts_with(&format::MAGIC)
}
