//! Modules of the kind that compilers write, made so that what a translator joins stands close together: locals that are
//! read before and after they change, sums and shifts as addresses, comparisons before branches and selects, counted loops,
//! values that wait on the stack across blocks. wasm-smith writes such code rarely.

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, Ieee32,
    Ieee64, ImportSection, Instruction as I, MemArg, MemArgTarget, MemorySection, MemoryType,
    Module, RefType, TableSection, TableType, TypeSection, ValType,
};

use crate::case::{CALLS_AND_LOOPS, COUNTER, Random};

const TYPES: [ValType; 4] = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
const GLOBALS: u32 = 8;
const TABLE: u32 = 12;

#[derive(Clone)]
struct Signature {
    params: Vec<ValType>,
    results: Vec<ValType>,
}

/// What memories and the table are like.
#[derive(Clone, Copy)]
struct Shape {
    memories: u32,
    /// Whether they have 64-bit addresses.
    memory64: bool,
    /// Whether their pages have one byte.
    bytes: bool,
    table64: bool,
}

impl Shape {
    fn new(random: &mut Random) -> Shape {
        Shape {
            memories: 1 + random.below(2) as u32,
            memory64: random.below(3) == 0,
            bytes: random.below(6) == 0,
            table64: random.below(4) == 0,
        }
    }

    fn memory(self) -> MemoryType {
        let page = if self.bytes { 0x1_0000 } else { 1 };
        MemoryType {
            minimum: page,
            maximum: Some(3 * page),
            memory64: self.memory64,
            shared: false,
            page_size_log2: self.bytes.then_some(0),
        }
    }
}

/// Zero as an address or an index.
fn zero(wide: bool) -> ConstExpr {
    if wide {
        ConstExpr::i64_const(0)
    } else {
        ConstExpr::i32_const(0)
    }
}

struct Gen<'a> {
    random: &'a mut Random,
    signatures: &'a [Signature],
    /// Function by index: its signature. The first is imported.
    funcs: &'a [usize],
    me: usize,
    shape: Shape,
    code: Vec<I<'static>>,
    locals: Vec<ValType>,
    /// The labels around, and whether each takes no value.
    labels: Vec<bool>,
    loops: u32,
    budget: i32,
}

/// The module of that seed.
pub fn module(random: &mut Random) -> Vec<u8> {
    let some = |random: &mut Random, n: u64| {
        (0..random.below(n))
            .map(|_| pick(random, &TYPES))
            .collect::<Vec<_>>()
    };
    let mut signatures = vec![
        Signature {
            params: vec![ValType::I32],
            results: vec![ValType::I32],
        },
        Signature {
            params: vec![],
            results: vec![],
        },
    ];
    for _ in 0..5 {
        signatures.push(Signature {
            params: some(random, 5),
            results: some(random, 4),
        });
    }
    let n = 2 + random.below(6) as usize;
    let funcs: Vec<usize> = (0..=n)
        .map(|_| random.below(signatures.len() as u64) as usize)
        .collect();
    let shape = Shape::new(random);
    let mut types = TypeSection::new();
    for s in &signatures {
        types
            .ty()
            .function(s.params.iter().copied(), s.results.iter().copied());
    }
    let mut imports = ImportSection::new();
    imports.import("host", "f", EntityType::Function(funcs[0] as u32));
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    for (i, f) in funcs.iter().enumerate().skip(1) {
        functions.function(*f as u32);
        exports.export(&format!("f{i}"), ExportKind::Func, i as u32);
    }
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: shape.table64,
        minimum: TABLE.into(),
        maximum: Some(16),
        shared: false,
    });
    exports.export("t", ExportKind::Table, 0);
    let mut mems = MemorySection::new();
    for m in 0..shape.memories {
        mems.memory(shape.memory());
        exports.export(&format!("m{m}"), ExportKind::Memory, m);
    }
    let mut globals = GlobalSection::new();
    for i in 0..GLOBALS {
        let (val_type, init) = match i % 4 {
            0 => (
                ValType::I32,
                ConstExpr::i32_const(random.next() as i32 >> random.below(32)),
            ),
            1 => (
                ValType::I64,
                ConstExpr::i64_const(random.next() as i64 >> random.below(64)),
            ),
            2 => (ValType::F32, ConstExpr::f32_const(1.5.into())),
            _ => (ValType::F64, ConstExpr::f64_const((-2.25).into())),
        };
        globals.global(
            GlobalType {
                val_type,
                mutable: true,
                shared: false,
            },
            &init,
        );
        exports.export(&format!("g{i}"), ExportKind::Global, i);
    }
    globals.global(
        GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        },
        &ConstExpr::i32_const(CALLS_AND_LOOPS as i32),
    );
    exports.export(COUNTER, ExportKind::Global, GLOBALS);
    let mut elements = ElementSection::new();
    let list: Vec<u32> = (0..TABLE - 2)
        .map(|_| random.below(n as u64 + 1) as u32)
        .collect();
    elements.active(None, &zero(shape.table64), Elements::Functions(list.into()));
    let mut codes = CodeSection::new();
    for me in 1..=n {
        codes.function(&function(random, &signatures, &funcs, me, shape));
    }
    let mut data = DataSection::new();
    data.active(
        0,
        &zero(shape.memory64),
        (0..200).map(|_| random.next() as u8).collect::<Vec<_>>(),
    );
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&tables)
        .section(&mems)
        .section(&globals);
    module
        .section(&exports)
        .section(&elements)
        .section(&codes)
        .section(&data);
    module.finish()
}

