//! Marking: a bit for each granule of every object that can be reached.
//!
//! The stack of objects still to be looked into is bounded. What does not fit on it is noted in a second bitmap, a bit
//! an object, which is gone through once the stack is empty; so a list of any length takes no more memory than that.
//! A reference may be anything: what is no place of an object in the heap is left alone, and an object is never taken
//! to be longer than the heap (G1). A forged one can keep garbage alive or lose its own, no more.
#![allow(unsafe_code, reason = "reads objects by their offsets in the heap")]

use crate::conts::FRESH;
use crate::gc::types::{CONT_TYPE, EXN_TYPE, GRANULE, Kind, ObjectTypes};

/// How many objects wait on the stack, if nothing else is said.
pub(crate) const STACK: usize = 1 << 18;

/// Objects on their way from memory while others are looked into.
const AHEAD: usize = 8;

/// A heap for the time of its marking.
pub(crate) struct Marker<'a> {
    base: *const u8,
    len: u64,
    marks: &'a mut [u64],
    types: &'a ObjectTypes,
    stack: Vec<u32>,
    stack_limit: usize,
    /// A bit a granule where an object starts that is marked but not looked into; empty until it is needed.
    postponed: Vec<u64>,
    postponed_any: bool,
    /// Innermost stacks of the continuations that were found.
    pub(crate) stacks: Vec<u32>,
    /// Granules of what was marked.
    pub(crate) granules: u64,
    pub(crate) objects: u64,
}

impl<'a> Marker<'a> {
    /// Marks in `marks`, which is all zero, one bit a granule.
    ///
    /// # Safety
    /// - The heap has `len` bytes from `base` up, a multiple of 64 granules, and `marks` as many bits as that has granules; nobody writes to it meanwhile.
    pub(crate) unsafe fn new(
        base: *const u8,
        len: u64,
        marks: &'a mut [u64],
        types: &'a ObjectTypes,
        stack_limit: usize,
    ) -> Marker<'a> {
        Marker {
            base,
            len,
            marks,
            types,
            stack: Vec::new(),
            stack_limit,
            postponed: Vec::new(),
            postponed_any: false,
            stacks: Vec::new(),
            granules: 0,
            objects: 0,
        }
    }

    /// Marks an object, which [`Marker::finish`] looks into, unless it is marked or none at all.
    #[inline]
    pub(crate) fn reach(&mut self, reference: u32) {
        if !reference.is_multiple_of(GRANULE) || reference == 0 || u64::from(reference) >= self.len
        {
            return;
        }
        let granule = reference / GRANULE;
        let (word, bit) = ((granule / 64) as usize, 1 << (granule % 64));
        if self.marks[word] & bit != 0 {
            return;
        }
        self.marks[word] |= bit;
        if self.stack.len() < self.stack_limit {
            self.stack.push(reference);
        } else {
            self.postpone(word, bit);
        }
    }

    #[cold]
    fn postpone(&mut self, word: usize, bit: u64) {
        if self.postponed.is_empty() {
            self.postponed = vec![0; self.marks.len()];
        }
        self.postponed[word] |= bit;
        self.postponed_any = true;
    }

    /// Marks all that can be reached from what was.
    pub(crate) fn finish(&mut self) {
        self.drain();
        while core::mem::take(&mut self.postponed_any) {
            for word in 0..self.postponed.len() {
                let mut bits = core::mem::take(&mut self.postponed[word]);
                while bits != 0 {
                    let granule = word as u32 * 64 + bits.trailing_zeros();
                    bits &= bits - 1;
                    self.stack.push(granule * GRANULE);
                    // Not before the whole word is on the stack: draining may postpone into it.
                }
                if !self.stack.is_empty() {
                    self.drain();
                }
            }
        }
    }

    fn drain(&mut self) {
        // A short queue before the stack: objects are fetched from memory while earlier ones are looked into.
        let mut ahead = [0_u32; AHEAD];
        let (mut first, mut n) = (0, 0);
        loop {
            while n < AHEAD
                && let Some(next) = self.stack.pop()
            {
                // SAFETY: G1, `reach` checked it.
                prefetch(unsafe { self.base.add(next as usize) });
                ahead[(first + n) % AHEAD] = next;
                n += 1;
            }
            if n == 0 {
                return;
            }
            let obj = ahead[first];
            first = (first + 1) % AHEAD;
            n -= 1;
            self.look_into(obj);
        }
    }

    #[inline]
    fn read(&self, at: u64) -> u32 {
        debug_assert!(at + 4 <= self.len);
        // SAFETY: G1, callers stay below the heap's end.
        u32::from_le(unsafe { self.base.add(at as usize).cast::<u32>().read_unaligned() })
    }

    /// Marks the rest of a marked object's granules, and what it refers to.
    fn look_into(&mut self, obj: u32) {
        let at = u64::from(obj);
        let (type_word, length) = (self.read(at), self.read(at + 4));
        let types = self.types;
        match types.get(type_word) {
            Some(ty) if ty.kind == Kind::Struct => {
                if !self.cover(obj, ty.bytes.into()) || !ty.traced {
                    return;
                }
                for offset in types.traced(ty) {
                    let reference = self.read(at + u64::from(*offset));
                    self.reach(reference);
                }
            }
            Some(ty) if ty.kind == Kind::Array => {
                let bytes = 8 + u64::from(length) * u64::from(ty.width.bytes());
                if !self.cover(obj, bytes) || !ty.traced {
                    return;
                }
                for i in 0..u64::from(length) {
                    let reference = self.read(at + 8 + i * 4);
                    self.reach(reference);
                }
            }
            _ if type_word == EXN_TYPE => {
                if !self.cover(obj, 16 + u64::from(length) * 8) {
                    return;
                }
                let Some(ty) = types.get(self.read(at + 12)) else {
                    return;
                };
                for slot in types.traced(ty) {
                    if ty.kind == Kind::Func && *slot < length {
                        let reference = self.read(at + 16 + u64::from(*slot) * 8);
                        self.reach(reference);
                    }
                }
            }
            _ if type_word == CONT_TYPE => {
                if !self.cover(obj, 16) {
                    return;
                }
                let (innermost, bound) = (self.read(at + 8), self.read(at + 12));
                if innermost != 0 && innermost & FRESH == 0 {
                    self.stacks.push(innermost);
                }
                self.reach(bound);
            }
            // A host value; or not what an object looks like.
            _ => {
                self.cover(obj, GRANULE.into());
            }
        }
    }

    /// Marks the granules of an object; false if it cannot be that long.
    #[inline]
    fn cover(&mut self, obj: u32, bytes: u64) -> bool {
        let whole = u64::from(obj) + bytes <= self.len;
        let bytes = bytes.min(self.len - u64::from(obj));
        let first = obj / GRANULE;
        let n = bytes.div_ceil(u64::from(GRANULE)) as u32;
        self.granules += u64::from(n);
        self.objects += 1;
        let (mut word, shift) = ((first / 64) as usize, first % 64);
        if shift + n <= 64 {
            self.marks[word] |= (u64::MAX >> (64 - n)) << shift;
            return whole;
        }
        self.marks[word] |= u64::MAX << shift;
        let mut left = n - (64 - shift);
        word += 1;
        while left >= 64 {
            self.marks[word] = u64::MAX;
            word += 1;
            left -= 64;
        }
        if left > 0 {
            self.marks[word] |= u64::MAX >> (64 - left);
        }
        whole
    }
}

/// Asks for the bytes at `p` soon. No more than a hint.
#[inline(always)]
fn prefetch(p: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: it reads nothing, whatever `p` is.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(p.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = p;
}
