//! The name of an object: its distance from the base of the arena.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroU32;

/// Where a `T` lies in the VM heap, in bytes from the base of the arena.
///
/// An offset is data: it grants nothing, and each use of it is checked. It is kept in little-endian
/// order, so `Option<Offset<T>>`, with 0 for `None`, may itself be stored in the arena.
#[repr(transparent)]
pub struct Offset<T> {
    /// The offset with its bytes in little-endian order.
    little_endian: NonZeroU32,
    to: PhantomData<fn() -> T>,
}

impl<T> Offset<T> {
    /// The offset `bytes`; `None` for 0, which names nothing.
    #[inline]
    pub const fn new(bytes: u32) -> Option<Self> {
        match NonZeroU32::new(bytes.to_le()) {
            Some(little_endian) => Some(Self {
                little_endian,
                to: PhantomData,
            }),
            None => None,
        }
    }

    /// Bytes from the base of the arena.
    #[inline]
    pub const fn get(self) -> u32 {
        u32::from_le(self.little_endian.get())
    }

    /// The same place, seen as a `U`.
    #[inline]
    pub const fn cast<U>(self) -> Offset<U> {
        Offset {
            little_endian: self.little_endian,
            to: PhantomData,
        }
    }

    /// The place `bytes` further on; `None` where no offset reaches.
    #[inline]
    pub const fn checked_add(self, bytes: u32) -> Option<Self> {
        match self.get().checked_add(bytes) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }
}

// By hand, as a derive would ask the same of `T`.
impl<T> Clone for Offset<T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Offset<T> {}

impl<T> PartialEq for Offset<T> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.little_endian == other.little_endian
    }
}

impl<T> Eq for Offset<T> {}

impl<T> PartialOrd for Offset<T> {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Offset<T> {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.get().cmp(&other.get())
    }
}

impl<T> Hash for Offset<T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.get().hash(state);
    }
}

impl<T> fmt::Debug for Offset<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{:#x}", self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_offsets_are_four_little_endian_bytes() {
        let offset = Offset::<u8>::new(0x1020).unwrap();
        assert_eq!(bytemuck::bytes_of(&Some(offset)), [0x20, 0x10, 0, 0]);
        assert_eq!(bytemuck::bytes_of(&None::<Offset<u8>>), [0; 4]);
        assert_eq!(Offset::<u8>::new(0), None);
        assert_eq!(offset.checked_add(u32::MAX), None);
        assert!(offset < offset.checked_add(0x1000).unwrap());
    }
}
