//! Vectors of 128 bits.

use core::fmt;

/// A value of type `v128`. Its lanes are little-endian: lane 0 is in the lowest bits.
///
/// ```
/// use sheave_hostcalls::V128;
/// let v = V128::from(0x0123_4567_89ab_cdef);
/// assert_eq!(v.as_u128(), 0x0123_4567_89ab_cdef);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct V128([u64; 2]);

impl V128 {
    /// Its bits.
    pub fn as_u128(&self) -> u128 {
        u128::from(self.0[0]) | u128::from(self.0[1]) << 64
    }

    /// As two slots hold it: the low half first.
    #[inline(always)]
    pub(crate) fn to_slots(self) -> [u64; 2] {
        self.0
    }

    #[inline(always)]
    pub(crate) fn from_slots(slots: [u64; 2]) -> V128 {
        V128(slots)
    }
}

impl From<u128> for V128 {
    fn from(bits: u128) -> V128 {
        V128([bits as u64, (bits >> 64) as u64])
    }
}

impl From<V128> for u128 {
    fn from(v: V128) -> u128 {
        v.as_u128()
    }
}

impl fmt::Debug for V128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#034x}", self.as_u128())
    }
}

impl fmt::Display for V128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
