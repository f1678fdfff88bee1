//! Where stacks come from, how much is left, how much was used.
#![allow(unsafe_code, reason = "an embedder's stacks")]

use std::hint::black_box;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sheave_fiber::{
    Fiber, Limited, MIN_STACK_SIZE, Measured, NativeStack, PoolConfig, StackBounds, StackCreator,
    StackError, StackMemory, StackPool, Step, Suspender, call_on, page_size,
};

use crate::IS_ASM;

#[inline(never)]
fn use_stack<const BYTES: usize>() -> u8 {
    black_box(&mut [1_u8; BYTES])[BYTES / 2]
}

/// Recurses, and tells how deep it came before less than `reserve` bytes were left.
fn dive(bounds: StackBounds, reserve: usize, depth: u32) -> u32 {
    let frame = black_box([depth; 64]);
    if bounds.remaining().expect("on that stack") < reserve {
        return frame[5];
    }
    dive(bounds, reserve, depth + 1).max(frame[9])
}

#[test]
fn a_stack_has_at_least_the_size_asked_for_and_a_guard() {
    for size in [1, MIN_STACK_SIZE, 10_000, 1 << 20] {
        let stack = NativeStack::new(size).expect("memory");
        let len = stack.bounds().len();
        assert!(
            len >= size && len.is_multiple_of(page_size().get()),
            "{len}"
        );
        assert!(cfg!(miri) || stack.guard_len() > 0);
        assert!(stack.bounds().contains(stack.bounds().lowest().as_ptr()));
        assert!(!stack.bounds().contains(stack.bounds().top()));
    }
}

#[test]
fn a_stack_too_large_for_the_system_is_an_error() {
    let mut sizes = vec![usize::MAX, usize::MAX / 2];
    // Miri stops where memory ends, and a 32-bit system may have as much.
    if !cfg!(miri) && usize::BITS == 64 {
        sizes.push(isize::MAX as usize - 200_000);
    }
    for size in sizes {
        let Err(StackError::OutOfMemory { size: said, .. }) = NativeStack::new(size) else {
            panic!("{size} bytes are too much");
        };
        assert_eq!(said, size);
    }
}

#[test]
fn a_fiber_knows_how_much_is_left() {
    let mut f = crate::fiber(|f: &Suspender<(), (usize, StackBounds)>, ()| {
        f.suspend((f.stack_remaining(), f.stack_bounds()));
    });
    let Ok(Step::Yielded((left, bounds))) = f.resume(()) else {
        panic!("it suspends");
    };
    if cfg!(miri) {
        // Locals lie anywhere there.
        return;
    }
    assert!(
        left > bounds.len() / 2 && left < bounds.len(),
        "{left} of {bounds:?}"
    );
    // Asked from elsewhere there is no answer.
    assert_eq!(bounds.remaining(), None);
}

#[test]
fn a_thread_knows_its_own_stack() {
    let Some(bounds) = StackBounds::of_thread() else {
        // Not everywhere can one ask.
        assert_ne!((std::env::consts::OS, cfg!(miri)), ("linux", false));
        return;
    };
    let left = bounds.remaining().expect("on that stack");
    assert!(left > 0 && left < bounds.len());
    if IS_ASM {
        let elsewhere = call_on(&mut crate::stack(), |_| bounds.remaining()).expect("a call");
        assert_eq!(elsewhere, None);
    }
}

#[test]
fn deep_recursion_can_stop_in_time() {
    if cfg!(miri) {
        return;
    }
    for size in [64 << 10, 8 << 20] {
        let mut stack = NativeStack::new(size).expect("memory");
        let depth = call_on(&mut stack, |bounds| dive(bounds, 32 << 10, 0)).expect("a call");
        let frames = u32::try_from(size / 4096).expect("few");
        assert!(depth > frames, "{depth} in {size}");
    }
}

#[test]
fn a_limited_stack_has_so_many_bytes_and_no_more() {
    if !IS_ASM {
        return;
    }
    let mut whole = NativeStack::new(1 << 20).expect("memory");
    let mut depths = Vec::new();
    for len in [64 << 10, 128 << 10, 4 << 20] {
        let mut stack = Limited::new(&mut whole, len);
        assert_eq!(stack.bounds().len(), len.min(1 << 20));
        assert!(stack.guard_len() > 0);
        depths.push(call_on(&mut stack, |bounds| dive(bounds, 32 << 10, 0)).expect("a call"));
    }
    assert!(
        depths[1] >= 2 * depths[0] && depths[2] > 4 * depths[1],
        "{depths:?}"
    );
}

