//! The pointers to a store: the one that owns it, and those that borrow it.
//!
//! All of them are copies of one pointer, and a reference is made of one only where the store is used, for no longer than
//! that: host functions and the machine come to the same store by their own copies, while callers further out have theirs,
//! on stacks that may even change places (H1). A `&mut` that lives as long would say that nobody else does.
#![allow(unsafe_code, reason = "makes references of the store's pointer")]

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use crate::host_frames::end_all;
use crate::store::StoreInner;

/// A store, owned.
pub(crate) struct StoreBox<T: 'static>(NonNull<StoreInner<T>>, PhantomData<StoreInner<T>>);

// SAFETY: H1: it is a box.
unsafe impl<T: 'static> Send for StoreBox<T> where StoreInner<T>: Send {}
// SAFETY: H1: it is a box.
unsafe impl<T: 'static> Sync for StoreBox<T> where StoreInner<T>: Sync {}

impl<T: 'static> StoreBox<T> {
    pub(crate) fn new(store: StoreInner<T>) -> StoreBox<T> {
        StoreBox(NonNull::from(Box::leak(Box::new(store))), PhantomData)
    }

    /// The store, borrowed as who calls wasm needs it.
    #[inline(always)]
    pub(crate) fn borrow(&mut self) -> StoreRef<'_, T> {
        StoreRef(self.0, PhantomData)
    }

    pub(crate) fn into_inner(mut self) -> StoreInner<T> {
        if let Err(payload) = end_all(self.borrow()) {
            std::panic::resume_unwind(payload);
        }
        let this = ManuallyDrop::new(self);
        // SAFETY: H1: nobody has it borrowed, and it is not dropped.
        *unsafe { Box::from_raw(this.0.as_ptr()) }
    }
}

impl<T: 'static> Drop for StoreBox<T> {
    fn drop(&mut self) {
        let ended = end_all(self.borrow());
        // SAFETY: H1, S2: nobody has it borrowed, and it was a box.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        if let Err(payload) = ended
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(payload);
        }
    }
}

impl<T: 'static> Deref for StoreBox<T> {
    type Target = StoreInner<T>;
    #[inline(always)]
    fn deref(&self) -> &StoreInner<T> {
        // SAFETY: H1: the box is borrowed as long.
        unsafe { self.0.as_ref() }
    }
}

impl<T: 'static> DerefMut for StoreBox<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut StoreInner<T> {
        // SAFETY: H1: the box is borrowed as long.
        unsafe { self.0.as_mut() }
    }
}

/// A store, borrowed mutably.
pub(crate) struct StoreRef<'a, T: 'static>(
    NonNull<StoreInner<T>>,
    PhantomData<&'a mut StoreInner<T>>,
);

// SAFETY: H1: it is a mutable borrow.
unsafe impl<T: 'static> Send for StoreRef<'_, T> where StoreInner<T>: Send {}
// SAFETY: H1: it is a mutable borrow.
unsafe impl<T: 'static> Sync for StoreRef<'_, T> where StoreInner<T>: Sync {}

impl<'a, T: 'static> StoreRef<'a, T> {
    /// # Safety
    /// - `store` is a copy of the pointer that the store's box has, and nobody uses the store by another but those that
    ///   this calls, as long as this is used (H1).
    #[inline(always)]
    pub(crate) unsafe fn new(store: *mut StoreInner<T>) -> StoreRef<'a, T> {
        // SAFETY: the caller's promise: a box is not null.
        StoreRef(unsafe { NonNull::new_unchecked(store) }, PhantomData)
    }

    /// The same for as long as this is borrowed.
    #[inline(always)]
    pub(crate) fn reborrow(&mut self) -> StoreRef<'_, T> {
        StoreRef(self.0, PhantomData)
    }

    /// The pointer.
    #[inline(always)]
    pub(crate) fn as_ptr(&self) -> *mut StoreInner<T> {
        self.0.as_ptr()
    }

    /// A reference, for who runs no wasm.
    #[inline(always)]
    pub(crate) fn into_mut(mut self) -> &'a mut StoreInner<T> {
        // SAFETY: H1: it is borrowed as long.
        unsafe { self.0.as_mut() }
    }

    /// A shared reference.
    #[inline(always)]
    pub(crate) fn into_ref(self) -> &'a StoreInner<T> {
        // SAFETY: H1: it is borrowed as long.
        unsafe { self.0.as_ref() }
    }
}

impl<T: 'static> Deref for StoreRef<'_, T> {
    type Target = StoreInner<T>;
    #[inline(always)]
    fn deref(&self) -> &StoreInner<T> {
        // SAFETY: H1: this is borrowed as long.
        unsafe { self.0.as_ref() }
    }
}

impl<T: 'static> DerefMut for StoreRef<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut StoreInner<T> {
        // SAFETY: H1: this is borrowed as long.
        unsafe { self.0.as_mut() }
    }
}

impl<T: 'static> core::fmt::Debug for StoreRef<'_, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("StoreRef")
    }
}
