//! Numeric operations of the specification that Rust's operators do not give directly. Spec: exec-numeric.

use crate::trap::Trap;

macro_rules! divisions {
    ($($div:ident $rem:ident $ty:ty;)*) => { $(
        #[inline(always)]
        pub(crate) fn $div(a: $ty, b: $ty) -> Result<$ty, Trap> {
            if b == 0 {
                return Err(Trap::IntegerDivisionByZero);
            }
            a.checked_div(b).ok_or(Trap::IntegerOverflow)
        }

        #[inline(always)]
        pub(crate) fn $rem(a: $ty, b: $ty) -> Result<$ty, Trap> {
            if b == 0 {
                return Err(Trap::IntegerDivisionByZero);
            }
            Ok(a.wrapping_rem(b))
        }
    )* };
}

divisions! {
    i32_div_s i32_rem_s i32;
    i32_div_u i32_rem_u u32;
    i64_div_s i64_rem_s i64;
    i64_div_u i64_rem_u u64;
}

// A float fits if it lies strictly between the limits; both limits are exact in their type.
macro_rules! truncations {
    ($($name:ident $from:ty => $to:ty, $above:expr, $below:expr;)*) => { $(
        #[inline(always)]
        pub(crate) fn $name(a: $from) -> Result<$to, Trap> {
            if a > $above && a < $below {
                Ok(a as $to)
            } else if a.is_nan() {
                Err(Trap::BadConversionToInteger)
            } else {
                Err(Trap::IntegerOverflow)
            }
        }
    )* };
}

truncations! {
    i32_trunc_f32_s f32 => i32, -2_147_483_904.0, 2_147_483_648.0;
    i32_trunc_f32_u f32 => u32, -1.0, 4_294_967_296.0;
    i32_trunc_f64_s f64 => i32, -2_147_483_649.0, 2_147_483_648.0;
    i32_trunc_f64_u f64 => u32, -1.0, 4_294_967_296.0;
    i64_trunc_f32_s f32 => i64, -9_223_373_136_366_403_584.0, 9_223_372_036_854_775_808.0;
    i64_trunc_f32_u f32 => u64, -1.0, 18_446_744_073_709_551_616.0;
    i64_trunc_f64_s f64 => i64, -9_223_372_036_854_777_856.0, 9_223_372_036_854_775_808.0;
    i64_trunc_f64_u f64 => u64, -1.0, 18_446_744_073_709_551_616.0;
}

macro_rules! floats {
    ($ty:ty: $min:ident $max:ident $copysign:ident $abs:ident $neg:ident $ceil:ident $floor:ident $trunc:ident $nearest:ident $sqrt:ident $quieted:ident, $sign:expr, $quiet:expr, $int:ty, $exact:expr) => {
        /// NaN if either is; -0 is less than +0. Spec: op-fmin.
        #[inline(always)]
        pub(crate) fn $min(a: $ty, b: $ty) -> $ty {
            if a < b {
                a
            } else if b < a {
                b
            } else if a == b {
                <$ty>::from_bits(a.to_bits() | b.to_bits())
            } else {
                a + b
            }
        }

        /// NaN if either is; +0 is greater than -0. Spec: op-fmax.
        #[inline(always)]
        pub(crate) fn $max(a: $ty, b: $ty) -> $ty {
            if a > b {
                a
            } else if b > a {
                b
            } else if a == b {
                <$ty>::from_bits(a.to_bits() & b.to_bits())
            } else {
                a + b
            }
        }

        // These three act on bits, so that a NaN keeps its payload everywhere.
        #[inline(always)]
        pub(crate) fn $copysign(a: $ty, b: $ty) -> $ty {
            <$ty>::from_bits(a.to_bits() & !$sign | b.to_bits() & $sign)
        }

        #[inline(always)]
        pub(crate) fn $abs(a: $ty) -> $ty {
            <$ty>::from_bits(a.to_bits() & !$sign)
        }

        #[inline(always)]
        pub(crate) fn $neg(a: $ty) -> $ty {
            <$ty>::from_bits(a.to_bits() ^ $sign)
        }

        // Not `a + 0.0`: the optimiser drops it, as if there were no signalling NaN.
        #[inline(always)]
        fn $quieted(a: $ty) -> $ty {
            if a.is_nan() {
                <$ty>::from_bits(a.to_bits() | $quiet)
            } else {
                a
            }
        }

        // Rounding by way of an integer: no call into the C library, which a baseline x86-64 would make.
        #[inline(always)]
        pub(crate) fn $trunc(a: $ty) -> $ty {
            if $abs(a) < $exact {
                $copysign(a as $int as $ty, a)
            } else {
                $quieted(a)
            }
        }

        #[inline(always)]
        pub(crate) fn $ceil(a: $ty) -> $ty {
            let t = $trunc(a);
            if t < a { $copysign(t + 1.0, a) } else { t }
        }

        #[inline(always)]
        pub(crate) fn $floor(a: $ty) -> $ty {
            let t = $trunc(a);
            if t > a { t - 1.0 } else { t }
        }

        /// Adding and taking away the least number without a fraction rounds, ties to even.
        #[inline(always)]
        pub(crate) fn $nearest(a: $ty) -> $ty {
            let x = $abs(a);
            if x < $exact {
                $copysign(x + $exact - $exact, a)
            } else {
                $quieted(a)
            }
        }

        #[inline(always)]
        pub(crate) fn $sqrt(a: $ty) -> $ty {
            a.sqrt()
        }
    };
}

