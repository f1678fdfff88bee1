//! Native stacks for host frames: a documented skeleton.
//!
//! WebAssembly code never uses the native stack (its frames and continuations are arena objects), so nothing here is
//! needed to call, trap, suspend or snapshot. What is needed is for *host* functions that call back into wasm, when a
//! continuation that contains their native frames is to be suspended, resumed and dropped: such a function then runs on
//! a *fiber*, a bounded native stack of its own.
//!
//! This crate will hold, and nothing else of sheave will know:
//! - the switch between native stacks: assembly for x86-64 (both ABIs), aarch64, riscv64 and a 32-bit target, with
//!   unwind information; threads where there is no assembly, and under Miri;
//! - stack memory: guard pages, a pool, and memory that the embedder supplies, whose bounds are always known;
//! - how much of a stack a host function used, and a cap on it.
//!
//! Until then a host function runs on the stack of whoever called the store, and nested activations are limited in
//! number.
#![forbid(unsafe_code)]