#[test]
fn the_high_water_mark_shows_what_was_used() {
    if !IS_ASM {
        return;
    }
    let mut stack = Measured::new(NativeStack::new(1 << 20).expect("memory"));
    assert_eq!(stack.take_high_water(), 0);
    call_on(&mut stack, |_| use_stack::<100_000>()).expect("a call");
    let much = stack.take_high_water();
    assert!((100_000..200_000).contains(&much), "{much}");
    // It starts anew.
    call_on(&mut stack, |_| use_stack::<1_000>()).expect("a call");
    let little = stack.take_high_water();
    assert!((1_000..50_000).contains(&little), "{little}");
    assert_eq!(stack.take_high_water(), 0);
    drop(stack.into_inner());
}

#[test]
fn a_pool_gives_the_same_stack_again() {
    let pool = StackPool::new(PoolConfig::default().stack_size(64 << 10));
    let first = pool.take().expect("a stack");
    let place = first.bounds();
    drop(first);
    let again = pool.take().expect("a stack");
    assert_eq!(again.bounds(), place);
    // Another size is another stack.
    let other = pool.take_sized(200 << 10).expect("a stack");
    assert!(other.bounds().len() >= 200 << 10);
    let counters = pool.counters();
    assert_eq!((counters.created, counters.reused), (2, 1));
    assert_eq!(
        (counters.live, counters.peak_live, counters.parked),
        (2, 2, 0)
    );
    assert_eq!(counters.bytes, again.bounds().len() + other.bounds().len());
    drop((again, other));
    assert_eq!(pool.counters().parked, 2);
    pool.trim();
    let counters = pool.counters();
    assert_eq!((counters.parked, counters.bytes, counters.live), (0, 0, 0));
}

#[test]
fn a_pool_keeps_to_its_limits() {
    let config = PoolConfig::default()
        .stack_size(16 << 10)
        .max_live(2)
        .max_parked(1);
    let pool = StackPool::new(config);
    let (a, b) = (pool.take().expect("one"), pool.take().expect("two"));
    assert!(matches!(pool.take(), Err(StackError::TooMany { limit: 2 })));
    drop(a);
    drop(b);
    let counters = pool.counters();
    assert_eq!(
        (counters.live, counters.parked, counters.created),
        (0, 1, 2)
    );
    assert!(pool.take().is_ok());
    let huge = pool.take_sized(usize::MAX);
    assert!(matches!(huge, Err(StackError::OutOfMemory { .. })));
    assert_eq!(pool.counters().live, 0);
}

#[test]
fn a_pooled_stack_can_give_memory_back_to_the_system() {
    let config = PoolConfig::default()
        .stack_size(1 << 20)
        .keep_resident(16 << 10);
    let pool = StackPool::new(config);
    for _ in 0..3 {
        let mut stack = pool.take().expect("a stack");
        call_on(&mut stack, |_| use_stack::<100_000>()).expect("a call");
    }
    if IS_ASM && cfg!(target_os = "linux") {
        // What was given back reads as zero.
        let stack = pool.take().expect("a stack");
        let bounds = stack.bounds();
        let low = bounds.lowest().as_ptr().wrapping_add(bounds.len() - 90_000);
        // SAFETY: F1: within the stack, which we have.
        assert_eq!(unsafe { low.read_volatile() }, 0);
    }
    assert_eq!(pool.counters().created, 1);
}

