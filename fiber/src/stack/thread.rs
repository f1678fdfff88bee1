//! The stack that the system made for a thread.
#![allow(unsafe_code, reason = "asks the operating system")]

/// The lowest address and the length.
#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
pub(super) fn bounds() -> Option<(*mut u8, usize)> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut lowest, mut len) = (std::ptr::null_mut(), 0);
    // SAFETY: F1 is not touched: it writes the attributes of this thread to where it is told.
    if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: as above; the attributes are there.
    let result =
        unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut len) };
    // SAFETY: as above, once.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (result == 0).then_some((lowest.cast(), len))
}

/// The lowest address and the length.
#[cfg(all(target_vendor = "apple", not(miri)))]
pub(super) fn bounds() -> Option<(*mut u8, usize)> {
    // SAFETY: F1 is not touched: it reads the top of this thread's stack.
    let top = unsafe { libc::pthread_get_stackaddr_np(libc::pthread_self()) };
    // SAFETY: as above, the size.
    let len = unsafe { libc::pthread_get_stacksize_np(libc::pthread_self()) };
    Some((top.cast::<u8>().wrapping_sub(len), len))
}

/// The lowest address and the length.
#[cfg(all(windows, not(miri)))]
pub(super) fn bounds() -> Option<(*mut u8, usize)> {
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetCurrentThreadStackLimits(low: *mut *mut u8, high: *mut *mut u8);
    }
    let (mut low, mut high) = (std::ptr::null_mut::<u8>(), std::ptr::null_mut::<u8>());
    // SAFETY: F1 is not touched: it writes two addresses to where it is told.
    unsafe { GetCurrentThreadStackLimits(&raw mut low, &raw mut high) };
    Some((low, high.addr() - low.addr()))
}

/// Nobody says.
#[cfg(any(
    miri,
    not(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        windows
    ))
))]
pub(super) fn bounds() -> Option<(*mut u8, usize)> {
    None
}
