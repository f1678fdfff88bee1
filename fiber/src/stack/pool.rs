//! Stacks that are used again.

use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    DEFAULT_STACK_SIZE, MIN_STACK_SIZE, NativeStacks, StackBounds, StackCreator, StackError,
    StackMemory, page_size,
};

/// What a [`StackPool`] keeps and allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolConfig {
    /// The size of stacks that [`StackPool::take`] gives: 1 MiB unless set.
    pub stack_size: usize,
    /// How many stacks may be in use at a time; without limit unless set.
    pub max_live: usize,
    /// How many unused stacks are kept, of all sizes: 64 unless set.
    pub max_parked: usize,
    /// When a stack comes back, all but so many bytes from its top go back to the system, which takes a system call.
    /// Unless set, a parked stack keeps what it has.
    pub keep_resident: Option<usize>,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            stack_size: DEFAULT_STACK_SIZE,
            max_live: usize::MAX,
            max_parked: 64,
            keep_resident: None,
        }
    }
}

impl PoolConfig {
    /// Sets [`stack_size`](Self::stack_size).
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Sets [`max_live`](Self::max_live).
    #[must_use]
    pub fn max_live(mut self, stacks: usize) -> Self {
        self.max_live = stacks;
        self
    }

    /// Sets [`max_parked`](Self::max_parked).
    #[must_use]
    pub fn max_parked(mut self, stacks: usize) -> Self {
        self.max_parked = stacks;
        self
    }

    /// Sets [`keep_resident`](Self::keep_resident).
    #[must_use]
    pub fn keep_resident(mut self, bytes: usize) -> Self {
        self.keep_resident = Some(bytes);
        self
    }
}

/// The size of a stack of at least so many bytes.
fn whole_pages(size: usize) -> Option<usize> {
    let size = size.max(MIN_STACK_SIZE);
    size.checked_next_multiple_of(page_size().get())
}

/// What a [`StackPool`] did and has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolCounters {
    /// Stacks that the creator made.
    pub created: u64,
    /// Stacks that were given out again.
    pub reused: u64,
    /// Stacks in use.
    pub live: usize,
    /// The most that were in use at a time.
    pub peak_live: usize,
    /// Stacks kept for later.
    pub parked: usize,
    /// Bytes of the stacks in use and kept: address space, not memory taken.
    pub bytes: usize,
}

/// Stacks that are used again: the one given back last is given out first, as its memory is warm. Shared by threads.
///
/// # Examples
/// ```
/// use sheave_fiber::{Fiber, PoolConfig, StackPool, Step};
///
/// let pool = StackPool::new(PoolConfig::default().stack_size(1 << 16).max_live(8));
/// for round in 0..3 {
///     let mut fiber = Fiber::new(pool.take()?, |_: &sheave_fiber::Suspender<_, ()>, n: i32| n + 1)?;
///     assert_eq!(fiber.resume(round)?, Step::Returned(round + 1));
/// }
/// let counters = pool.counters();
/// assert_eq!((counters.created, counters.reused, counters.live), (1, 2, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StackPool {
    creator: Box<dyn StackCreator>,
    config: PoolConfig,
    /// The configured size in whole pages, if there is such a number.
    stack_size: Option<usize>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// One entry a size; there are few.
    classes: Vec<Class>,
    counters: PoolCounters,
}

struct Class {
    size: usize,
    parked: Vec<Memory>,
}

/// A stack with what is known of it.
struct Memory {
    bounds: StackBounds,
    stack: Box<dyn StackMemory + Send>,
}

impl Inner {
    /// The parked stacks of this size, if any ever were.
    #[inline]
    fn class(&mut self, size: usize) -> Option<&mut Vec<Memory>> {
        let class = self.classes.iter_mut().find(|class| class.size == size);
        class.map(|class| &mut class.parked)
    }

    fn park(&mut self, size: usize, memory: Memory) {
        self.counters.parked += 1;
        if let Some(parked) = self.class(size) {
            parked.push(memory);
        } else {
            let parked = vec![memory];
            self.classes.push(Class { size, parked });
        }
    }
}

impl StackPool {
    /// A pool of stacks from the system.
    #[must_use]
    pub fn new(config: PoolConfig) -> Arc<Self> {
        Self::with_creator(config, NativeStacks)
    }

    /// A pool of stacks that `creator` makes.
    #[must_use]
    pub fn with_creator(config: PoolConfig, creator: impl StackCreator + 'static) -> Arc<Self> {
        Arc::new(Self {
            creator: Box::new(creator),
            config,
            stack_size: whole_pages(config.stack_size),
            inner: Mutex::default(),
        })
    }

    /// A stack of the configured size.
    ///
    /// # Errors
    /// When as many as allowed are in use, or there is no memory.
    pub fn take(self: &Arc<Self>) -> Result<PooledStack, StackError> {
        self.take_rounded(self.stack_size, self.config.stack_size)
    }

