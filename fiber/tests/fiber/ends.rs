//! Panics, drops and cancellation.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::rc::Rc;

use sheave_fiber::{CancelError, Cancelled, Finished, Step, Suspender};

use crate::{fiber, message};

/// Notes its name when dropped.
struct Note(&'static str, Rc<RefCell<Vec<&'static str>>>);

impl Drop for Note {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

fn notes() -> (
    Rc<RefCell<Vec<&'static str>>>,
    impl Fn(&'static str) -> Note,
) {
    let list = Rc::new(RefCell::new(Vec::new()));
    let maker = Rc::clone(&list);
    (list, move |name| Note(name, Rc::clone(&maker)))
}

#[test]
fn a_panic_goes_on_in_the_resumer_with_its_payload() {
    let mut f = fiber(|f: &Suspender<(), ()>, ()| {
        f.suspend(());
        panic_any(17_u8);
    });
    assert_eq!(f.resume(()), Ok(Step::Yielded(())));
    let payload = catch_unwind(AssertUnwindSafe(|| f.resume(()))).expect_err("it panics");
    let _: Step<(), ()> = Step::Returned(());
    assert_eq!(payload.downcast_ref::<u8>(), Some(&17));
    assert_eq!(f.resume(()), Err(Finished));
}

#[test]
fn a_panic_drops_what_lies_on_the_stack_once() {
    let (list, note) = notes();
    let mut f = fiber(move |f: &Suspender<(), ()>, ()| {
        let _outer = note("outer");
        f.suspend(());
        let _inner = note("inner");
        resume_unwind(Box::new("gone"));
    });
    assert_eq!(f.resume(()), Ok(Step::<(), ()>::Yielded(())));
    let payload = catch_unwind(AssertUnwindSafe(|| f.resume(()))).expect_err("it panics");
    assert_eq!(message(&*payload), "gone");
    assert_eq!(*list.borrow(), ["inner", "outer"]);
}

#[test]
fn a_panic_caught_in_the_fiber_stays_there() {
    let mut f = fiber(|f: &Suspender<(), u32>, ()| {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            f.suspend(1);
            resume_unwind(Box::new(2_u32))
        }));
        let payload: Box<dyn std::any::Any + Send> = caught.expect_err("it panics");
        f.suspend(*payload.downcast_ref::<u32>().expect("a number"));
        3_u32
    });
    assert_eq!(f.resume(()), Ok(Step::Yielded(1)));
    assert_eq!(f.resume(()), Ok(Step::Yielded(2)));
    assert_eq!(f.resume(()), Ok(Step::Returned(3)));
}

#[test]
fn dropping_a_suspended_fiber_runs_its_destructors() {
    let (list, note) = notes();
    let captured = note("captured");
    let mut f = fiber(move |f: &Suspender<(), ()>, ()| {
        let _captured = captured;
        let _outer = note("outer");
        let deep = || {
            let _inner = note("inner");
            f.suspend(());
            note("never");
        };
        deep();
        note("never");
    });
    assert_eq!(f.resume(()), Ok(Step::Yielded(())));
    assert!(list.borrow().is_empty());
    drop(f);
    assert_eq!(*list.borrow(), ["inner", "outer", "captured"]);
}

#[test]
fn dropping_a_fiber_that_never_ran_drops_its_closure() {
    let (list, note) = notes();
    let captured = note("captured");
    let f = fiber(move |_: &Suspender<(), ()>, ()| {
        let _captured = &captured;
        unreachable!("it is not started");
    });
    drop::<sheave_fiber::Fiber<(), (), ()>>(f);
    assert_eq!(*list.borrow(), ["captured"]);
}

#[test]
fn a_cancelled_fiber_is_finished() {
    let mut f = fiber(|f: &Suspender<(), ()>, ()| f.suspend(()));
    assert_eq!(f.resume(()), Ok(Step::Yielded(())));
    f.cancel().expect("it unwinds");
    assert!(f.is_finished());
    assert_eq!(f.resume(()), Err(Finished));
    f.cancel().expect("there is nothing to do");
}

#[test]
fn a_fiber_that_asks_is_told_of_its_end_without_unwinding() {
    let (list, note) = notes();
    let log = Rc::clone(&list);
    let mut f = fiber(move |f: &Suspender<(), ()>, ()| {
        let _outer = note("outer");
        assert_eq!(f.try_suspend(()), Ok(()));
        assert_eq!(f.try_suspend(()), Err(Cancelled));
        log.borrow_mut().push("told");
    });
    assert_eq!(f.resume(()), Ok(Step::Yielded(())));
    assert_eq!(f.resume(()), Ok(Step::Yielded(())));
    drop(f);
    assert_eq!(*list.borrow(), ["told", "outer"]);
}

