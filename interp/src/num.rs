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
    ($ty:ty: $min:ident $max:ident $copysign:ident $abs:ident $neg:ident $ceil:ident $floor:ident $trunc:ident $nearest:ident $sqrt:ident, $sign:expr) => {
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

        #[inline(always)]
        pub(crate) fn $ceil(a: $ty) -> $ty {
            quiet(a.ceil(), a)
        }

        #[inline(always)]
        pub(crate) fn $floor(a: $ty) -> $ty {
            quiet(a.floor(), a)
        }

        #[inline(always)]
        pub(crate) fn $trunc(a: $ty) -> $ty {
            quiet(a.trunc(), a)
        }

        #[inline(always)]
        pub(crate) fn $nearest(a: $ty) -> $ty {
            quiet(a.round_ties_even(), a)
        }

        #[inline(always)]
        pub(crate) fn $sqrt(a: $ty) -> $ty {
            a.sqrt()
        }
    };
}

/// Rounding functions may hand a signalling NaN back as it is; arithmetic makes it quiet.
trait Float: Copy + core::ops::Add<Output = Self> {
    fn nan(self) -> bool;
}
impl Float for f32 {
    #[inline(always)]
    fn nan(self) -> bool {
        self.is_nan()
    }
}
impl Float for f64 {
    #[inline(always)]
    fn nan(self) -> bool {
        self.is_nan()
    }
}

#[inline(always)]
fn quiet<F: Float>(rounded: F, a: F) -> F {
    if a.nan() { a + a } else { rounded }
}

floats!(f32: f32_min f32_max f32_copysign f32_abs f32_neg f32_ceil f32_floor f32_trunc f32_nearest f32_sqrt, 1 << 31);
floats!(f64: f64_min f64_max f64_copysign f64_abs f64_neg f64_ceil f64_floor f64_trunc f64_nearest f64_sqrt, 1 << 63);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_takes_exactly_what_fits() {
        assert_eq!(i32_trunc_f64_s(-2_147_483_648.9), Ok(i32::MIN));
        assert_eq!(i32_trunc_f64_s(-2_147_483_649.0), Err(Trap::IntegerOverflow));
        assert_eq!(i32_trunc_f32_s(-2_147_483_648.0), Ok(i32::MIN));
        assert_eq!(i32_trunc_f32_u(-0.9), Ok(0));
        assert_eq!(i64_trunc_f64_u(18_446_744_073_709_549_568.0), Ok(u64::MAX - 2047));
        assert_eq!(i64_trunc_f32_s(f32::NAN), Err(Trap::BadConversionToInteger));
    }

    #[test]
    fn min_and_max_order_zeros_and_pass_nan_on() {
        assert!(f64_min(0.0, -0.0).is_sign_negative());
        assert!(f64_max(-0.0, 0.0).is_sign_positive());
        assert!(f32_min(1.0, f32::NAN).is_nan());
    }
}
