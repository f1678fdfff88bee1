//! What fibers do, the same on every backend.

mod ends;
mod nesting;
mod registers;
mod stacks;
mod stress;
mod switching;

use sheave_fiber::{BACKEND, Backend, Fiber, FiberError, NativeStack, Suspender};

/// Whether fibers run on the stacks that they are given.
const IS_ASM: bool = matches!(BACKEND, Backend::Assembly);

/// A stack of a size that all tests but those of depth get along with.
fn stack() -> NativeStack {
    NativeStack::new(256 << 10).expect("memory for a stack")
}

/// A fiber that borrows nothing, on such a stack.
fn fiber<Resume, Yield, Return>(
    start: impl FnOnce(&Suspender<Resume, Yield>, Resume) -> Return + 'static,
) -> Fiber<Resume, Yield, Return>
where
    Resume: 'static,
    Yield: 'static,
    Return: 'static,
{
    Fiber::new(stack(), start).expect("a fiber")
}

/// The message of a panic.
fn message(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .expect("a panic with a message")
}

#[test]
fn this_target_has_the_fibers_that_it_should() {
    let has_assembly = cfg!(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64",
        target_arch = "x86",
        target_arch = "arm",
    ));
    let wants_threads = cfg!(any(miri, feature = "threads-only"));
    let expected = if has_assembly && !wants_threads {
        Backend::Assembly
    } else {
        Backend::Threads
    };
    assert_eq!(BACKEND, expected);
}

#[test]
fn a_closure_too_large_for_the_stack_is_refused() {
    if !IS_ASM {
        return;
    }
    let large = [1_u8; 60_000];
    let stack = NativeStack::new(64 << 10).expect("memory for a stack");
    let result = Fiber::new(stack, move |_: &Suspender<(), ()>, ()| large.len());
    let Err(FiberError::StackTooSmall { needed, available }) = result else {
        panic!("it was not refused");
    };
    assert!(needed > available, "{needed} {available}");
}
