//! A backtrace taken in a fiber goes on in its resumer, or ends without harm.

use std::backtrace::Backtrace;

use sheave_fiber::{BACKEND, Backend, Fiber, NativeStack, Step, Suspender, call_on};

const IS_ASM: bool = matches!(BACKEND, Backend::Assembly);

/// Where unwind information leads from a fiber to its resumer.
const GOES_ON: bool = IS_ASM && cfg!(all(unix, not(target_arch = "arm")));

fn stack() -> NativeStack {
    NativeStack::new(1 << 20).expect("memory")
}

#[inline(never)]
fn taken_in_the_fiber(f: &Suspender<(), String>) {
    let text = Backtrace::force_capture().to_string();
    std::hint::black_box(f).suspend(text);
}

#[inline(never)]
fn resumed_here(f: &mut Fiber<(), String, ()>) -> String {
    let step = f.resume(());
    let Ok(Step::Yielded(text)) = std::hint::black_box(step) else {
        panic!("it suspends");
    };
    text
}

#[inline(never)]
fn resumed_there(f: &mut Fiber<(), String, ()>) -> String {
    let step = f.resume(());
    let Ok(Step::Yielded(text)) = std::hint::black_box(step) else {
        panic!("it suspends");
    };
    text
}

/// How often each function is in the text.
fn counts<const N: usize>(text: &str, names: [&str; N]) -> [usize; N] {
    let last = |line: &str| line.rsplit([':', ' ']).next().map(str::to_owned);
    names.map(|name| text.lines().filter_map(last).filter(|n| n == name).count())
}

#[test]
fn a_backtrace_goes_from_a_fiber_to_whoever_resumed_it_last() {
    let mut f = Fiber::new(stack(), |f: &Suspender<(), String>, ()| {
        taken_in_the_fiber(f);
        taken_in_the_fiber(f);
    })
    .expect("a fiber");
    let names = ["taken_in_the_fiber", "resumed_here", "resumed_there"];
    let on = usize::from(GOES_ON);
    let first = resumed_here(&mut f);
    assert_eq!(counts(&first, names), [1, on, 0], "{first}");
    let second = resumed_there(&mut f);
    assert_eq!(counts(&second, names), [1, 0, on], "{second}");
    assert_eq!(f.resume(()), Ok(Step::Returned(())));
}

#[test]
fn a_backtrace_goes_through_nested_fibers() {
    let mut outer = Fiber::new(stack(), |outer: &Suspender<(), String>, ()| {
        let mut inner = Fiber::new(stack(), |f: &Suspender<(), String>, ()| {
            taken_in_the_fiber(f);
        })
        .expect("a fiber");
        let text = resumed_there(&mut inner);
        outer.suspend(text);
        assert_eq!(inner.resume(()), Ok(Step::Returned(())));
    })
    .expect("a fiber");
    let text = resumed_here(&mut outer);
    let on = usize::from(GOES_ON);
    let names = ["taken_in_the_fiber", "resumed_there", "resumed_here"];
    assert_eq!(counts(&text, names), [1, on, on], "{text}");
}

#[inline(never)]
fn calls_on_a_stack(stack: &mut NativeStack) -> String {
    let text = call_on(stack, |_| Backtrace::force_capture().to_string());
    std::hint::black_box(text).expect("a call")
}

#[test]
fn a_backtrace_goes_through_a_plain_call() {
    let text = calls_on_a_stack(&mut stack());
    let on = usize::from(GOES_ON || (IS_ASM && cfg!(target_arch = "arm")));
    assert_eq!(counts(&text, ["calls_on_a_stack"]), [on], "{text}");
}
