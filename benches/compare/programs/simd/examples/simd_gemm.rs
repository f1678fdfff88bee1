//! A product of matrices of bytes with sums of 32 bits, as neural networks in the browser have it.
use core::arch::wasm32::*;
common::export!(program);

const N: usize = 128;

/// Four dot products of one row with four columns, sixteen elements at a time.
fn dot4(row: &[i8], columns: [&[i8]; 4]) -> [i32; 4] {
    let mut sums = [i32x4_splat(0); 4];
    for at in (0..N).step_by(16) {
        // SAFETY: the slices hold N elements, a multiple of 16.
        let a = unsafe { v128_load(row[at..at + 16].as_ptr().cast()) };
        let (low, high) = (i16x8_extend_low_i8x16(a), i16x8_extend_high_i8x16(a));
        for (sum, column) in sums.iter_mut().zip(columns) {
            // SAFETY: as above.
            let b = unsafe { v128_load(column[at..at + 16].as_ptr().cast()) };
            *sum = i32x4_add(*sum, i32x4_dot_i16x8(low, i16x8_extend_low_i8x16(b)));
            *sum = i32x4_add(*sum, i32x4_dot_i16x8(high, i16x8_extend_high_i8x16(b)));
        }
    }
    sums.map(|v| {
        i32x4_extract_lane::<0>(v) + i32x4_extract_lane::<1>(v) + i32x4_extract_lane::<2>(v) + i32x4_extract_lane::<3>(v)
    })
}

fn program(n: u32) -> u64 {
    let a: Vec<i8> = (0..N * N).map(|i| (i * 7 % 251) as i8).collect();
    let mut b: Vec<i8> = (0..N * N).map(|i| (i * 13 % 241) as i8).collect();
    let mut mix = 0;
    for _ in 0..n {
        for row in a.chunks_exact(N) {
            for columns in b.chunks_exact(4 * N) {
                let column = |k: usize| &columns[k * N..(k + 1) * N];
                for sum in dot4(row, [column(0), column(1), column(2), column(3)]) {
                    mix = common::mix(mix, sum as u64);
                }
            }
        }
        b[0] = mix as i8;
    }
    mix
}
