//! The embedder's view of sheave: engine, store, linker, typed functions, WASI

#[cfg(feature = "wasi")]
pub mod wasi;
