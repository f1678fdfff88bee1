//! Continuations.
//!
//! ```text
//!   heap (docs/gc.md)            host memory                     arena
//!   ┌───────────────────────┐    ┌────────────────────────┐     ┌──────────────────────────────┐
//!   │ continuation          │    │ stack 7                │     │ frames ►          ◄ records  │
//!   │   type, innermost ────┼──► │  chunk ────────────────┼───► └──────────────────────────────┘
//!   │   bound ──► payload   │    │  where it waits        │
//!   └───────────────────────┘    │  parent ──► stack 4 …  │
//!                                └────────────────────────┘
//! ```
//!
//! A *continuation* is an object of the heap that is good for one use: whoever uses it writes 0 over what it leads to, so
//! every copy of the reference is dead at once. Until it is resumed for the first time it holds but the function to
//! call. Then it gets a *stack*: a chunk of the arena laid out as that of every call (`stack.rs`), whose outermost record
//! leads to the op `cont_end`.
//!
//! Exactly one stack is the current one: the machine's registers are a cache of it. All others wait at an op and have
//! their registers in [`Stack`]. `resume` makes the current stack the parent of another. `suspend` looks from parent to
//! parent for a clause: these stand in the code behind the op that each parent waits at, so resuming writes none. What
//! lies below the parent that is found, as it is, becomes the new continuation. No frame is ever copied.
//!
//! An activation of the host begins on the current stack, and nothing suspends beyond it but across a host function that can
//! sleep (`across.rs`).
#![allow(unsafe_code, reason = "works on chunks and registers")]

mod across;
mod body;
mod clause;
mod fast;
mod host;
mod landing;
mod object;
mod ops;
mod sleepers;
mod stacks;

pub(crate) use across::{crossed, fell_asleep};
pub(crate) use body::suspend_host;
#[cfg(threaded)]
pub(crate) use clause::Clause;
pub(crate) use fast::{From, clause_for, fast_resume, fast_switch, suspend_to_clause};
pub(crate) use host::HostClauses;
pub use host::Suspended;
pub(crate) use landing::Landing;
pub(crate) use object::FRESH;
pub(crate) use ops::{
    cont_bind, cont_end, cont_new, resume, resume_throw, resume_throw_ref, suspend, switch,
};
pub(crate) use sleepers::Across;
pub use sleepers::{SleepHooks, Slept};
pub(crate) use stacks::{NONE, Place, Stack, Stacks, Standing, State};
