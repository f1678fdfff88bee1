//! Stacks from the operating system: a guard below, and memory that is not taken before it is used.
//!
//! ```text
//!  low                                                          high
//!  | guard: any access faults | usable: lowest ............ top |
//! ```
#![allow(unsafe_code, reason = "talks to the operating system; upholds F1")]

use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::OnceLock;

use super::{DEFAULT_STACK_SIZE, MIN_STACK_SIZE, StackBounds, StackError, StackMemory};

/// A stack of its own mapping, with a guard below of [`NativeStack::GUARD_PAGES`] pages. Memory is taken page by page as
/// it is used (on Windows: promised at once, taken as it is used).
///
/// Who runs over the end touches the guard, and the process gets a fault (`SIGSEGV`, or an access violation): Rust code
/// touches each page of a large frame in order, so it cannot step over. Nothing is silently overwritten.
///
/// On targets that have no such calls, and under Miri, the memory comes from the allocator and has no guard; fibers are
/// threads there, and use it for its size only.
#[derive(Debug)]
pub struct NativeStack {
    mapping: os::Mapping,
}

// SAFETY: F1: a mapping belongs to no thread.
unsafe impl Send for NativeStack {}
// SAFETY: F1: nothing is read or written through a shared reference.
unsafe impl Sync for NativeStack {}

impl NativeStack {
    /// How many pages of guard lie below: more than one, so that code from compilers that do not touch each page of a
    /// large frame has to be far off to miss it.
    pub const GUARD_PAGES: usize = 16;

    /// A stack of `size` usable bytes, rounded up to whole pages.
    ///
    /// # Errors
    /// When the system has no memory or address space for it.
    pub fn new(size: usize) -> Result<Self, StackError> {
        let size = size.max(MIN_STACK_SIZE);
        let too_large = || StackError::OutOfMemory {
            size,
            source: std::io::ErrorKind::OutOfMemory.into(),
        };
        let page = page_size().get();
        let usable = size.checked_next_multiple_of(page).ok_or_else(too_large)?;
        let guard = guard_len();
        let whole = usable.checked_add(guard).ok_or_else(too_large)?;
        isize::try_from(whole).map_err(|_| too_large())?;
        let mapping = os::Mapping::new(usable, guard)
            .map_err(|source| StackError::OutOfMemory { size, source })?;
        Ok(Self { mapping })
    }

    /// A stack of [`DEFAULT_STACK_SIZE`].
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_default_size() -> Result<Self, StackError> {
        Self::new(DEFAULT_STACK_SIZE)
    }
}

// SAFETY: F1: the mapping is ours until it is dropped, at which time it is unmapped; all of it is readable and writable
// but for the guard below.
unsafe impl StackMemory for NativeStack {
    #[inline]
    fn bounds(&self) -> StackBounds {
        StackBounds {
            lowest: self.mapping.lowest,
            len: self.mapping.usable,
        }
    }

    fn guard_len(&self) -> usize {
        guard_len()
    }

    fn decommit(&mut self, keep: usize) {
        let page = page_size().get();
        let keep = keep.min(self.mapping.usable).next_multiple_of(page);
        self.mapping
            .decommit(self.mapping.usable.saturating_sub(keep));
    }
}

/// The size of the guard, in whole pages; none where the memory comes from the allocator.
fn guard_len() -> usize {
    if cfg!(any(miri, not(any(unix, windows)))) {
        0
    } else {
        NativeStack::GUARD_PAGES * page_size().get()
    }
}

/// The size of a page of memory.
#[must_use]
pub fn page_size() -> NonZeroUsize {
    static SIZE: OnceLock<NonZeroUsize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        NonZeroUsize::new(os::page_size())
            .filter(|size| size.is_power_of_two())
            .unwrap_or(NonZeroUsize::new(4096).expect("not 0"))
    })
}

#[cfg(all(unix, not(miri)))]
mod os {
    //! `mmap`.

    use super::{NonNull, guard_len};
    use std::io;

    #[cfg(any(target_os = "linux", target_os = "android"))]
    const FLAGS: libc::c_int =
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const FLAGS: libc::c_int = libc::MAP_PRIVATE | libc::MAP_ANON;

    /// `guard` bytes that fault, and above them `usable` bytes from `lowest`.
    #[derive(Debug)]
    pub(super) struct Mapping {
        pub(super) lowest: NonNull<u8>,
        pub(super) usable: usize,
    }

    impl Mapping {
        pub(super) fn new(usable: usize, guard: usize) -> io::Result<Self> {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let null = std::ptr::null_mut();
            // SAFETY: F1: a new mapping, anywhere.
            let start = unsafe { libc::mmap(null, guard + usable, access, FLAGS, -1, 0) };
            if start == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            let Some(start) = NonNull::new(start.cast::<u8>()) else {
                return Err(io::ErrorKind::OutOfMemory.into());
            };
            // SAFETY: F1: within the mapping, which is that long.
            let lowest = unsafe { start.add(guard) };
            let mapping = Self { lowest, usable };
            // SAFETY: F1: the lowest part of our mapping, whole pages; when it fails, the mapping is dropped.
            if unsafe { libc::mprotect(start.as_ptr().cast(), guard, libc::PROT_NONE) } != 0 {
                return Err(io::Error::last_os_error());
            }
            super::super::valgrind::register(lowest, usable);
            Ok(mapping)
        }

