//! Vectors of 128 bits, by lanes. Spec: exec-vec.
//!
//! Everything is written over arrays of lanes, which LLVM turns into vector instructions.
#![allow(unsafe_code, reason = "arrays of lanes are views of the same bytes")]

// What LLVM is to keep in a vector register: an array would be taken apart into integers before its lanes are seen.
cfg_select! {
    miri => { type Register = [u8; 16]; }
    target_arch = "x86_64" => { type Register = core::arch::x86_64::__m128i; }
    target_arch = "aarch64" => { type Register = core::arch::aarch64::uint8x16_t; }
    _ => { type Register = [u8; 16]; }
}

/// A vector: 16 bytes as they lie in memory and in slots, so lanes are little-endian on every target.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct V128(Register);

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
                // Not `from_fn`: what is not inlined would take the address of a variable of a handler, and so keep
                // its last call from being a jump.
                let mut lanes: [$int; $n] = [0; $n];
                for (i, lane) in lanes.iter_mut().enumerate() {
                    *lane = to(f(i)).to_le();
                }
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
    let bytes = 16 / T::N;
    let of_lane = u8::vector(|k| (k - k % bytes) as u8);
    let here = mask(
        of_lane,
        splat((usize::from(i) * bytes) as u8),
        |k: u8, i| k == i,
    );
    select(here, splat(x), a)
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

cfg_select! {
    miri => { pub(crate) use portable::*; }
    target_arch = "x86_64" => {
        pub(crate) use portable::{shuffle, swizzle};
        pub(crate) use x86::{bitmask, dot, i32x4_trunc_sat_f32x4_s, i32x4_trunc_sat_f32x4_u};
    }
    target_arch = "aarch64" => {
        pub(crate) use aarch64::{shuffle, swizzle};
        pub(crate) use portable::{bitmask, dot, i32x4_trunc_sat_f32x4_s, i32x4_trunc_sat_f32x4_u};
    }
    _ => { pub(crate) use portable::*; }
}

// ---- integers ------------------------------------------------------------------------------------------------------

/// By two shifts: not every target can rotate.
#[inline(always)]
pub(crate) fn rotl<T: Rotate>(a: V128, n: u32) -> V128 {
    or(map(a, |x: T| x.shl(n)), map(a, |x: T| x.shr_rest(n)))
}

/// Unsigned lanes that rotate, by `n` from 1 up.
pub(crate) trait Rotate: Lane {
    /// `self << n`.
    fn shl(self, n: u32) -> Self;
    /// The bits that come in again.
    fn shr_rest(self, n: u32) -> Self;
}

macro_rules! rotations {
    ($($ty:ident)*) => { $(
        impl Rotate for $ty {
            #[inline(always)]
            fn shl(self, n: u32) -> $ty {
                self.wrapping_shl(n)
            }
            #[inline(always)]
            fn shr_rest(self, n: u32) -> $ty {
                self.wrapping_shr($ty::BITS - n)
            }
        }
    )* };
}
rotations! { u32 u64 }

#[inline(always)]
pub(crate) fn popcnt(a: V128) -> V128 {
    map(a, |x: u8| {
        let x = x - (x >> 1 & 0x55);
        let x = (x & 0x33) + (x >> 2 & 0x33);
        (x + (x >> 4)) & 0x0f
    })
}

