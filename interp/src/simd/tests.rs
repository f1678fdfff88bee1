//! Vectors against plain arithmetic, and what targets have instructions for against what all have.

#![allow(
    unused_qualifications,
    reason = "portable code is compared with itself where there is no other"
)]

use super::*;
use crate::num;

/// Numbers with the edges among them.
fn vectors() -> Vec<V128> {
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed ^ seed >> 29
    };
    let floats = [
        0.0,
        -0.0,
        0.5,
        -0.5,
        1.5,
        -2.5,
        0.7,
        8_388_607.5,
        8_388_609.0,
        2_147_483_648.0,
        -2_147_483_648.0,
        4_294_967_040.0,
        4_294_967_296.0,
        f32::NAN,
        -f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::from_bits(0x7fa0_0001),
    ];
    let mut all: Vec<V128> = (0..floats.len())
        .map(|k| f32::vector(|i| floats[(k + i * 5) % floats.len()]))
        .collect();
    all.extend(
        (0..floats.len()).map(|k| f64::vector(|i| floats[(k + i * 7) % floats.len()].into())),
    );
    all.extend([0, !0, 0x8000_8000_8000_8000, 0x7fff_8000_0001_ff80].map(splat::<u64>));
    all.extend((0..if cfg!(miri) { 4 } else { 40 }).map(|_| u64::vector(|_| next())));
    all.extend((0..8).map(|k| u8::vector(|i| (i as u8 * 7 + k) % 34)));
    // Miri takes a second for each pair.
    all.into_iter()
        .step_by(if cfg!(miri) { 11 } else { 1 })
        .collect()
}

fn bits(v: V128) -> [u64; 2] {
    [u64::get(v, 0), u64::get(v, 1)]
}

#[test]
fn floats_are_what_the_scalar_operators_give() {
    let all = vectors();
    for &a in &all {
        let scalar = [
            (f32x4_nearest(a), map(a, num::f32_nearest)),
            (f32x4_floor(a), map(a, num::f32_floor)),
            (f32x4_ceil(a), map(a, num::f32_ceil)),
            (f32x4_trunc(a), map(a, num::f32_trunc)),
            (f64x2_nearest(a), map(a, num::f64_nearest)),
            (f64x2_floor(a), map(a, num::f64_floor)),
            (f64x2_ceil(a), map(a, num::f64_ceil)),
            (f64x2_trunc(a), map(a, num::f64_trunc)),
        ];
        for (k, (ours, scalar)) in scalar.into_iter().enumerate() {
            // Which NaN it is may differ where the scalar operator calculates with one.
            let same = if k < 4 {
                (0..4).all(|i| same_f32(f32::get(ours, i), f32::get(scalar, i)))
            } else {
                (0..2).all(|i| same_f64(f64::get(ours, i), f64::get(scalar, i)))
            };
            assert!(same, "{k} of {:x?}", bits(a));
        }
        for &b in &all {
            let (min, max) = (f32x4_min(a, b), f32x4_max(a, b));
            for i in 0..4 {
                let (x, y) = (f32::get(a, i), f32::get(b, i));
                assert!(same_f32(f32::get(min, i), num::f32_min(x, y)), "{x} {y}");
                assert!(same_f32(f32::get(max, i), num::f32_max(x, y)), "{x} {y}");
            }
            let (min, max) = (f64x2_min(a, b), f64x2_max(a, b));
            for i in 0..2 {
                let (x, y) = (f64::get(a, i), f64::get(b, i));
                assert!(same_f64(f64::get(min, i), num::f64_min(x, y)), "{x} {y}");
                assert!(same_f64(f64::get(max, i), num::f64_max(x, y)), "{x} {y}");
            }
        }
    }
}

/// The same bits, or both a NaN: which one it is Rust leaves open where something is calculated with it, even whether it
/// is quiet, and Miri makes use of that.
fn same_f32(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

fn same_f64(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

#[test]
fn rounded_products_of_fractions_saturate() {
    let all = vectors();
    for &a in &all {
        for &b in &all {
            let ours = q15mulr(a, b);
            for i in 0..8 {
                let product =
                    (i32::from(i16::get(a, i)) * i32::from(i16::get(b, i)) + 0x4000) >> 15;
                assert_eq!(i32::from(i16::get(ours, i)), product.min(0x7fff));
            }
        }
    }
}

#[test]
fn instructions_of_the_target_do_what_the_portable_code_does() {
    let all = vectors();
    for &a in &all {
        assert_eq!(bitmask::<i8>(a), portable::bitmask::<i8>(a));
        assert_eq!(bitmask::<i16>(a), portable::bitmask::<i16>(a));
        assert_eq!(bitmask::<i32>(a), portable::bitmask::<i32>(a));
        assert_eq!(bitmask::<i64>(a), portable::bitmask::<i64>(a));
        let pairs = [
            (
                i32x4_trunc_sat_f32x4_s(a),
                portable::i32x4_trunc_sat_f32x4_s(a),
            ),
            (
                i32x4_trunc_sat_f32x4_u(a),
                portable::i32x4_trunc_sat_f32x4_u(a),
            ),
        ];
        for (ours, portable) in pairs {
            assert_eq!(bits(ours), bits(portable), "{:x?}", bits(a));
        }
        for &b in &all {
            let lanes = map(b, |x: u8| x % 32);
            assert_eq!(bits(dot(a, b)), bits(portable::dot(a, b)));
            assert_eq!(bits(swizzle(a, b)), bits(portable::swizzle(a, b)));
            assert_eq!(
                bits(shuffle(a, b, lanes)),
                bits(portable::shuffle(a, b, lanes))
            );
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            if std::is_x86_feature_detected!("ssse3") {
                // SAFETY: it is there.
                let (one, two) =
                    unsafe { (x86::ssse3::swizzle(a, b), x86::ssse3::shuffle(a, b, lanes)) };
                assert_eq!(bits(one), bits(portable::swizzle(a, b)));
                assert_eq!(bits(two), bits(portable::shuffle(a, b, lanes)));
            }
        }
    }
}
