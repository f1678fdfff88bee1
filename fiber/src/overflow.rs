//! A message for who runs over the end of a stack, instead of a bare fault: whose stack it was, and how large.
//!
//! The guard below a stack makes overflow a fault. Here is a handler of it, for who asks for one: it knows what runs on
//! the thread by a list of notes that the thread keeps, each on the frame of a [`call_on_watched`].
#![allow(unsafe_code, reason = "handles signals")]

use crate::fiber::{Fiber, FiberError, Finished, Step};
use crate::scoped::call_on;
use crate::stack::{StackBounds, StackMemory};

/// As [`call_on`]; and once [`report_overflows`] was called, running over the end of the stack prints a message with
/// `name` to standard error, and aborts.
///
/// # Errors
/// As `call_on`.
///
/// # Panics
/// As `call_on`.
#[inline]
pub fn call_on_watched<S: StackMemory, T>(
    stack: &mut S,
    name: &str,
    function: impl FnOnce(StackBounds) -> T,
) -> Result<T, FiberError> {
    let guard = stack.guard_len();
    call_on(stack, |bounds| {
        imp::watched(name, bounds, guard, || function(bounds))
    })
}

impl<Resume, Yield, Return, S: StackMemory> Fiber<Resume, Yield, Return, S> {
    /// As [`resume`](Self::resume); and once [`report_overflows`] was called, running over the end of the fiber's stack
    /// prints a message with `name` to standard error, and aborts.
    ///
    /// # Errors
    /// As `resume`.
    ///
    /// # Panics
    /// As `resume`.
    ///
    /// # Examples
    /// ```
    /// use sheave_fiber::{Fiber, NativeStack, Step, Suspender};
    /// let stack = NativeStack::new(64 << 10)?;
    /// let mut fiber = Fiber::new(stack, |fiber: &Suspender<u32, u32>, n| fiber.suspend(n + 1))?;
    /// assert_eq!(fiber.resume_watched("adds", 1)?, Step::Yielded(2));
    /// assert_eq!(fiber.resume_watched("adds", 5)?, Step::Returned(5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn resume_watched(
        &mut self,
        name: &str,
        value: Resume,
    ) -> Result<Step<Yield, Return>, Finished> {
        let (bounds, guard) = (self.stack_bounds(), self.guard_len());
        imp::watched(name, bounds, guard, || self.resume(value))
    }
}

/// From now on, running over the end of a stack in [`call_on_watched`] ends with a message rather than a bare fault.
/// Installs a handler of `SIGSEGV` and `SIGBUS` for the process, once. After any other fault, whoever handled them before is
/// put back, for good. The handler runs on the thread's alternate signal stack; a thread that has none gets one.
///
/// Says whether there is such a handler on this platform: elsewhere nothing is done, and overflow is a fault, or whatever
/// the system's own message is.
pub fn report_overflows() -> bool {
    imp::install()
}

#[cfg(all(unix, not(miri)))]
mod imp {
    use std::cell::Cell;
    use std::ffi::{c_int, c_void};
    use std::ptr::{null, null_mut};
    use std::sync::Once;
    use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

    use crate::stack::{StackBounds, page_size};

    /// What runs on a stack; it lies in the frame that called it.
    struct Note {
        name: *const u8,
        name_len: usize,
        bounds: StackBounds,
        guard: usize,
        /// What runs on the thread around it.
        outer: *const Note,
    }

    thread_local! {
        /// The innermost.
        static RUNNING: Cell<*const Note> = const { Cell::new(null()) };
        /// Whether the thread has an alternate signal stack.
        static HAS_STACK: Cell<bool> = const { Cell::new(false) };
    }

    static INSTALLED: AtomicBool = AtomicBool::new(false);

    /// Takes the note away, also when the call panics.
    struct Watch(*const Note);

    impl Drop for Watch {
        fn drop(&mut self) {
            RUNNING.set(self.0);
        }
    }

    #[inline]
    pub(super) fn watched<T>(
        name: &str,
        bounds: StackBounds,
        guard: usize,
        function: impl FnOnce() -> T,
    ) -> T {
        if !INSTALLED.load(Ordering::Relaxed) {
            return function();
        }
        if !HAS_STACK.get() {
            give_signal_stack();
        }
        let outer = RUNNING.get();
        let note = Note {
            name: name.as_ptr(),
            name_len: name.len(),
            bounds,
            guard,
            outer,
        };
        RUNNING.set(&raw const note);
        let _watch = Watch(outer);
        function()
    }

