//! Statements: stores, branches, loops, what is dropped.

use wasm_encoder::{BlockType, Instruction as I, ValType};

use super::*;

impl Gen<'_> {
    /// A label around that takes no value.
    pub(super) fn label(&mut self) -> Option<u32> {
        let all: Vec<u32> = self
            .labels
            .iter()
            .rev()
            .enumerate()
            .filter(|(_, plain)| **plain)
            .map(|(i, _)| i as u32)
            .collect();
        if all.is_empty() {
            None
        } else {
            Some(pick(self.random, &all))
        }
    }

    pub(super) fn block(&mut self, i: I<'static>, depth: u32) {
        self.put(i);
        self.labels.push(true);
        for _ in 0..1 + self.below(3) {
            self.statement(depth + 1);
        }
        self.labels.pop();
    }

    pub(super) fn statement(&mut self, depth: u32) {
        self.budget -= 1;
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
        let flat = depth > 4 || self.budget < 0;
        match self.below(24) {
            0..=5 => {
                let Some(l) = self.local(ty, true) else {
                    return;
                };
                self.value(ty, depth);
                self.put(I::LocalSet(l));
            }
            6..=8 => {
                self.address(depth + 1);
                self.seen(ty, depth + 1);
                let a = self.arg();
                let op = self.below(4) as usize;
                self.put(match ty {
                    ValType::I32 => [
                        I::I32Store(a),
                        I::I32Store8(a),
                        I::I32Store16(a),
                        I::I32Store(a),
                    ][op]
                        .clone(),
                    ValType::I64 => [
                        I::I64Store(a),
                        I::I64Store8(a),
                        I::I64Store16(a),
                        I::I64Store32(a),
                    ][op]
                        .clone(),
                    ValType::F32 => I::F32Store(a),
                    _ => I::F64Store(a),
                });
            }
            9 | 10 => {
                let place = TYPES.iter().position(|t| *t == ty).unwrap_or(0) as u32
                    + 4 * self.below(2) as u32;
                self.seen(ty, depth + 1);
                self.put(I::GlobalSet(place));
            }
            11 | 12 if !flat => {
                self.condition(depth);
                self.block(I::If(BlockType::Empty), depth);
                if self.below(2) == 0 {
                    self.block(I::Else, depth);
                }
                self.put(I::End);
            }
            13 | 14 if !flat => {
                self.block(I::Block(BlockType::Empty), depth);
                self.put(I::End);
            }
            15..=17 if !flat && self.loops < COUNTERS as u32 => {
                let c = self.counter(self.loops);
                let turns = 1 + self.below(6) as i32;
                self.loops += 1;
                let up = self.below(2) == 0;
                self.puts([
                    I::I32Const(if up { 0 } else { turns }),
                    I::LocalSet(c),
                    I::Loop(BlockType::Empty),
                ]);
                self.tick();
                self.labels.push(false);
                for _ in 0..1 + self.below(4) {
                    self.statement(depth + 1);
                }
                self.labels.pop();
                self.puts([
                    I::LocalGet(c),
                    I::I32Const(if up { 1 } else { -1 }),
                    I::I32Add,
                ]);
                match (up, self.below(2)) {
                    (true, 0) => self.puts([I::LocalTee(c), I::I32Const(turns), I::I32LtS]),
                    (true, _) => {
                        self.puts([I::LocalSet(c), I::LocalGet(c), I::I32Const(turns), I::I32Ne])
                    }
                    (false, 0) => self.puts([I::LocalTee(c)]),
                    (false, _) => {
                        self.puts([I::LocalSet(c), I::LocalGet(c), I::I32Const(0), I::I32GtS])
                    }
                }
                self.puts([I::BrIf(0), I::End]);
                self.loops -= 1;
            }
            18 | 19 => {
                let Some(l) = self.label() else { return };
                self.condition(depth);
                self.put(I::BrIf(l));
            }
            20 if !flat => {
                // A switch: blocks in each other, left by a table.
                let n = 1 + self.below(4) as u32;
                for _ in 0..=n {
                    self.put(I::Block(BlockType::Empty));
                    self.labels.push(true);
                }
                self.value(ValType::I32, depth + 1);
                if self.below(2) == 0 {
                    self.puts([I::I32Const(7), I::I32And]);
                }
                let targets: Vec<u32> = (0..self.below(6))
                    .map(|_| self.random.below(u64::from(n) + 1) as u32)
                    .collect();
                let other = self.below(u64::from(n) + 1) as u32;
                self.put(I::BrTable(targets.into(), other));
                for _ in 0..=n {
                    self.labels.pop();
                    self.put(I::End);
                    self.statement(depth + 1);
                }
            }
            21 => self.call(None, depth),
            22 if depth > 0 && self.below(4) == 0 => {
                // Leaves the function early, or for another.
                let mine = self.signatures[self.funcs[self.me]].clone();
                self.condition(depth + 1);
                self.put(I::If(BlockType::Empty));
                self.labels.push(false);
                let others: Vec<usize> = (0..self.funcs.len())
                    .filter(|f| *f == 0 || *f >= self.me)
                    .filter(|f| self.signatures[self.funcs[*f]].results == mine.results)
                    .collect();
                if !others.is_empty() && self.below(2) == 0 {
                    let f = pick(self.random, &others);
                    for p in self.signatures[self.funcs[f]].params.clone() {
                        self.seen(p, depth + 2);
                    }
                    self.put(I::ReturnCall(f as u32));
                } else {
                    self.results(&mine.results);
                    self.put(I::Return);
                }
                self.labels.pop();
                self.put(I::End);
            }
            23 if self.below(3) == 0 => {
                let m = self.below(self.shape.memories.into()) as u32;
                self.address(depth + 1);
                self.value(ValType::I32, depth + 2);
                self.puts([I::I32Const(0xff), I::I32And]);
                if self.below(2) == 0 {
                    self.count(33);
                    self.put(I::MemoryFill(m));
                } else {
                    if self.shape.memory64 {
                        self.put(I::I64ExtendI32U);
                    }
                    self.count(60);
                    self.put(I::MemoryCopy {
                        src_mem: 0,
                        dst_mem: m,
                    });
                }
            }
            _ => {
                self.value(ty, depth);
                self.put(I::Drop);
            }
        }
    }
}
