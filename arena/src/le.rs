//! Integers that lie in little-endian order on every target.

use bytemuck::{Pod, Zeroable};
use core::fmt;

macro_rules! little_endian {
    ($($(#[$doc:meta])* $name:ident($int:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
        #[repr(transparent)]
        pub struct $name($int);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// Wraps `value`.
            #[inline]
            pub const fn new(value: $int) -> Self {
                Self(value.to_le())
            }

            /// The value.
            #[inline]
            pub const fn get(self) -> $int {
                <$int>::from_le(self.0)
            }

            /// Replaces the value.
            #[inline]
            pub const fn set(&mut self, value: $int) {
                self.0 = value.to_le();
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }

        impl From<$int> for $name {
            #[inline]
            fn from(value: $int) -> Self {
                Self::new(value)
            }
        }

        impl From<$name> for $int {
            #[inline]
            fn from(value: $name) -> Self {
                value.get()
            }
        }
    )*};
}

little_endian! {
    /// A `u16` in little-endian order.
    U16(u16);
    /// A `u32` in little-endian order.
    U32(u32);
    /// A `u64` in little-endian order.
    U64(u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_little_endian_everywhere() {
        assert_eq!(bytemuck::bytes_of(&U16::new(0x0102)), [2, 1]);
        assert_eq!(bytemuck::bytes_of(&U32::new(0x0102_0304)), [4, 3, 2, 1]);
        let mut long = U64::ZERO;
        long.set(0x0102_0304_0506_0708);
        assert_eq!(bytemuck::bytes_of(&long), [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(long.get(), 0x0102_0304_0506_0708);
    }
}