#[test]
fn a_fiber_that_was_told_and_suspends_again_is_unwound() {
    let (list, note) = notes();
    let log = Rc::clone(&list);
    let mut f = fiber(move |f: &Suspender<(), ()>, ()| {
        let _outer = note("outer");
        assert_eq!(f.try_suspend(()), Err(Cancelled));
        log.borrow_mut().push("told");
        let _ = f.try_suspend(());
        log.borrow_mut().push("never");
    });
    assert_eq!(f.resume(()), Ok(Step::Yielded(())));
    drop(f);
    assert_eq!(*list.borrow(), ["told", "outer"]);
}

#[test]
fn a_fiber_that_catches_its_end_and_suspends_is_unwound_again() {
    let (list, note) = notes();
    let log = Rc::clone(&list);
    let mut f = fiber(move |f: &Suspender<(), Note>, ()| {
        for _ in 0..3 {
            let yielded = note("yielded");
            let caught = catch_unwind(AssertUnwindSafe(|| f.suspend(yielded)));
            assert!(caught.is_err());
            log.borrow_mut().push("caught");
        }
    });
    assert!(matches!(f.resume(()), Ok(Step::Yielded(_))));
    drop(f);
    let expected = [
        "yielded", "caught", "yielded", "caught", "yielded", "caught",
    ];
    assert_eq!(*list.borrow(), expected);
}

#[test]
fn a_fiber_that_panics_as_it_is_cancelled_reports_that() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            // Not while unwinding: that would be a panic in a destructor.
            if !std::thread::panicking() {
                resume_unwind(Box::new("bad"));
            }
        }
    }
    let body = |f: &Suspender<(), ()>, ()| {
        let _bad = Bad;
        let _ = f.try_suspend(());
    };
    let mut f = fiber(body);
    assert_eq!(f.resume(()), Ok(Step::Yielded(())));
    let Err(CancelError::Panicked(payload)) = f.cancel() else {
        panic!("it panics");
    };
    assert_eq!(message(&*payload), "bad");
    // Dropping it instead lets the panic go on.
    let mut f = fiber(body);
    assert_eq!(f.resume(()), Ok(Step::Yielded(())));
    let payload = catch_unwind(AssertUnwindSafe(|| drop(f))).expect_err("it panics");
    assert_eq!(message(&*payload), "bad");
}

#[test]
fn a_panicking_resumer_unwinds_the_fibers_it_has() {
    let (list, note) = notes();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let mut f = fiber(move |f: &Suspender<(), ()>, ()| {
            let _held = note("held");
            f.suspend(());
        });
        assert_eq!(f.resume(()), Ok(Step::Yielded(())));
        resume_unwind(Box::new("outer"));
    }));
    let payload = caught.expect_err("it panics");
    assert_eq!(message(&*payload), "outer");
    assert_eq!(*list.borrow(), ["held"]);
    assert!(!std::thread::panicking());
}

#[test]
fn the_panic_hook_hears_of_panics_but_not_of_cancellation() {
    thread_local!(static HEARD: Cell<u32> = const { Cell::new(0) });
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| HEARD.set(HEARD.get() + 1)));
    let body = |f: &Suspender<(), ()>, ()| f.suspend(());
    let mut f = fiber(body);
    let stepped = f.resume(());
    drop(f);
    let heard_of_drop = HEARD.get();
    std::panic::set_hook(hook);
    assert_eq!(stepped, Ok(Step::Yielded(())));
    assert_eq!(heard_of_drop, 0);
}

#[test]
fn a_scope_that_panics_unwinds_its_fiber() {
    let (list, note) = notes();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let body = |f: &Suspender<(), ()>, ()| {
            let _held = note("held");
            f.suspend(());
        };
        sheave_fiber::scope(crate::stack(), body, |mut f| {
            assert_eq!(f.resume(()), Ok(Step::Yielded(())));
            resume_unwind(Box::new("scope"));
        })
    }));
    let payload = caught.map(|_: Result<(), _>| ()).expect_err("it panics");
    assert_eq!(message(&*payload), "scope");
    assert_eq!(*list.borrow(), ["held"]);
}

#[test]
fn a_panic_in_a_plain_call_goes_on_in_the_caller() {
    let mut stack = crate::stack();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        sheave_fiber::call_on(&mut stack, |_| resume_unwind(Box::new("called")))
    }));
    let payload = caught.map(|_: Result<(), _>| ()).expect_err("it panics");
    assert_eq!(message(&*payload), "called");
    // The stack can be used again.
    let value = sheave_fiber::call_on(&mut stack, |_| 5);
    assert_eq!(value.expect("a fiber"), 5);
}

#[test]
fn a_finished_fiber_gives_its_stack_back() {
    let mut f = fiber(|f: &Suspender<(), ()>, ()| f.suspend(()));
    assert_eq!(f.resume(()), Ok(Step::Yielded(())));
    let mut f = f.into_stack().map(|_| ()).expect_err("it is suspended");
    assert_eq!(f.resume(()), Ok(Step::Returned(())));
    let bounds = f.stack_bounds();
    let stack = f.into_stack().map_err(|_| ()).expect("it is finished");
    assert_eq!(sheave_fiber::StackMemory::bounds(&stack), bounds);
}
