//! Fibers in fibers.

use std::cell::RefCell;
use std::rc::Rc;

use sheave_fiber::{Fiber, Step, Suspender};

use crate::{fiber, stack};

#[test]
fn fibers_nest_ten_deep() {
    fn level(depth: u32) -> Fiber<u32, u32, u32> {
        fiber(move |f: &Suspender<u32, u32>, mut n| {
            if depth == 0 {
                let more = f.suspend(n);
                return more + 1;
            }
            let mut inner = level(depth - 1);
            loop {
                match inner.resume(n + 1) {
                    Ok(Step::Yielded(value)) => n = f.suspend(value),
                    Ok(Step::Returned(value)) => return value + 1,
                    Err(error) => panic!("{error}"),
                }
            }
        })
    }
    let mut outer = level(10);
    assert_eq!(outer.resume(0), Ok(Step::Yielded(10)));
    assert_eq!(outer.resume(100), Ok(Step::Returned(100 + 10 + 11)));
}

#[test]
fn an_inner_fiber_suspends_the_outer_one_with_itself() {
    let mut outer = fiber(|outer: &Suspender<u32, u32>, first| {
        let body = |inner: &Suspender<u32, u32>, n| {
            let a = outer.suspend(n + 1);
            let b = inner.suspend(a + 1);
            outer.suspend(b + 1)
        };
        sheave_fiber::scope(stack(), body, |mut inner| {
            let Ok(Step::Yielded(n)) = inner.resume(first) else {
                panic!("it suspends itself");
            };
            let n = outer.suspend(n * 2);
            let Ok(Step::Returned(n)) = inner.resume(n) else {
                panic!("it returns");
            };
            n
        })
        .expect("a fiber")
    });
    assert_eq!(outer.resume(1), Ok(Step::Yielded(2)));
    assert_eq!(outer.resume(10), Ok(Step::Yielded(22)));
    assert_eq!(outer.resume(20), Ok(Step::Yielded(21)));
    assert_eq!(outer.resume(30), Ok(Step::Returned(30)));
}

#[test]
fn dropping_an_outer_fiber_suspended_by_an_inner_one_unwinds_both() {
    struct Note(&'static str, Rc<RefCell<Vec<&'static str>>>);
    impl Drop for Note {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let list = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&list);
    let mut outer = fiber(move |outer: &Suspender<(), ()>, ()| {
        let _note = Note("outer", Rc::clone(&log));
        let body = |_: &Suspender<(), ()>, ()| {
            let _note = Note("inner", Rc::clone(&log));
            outer.suspend(());
        };
        sheave_fiber::scope(stack(), body, |mut inner| {
            let _: Result<Step<(), ()>, _> = inner.resume(());
            unreachable!("it is unwound");
        })
        .expect("a fiber")
    });
    assert_eq!(outer.resume(()), Ok(Step::<(), ()>::Yielded(())));
    drop(outer);
    assert_eq!(*list.borrow(), ["inner", "outer"]);
}

#[test]
fn a_suspended_fiber_may_hold_suspended_fibers() {
    let counted = Rc::new(());
    let held = Rc::clone(&counted);
    let mut outer = fiber(move |outer: &Suspender<(), ()>, ()| {
        let mut inner: Vec<_> = (0..3)
            .map(|_| {
                let held = Rc::clone(&held);
                fiber(move |f: &Suspender<(), ()>, ()| {
                    let _held = held;
                    f.suspend(());
                })
            })
            .collect();
        for f in &mut inner {
            assert_eq!(f.resume(()), Ok(Step::Yielded(())));
        }
        outer.suspend(());
    });
    assert_eq!(outer.resume(()), Ok(Step::Yielded(())));
    assert_eq!(Rc::strong_count(&counted), 5);
    drop(outer);
    assert_eq!(Rc::strong_count(&counted), 1);
}

#[test]
fn a_fiber_made_in_one_is_resumed_by_another() {
    let mut maker =
        fiber(|_: &Suspender<(), ()>, ()| fiber(|f: &Suspender<u32, u32>, n| f.suspend(n) + 1));
    let Ok(Step::Returned(mut made)) = maker.resume(()) else {
        panic!("it returns");
    };
    assert_eq!(made.resume(1), Ok(Step::Yielded(1)));
    drop(maker);
    let mut user = fiber(move |_: &Suspender<(), ()>, ()| made.resume(5));
    assert_eq!(user.resume(()), Ok(Step::Returned(Ok(Step::Returned(6)))));
}

#[test]
fn a_fiber_that_has_itself_cannot_resume_itself() {
    type Cell = Rc<RefCell<Option<Fiber<(), (), bool>>>>;
    let cell: Cell = Rc::default();
    let inside = Rc::clone(&cell);
    let f = fiber(move |f: &Suspender<(), ()>, ()| {
        let is_borrowed = inside.try_borrow_mut().is_err();
        f.suspend(());
        is_borrowed
    });
    *cell.borrow_mut() = Some(f);
    let step = cell.borrow_mut().as_mut().map(|f| f.resume(()));
    assert_eq!(step, Some(Ok(Step::Yielded(()))));
    let step = cell.borrow_mut().as_mut().map(|f| f.resume(()));
    assert_eq!(step, Some(Ok(Step::Returned(true))));
    // Breaks the circle.
    cell.borrow_mut().take();
}

#[test]
fn plain_calls_and_fibers_mix() {
    let mut f = fiber(|f: &Suspender<u32, u32>, n| {
        let mut other = stack();
        sheave_fiber::call_on(&mut other, |_| f.suspend(n + 1) + 1).expect("a call")
    });
    assert_eq!(f.resume(1), Ok(Step::Yielded(2)));
    assert_eq!(f.resume(5), Ok(Step::Returned(6)));
}
