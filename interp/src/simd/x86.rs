//! What SSE2, which every x86-64 processor has, and SSSE3 do in one instruction.

use core::arch::x86_64::*;

use super::{Lane, V128};

/// The top bits of the lanes.
#[inline(always)]
pub(crate) fn bitmask<T: Lane>(V128(a): V128) -> u32 {
    // SAFETY: SSE2 is always there.
    let mask = unsafe {
        match T::N {
            16 => _mm_movemask_epi8(a),
            8 => _mm_movemask_epi8(_mm_packs_epi16(a, _mm_setzero_si128())),
            4 => _mm_movemask_ps(_mm_castsi128_ps(a)),
            _ => _mm_movemask_pd(_mm_castsi128_pd(a)),
        }
    };
    mask as u32
}

/// Sums of products of neighbours.
#[inline(always)]
pub(crate) fn dot(V128(a): V128, V128(b): V128) -> V128 {
    // SAFETY: SSE2 is always there.
    V128(unsafe { _mm_madd_epi16(a, b) })
}

/// What does not fit becomes `i32::MIN` in the instruction.
#[inline(always)]
pub(crate) fn i32x4_trunc_sat_f32x4_s(V128(a): V128) -> V128 {
    // SAFETY: SSE2 is always there.
    unsafe {
        let a = _mm_castsi128_ps(a);
        let number = _mm_and_ps(a, _mm_cmpord_ps(a, a));
        let too_high = _mm_cmpge_ps(a, _mm_set1_ps(2_147_483_648.0));
        V128(_mm_xor_si128(
            _mm_cvttps_epi32(number),
            _mm_castps_si128(too_high),
        ))
    }
}

/// The upper half of the range is moved down for the signed instruction, and up again.
#[inline(always)]
pub(crate) fn i32x4_trunc_sat_f32x4_u(V128(a): V128) -> V128 {
    // SAFETY: SSE2 is always there.
    unsafe {
        let half = _mm_set1_ps(2_147_483_648.0);
        // This is its second operand if the first is no number.
        let a = _mm_max_ps(_mm_castsi128_ps(a), _mm_setzero_ps());
        let upper = _mm_cmpge_ps(a, half);
        let low = _mm_cvttps_epi32(_mm_sub_ps(a, _mm_and_ps(upper, half)));
        let top = _mm_slli_epi32(_mm_castps_si128(upper), 31);
        let too_high = _mm_cmpge_ps(a, _mm_set1_ps(4_294_967_296.0));
        V128(_mm_or_si128(
            _mm_xor_si128(low, top),
            _mm_castps_si128(too_high),
        ))
    }
}

/// For processors that have SSSE3: the linker asks.
#[cfg(any(threaded, test))]
pub(crate) mod ssse3 {
    use super::*;

    /// A selector with the top bit set gives 0: adding makes it so for all from 16 up.
    #[inline]
    #[target_feature(enable = "ssse3")]
    pub(crate) fn swizzle(V128(a): V128, V128(b): V128) -> V128 {
        V128(_mm_shuffle_epi8(a, _mm_adds_epu8(b, _mm_set1_epi8(0x70))))
    }

    /// Selectors below 16 are negative for `b`, the others for `a`.
    #[inline]
    #[target_feature(enable = "ssse3")]
    pub(crate) fn shuffle(V128(a): V128, V128(b): V128, V128(lanes): V128) -> V128 {
        let of_a = _mm_shuffle_epi8(a, _mm_adds_epu8(lanes, _mm_set1_epi8(0x70)));
        let of_b = _mm_shuffle_epi8(b, _mm_sub_epi8(lanes, _mm_set1_epi8(16)));
        V128(_mm_or_si128(of_a, of_b))
    }
}