#[test]
fn stacks_of_a_pool_go_to_other_threads() {
    let pool = StackPool::new(PoolConfig::default().stack_size(64 << 10));
    let threads: Vec<_> = (0..4_u64)
        .map(|n| {
            let pool = Arc::clone(&pool);
            std::thread::spawn(move || {
                let mut sum = 0;
                for round in 0..if cfg!(miri) { 2 } else { 100 } {
                    let body = |f: &Suspender<u64, u64>, a| f.suspend(a) + a;
                    let mut f = Fiber::new(pool.take().expect("a stack"), body).expect("a fiber");
                    assert_eq!(f.resume(n), Ok(Step::Yielded(n)));
                    let Ok(Step::Returned(value)) = f.resume(round) else {
                        panic!("it returns");
                    };
                    sum += value;
                }
                sum
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    let counters = pool.counters();
    assert_eq!(counters.live, 0);
    assert!(counters.created <= 4, "{counters:?}");
}

/// A stack out of a block that was allocated ahead.
struct ArenaStack {
    bounds: StackBounds,
    arena: Arc<Arena>,
    index: usize,
}

/// Room for four stacks.
struct Arena {
    memory: Mutex<Vec<bool>>,
    base: NonNull<u8>,
    requests: Mutex<Vec<usize>>,
    given: AtomicUsize,
}

const ARENA_STACK: usize = 256 << 10;

fn arena_layout() -> std::alloc::Layout {
    std::alloc::Layout::from_size_align(4 * ARENA_STACK, 4096).expect("a layout")
}

// SAFETY: F1: the block is only divided, under the mutex.
unsafe impl Send for Arena {}
// SAFETY: F1: as above.
unsafe impl Sync for Arena {}
// SAFETY: F1: a part of the block.
unsafe impl Send for ArenaStack {}

// SAFETY: F1: a part of a block that stays while this has the arena. What the tests run there is small.
unsafe impl StackMemory for ArenaStack {
    fn bounds(&self) -> StackBounds {
        self.bounds
    }
}

impl Drop for ArenaStack {
    fn drop(&mut self) {
        self.arena.memory.lock().expect("no panic")[self.index] = false;
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: F1: no stack is left, as they keep the arena.
        unsafe { std::alloc::dealloc(self.base.as_ptr(), arena_layout()) };
    }
}

struct FromArena(Arc<Arena>);

impl StackCreator for FromArena {
    fn create(&self, size: usize) -> Result<Box<dyn StackMemory + Send>, StackError> {
        self.0.requests.lock().expect("no panic").push(size);
        let mut used = self.0.memory.lock().expect("no panic");
        let free = used.iter().position(|used| !used);
        let index =
            free.filter(|_| size <= ARENA_STACK)
                .ok_or_else(|| StackError::OutOfMemory {
                    size,
                    source: std::io::ErrorKind::OutOfMemory.into(),
                })?;
        used[index] = true;
        self.0.given.fetch_add(1, Ordering::Relaxed);
        // SAFETY: F1: within the block.
        let lowest = unsafe { self.0.base.add(index * ARENA_STACK) };
        Ok(Box::new(ArenaStack {
            bounds: StackBounds::new(lowest, ARENA_STACK),
            arena: Arc::clone(&self.0),
            index,
        }))
    }
}

fn arena() -> Arc<Arena> {
    // SAFETY: F1: the layout is not empty.
    let base = NonNull::new(unsafe { std::alloc::alloc_zeroed(arena_layout()) });
    Arc::new(Arena {
        memory: Mutex::new(vec![false; 4]),
        base: base.expect("memory"),
        requests: Mutex::default(),
        given: AtomicUsize::new(0),
    })
}

#[test]
fn an_embedders_creator_gets_every_request_with_its_size() {
    let arena = arena();
    let config = PoolConfig::default().stack_size(100_000).max_parked(0);
    let pool = StackPool::with_creator(config, FromArena(Arc::clone(&arena)));
    let page = page_size().get();
    for round in 0..5 {
        let stack = pool.take().expect("a stack");
        assert_eq!(stack.bounds().lowest(), arena.base);
        let body = |f: &Suspender<u32, u32>, n| f.suspend(n) + 1;
        let mut f = Fiber::new(stack, body).expect("a fiber");
        assert_eq!(f.resume(round), Ok(Step::Yielded(round)));
        assert_eq!(f.resume(7), Ok(Step::Returned(8)));
    }
    drop(pool.take_sized(200_000).expect("a stack"));
    assert!(pool.take_sized(ARENA_STACK + 1).is_err());
    let sizes = [
        100_000,
        100_000,
        100_000,
        100_000,
        100_000,
        200_000,
        ARENA_STACK + 1,
    ];
    let sizes = sizes.map(|size: usize| size.next_multiple_of(page));
    assert_eq!(*arena.requests.lock().expect("no panic"), sizes);
    assert_eq!(pool.counters().created, 6);
}

#[test]
fn an_arena_that_is_full_says_so() {
    let arena = arena();
    let config = PoolConfig::default().stack_size(ARENA_STACK);
    let pool = StackPool::with_creator(config, FromArena(Arc::clone(&arena)));
    let all: Vec<_> = (0..4).map(|_| pool.take().expect("a stack")).collect();
    assert!(matches!(pool.take(), Err(StackError::OutOfMemory { .. })));
    assert_eq!(pool.counters().live, 4);
    drop(all);
    assert!(pool.take().is_ok());
    assert_eq!(arena.given.load(Ordering::Relaxed), 4);
}

#[test]
fn a_creator_that_gives_too_little_is_found_out() {
    struct Stingy;
    impl StackCreator for Stingy {
        fn create(&self, _: usize) -> Result<Box<dyn StackMemory + Send>, StackError> {
            Ok(Box::new(NativeStack::new(MIN_STACK_SIZE)?))
        }
    }
    let pool = StackPool::with_creator(PoolConfig::default(), Stingy);
    assert!(matches!(pool.take(), Err(StackError::TooSmall { .. })));
    assert_eq!(pool.counters().live, 0);
}
