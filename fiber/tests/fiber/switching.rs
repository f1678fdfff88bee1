//! Values go in and out.

use std::rc::Rc;

use sheave_fiber::{Finished, Step, Suspender};

use crate::fiber;

#[test]
fn values_go_both_ways_in_order() {
    let mut seen = fiber(|f: &Suspender<u32, String>, first| {
        let second = f.suspend(format!("got {first}"));
        let third = f.suspend(format!("got {second}"));
        [first, second, third]
    });
    assert_eq!(seen.resume(1), Ok(Step::Yielded("got 1".to_owned())));
    assert_eq!(seen.resume(2), Ok(Step::Yielded("got 2".to_owned())));
    assert_eq!(seen.resume(3), Ok(Step::Returned([1, 2, 3])));
}

#[test]
fn a_finished_fiber_answers_with_an_error() {
    let mut done = fiber(|_: &Suspender<Rc<()>, ()>, _| ());
    let value = Rc::new(());
    assert_eq!(done.resume(Rc::clone(&value)), Ok(Step::Returned(())));
    assert!(done.is_finished());
    assert_eq!(done.resume(Rc::clone(&value)), Err(Finished));
    assert_eq!(done.resume(Rc::clone(&value)), Err(Finished));
    // What was given to it is not lost.
    assert_eq!(Rc::strong_count(&value), 1);
}

/// Sends a value there and back, and once more as the result.
fn round_trip<T: Clone + PartialEq + std::fmt::Debug + 'static>(value: T) {
    let mut echo = fiber(|f: &Suspender<T, T>, first: T| {
        let second = f.suspend(first);
        f.suspend(second)
    });
    assert_eq!(echo.resume(value.clone()), Ok(Step::Yielded(value.clone())));
    assert_eq!(echo.resume(value.clone()), Ok(Step::Yielded(value.clone())));
    assert_eq!(echo.resume(value.clone()), Ok(Step::Returned(value)));
}

#[test]
fn values_of_every_size_arrive_whole() {
    round_trip(());
    round_trip(true);
    round_trip(0x1234_u16);
    round_trip([1_u8, 2, 3]);
    round_trip(u64::MAX);
    round_trip((1_u8, 2_u64));
    round_trip(u128::MAX - 1);
    round_trip([1_u64, 2, 3]);
    round_trip(std::array::from_fn::<u8, 17, _>(|i| i as u8));
    round_trip(std::array::from_fn::<usize, 1000, _>(|i| i));
    round_trip(Some(Box::new(5)));
    round_trip("text".to_owned());
    round_trip(vec![String::from("a"), String::from("b")]);
}

#[test]
fn values_of_every_alignment_arrive_aligned() {
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(16))]
    struct A16(u8);
    #[derive(Clone, Copy, PartialEq, Debug)]
    #[repr(align(256))]
    struct A256(u8);
    round_trip(A16(3));
    round_trip(A256(4));
    // So does what the closure holds, and what lies in its frame.
    let held = A256(5);
    let mut f = fiber(move |_: &Suspender<(), ()>, ()| {
        let local = std::hint::black_box(A256(6));
        let places = [(&raw const held).addr(), (&raw const local).addr()];
        (held.0 + local.0, places.map(|place| place % 256))
    });
    assert_eq!(f.resume(()), Ok(Step::Returned((11, [0, 0]))));
}

#[test]
fn pointers_stay_pointers_on_their_way() {
    let mut f = fiber(|f: &Suspender<&'static str, Box<u32>>, text| {
        let more = f.suspend(Box::new(7));
        text.len() + more.len()
    });
    let Ok(Step::Yielded(number)) = f.resume("abc") else {
        panic!("it suspends");
    };
    assert_eq!(*number, 7);
    assert_eq!(f.resume("de"), Ok(Step::Returned(5)));
}

#[test]
fn each_value_is_dropped_once() {
    let counted = Rc::new(());
    let mut f = fiber(|f: &Suspender<(Rc<()>, [u64; 4]), Rc<()>>, (first, _)| {
        let (second, _) = f.suspend(first);
        second
    });
    let Ok(Step::Yielded(out)) = f.resume((Rc::clone(&counted), [0; 4])) else {
        panic!("it suspends");
    };
    assert_eq!(Rc::strong_count(&counted), 2);
    drop(out);
    let Ok(Step::Returned(out)) = f.resume((Rc::clone(&counted), [0; 4])) else {
        panic!("it returns");
    };
    assert_eq!(Rc::strong_count(&counted), 2);
    drop((out, f));
    assert_eq!(Rc::strong_count(&counted), 1);
}

#[test]
fn functions_below_suspend_through_the_handle() {
    fn walk(f: &Suspender<(), u32>, depth: u32) {
        if depth > 0 {
            walk(f, depth - 1);
            f.suspend(depth);
            walk(f, depth - 1);
        }
    }
    let mut f = fiber(|f: &Suspender<(), u32>, ()| walk(f, 4));
    let mut seen = Vec::new();
    while let Ok(Step::Yielded(depth)) = f.resume(()) {
        seen.push(depth);
    }
    assert_eq!(seen, [1, 2, 1, 3, 1, 2, 1, 4, 1, 2, 1, 3, 1, 2, 1]);
}

#[test]
fn a_fiber_moves_while_suspended() {
    let mut f = Box::new(fiber(|f: &Suspender<u32, u32>, n| f.suspend(n + 1)));
    assert_eq!(f.resume(1), Ok(Step::Yielded(2)));
    let mut moved = [*f];
    assert_eq!(moved[0].resume(9), Ok(Step::Returned(9)));
}

#[test]
fn a_scoped_fiber_borrows_and_is_gone_at_the_end() {
    let mut log = Vec::new();
    let mut stack = crate::stack();
    for round in 0..3 {
        let (one, two) = (round, round + 10);
        let body = |f: &Suspender<&u32, ()>, first: &u32| -> () {
            log.push(*first);
            loop {
                log.push(*f.suspend(()));
            }
        };
        let result = sheave_fiber::scope(&mut stack, body, |mut f| {
            assert_eq!(f.resume(&one), Ok(Step::Yielded(())));
            assert_eq!(f.resume(&two), Ok(Step::Yielded(())));
            round
        });
        assert_eq!(result.expect("a fiber"), round);
    }
    assert_eq!(log, [0, 10, 1, 11, 2, 12]);
}
