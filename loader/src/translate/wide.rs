//! Wide arithmetic: operators on integers of 128 bits, which take two entries of the stack each.

use super::{Translator, Ty};
use sheave_isa::Op;

impl Translator<'_> {
    pub(super) fn visit_i64_add128(&mut self) {
        self.two_results::<4>(Op::I64Add128);
    }

    pub(super) fn visit_i64_sub128(&mut self) {
        self.two_results::<4>(Op::I64Sub128);
    }

    pub(super) fn visit_i64_mul_wide_s(&mut self) {
        self.two_results::<2>(Op::I64MulWideS);
    }

    pub(super) fn visit_i64_mul_wide_u(&mut self) {
        self.two_results::<2>(Op::I64MulWideU);
    }

    /// An op of the top `N` entries that gives two i64.
    fn two_results<const N: usize>(&mut self, op: Op) {
        if !self.reachable {
            return;
        }
        let mut units = [0; 7];
        units[0] = op as u16;
        for i in (0..N).rev() {
            let (entry, at) = self.pop();
            units[3 + i] = self.slot(entry, at);
        }
        units[1] = self.temp(self.height());
        units[2] = self.temp(self.height() + 1);
        self.put_slice(&mut units[..3 + N]);
        self.push_temp(Ty::I64);
        self.push_temp(Ty::I64);
    }
}
