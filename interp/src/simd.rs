//! Vectors of 128 bits, by lanes. Spec: exec-vec.
//!
//! Everything is written over arrays of lanes, which LLVM turns into vector instructions.
#![allow(unsafe_code, reason = "arrays of lanes are views of the same bytes")]

use crate::num;

/// A vector: 16 bytes as they lie in memory and in slots, so lanes are little-endian on every target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct V128([u8; 16]);

/// A number that a vector can be made of.
pub(crate) trait Lane: Copy + Default {
    /// How many make a vector.
    const N: usize;
    /// The `i`-th lane.
    fn get(v: V128, i: usize) -> Self;
    /// The vector whose lanes `f` gives, lane 0 first.
    fn vector(f: impl FnMut(usize) -> Self) -> V128;
    /// The lane whose bits are all ones, or all zeros.
    fn all(ones: bool) -> Self;
    /// Whether the top bit is set.
    fn is_negative(self) -> bool;
}

macro_rules! lanes {
    ($($ty:ident $n:literal $from:expr, $to:expr, $int:ident;)*) => { $(
        impl Lane for $ty {
            const N: usize = $n;

            #[inline(always)]
            fn get(v: V128, i: usize) -> $ty {
                // SAFETY: both are 16 bytes, and any bytes are lanes.
                let lanes: [$int; $n] = unsafe { core::mem::transmute(v) };
                let from: fn($int) -> $ty = $from;
                from($int::from_le(lanes[i]))
            }

            #[inline(always)]
            fn vector(mut f: impl FnMut(usize) -> $ty) -> V128 {
                let to: fn($ty) -> $int = $to;
                let lanes: [$int; $n] = core::array::from_fn(|i| $int::to_le(to(f(i))));
                // SAFETY: as above.
                unsafe { core::mem::transmute(lanes) }
            }

            #[inline(always)]
            fn all(ones: bool) -> $ty {
                let from: fn($int) -> $ty = $from;
                from(if ones { !0 } else { 0 })
            }

            #[inline(always)]
            fn is_negative(self) -> bool {
                let to: fn($ty) -> $int = $to;
                to(self) >> ($int::BITS - 1) != 0
            }
        }
    )* };
}

lanes! {
    i8 16 |x| x as i8, |x| x as u8, u8;
    u8 16 |x| x, |x| x, u8;
    i16 8 |x| x as i16, |x| x as u16, u16;
    u16 8 |x| x, |x| x, u16;
    i32 4 |x| x as i32, |x| x as u32, u32;
    u32 4 |x| x, |x| x, u32;
    i64 2 |x| x as i64, |x| x as u64, u64;
    u64 2 |x| x, |x| x, u64;
    f32 4 f32::from_bits, f32::to_bits, u32;
    f64 2 f64::from_bits, f64::to_bits, u64;
}

// ---- all lanes alike -----------------------------------------------------------------------------------------------

/// What `f` makes of each lane.
#[inline(always)]
pub(crate) fn map<T: Lane>(a: V128, f: impl Fn(T) -> T) -> V128 {
    T::vector(|i| f(T::get(a, i)))
}

/// What `f` makes of each pair of lanes.
#[inline(always)]
pub(crate) fn zip<T: Lane>(a: V128, b: V128, f: impl Fn(T, T) -> T) -> V128 {
    T::vector(|i| f(T::get(a, i), T::get(b, i)))
}

/// Ones where `f` holds, else zeros.
#[inline(always)]
pub(crate) fn mask<T: Lane>(a: V128, b: V128, f: impl Fn(T, T) -> bool) -> V128 {
    T::vector(|i| T::all(f(T::get(a, i), T::get(b, i))))
}

#[inline(always)]
pub(crate) fn splat<T: Lane>(x: T) -> V128 {
    T::vector(|_| x)
}

// ---- single lanes --------------------------------------------------------------------------------------------------

/// A lane; the translator gives no number that is too high.
#[inline(always)]
pub(crate) fn lane<T: Lane>(a: V128, i: u16) -> T {
    T::get(a, usize::from(i) % T::N)
}

/// All lanes are written anew: a vector put together in memory could not be read back at once.
#[inline(always)]
pub(crate) fn with_lane<T: Lane>(a: V128, i: u16, x: T) -> V128 {
    T::vector(|k| if k == usize::from(i) { x } else { T::get(a, k) })
}

/// These bits, then 64 zeros.
#[inline(always)]
pub(crate) fn low_bits(bits: u64) -> V128 {
    u64::vector(|i| if i == 0 { bits } else { 0 })
}

// ---- bits ----------------------------------------------------------------------------------------------------------

#[inline(always)]
pub(crate) fn not(a: V128) -> V128 {
    map(a, |x: u64| !x)
}

#[inline(always)]
pub(crate) fn and(a: V128, b: V128) -> V128 {
    zip(a, b, |x: u64, y| x & y)
}

#[inline(always)]
pub(crate) fn andnot(a: V128, b: V128) -> V128 {
    zip(a, b, |x: u64, y| x & !y)
}

#[inline(always)]
pub(crate) fn or(a: V128, b: V128) -> V128 {
    zip(a, b, |x: u64, y| x | y)
}

#[inline(always)]
pub(crate) fn xor(a: V128, b: V128) -> V128 {
    zip(a, b, |x: u64, y| x ^ y)
}

#[inline(always)]
pub(crate) fn bitselect(a: V128, b: V128, c: V128) -> V128 {
    xor(b, and(xor(a, b), c))
}

#[inline(always)]
pub(crate) fn any_true(a: V128) -> bool {
    u64::get(a, 0) | u64::get(a, 1) != 0
}

