//! Integers of 31 bits that are references, but to no object.

/// An unboxed integer of 31 bits. Spec: syntax-ref (`ref.i31`).
///
/// ```
/// use sheave_hostcalls::I31;
/// let minus_one = I31::wrapping_i32(-1);
/// assert_eq!((minus_one.get_i32(), minus_one.get_u32()), (-1, 0x7fff_ffff));
/// assert_eq!(I31::new_u32(0x8000_0000), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct I31(u32);

impl I31 {
    /// A number below 2³¹.
    pub fn new_u32(value: u32) -> Option<I31> {
        (value < 1 << 31).then_some(I31(value))
    }

    /// A number between -2³⁰ and 2³⁰ - 1.
    pub fn new_i32(value: i32) -> Option<I31> {
        let i = I31::wrapping_i32(value);
        (i.get_i32() == value).then_some(i)
    }

    /// The low 31 bits of a number.
    pub fn wrapping_u32(value: u32) -> I31 {
        I31(value & 0x7fff_ffff)
    }

    /// The low 31 bits of a number.
    pub fn wrapping_i32(value: i32) -> I31 {
        I31::wrapping_u32(value as u32)
    }

    /// The number, without sign.
    pub fn get_u32(&self) -> u32 {
        self.0
    }

    /// The number, with its sign.
    pub fn get_i32(&self) -> i32 {
        ((self.0 << 1) as i32) >> 1
    }

    /// As a reference.
    pub(crate) fn reference(self) -> u32 {
        self.0 << 1 | 1
    }

    pub(crate) fn of(reference: u32) -> Option<I31> {
        (reference & 1 != 0).then_some(I31(reference >> 1))
    }
}