floats!(f32: f32_min f32_max f32_copysign f32_abs f32_neg f32_ceil f32_floor f32_trunc f32_nearest f32_sqrt f32_quieted, 1 << 31, 1 << 22, i32, 8_388_608.0);
floats!(f64: f64_min f64_max f64_copysign f64_abs f64_neg f64_ceil f64_floor f64_trunc f64_nearest f64_sqrt f64_quieted, 1 << 63, 1 << 51, i64, 4_503_599_627_370_496.0);

/// The halves of a 128-bit integer, low first.
#[inline(always)]
fn halves(v: u128) -> (u64, u64) {
    (v as u64, (v >> 64) as u64)
}

/// A 128-bit integer of its halves.
#[inline(always)]
fn whole(low: u64, high: u64) -> u128 {
    u128::from(low) | u128::from(high) << 64
}

/// The sum of two 128-bit integers, low half first.
#[inline(always)]
pub(crate) fn add128(al: u64, ah: u64, bl: u64, bh: u64) -> (u64, u64) {
    halves(whole(al, ah).wrapping_add(whole(bl, bh)))
}

/// The difference of two 128-bit integers, low half first.
#[inline(always)]
pub(crate) fn sub128(al: u64, ah: u64, bl: u64, bh: u64) -> (u64, u64) {
    halves(whole(al, ah).wrapping_sub(whole(bl, bh)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_takes_exactly_what_fits() {
        assert_eq!(i32_trunc_f64_s(-2_147_483_648.9), Ok(i32::MIN));
        assert_eq!(
            i32_trunc_f64_s(-2_147_483_649.0),
            Err(Trap::IntegerOverflow)
        );
        assert_eq!(i32_trunc_f32_s(-2_147_483_648.0), Ok(i32::MIN));
        assert_eq!(i32_trunc_f32_u(-0.9), Ok(0));
        assert_eq!(
            i64_trunc_f64_u(18_446_744_073_709_549_568.0),
            Ok(u64::MAX - 2047)
        );
        assert_eq!(i64_trunc_f32_s(f32::NAN), Err(Trap::BadConversionToInteger));
    }

    #[test]
    fn min_and_max_order_zeros_and_pass_nan_on() {
        assert!(f64_min(0.0, -0.0).is_sign_negative());
        assert!(f64_max(-0.0, 0.0).is_sign_positive());
        assert!(f32_min(1.0, f32::NAN).is_nan());
    }

    #[test]
    fn rounding_agrees_with_the_standard_library() {
        let values = [
            0.0,
            0.3,
            0.5,
            0.7,
            1.0,
            1.5,
            2.5,
            3.49,
            1e6,
            8_388_607.5,
            8_388_608.0,
            4e9,
            1e15,
            4_503_599_627_370_495.5,
            1e300,
            f64::INFINITY,
            5e-324,
        ];
        for v in values.into_iter().flat_map(|v| [v, -v]) {
            for (ours, std) in [
                (f64_trunc(v), v.trunc()),
                (f64_ceil(v), v.ceil()),
                (f64_floor(v), v.floor()),
                (f64_nearest(v), v.round_ties_even()),
            ] {
                assert_eq!(ours.to_bits(), std.to_bits(), "{v}");
            }
            let v = v as f32;
            for (ours, std) in [
                (f32_trunc(v), v.trunc()),
                (f32_ceil(v), v.ceil()),
                (f32_floor(v), v.floor()),
                (f32_nearest(v), v.round_ties_even()),
            ] {
                assert_eq!(ours.to_bits(), std.to_bits(), "{v}");
            }
        }
        assert!(f64_ceil(f64::NAN).is_nan() && f32_nearest(f32::NAN).is_nan());
        assert_eq!(
            f32_ceil(f32::from_bits(0xffa0_0000)).to_bits(),
            0xffe0_0000,
            "a signalling NaN becomes a quiet one"
        );
    }
}