fn pick<T: Clone>(random: &mut Random, all: &[T]) -> T {
    all[random.below(all.len() as u64) as usize].clone()
}

/// Locals that only the generator's own code writes: the counters of loops, and one of each float type for canonical NaNs.
const COUNTERS: usize = 4;

fn function(
    random: &mut Random,
    signatures: &[Signature],
    funcs: &[usize],
    me: usize,
    shape: Shape,
) -> Function {
    let signature = &signatures[funcs[me]];
    let mut declared: Vec<ValType> = (0..1 + random.below(7))
        .map(|_| pick(random, &TYPES))
        .collect();
    declared.extend([ValType::I32; COUNTERS]);
    declared.extend([ValType::F32, ValType::F64]);
    let mut locals = signature.params.clone();
    locals.extend(&declared);
    let budget = [15, 40, 120, 300][random.below(4) as usize];
    let mut g = Gen {
        random,
        signatures,
        funcs,
        me,
        shape,
        code: Vec::new(),
        locals,
        labels: Vec::new(),
        loops: 0,
        budget,
    };
    g.tick();
    for _ in 0..1 + g.random.below(8) {
        g.statement(0);
    }
    g.results(&signature.results);
    let mut f = Function::new(declared.into_iter().map(|t| (1, t)));
    for i in &g.code {
        f.instruction(i);
    }
    f.instruction(&I::End);
    f
}

impl Gen<'_> {
    fn below(&mut self, n: u64) -> u64 {
        self.random.below(n)
    }

    fn put(&mut self, i: I<'static>) {
        self.code.push(i);
    }

    fn puts(&mut self, all: impl IntoIterator<Item = I<'static>>) {
        self.code.extend(all);
    }

    /// Ends the run when there were too many calls and turns.
    fn tick(&mut self) {
        let c = GLOBALS;
        self.puts([
            I::GlobalGet(c),
            I::I32Eqz,
            I::If(BlockType::Empty),
            I::Unreachable,
            I::End,
        ]);
        self.puts([I::GlobalGet(c), I::I32Const(1), I::I32Sub, I::GlobalSet(c)]);
    }

    fn own(&self, ty: ValType) -> u32 {
        let n = self.locals.len() as u32;
        if ty == ValType::F32 { n - 2 } else { n - 1 }
    }

    fn counter(&self, i: u32) -> u32 {
        (self.locals.len() - 2 - COUNTERS) as u32 + i
    }

    /// A local of that type; counters may be read.
    fn local(&mut self, ty: ValType, write: bool) -> Option<u32> {
        let end = self.locals.len() - 2 - if write { COUNTERS } else { 0 };
        let all: Vec<u32> = (0..end as u32)
            .filter(|i| self.locals[*i as usize] == ty)
            .collect();
        if all.is_empty() {
            None
        } else {
            Some(pick(self.random, &all))
        }
    }

    fn results(&mut self, types: &[ValType]) {
        for ty in types {
            self.seen(*ty, 2);
        }
    }

    /// A value whose bits are seen: no NaN but the canonical one.
    fn seen(&mut self, ty: ValType, depth: u32) {
        self.value(ty, depth);
        let own = self.own(ty);
        match ty {
            ValType::F32 => self.puts([
                I::LocalTee(own),
                I::F32Const(Ieee32::from(f32::NAN)),
                I::LocalGet(own),
                I::LocalGet(own),
                I::F32Eq,
                I::Select,
            ]),
            ValType::F64 => self.puts([
                I::LocalTee(own),
                I::F64Const(Ieee64::from(f64::NAN)),
                I::LocalGet(own),
                I::LocalGet(own),
                I::F64Eq,
                I::Select,
            ]),
            _ => {}
        }
    }

    fn constant(&mut self, ty: ValType) {
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

    /// An address, mostly inside.
    fn address(&mut self, depth: u32) {
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
    fn wide_address(&mut self, depth: u32) {
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
    fn count(&mut self, n: i32) {
        self.put(if self.shape.memory64 {
            I::I64Const(n.into())
        } else {
            I::I32Const(n)
        });
    }

    fn arg(&mut self) -> MemArg {
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

    fn condition(&mut self, depth: u32) {
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

    fn leaf(&mut self, ty: ValType) {
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

    fn value(&mut self, ty: ValType, depth: u32) {
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
    fn call(&mut self, want: Option<ValType>, depth: u32) {
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

    fn unary(&mut self, ty: ValType, depth: u32) {
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
    fn wide_arithmetic(&mut self, depth: u32) {
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

    fn binary(&mut self, ty: ValType, depth: u32) {
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

    /// A label around that takes no value.
    fn label(&mut self) -> Option<u32> {
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

    fn block(&mut self, i: I<'static>, depth: u32) {
        self.put(i);
        self.labels.push(true);
        for _ in 0..1 + self.below(3) {
            self.statement(depth + 1);
        }
        self.labels.pop();
    }

    fn statement(&mut self, depth: u32) {
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