    /// Sees to it that the thread has an alternate signal stack.
    #[cold]
    fn give_signal_stack() {
        HAS_STACK.set(true);
        // SAFETY: F1 is not touched: it writes what there is to where it is told. All zero is a value of the type.
        let mut now: libc::stack_t = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let asked = unsafe { libc::sigaltstack(null(), &raw mut now) };
        if asked == 0 && now.ss_flags & libc::SS_DISABLE == 0 {
            return;
        }
        let size = libc::SIGSTKSZ.max(32 << 10);
        // SAFETY: F1: new memory, of no stack of ours; it stays for ever, as the thread may use it to its end.
        let memory = unsafe {
            libc::mmap(
                null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANON,
                -1,
                0,
            )
        };
        if memory != libc::MAP_FAILED {
            now.ss_sp = memory;
            now.ss_flags = 0;
            now.ss_size = size;
            // SAFETY: as above.
            unsafe { libc::sigaltstack(&raw const now, null_mut()) };
        }
    }

    /// Who handled the two signals before.
    static BEFORE: [AtomicPtr<libc::sigaction>; 2] =
        [AtomicPtr::new(null_mut()), AtomicPtr::new(null_mut())];

    const SIGNALS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

    pub(super) fn install() -> bool {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
                // SAFETY: F1 is not touched: all zero is a value of the type.
                let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
                let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = handle;
                action.sa_sigaction = handler as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                // SAFETY: as above.
                let old = Box::into_raw(Box::new(unsafe { std::mem::zeroed() }));
                // Before the handler can run.
                before.store(old, Ordering::Release);
                // SAFETY: as above: `handle` does what a handler may, and `old` stays for ever.
                unsafe { libc::sigaction(signal, &raw const action, old) };
            }
            INSTALLED.store(true, Ordering::Relaxed);
        });
        true
    }

    /// Only what a signal handler may do: reads notes of this thread, writes, aborts, or hands on.
    extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
        // SAFETY: the system gives what was asked for by `SA_SIGINFO`.
        let address = unsafe { (*info).si_addr() }.addr();
        let mut note = RUNNING.get();
        while !note.is_null() {
            // SAFETY: notes of this thread lie in frames that are waiting for what faulted.
            let this = unsafe { &*note };
            let lowest = this.bounds.lowest().as_ptr().addr();
            // Where the guard is not known, a page counts as one. A thread's stack ends somewhere below what was asked for.
            let least = if cfg!(fiber_threads) {
                1 << 20
            } else {
                page_size().get()
            };
            let guard = this.guard.max(least);
            if (lowest.wrapping_sub(guard)..lowest).contains(&address) {
                report(this);
            }
            note = this.outer;
        }
        hand_on(signal);
    }

    fn report(note: &Note) -> ! {
        // SAFETY: the name is borrowed for as long as the note is there.
        let name = unsafe { std::slice::from_raw_parts(note.name, note.name_len) };
        let mut digits = [0; 20];
        let parts = [
            b"\nstack overflow: the host function `",
            name,
            b"` has used up the stack it runs on, ",
            decimal(note.bounds.len(), &mut digits),
            b" bytes\n",
        ];
        for part in parts {
            // SAFETY: F1 is not touched: reads the bytes. If it fails there is nothing else to be done.
            let _ = unsafe { libc::write(2, part.as_ptr().cast(), part.len()) };
        }
        // SAFETY: may be called by a signal handler.
        unsafe { libc::abort() }
    }

    fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return &digits[at..];
            }
        }
    }

    /// To who handled the signal before: puts that one back. The fault comes again.
    fn hand_on(signal: c_int) {
        let index = usize::from(signal != SIGNALS[0]);
        let before = BEFORE[index].load(Ordering::Acquire);
        // SAFETY: F1 is not touched: `install` stored it before, and it stays.
        unsafe { libc::sigaction(signal, before, null_mut()) };
    }
}

#[cfg(not(all(unix, not(miri))))]
mod imp {
    use crate::stack::StackBounds;

    #[inline(always)]
    pub(super) fn watched<T>(
        _name: &str,
        _bounds: StackBounds,
        _guard: usize,
        function: impl FnOnce() -> T,
    ) -> T {
        function()
    }

    pub(super) fn install() -> bool {
        false
    }
}