    /// A stack of at least `size` bytes, rounded up to whole pages. Stacks are used again for requests of the same size.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn take_sized(self: &Arc<Self>, size: usize) -> Result<PooledStack, StackError> {
        self.take_rounded(whole_pages(size), size)
    }

    fn take_rounded(
        self: &Arc<Self>,
        rounded: Option<usize>,
        size: usize,
    ) -> Result<PooledStack, StackError> {
        let size = rounded.ok_or_else(|| StackError::OutOfMemory {
            size,
            source: std::io::ErrorKind::OutOfMemory.into(),
        })?;
        let parked = {
            let mut inner = self.lock();
            let limit = self.config.max_live;
            if inner.counters.live >= limit {
                return Err(StackError::TooMany { limit });
            }
            let parked = inner.class(size).and_then(Vec::pop);
            let counters = &mut inner.counters;
            counters.live += 1;
            counters.peak_live = counters.peak_live.max(counters.live);
            if parked.is_some() {
                counters.parked -= 1;
                counters.reused += 1;
            }
            parked
        };
        let memory = match parked {
            Some(memory) => {
                memory.bounds.reuse();
                memory
            }
            // Not under the lock: it may take long, and be another's code.
            None => self.create(size)?,
        };
        Ok(PooledStack {
            size,
            memory: ManuallyDrop::new(memory),
            pool: Arc::clone(self),
        })
    }

    #[cold]
    fn create(&self, size: usize) -> Result<Memory, StackError> {
        // Counts itself as not in use again, unless it ends well: the creator may also panic.
        struct Undo<'a>(&'a StackPool);
        impl Drop for Undo<'_> {
            fn drop(&mut self) {
                self.0.lock().counters.live -= 1;
            }
        }
        let undo = Undo(self);
        let stack = self.creator.create(size)?;
        let bounds = stack.bounds();
        let got = bounds.len();
        if got < size {
            return Err(StackError::TooSmall { size, got });
        }
        std::mem::forget(undo);
        let mut inner = self.lock();
        inner.counters.created += 1;
        inner.counters.bytes += got;
        Ok(Memory { bounds, stack })
    }

    /// Takes back a stack that was given out.
    fn put(&self, size: usize, mut memory: Memory) {
        if let Some(keep) = self.config.keep_resident {
            memory.stack.decommit(keep);
        }
        let mut inner = self.lock();
        inner.counters.live -= 1;
        if inner.counters.parked < self.config.max_parked {
            inner.park(size, memory);
            return;
        }
        inner.counters.bytes -= memory.bounds.len();
        drop(inner);
        // Not under the lock, as above.
        drop(memory);
    }

    /// Frees the stacks that are not in use.
    pub fn trim(&self) {
        let mut inner = self.lock();
        let classes = std::mem::take(&mut inner.classes);
        let parked = classes.iter().flat_map(|class| &class.parked);
        let freed: usize = parked.map(|memory| memory.bounds.len()).sum();
        inner.counters.bytes -= freed;
        inner.counters.parked = 0;
        drop(inner);
        drop(classes);
    }

    /// What was done, and what there is.
    #[must_use]
    pub fn counters(&self) -> PoolCounters {
        self.lock().counters
    }

    /// What the pool was made with.
    #[must_use]
    pub fn config(&self) -> PoolConfig {
        self.config
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock, but for want of memory for the list.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StackPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackPool")
            .field("config", &self.config)
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

/// A stack of a [`StackPool`], which gets it back when this is dropped.
pub struct PooledStack {
    size: usize,
    /// There until dropped.
    memory: ManuallyDrop<Memory>,
    pool: Arc<StackPool>,
}

impl PooledStack {
    /// The pool that it comes from.
    #[must_use]
    pub fn pool(&self) -> &Arc<StackPool> {
        &self.pool
    }
}

#[allow(unsafe_code, reason = "the contract of stack memory (F1)")]
mod contract {
    use super::{ManuallyDrop, Memory, PooledStack, StackBounds, StackMemory};

    impl Drop for PooledStack {
        #[inline]
        fn drop(&mut self) {
            // SAFETY: F1: taken once, as it is dropped once.
            let memory = unsafe { ManuallyDrop::take(&mut self.memory) };
            self.pool.put(self.size, memory);
        }
    }

    // SAFETY: F1: by the memory inside, which belongs to this alone until it is given back.
    unsafe impl StackMemory for PooledStack {
        #[inline]
        fn bounds(&self) -> StackBounds {
            self.memory.bounds
        }
        fn guard_len(&self) -> usize {
            self.memory.stack.guard_len()
        }
        fn decommit(&mut self, keep: usize) {
            self.memory.stack.decommit(keep);
        }
    }

    // SAFETY: F1: the stack is Send, and its bounds are only compared by anyone but a fiber on it.
    unsafe impl Send for Memory {}
}

impl fmt::Debug for PooledStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledStack")
            .field("bounds", &self.memory.bounds)
            .finish_non_exhaustive()
    }
}
