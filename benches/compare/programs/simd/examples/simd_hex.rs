//! Bytes to hexadecimal digits by table look-ups in vectors, and back.
use core::arch::wasm32::*;
common::export!(program);

fn encode(bytes: &[u8], out: &mut [u8]) {
    let digits = i8x16(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102);
    for (bytes, out) in bytes.chunks_exact(16).zip(out.chunks_exact_mut(32)) {
        // SAFETY: the chunks hold 16 and 32 bytes.
        unsafe {
            let v = v128_load(bytes.as_ptr().cast());
            let high = i8x16_swizzle(digits, u8x16_shr(v, 4));
            let low = i8x16_swizzle(digits, v128_and(v, u8x16_splat(15)));
            let first = i8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(high, low);
            let second = i8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(high, low);
            v128_store(out.as_mut_ptr().cast(), first);
            v128_store(out.as_mut_ptr().add(16).cast(), second);
        }
    }
}

/// Gives whether all were digits.
fn decode(digits: &[u8], out: &mut [u8]) -> bool {
    let mut bad = u8x16_splat(0);
    for (digits, out) in digits.chunks_exact(16).zip(out.chunks_exact_mut(8)) {
        // SAFETY: the chunks hold 16 and 8 bytes.
        unsafe {
            let v = v128_load(digits.as_ptr().cast());
            let number = u8x16_sub(v, u8x16_splat(b'0'));
            let letter = u8x16_sub(v128_or(v, u8x16_splat(0x20)), u8x16_splat(b'a'));
            let is_number = u8x16_lt(number, u8x16_splat(10));
            let is_letter = u8x16_lt(letter, u8x16_splat(6));
            bad = v128_or(bad, v128_not(v128_or(is_number, is_letter)));
            let value = v128_bitselect(number, u8x16_add(letter, u8x16_splat(10)), is_number);
            let pairs = v128_or(u16x8_shl(value, 4), u16x8_shr(value, 8));
            let packed = u8x16_narrow_i16x8(v128_and(pairs, u16x8_splat(255)), i16x8_splat(0));
            v128_store64_lane::<0>(packed, out.as_mut_ptr().cast());
        }
    }
    !v128_any_true(bad)
}

fn program(n: u32) -> u64 {
    let bytes: Vec<u8> = (0..16_384u32).map(|i| (i * i / 3) as u8).collect();
    let mut digits = vec![0; bytes.len() * 2];
    let mut back = vec![0; bytes.len()];
    let mut mix = 0;
    for _ in 0..n {
        encode(&bytes, &mut digits);
        assert!(decode(&digits, &mut back));
        mix = common::mix_bytes(mix, &back[..64]);
    }
    assert_eq!(bytes, back);
    mix
}
