//! Modules of the kind that compilers write, made so that what a translator joins stands close together: locals that are
//! read before and after they change, sums and shifts as addresses, comparisons before branches and selects, counted loops,
//! values that wait on the stack across blocks. wasm-smith writes such code rarely.

mod addresses;
mod statements;
mod values;

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, Ieee32,
    Ieee64, ImportSection, Instruction as I, MemorySection, MemoryType, Module, RefType,
    TableSection, TableType, TypeSection, ValType,
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
}
