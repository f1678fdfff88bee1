//! Values: constants, operators, conditions, calls.

use wasm_encoder::{BlockType, Ieee32, Ieee64, Instruction as I, ValType};

use super::*;

impl Gen<'_> {
    pub(super) fn constant(&mut self, ty: ValType) {
        let small = self.below(64) as i64 - 8;
        let wide = self.random.next() as i64 >> self.below(64);
        let v = match self.below(6) {
            0 => wide,
            1 => pick(
                self.random,
                &[
                    0x7fff,
                    0x8000,
                    -0x8000,
                    -0x8001,
                    0xffff,
                    0x1_0000,
                    i32::MIN.into(),
                    i32::MAX.into(),
                    i64::MIN,
                    i64::MAX,
                    255,
                    65_528,
                    1 << 31,
                ],
            ),
            _ => small,
        };
        self.put(match ty {
            ValType::I32 => I::I32Const(v as i32),
            ValType::I64 => I::I64Const(v),
            ValType::F32 => I::F32Const(Ieee32::from(v as f32 * 0.5)),
            _ => I::F64Const(Ieee64::from(v as f64 * 0.5)),
        });
    }

    pub(super) fn condition(&mut self, depth: u32) {
        let ty = pick(
            self.random,
            &[
                ValType::I32,
                ValType::I32,
                ValType::I32,
                ValType::I64,
                ValType::I64,
                ValType::F32,
                ValType::F64,
            ],
        );
        match self.below(10) {
            0 => self.value(ValType::I32, depth + 1),
            1 => {
                self.condition(depth + 1);
                self.put(I::I32Eqz);
            }
            2 => {
                let int = if ty == ValType::I64 {
                    ValType::I64
                } else {
                    ValType::I32
                };
                self.value(int, depth + 1);
                self.value(int, depth + 2);
                self.puts(if int == ValType::I64 {
                    [I::I64And, I::I64Eqz]
                } else {
                    [I::I32And, I::I32Eqz]
                });
            }
            _ => {
                self.value(ty, depth + 1);
                self.value(ty, depth + 1);
                let op = self.below(10) as usize;
                self.put(match ty {
                    ValType::I32 => [
                        I::I32Eq,
                        I::I32Ne,
                        I::I32LtS,
                        I::I32LtU,
                        I::I32GtS,
                        I::I32GtU,
                        I::I32LeS,
                        I::I32LeU,
                        I::I32GeS,
                        I::I32GeU,
                    ][op]
                        .clone(),
                    ValType::I64 => [
                        I::I64Eq,
                        I::I64Ne,
                        I::I64LtS,
                        I::I64LtU,
                        I::I64GtS,
                        I::I64GtU,
                        I::I64LeS,
                        I::I64LeU,
                        I::I64GeS,
                        I::I64GeU,
                    ][op]
                        .clone(),
                    ValType::F32 => {
                        [I::F32Eq, I::F32Ne, I::F32Lt, I::F32Gt, I::F32Le, I::F32Ge][op % 6].clone()
                    }
                    _ => {
                        [I::F64Eq, I::F64Ne, I::F64Lt, I::F64Gt, I::F64Le, I::F64Ge][op % 6].clone()
                    }
                });
            }
        }
    }

    pub(super) fn leaf(&mut self, ty: ValType) {
        match self.below(8) {
            0 | 1 => self.constant(ty),
            2 => {
                let place = TYPES.iter().position(|t| *t == ty).unwrap_or(0) as u32;
                let again = 4 * self.below(2) as u32;
                self.put(I::GlobalGet(place + again));
            }
            _ => match self.local(ty, false) {
                Some(l) => self.put(I::LocalGet(l)),
                None => self.constant(ty),
            },
        }
    }

    pub(super) fn value(&mut self, ty: ValType, depth: u32) {
        self.budget -= 1;
        if depth > 5 || self.budget < 0 {
            return self.leaf(ty);
        }
        match self.below(24) {
            0..=3 => self.leaf(ty),
            4 | 5 => {
                self.value(ty, depth + 1);
                if let Some(l) = self.local(ty, true) {
                    self.put(I::LocalTee(l));
                }
            }
            6 | 7 => self.unary(ty, depth),
            8 | 9 => {
                self.address(depth);
                let a = self.arg();
                let op = self.below(7) as usize;
                self.put(match ty {
                    ValType::I32 => [
                        I::I32Load(a),
                        I::I32Load(a),
                        I::I32Load8U(a),
                        I::I32Load8S(a),
                        I::I32Load16U(a),
                        I::I32Load16S(a),
                        I::I32Load(a),
                    ][op]
                        .clone(),
                    ValType::I64 => [
                        I::I64Load(a),
                        I::I64Load8U(a),
                        I::I64Load8S(a),
                        I::I64Load16U(a),
                        I::I64Load16S(a),
                        I::I64Load32S(a),
                        I::I64Load32U(a),
                    ][op]
                        .clone(),
                    ValType::F32 => I::F32Load(a),
                    _ => I::F64Load(a),
                });
            }
            10 | 11 => {
                self.value(ty, depth + 1);
                self.value(ty, depth + 1);
                self.condition(depth + 1);
                self.put(I::Select);
            }
            12 if ty == ValType::I32 => self.condition(depth),
            13 => {
                self.put(I::Block(BlockType::Result(ty)));
                self.labels.push(false);
                for _ in 0..self.below(3) {
                    self.statement(depth + 1);
                }
                self.value(ty, depth + 1);
                if self.below(2) == 0 {
                    self.condition(depth + 1);
                    self.put(I::BrIf(0));
                    if let Some(l) = self.local(ty, true) {
                        self.puts([I::LocalSet(l)]);
                        self.value(ty, depth + 1);
                    }
                }
                self.labels.pop();
                self.put(I::End);
            }
            14 => {
                self.condition(depth + 1);
                self.put(I::If(BlockType::Result(ty)));
                self.labels.push(false);
                self.value(ty, depth + 1);
                self.put(I::Else);
                for _ in 0..self.below(2) {
                    self.statement(depth + 1);
                }
                self.value(ty, depth + 1);
                self.labels.pop();
                self.put(I::End);
            }
            15 if depth < 4 => self.call(Some(ty), depth),
            _ => self.binary(ty, depth),
        }
    }

    /// A call of the host or of a function that comes later; all results but one of that type are dropped.
    pub(super) fn call(&mut self, want: Option<ValType>, depth: u32) {
        let all: Vec<usize> = (0..self.funcs.len())
            .filter(|f| *f == 0 || *f > self.me)
            .filter(|f| {
                want.is_none_or(|w| self.signatures[self.funcs[*f]].results.first() == Some(&w))
            })
            .collect();
        let indirect = self.below(4) == 0;
        let Some(f) = (!all.is_empty()).then(|| pick(self.random, &all)) else {
            if let Some(ty) = want {
                self.leaf(ty);
            }
            return;
        };
        let s = self.signatures[self.funcs[f]].clone();
        for p in &s.params {
            self.seen(*p, depth + 1);
        }
        if indirect {
            let wide = self.shape.table64;
            match self.below(3) {
                0 if wide => self.value(ValType::I64, depth + 1),
                0 => self.value(ValType::I32, depth + 1),
                _ => {
                    let at = self.below(TABLE.into());
                    self.put(if wide {
                        I::I64Const(at as i64)
                    } else {
                        I::I32Const(at as i32)
                    });
                }
            }
            self.put(I::CallIndirect {
                type_index: self.funcs[f] as u32,
                table_index: 0,
            });
        } else {
            self.put(I::Call(f as u32));
        }
        for (i, ty) in s.results.iter().enumerate().rev() {
            if i > 0 || want.is_none() {
                match self.local(*ty, true) {
                    Some(l) if self.below(2) == 0 => self.put(I::LocalSet(l)),
                    _ => self.put(I::Drop),
                }
            }
        }
    }

    pub(super) fn unary(&mut self, ty: ValType, depth: u32) {
        let op = self.below(12) as usize;
        let from = |me: &mut Self, ty: ValType| me.value(ty, depth + 1);
        let i = match ty {
            ValType::I32 => match op {
                0 => (ValType::I64, I::I32WrapI64),
                1 => (ValType::I64, I::I64Eqz),
                2 => (ValType::F64, I::I32TruncSatF64S),
                3 => (ValType::F32, I::I32TruncSatF32U),
                4 => (ValType::I32, I::I32Clz),
                5 => (ValType::I32, I::I32Ctz),
                6 => (ValType::I32, I::I32Extend8S),
                7 => (ValType::I32, I::I32Extend16S),
                8 => (ValType::I32, I::I32Popcnt),
                _ => (ValType::I32, I::I32Eqz),
            },
            ValType::I64 => match op {
                0..=2 => (ValType::I32, I::I64ExtendI32U),
                3..=5 => (ValType::I32, I::I64ExtendI32S),
                6 => (ValType::I64, I::I64Extend8S),
                7 => (ValType::I64, I::I64Extend32S),
                8 => (ValType::I64, I::I64Popcnt),
                9 => (ValType::F64, I::I64TruncSatF64U),
                10 => (ValType::I64, I::I64Clz),
                _ => (ValType::I64, I::I64Ctz),
            },
            ValType::F32 => match op {
                0 => (ValType::I32, I::F32ConvertI32S),
                1 => (ValType::I64, I::F32ConvertI64U),
                2 => (ValType::F64, I::F32DemoteF64),
                3 => (ValType::I32, I::F32ConvertI32U),
                4 => (ValType::F32, I::F32Sqrt),
                5 => (ValType::F32, I::F32Floor),
                6 => (ValType::F32, I::F32Nearest),
                7 => (ValType::F32, I::F32Trunc),
                8 | 9 => (ValType::F32, I::F32Abs),
                _ => (ValType::F32, I::F32Neg),
            },
            _ => match op {
                0 => (ValType::I32, I::F64ConvertI32S),
                1 => (ValType::I64, I::F64ConvertI64S),
                2 => (ValType::F32, I::F64PromoteF32),
                3 => (ValType::I32, I::F64ConvertI32U),
                4 => (ValType::F64, I::F64Sqrt),
                5 => (ValType::F64, I::F64Ceil),
                6 => (ValType::I64, I::F64ConvertI64U),
                7 => (ValType::F64, I::F64Nearest),
                8 | 9 => (ValType::F64, I::F64Abs),
                _ => (ValType::F64, I::F64Neg),
            },
        };
        from(self, i.0);
        self.put(i.1);
    }

    /// An i64 of 128-bit arithmetic.
    pub(super) fn wide_arithmetic(&mut self, depth: u32) {
        let op = pick(
            self.random,
            &[I::I64Add128, I::I64Sub128, I::I64MulWideS, I::I64MulWideU],
        );
        let n = if matches!(op, I::I64Add128 | I::I64Sub128) {
            4
        } else {
            2
        };
        for _ in 0..n {
            if self.below(4) == 0 {
                self.constant(ValType::I64);
            } else {
                self.value(ValType::I64, depth + 1);
            }
        }
        self.put(op);
        let low = self.local(ValType::I64, true);
        match (self.below(3), low) {
            (0, _) => self.put(I::Drop),
            (1, Some(local)) => self.puts([I::LocalSet(local), I::LocalGet(local), I::I64Sub]),
            _ => self.put(I::I64Xor),
        }
    }

    pub(super) fn binary(&mut self, ty: ValType, depth: u32) {
        if ty == ValType::I64 && self.below(10) == 0 {
            return self.wide_arithmetic(depth);
        }
        self.value(ty, depth + 1);
        // A constant on the right is what compilers write.
        if self.below(3) == 0 {
            self.constant(ty);
        } else {
            self.value(ty, depth + 1);
        }
        let op = self.below(24) as usize;
        self.put(match ty {
            ValType::I32 => match op {
                0..=5 => I::I32Add,
                6..=8 => I::I32Sub,
                9 | 10 => I::I32Mul,
                11 | 12 => I::I32And,
                13 => I::I32Or,
                14 | 15 => I::I32Xor,
                16 | 17 => I::I32Shl,
                18 => I::I32ShrS,
                19 => I::I32ShrU,
                20 => I::I32Rotl,
                21 => I::I32Rotr,
                22 => I::I32DivU,
                _ => I::I32RemS,
            },
            ValType::I64 => match op {
                0..=5 => I::I64Add,
                6..=8 => I::I64Sub,
                9 | 10 => I::I64Mul,
                11 | 12 => I::I64And,
                13 => I::I64Or,
                14 | 15 => I::I64Xor,
                16 | 17 => I::I64Shl,
                18 => I::I64ShrS,
                19 => I::I64ShrU,
                20 => I::I64Rotl,
                21 => I::I64Rotr,
                22 => I::I64DivS,
                _ => I::I64RemU,
            },
            ValType::F32 => [
                I::F32Add,
                I::F32Sub,
                I::F32Mul,
                I::F32Div,
                I::F32Min,
                I::F32Max,
                I::F32Add,
                I::F32Mul,
            ][op % 8]
                .clone(),
            _ => [
                I::F64Add,
                I::F64Sub,
                I::F64Mul,
                I::F64Div,
                I::F64Min,
                I::F64Max,
                I::F64Add,
                I::F64Mul,
            ][op % 8]
                .clone(),
        });
    }
}
