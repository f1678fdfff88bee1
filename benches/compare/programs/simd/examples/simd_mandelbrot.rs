//! The Mandelbrot set, four points at a time.
use core::arch::wasm32::*;
common::export!(program);

fn program(n: u32) -> u64 {
    let mut mix = 0;
    let step = 3.0 / n as f32;
    for y in 0..n {
        let ci = f32x4_splat(y as f32 * step - 1.5);
        for x in (0..n).step_by(4) {
            let at = |k: u32| (x + k) as f32 * step - 2.0;
            let cr = f32x4(at(0), at(1), at(2), at(3));
            let (mut zr, mut zi) = (f32x4_splat(0.0), f32x4_splat(0.0));
            let mut count = i32x4_splat(0);
            for _ in 0..50 {
                let (rr, ii) = (f32x4_mul(zr, zr), f32x4_mul(zi, zi));
                let inside = f32x4_le(f32x4_add(rr, ii), f32x4_splat(4.0));
                if !v128_any_true(inside) {
                    break;
                }
                count = i32x4_sub(count, inside);
                let ri = f32x4_mul(zr, zi);
                zi = f32x4_add(f32x4_add(ri, ri), ci);
                zr = f32x4_add(f32x4_sub(rr, ii), cr);
            }
            let sum = i32x4_extract_lane::<0>(count) + i32x4_extract_lane::<1>(count) * 3
                + i32x4_extract_lane::<2>(count) * 5 + i32x4_extract_lane::<3>(count) * 7;
            mix = common::mix(mix, sum as u64);
        }
    }
    mix
}