/// `(a * b + 0x4000) >> 15` from the halves of the products; only -1 times -1 does not fit.
#[inline(always)]
pub(crate) fn q15mulr(a: V128, b: V128) -> V128 {
    let high = zip(a, b, |x: i16, y| {
        ((i32::from(x) * i32::from(y)) >> 16) as i16
    });
    let low = zip(a, b, u16::wrapping_mul);
    let low = map(low, |x: u16| (x >> 15) + (x >> 14 & 1));
    zip(map(high, |x: u16| x << 1), low, |x: i16, y| {
        let sum = x.wrapping_add(y);
        if sum == i16::MIN { i16::MAX } else { sum }
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
pub(crate) fn dot_i8(a: V128, b: V128) -> V128 {
    let product = |i| i16::from(i8::get(a, i)) * i16::from(i8::get(b, i));
    i16::vector(|i| product(2 * i).wrapping_add(product(2 * i + 1)))
}

#[inline(always)]
pub(crate) fn dot_add_i8(a: V128, b: V128, c: V128) -> V128 {
    // Times one, so that it is the dot product that processors have.
    zip(dot(dot_i8(a, b), splat(1_i16)), c, i32::wrapping_add)
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

/// `a` where `mask` has ones, else `b`: branches would keep LLVM from seeing vectors.
#[inline(always)]
fn select(mask: V128, a: V128, b: V128) -> V128 {
    or(and(a, mask), andnot(b, mask))
}

macro_rules! floats {
    ($ty:ident $int:ident $sign:expr, $quiet:expr, $exact:expr; $min:ident $max:ident $quieted:ident $nearest:ident $floor:ident $ceil:ident $trunc:ident) => {
        #[inline(always)]
        pub(crate) fn $min(a: V128, b: V128) -> V128 {
            let less = |a, b| zip(a, b, |x: $ty, y| if x < y { x } else { y });
            // Of two zeros each gives its second: the sign of both is the sign of either.
            let least = or(less(a, b), less(b, a));
            let nan = mask(a, b, |x: $ty, y| x.is_nan() | y.is_nan());
            select(nan, zip(a, b, |x: $ty, y| x + y), least)
        }

        #[inline(always)]
        pub(crate) fn $max(a: V128, b: V128) -> V128 {
            let more = |a, b| zip(a, b, |x: $ty, y| if x > y { x } else { y });
            let most = and(more(a, b), more(b, a));
            let nan = mask(a, b, |x: $ty, y| x.is_nan() | y.is_nan());
            select(nan, zip(a, b, |x: $ty, y| x + y), most)
        }

        #[inline(always)]
        fn $quieted(a: V128) -> V128 {
            let nan = mask(a, a, |x: $ty, _| x.is_nan());
            or(a, and(nan, splat::<$int>($quiet)))
        }

        /// Adding and taking away the least number without a fraction rounds, ties to even.
        #[inline(always)]
        pub(crate) fn $nearest(a: V128) -> V128 {
            let sign = and(a, splat::<$int>($sign));
            let x = xor(a, sign);
            let exact = splat::<$ty>($exact);
            let sum = zip(x, exact, |x: $ty, y| x + y);
            let rounded = zip(sum, exact, |x: $ty, y| x - y);
            let small = mask(x, exact, |x: $ty, y| x < y);
            select(small, or(rounded, sign), $quieted(a))
        }

        #[inline(always)]
        pub(crate) fn $floor(a: V128) -> V128 {
            let near = $nearest(a);
            let above = mask(near, a, |x: $ty, y| x > y);
            zip(near, and(above, splat::<$ty>(1.0)), |x: $ty, y| x - y)
        }

        #[inline(always)]
        pub(crate) fn $ceil(a: V128) -> V128 {
            let near = $nearest(a);
            let below = mask(near, a, |x: $ty, y| x < y);
            let up = zip(near, and(below, splat::<$ty>(1.0)), |x: $ty, y| x + y);
            or(up, and(a, splat::<$int>($sign)))
        }

        #[inline(always)]
        pub(crate) fn $trunc(a: V128) -> V128 {
            let sign = and(a, splat::<$int>($sign));
            or($floor(xor(a, sign)), sign)
        }
    };
}

floats!(f32 u32 1 << 31, 1 << 22, 8_388_608.0; f32x4_min f32x4_max f32x4_quieted f32x4_nearest f32x4_floor f32x4_ceil f32x4_trunc);
floats!(f64 u64 1 << 63, 1 << 51, 4_503_599_627_370_496.0; f64x2_min f64x2_max f64x2_quieted f64x2_nearest f64x2_floor f64x2_ceil f64x2_trunc);

// ---- what LLVM does not find by itself -----------------------------------------------------------------------------

#[allow(
    dead_code,
    reason = "what a target has instructions for is theirs; tests compare"
)]
mod portable {
    use super::{Lane, V128, convert};

    #[inline(always)]
    pub(crate) fn bitmask<T: Lane>(a: V128) -> u32 {
        let mut mask = 0;
        for i in 0..T::N {
            mask |= u32::from(T::get(a, i).is_negative()) << i;
        }
        mask
    }

    #[inline(always)]
    pub(crate) fn dot(a: V128, b: V128) -> V128 {
        let product = |i| i32::from(i16::get(a, i)) * i32::from(i16::get(b, i));
        i32::vector(|i| product(2 * i).wrapping_add(product(2 * i + 1)))
    }

    #[inline(always)]
    pub(crate) fn swizzle(a: V128, b: V128) -> V128 {
        u8::vector(|i| match u8::get(b, i) {
            from @ 0..16 => u8::get(a, usize::from(from)),
            _ => 0,
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

    #[inline(always)]
    pub(crate) fn i32x4_trunc_sat_f32x4_s(a: V128) -> V128 {
        convert(a, |x: f32| x as i32)
    }

    #[inline(always)]
    pub(crate) fn i32x4_trunc_sat_f32x4_u(a: V128) -> V128 {
        convert(a, |x: f32| x as u32)
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
pub(crate) mod x86;

#[cfg(all(target_arch = "aarch64", not(miri)))]
mod aarch64 {
    use core::arch::aarch64::{uint8x16x2_t, vqtbl1q_u8, vqtbl2q_u8};

    use super::V128;

    #[inline(always)]
    pub(crate) fn swizzle(a: V128, b: V128) -> V128 {
        // SAFETY: every processor of this architecture has it.
        V128(unsafe { vqtbl1q_u8(a.0, b.0) })
    }

    #[inline(always)]
    pub(crate) fn shuffle(a: V128, b: V128, lanes: V128) -> V128 {
        // SAFETY: as above.
        V128(unsafe { vqtbl2q_u8(uint8x16x2_t(a.0, b.0), lanes.0) })
    }
}

#[cfg(test)]
mod tests;