#[inline(always)]
pub(crate) fn all_true<T: Lane + PartialEq>(a: V128) -> bool {
    let mut all = true;
    for i in 0..T::N {
        all &= T::get(a, i) != T::default();
    }
    all
}

#[inline(always)]
pub(crate) fn bitmask<T: Lane>(a: V128) -> u32 {
    let mut mask = 0;
    for i in 0..T::N {
        mask |= u32::from(T::get(a, i).is_negative()) << i;
    }
    mask
}

// ---- bytes in another order ----------------------------------------------------------------------------------------

#[inline(always)]
pub(crate) fn swizzle(a: V128, b: V128) -> V128 {
    u8::vector(|i| {
        let from = u8::get(b, i);
        if from < 16 {
            u8::get(a, usize::from(from))
        } else {
            0
        }
    })
}

#[inline(always)]
pub(crate) fn shuffle(a: V128, b: V128, lanes: V128) -> V128 {
    u8::vector(|i| {
        let from = u8::get(lanes, i);
        let both = if from < 16 { a } else { b };
        u8::get(both, usize::from(from % 16))
    })
}

// ---- integers ------------------------------------------------------------------------------------------------------

#[inline(always)]
pub(crate) fn popcnt(a: V128) -> V128 {
    map(a, |x: u8| {
        let x = x - (x >> 1 & 0x55);
        let x = (x & 0x33) + (x >> 2 & 0x33);
        (x + (x >> 4)) & 0x0f
    })
}

#[inline(always)]
pub(crate) fn q15mulr(a: V128, b: V128) -> V128 {
    zip(a, b, |x: i16, y| {
        let product = (i32::from(x) * i32::from(y) + 0x4000) >> 15;
        product.clamp(i16::MIN.into(), i16::MAX.into()) as i16
    })
}

/// Lanes of half the width: those of `a`, then those of `b`.
#[inline(always)]
pub(crate) fn narrow<T: Lane, U: Lane>(a: V128, b: V128, f: impl Fn(T) -> U) -> V128 {
    U::vector(|i| {
        f(if i < T::N {
            T::get(a, i)
        } else {
            T::get(b, i - T::N)
        })
    })
}

/// Lanes of twice the width, of the lower half.
#[inline(always)]
pub(crate) fn extend_low<T: Lane, U: Lane + From<T>>(a: V128) -> V128 {
    U::vector(|i| T::get(a, i).into())
}

/// Lanes of twice the width, of the upper half.
#[inline(always)]
pub(crate) fn extend_high<T: Lane, U: Lane + From<T>>(a: V128) -> V128 {
    U::vector(|i| T::get(a, i + U::N).into())
}

/// Sums of neighbours, which have twice the width.
#[inline(always)]
pub(crate) fn extadd_pairwise<T: Lane, U: Lane + From<T> + core::ops::Add<Output = U>>(
    a: V128,
) -> V128 {
    U::vector(|i| U::from(T::get(a, 2 * i)) + U::from(T::get(a, 2 * i + 1)))
}

#[inline(always)]
pub(crate) fn dot(a: V128, b: V128) -> V128 {
    let product = |i| i32::from(i16::get(a, i)) * i32::from(i16::get(b, i));
    i32::vector(|i| product(2 * i).wrapping_add(product(2 * i + 1)))
}

#[inline(always)]
pub(crate) fn dot_i8(a: V128, b: V128) -> V128 {
    let product = |i| i16::from(i8::get(a, i)) * i16::from(i8::get(b, i));
    i16::vector(|i| product(2 * i).wrapping_add(product(2 * i + 1)))
}

#[inline(always)]
pub(crate) fn dot_add_i8(a: V128, b: V128, c: V128) -> V128 {
    zip(
        extadd_pairwise::<i16, i32>(dot_i8(a, b)),
        c,
        i32::wrapping_add,
    )
}

// ---- floats and conversions ----------------------------------------------------------------------------------------

/// Lanes of the same width or wider, of as many lanes as there is room for.
#[inline(always)]
pub(crate) fn convert<T: Lane, U: Lane>(a: V128, f: impl Fn(T) -> U) -> V128 {
    U::vector(|i| f(T::get(a, i)))
}

/// Lanes of half the width; those behind them are zero.
#[inline(always)]
pub(crate) fn low_half<T: Lane, U: Lane>(a: V128, f: impl Fn(T) -> U) -> V128 {
    U::vector(|i| {
        if i < T::N {
            f(T::get(a, i))
        } else {
            U::default()
        }
    })
}

macro_rules! floats {
    ($($name:ident = $ty:ident $scalar:ident $($arg:ident)+;)*) => { $(
        #[inline(always)]
        pub(crate) fn $name($($arg: V128),+) -> V128 {
            $ty::vector(|i| num::$scalar($($ty::get($arg, i)),+))
        }
    )* };
}

floats! {
    f32x4_min = f32 f32_min a b;
    f32x4_max = f32 f32_max a b;
    f32x4_ceil = f32 f32_ceil a;
    f32x4_floor = f32 f32_floor a;
    f32x4_trunc = f32 f32_trunc a;
    f32x4_nearest = f32 f32_nearest a;
    f64x2_min = f64 f64_min a b;
    f64x2_max = f64 f64_max a b;
    f64x2_ceil = f64 f64_ceil a;
    f64x2_floor = f64 f64_floor a;
    f64x2_trunc = f64 f64_trunc a;
    f64x2_nearest = f64 f64_nearest a;
}

#[inline(always)]
pub(crate) fn i32x4_trunc_sat_f32x4_s(a: V128) -> V128 {
    convert(a, |x: f32| x as i32)
}

#[inline(always)]
pub(crate) fn i32x4_trunc_sat_f32x4_u(a: V128) -> V128 {
    convert(a, |x: f32| x as u32)
}
