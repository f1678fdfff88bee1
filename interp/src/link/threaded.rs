//! Linking for the threaded executor, which also decides which operands come from an accumulator: it follows which
//! slot was written last by each class of value (integers and references, f32, f64; v128 has none), and forgets at labels and at ops
//! that write other slots. Slots are always written, so nothing depends on this choice.

use sheave_isa::{ALL, LABEL, OP_COUNT, OPS, Op, Role, Ty};

use super::write_head;
use crate::executor::Executor;
use crate::executor::threaded::{FIRST, HANDLERS, Handler};

/// What linking needs to know of an op, from the table.
#[derive(Clone, Copy)]
struct LinkInfo {
    len: u8,
    label_at: u8,
    out_at: u8,
    out_class: u8,
    base_at: u8,
    keeps: bool,
    /// Unit and class of the operands that can come from an accumulator.
    reads: [(u8, u8); 3],
}

const NONE: u8 = u8::MAX;

const fn class(ty: Ty) -> u8 {
    match ty {
        Ty::F32 => 1,
        Ty::F64 => 2,
        Ty::V128 => NONE,
        _ => 0,
    }
}

const fn info(op: &sheave_isa::OpDef) -> LinkInfo {
    let mut i = LinkInfo {
        len: op.len_units,
        label_at: NONE,
        out_at: NONE,
        out_class: 0,
        base_at: NONE,
        keeps: op.keeps,
        reads: [(NONE, 0); 3],
    };
    let mut k = 0;
    let mut reads = 0;
    while k < op.operands.len() {
        let o = &op.operands[k].place;
        match o.role {
            Role::Label => i.label_at = o.at,
            Role::Out => (i.out_at, i.out_class) = (o.at, class(o.ty)),
            Role::Base => i.base_at = o.at,
            Role::In | Role::InOut
                if reads < 3
                    && !matches!(o.ty, Ty::V128)
                    && !matches!(op.kind, sheave_isa::Kind::Slow) =>
            {
                i.reads[reads] = (o.at, class(o.ty));
                reads += 1;
            }
            _ => {}
        }
        if matches!(o.role, Role::InOut) {
            (i.out_at, i.out_class) = (o.at, class(o.ty));
        }
        k += 1;
    }
    i
}

static INFO: [LinkInfo; OP_COUNT] = {
    let mut all = [info(&OPS[0]); OP_COUNT];
    let mut i = 0;
    while i < OP_COUNT {
        all[i] = info(&OPS[i]);
        i += 1;
    }
    all
};

/// Which slot each accumulator holds; [`EMPTY`] is none.
struct Accumulators([u32; 3]);

const EMPTY: u32 = u32::MAX;

impl Accumulators {
    /// The variant of the handler: 0, or 1 + the operand that is at hand.
    fn variant(&self, i: &LinkInfo, units: &[u16]) -> usize {
        for (k, (at, class)) in i.reads.iter().enumerate() {
            if *at == NONE {
                break;
            }
            if self.0[usize::from(*class)] == u32::from(units[usize::from(*at)]) {
                return k + 1;
            }
        }
        0
    }

    fn after(&mut self, i: &LinkInfo, units: &[u16]) {
        if !i.keeps {
            self.0 = [EMPTY; 3];
            if i.base_at != NONE {
                // Every way back from a call puts the first result slot into the integer accumulator.
                self.0[0] = units[usize::from(i.base_at)].into();
            }
        } else if i.out_at != NONE {
            let slot = u32::from(units[usize::from(i.out_at)]);
            // A vector goes to no accumulator, and covers two slots.
            let last = slot + u32::from(i.out_class == NONE);
            for a in &mut self.0 {
                if *a == slot || *a == last {
                    *a = EMPTY;
                }
            }
            if let Some(accumulator) = self.0.get_mut(usize::from(i.out_class)) {
                *accumulator = slot;
            }
        }
    }
}

/// The handler of an op, the best that this processor can run.
#[inline]
pub(super) fn handler(op: Op, variant: usize) -> Handler {
    #[cfg(all(target_arch = "x86_64", feature = "simd"))]
    if matches!(op, Op::I8x16Shuffle | Op::I8x16Swizzle)
        && std::is_x86_feature_detected!("ssse3")
        && let Some(handler) = crate::executor::threaded::ssse3_handler(op)
    {
        return handler;
    }
    HANDLERS[usize::from(FIRST[op as usize]) + variant]
}

/// Writes the linked form.
///
/// # Safety
/// - As [`write`](super::write).
pub(super) unsafe fn write(code: &[u16], positions: &[u32], out: *mut u8) {
    let mut accumulators = Accumulators([EMPTY; 3]);
    let (mut from, mut to) = (0, 0);
    while let Some(&unit) = code.get(from) {
        let number = usize::from(unit & !LABEL);
        let info = &INFO[number];
        let units = &code[from..from + usize::from(info.len)];
        if unit & LABEL != 0 {
            accumulators.0 = [EMPTY; 3];
        }
        let words = (units.len() + 2) / 4;
        // SAFETY: the caller's promise: the op and its operands, filled up to 8 bytes, lie inside `out`.
        unsafe {
            let at = out.add(to);
            let variant = accumulators.variant(info, units);
            write_head(Executor::Threaded, at, ALL[number], variant);
            let operands = at.add(8);
            copy_operands(&code[from + 1..], units.len() - 1, words, operands);
            if info.label_at != NONE {
                let at_unit = usize::from(info.label_at);
                let disp = u32::from(units[at_unit]) | u32::from(units[at_unit + 1]) << 16;
                let target = positions[(from as i64 + i64::from(disp as i32)) as usize];
                operands
                    .add(2 * (at_unit - 1))
                    .cast::<u32>()
                    .write_unaligned(target.wrapping_sub(to as u32));
            }
        }
        accumulators.after(info, units);
        from += units.len();
        to += 8 + words * 8;
    }
}

/// Copies the first `n` of `units`, in words of 8 bytes; what of them is too much comes into the padding, which nobody reads.
///
/// # Safety
/// - `n` are there, and there is room for the words at `to`, which is 8-aligned.
#[inline(always)]
unsafe fn copy_operands(units: &[u16], n: usize, words: usize, to: *mut u8) {
    // SAFETY: the caller's promise, and what is checked below. Volatile: LLVM would call `memcpy` for these few bytes.
    unsafe {
        if words * 4 > units.len() {
            for (k, unit) in units[..n].iter().enumerate() {
                to.cast::<u16>().add(k).write_volatile(*unit);
            }
            return;
        }
        let copy = |word: usize| {
            let from = units.as_ptr().add(word * 4).cast::<u64>();
            let to = to.cast::<u64>().add(word);
            to.write_volatile(from.read_unaligned());
        };
        // Mostly one word, or two.
        if words > 0 {
            copy(0);
            for word in 1..words {
                copy(word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_op_has_as_many_handlers_as_variants() {
        for (i, info) in INFO.iter().enumerate() {
            let variants = 1 + info.reads.iter().filter(|(at, _)| *at != NONE).count();
            let next = FIRST
                .get(i + 1)
                .map_or(HANDLERS.len(), |at| usize::from(*at));
            assert_eq!(next - usize::from(FIRST[i]), variants, "{}", OPS[i].name);
        }
    }
}