        /// Gives back the lowest `len` usable bytes, whole pages; they read as zero afterwards.
        pub(super) fn decommit(&mut self, len: usize) {
            if len > 0 {
                // SAFETY: F1: within our mapping; no fiber is on it. When it fails, memory stays taken, no more.
                unsafe { libc::madvise(self.lowest.as_ptr().cast(), len, libc::MADV_DONTNEED) };
            }
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            super::super::valgrind::deregister(self.lowest);
            let guard = guard_len();
            let start = self.lowest.as_ptr().wrapping_sub(guard);
            // SAFETY: F1: our mapping, which nobody uses any more.
            unsafe { libc::munmap(start.cast(), guard + self.usable) };
        }
    }

    pub(super) fn page_size() -> usize {
        // SAFETY: F1 is not touched: it reads a number.
        usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(0)
    }
}

#[cfg(all(windows, not(miri)))]
mod os {
    //! `VirtualAlloc`. The usable part is committed at once: Windows counts it, and takes it page by page.

    use super::{NonNull, guard_len};
    use std::ffi::c_void;
    use std::io;

    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn VirtualAlloc(address: *mut c_void, len: usize, kind: u32, protect: u32) -> *mut c_void;
        fn VirtualFree(address: *mut c_void, len: usize, kind: u32) -> i32;
    }

    const MEM_COMMIT: u32 = 0x1000;
    const MEM_RESERVE: u32 = 0x2000;
    const MEM_RELEASE: u32 = 0x8000;
    const MEM_RESET: u32 = 0x8_0000;
    const PAGE_NOACCESS: u32 = 1;
    const PAGE_READWRITE: u32 = 4;

    /// `guard` bytes that fault, and above them `usable` bytes from `lowest`.
    #[derive(Debug)]
    pub(super) struct Mapping {
        pub(super) lowest: NonNull<u8>,
        pub(super) usable: usize,
    }

    impl Mapping {
        pub(super) fn new(usable: usize, guard: usize) -> io::Result<Self> {
            let null = std::ptr::null_mut();
            // SAFETY: F1: a new range, anywhere.
            let start = unsafe { VirtualAlloc(null, guard + usable, MEM_RESERVE, PAGE_NOACCESS) };
            let Some(start) = NonNull::new(start.cast::<u8>()) else {
                return Err(io::Error::last_os_error());
            };
            // SAFETY: F1: within the range, which is that long.
            let lowest = unsafe { start.add(guard) };
            let mapping = Self { lowest, usable };
            let place = lowest.as_ptr().cast();
            // SAFETY: F1: the upper part of our range; when it fails, the range is dropped.
            if unsafe { VirtualAlloc(place, usable, MEM_COMMIT, PAGE_READWRITE) }.is_null() {
                return Err(io::Error::last_os_error());
            }
            Ok(mapping)
        }

        /// Lets the system drop the contents of the lowest `len` usable bytes, whole pages.
        pub(super) fn decommit(&mut self, len: usize) {
            if len > 0 {
                let place = self.lowest.as_ptr().cast();
                // SAFETY: F1: within our range; no fiber is on it. When it fails, memory stays taken, no more.
                unsafe { VirtualAlloc(place, len, MEM_RESET, PAGE_READWRITE) };
            }
        }
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            let start = self.lowest.as_ptr().wrapping_sub(guard_len());
            // SAFETY: F1: our range, which nobody uses any more.
            unsafe { VirtualFree(start.cast(), 0, MEM_RELEASE) };
        }
    }

    pub(super) fn page_size() -> usize {
        4096
    }
}

#[cfg(any(miri, not(any(unix, windows))))]
mod os {
    //! The allocator: no guard.

    use super::NonNull;
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::io;

    #[derive(Debug)]
    pub(super) struct Mapping {
        pub(super) lowest: NonNull<u8>,
        pub(super) usable: usize,
    }

    fn layout(usable: usize) -> io::Result<Layout> {
        Layout::from_size_align(usable, 16).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    impl Mapping {
        pub(super) fn new(usable: usize, _guard: usize) -> io::Result<Self> {
            // SAFETY: F1: the size is not 0, as a stack has at least MIN_STACK_SIZE.
            let memory = unsafe { alloc_zeroed(layout(usable)?) };
            let lowest = NonNull::new(memory).ok_or(io::ErrorKind::OutOfMemory)?;
            Ok(Self { lowest, usable })
        }

        pub(super) fn decommit(&mut self, _len: usize) {}
    }

    impl Drop for Mapping {
        fn drop(&mut self) {
            if let Ok(layout) = layout(self.usable) {
                // SAFETY: F1: allocated with this layout, and nobody uses it any more.
                unsafe { dealloc(self.lowest.as_ptr(), layout) };
            }
        }
    }

    pub(super) fn page_size() -> usize {
        4096
    }
}
