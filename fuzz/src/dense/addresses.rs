//! Addresses and lengths, near the ends of memories and joined from what a translator joins.

use wasm_encoder::{Instruction as I, MemArg, MemArgTarget, ValType};

use super::*;

impl Gen<'_> {
    /// An address, mostly inside.
    pub(super) fn address(&mut self, depth: u32) {
        if self.shape.memory64 {
            return self.wide_address(depth);
        }
        match self.below(8) {
            0 => {
                let at = self.below(0x1_0000) as i32;
                self.put(I::I32Const(at));
            }
            1 => self.value(ValType::I32, depth + 2),
            2 | 3 => {
                // base + (index << k)
                self.value(ValType::I32, depth + 1);
                self.puts([I::I32Const(0xff), I::I32And]);
                self.value(ValType::I32, depth + 1);
                let k = self.below(4) as i32;
                self.puts([
                    I::I32Const(0x3f),
                    I::I32And,
                    I::I32Const(k),
                    I::I32Shl,
                    I::I32Add,
                ]);
            }
            4 | 5 => {
                self.value(ValType::I32, depth + 1);
                let mask = pick(self.random, &[0xff, 0x3f8, 0xfffc]);
                let add = self.below(300) as i32;
                self.puts([I::I32Const(mask), I::I32And, I::I32Const(add), I::I32Add]);
            }
            _ => {
                self.value(ValType::I32, depth + 1);
                self.puts([I::I32Const(0x1fff), I::I32And]);
            }
        }
    }

    /// An address of 64 bits, mostly inside.
    pub(super) fn wide_address(&mut self, depth: u32) {
        match self.below(8) {
            0 => {
                let at = self.below(0x1_0000) as i64;
                self.put(I::I64Const(at));
            }
            1 => self.value(ValType::I64, depth + 2),
            2 | 3 => {
                // base + (index << k)
                self.value(ValType::I64, depth + 1);
                self.puts([I::I64Const(0xff), I::I64And]);
                if self.below(2) == 0 {
                    self.value(ValType::I32, depth + 1);
                    let signed = self.below(2) == 0;
                    self.puts([I::I32Const(0x3f), I::I32And]);
                    self.put(if signed {
                        I::I64ExtendI32S
                    } else {
                        I::I64ExtendI32U
                    });
                } else {
                    self.value(ValType::I64, depth + 1);
                    self.puts([I::I64Const(0x3f), I::I64And]);
                }
                let k = self.below(4) as i64;
                self.puts([I::I64Const(k), I::I64Shl, I::I64Add]);
            }
            4 | 5 => {
                self.value(ValType::I64, depth + 1);
                let mask = pick(self.random, &[0xff, 0x3f8, 0xfffc]);
                let add = self.below(300) as i64 - 20;
                self.puts([I::I64Const(mask), I::I64And, I::I64Const(add), I::I64Add]);
            }
            6 => {
                self.value(ValType::I32, depth + 1);
                self.puts([I::I32Const(0x1fff), I::I32And, I::I64ExtendI32U]);
            }
            _ => {
                self.value(ValType::I64, depth + 1);
                self.puts([I::I64Const(0x1fff), I::I64And]);
            }
        }
    }

    /// A number of bytes, or another that memories count.
    pub(super) fn count(&mut self, n: i32) {
        self.put(if self.shape.memory64 {
            I::I64Const(n.into())
        } else {
            I::I32Const(n)
        });
    }

    pub(super) fn arg(&mut self) -> MemArg {
        let offset = pick(
            self.random,
            &[
                0,
                0,
                4,
                8,
                40,
                0x7fff,
                0x8001,
                0xfff8,
                0x1_0000,
                0xffff_fff0,
            ],
        );
        let offset = if self.shape.memory64 && self.below(40) == 0 {
            pick(
                self.random,
                &[1 << 32, u64::MAX, u64::MAX - 0xffff, 1 << 63],
            )
        } else if self.below(4) == 0 {
            offset
        } else {
            self.below(32)
        };
        let memory = if self.below(6) == 0 {
            self.shape.memories - 1
        } else {
            0
        };
        MemArg {
            offset,
            align: 0,
            target: MemArgTarget::Memory(memory),
            ordering: None,
        }
    }
}
