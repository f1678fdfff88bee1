//! One case: a module, and what is done with it. All of it follows from the seed.

use anyhow::Result;
use arbitrary::Unstructured;
use wasm_smith::{Config, InstructionKind, InstructionKinds, Module};

use crate::edit::with_export;

/// The name under which the counter is exported that makes every module end.
pub const COUNTER: &str = "$counter";

pub use crate::random::Random;

/// A value, without the store that it lives in.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    /// The place among the exported functions, `usize::MAX` for a function that is not exported.
    Func(Option<usize>),
    Extern(Option<u32>),
}

/// The types of values.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Type {
    I32,
    I64,
    F32,
    F64,
    V128,
    Func,
    Extern,
}

impl Value {
    /// The value that hosts give: it depends on `n` alone.
    pub fn of(ty: Type, n: u64) -> Value {
        let mut random = Random(n);
        let small = random.below(4) != 0;
        let bits = match random.below(8) {
            0 => u64::from(random.next() as u32),
            1 => i64::MIN as u64,
            2 => u64::MAX,
            _ if small => random.below(70_000),
            _ => random.next(),
        };
        match ty {
            Type::I32 => Value::I32(if random.one_in(16) {
                i32::MIN
            } else {
                bits as i32
            }),
            Type::I64 => Value::I64(bits as i64),
            // No NaN with a payload: only the canonical one is the same everywhere.
            Type::F32 => Value::F32(match random.below(4) {
                0 => (bits as i32 as f32).to_bits(),
                1 => (bits as i64 as f32 / 3.0).to_bits(),
                2 => [
                    f32::INFINITY,
                    f32::NEG_INFINITY,
                    f32::NAN,
                    -0.0,
                    0.0,
                    f32::MIN_POSITIVE,
                    4_294_967_296.0,
                    -2_147_483_649.0,
                ][bits as usize % 8]
                    .to_bits(),
                _ => Some(f32::from_bits(bits as u32))
                    .filter(|f| !f.is_nan())
                    .unwrap_or(1.5)
                    .to_bits(),
            }),
            Type::F64 => Value::F64(match random.below(4) {
                0 => (bits as i32 as f64).to_bits(),
                1 => (bits as i64 as f64 / 3.0).to_bits(),
                2 => [
                    f64::INFINITY,
                    f64::NEG_INFINITY,
                    f64::NAN,
                    -0.0,
                    0.0,
                    9_223_372_036_854_775_808.0,
                    4_294_967_295.5,
                    -2_147_483_648.9,
                ][bits as usize % 8]
                    .to_bits(),
                _ => Some(f64::from_bits(bits))
                    .filter(|f| !f.is_nan())
                    .unwrap_or(2.5)
                    .to_bits(),
            }),
            // Lanes that are no NaN, whatever their width.
            Type::V128 => Value::V128(
                (0..4).fold(0, |v, _| v << 32 | u128::from(random.next() & 0x8fff_bfff)),
            ),
            Type::Func => Value::Func(None),
            Type::Extern => Value::Extern((bits % 3 != 0).then_some(bits as u32)),
        }
    }
}

/// What is seen of a run. Equal runs look equal.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The module is not accepted.
    Rejected,
    /// How the instantiation ended.
    Instance(Result<(), Failure>),
    /// How a call of an export ended.
    Call(String, Result<Vec<Value>, Failure>),
    /// The host function of an import was called.
    Host(usize, Vec<Value>),
    /// An exported global's value at the end.
    Global(String, Value),
    /// An exported memory's size and content (hashed) at the end.
    Memory(String, u64, u64),
    /// An exported table's content at the end.
    Table(String, Vec<Value>),
}

/// How a call or instantiation failed.
#[derive(Clone, PartialEq, Debug)]
pub enum Failure {
    /// By a trap, named as the specification names it.
    Trap(&'static str),
    /// By an error of the engine.
    Error,
}

/// A module, and the seed of what is done with it.
pub struct Case {
    pub wasm: Vec<u8>,
    pub seed: u64,
}

impl Case {
    /// The case of that seed; `None` if its bytes make no module.
    pub fn new(seed: u64) -> Option<Case> {
        let mut random = Random(seed);
        if random.one_in(2) {
            return Some(Case {
                wasm: crate::dense::module(&mut random),
                seed,
            });
        }
        let len = 256 << random.below(8);
        let bytes: Vec<u8> = (0..len / 8)
            .flat_map(|_| random.next().to_le_bytes())
            .collect();
        let config = config(&mut random);
        let mut module = Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
        let counter = module.ensure_termination(CALLS_AND_LOOPS).ok()?;
        let wasm = with_export(&module.to_bytes(), COUNTER, counter)?;
        Some(Case { wasm, seed })
    }
}

/// How many calls and turns of loops one call of an export may take.
pub const CALLS_AND_LOOPS: u32 = 1_000;

fn config(random: &mut Random) -> Config {
    use InstructionKind::{
        Aggregate, Control, Memory, MemoryInt, Numeric, NumericInt, Parametric, Reference, Table,
        Variable, Vector, VectorInt,
    };
    let kinds: &[InstructionKind] = match random.below(8) {
        0 => &[NumericInt, Variable, Control, Parametric],
        1 => &[NumericInt, Variable, Control, MemoryInt],
        2 => &[Numeric, Variable, Parametric],
        3 => &[
            VectorInt, NumericInt, Variable, Control, MemoryInt, Parametric,
        ],
        4 => &[Reference, Table, Control, Variable, NumericInt],
        _ => &[
            Numeric, Vector, Variable, Control, Parametric, Memory, Reference, Table, Aggregate,
        ],
    };
    let mut config = Config {
        allowed_instructions: InstructionKinds::new(kinds),
        canonicalize_nans: true,
        disallow_traps: random.below(3) != 0,
        export_everything: true,
        max_imports: random.below(6) as usize,
        min_funcs: 1 + random.below(6) as usize,
        max_funcs: 6 + random.below(20) as usize,
        min_globals: random.below(4) as usize,
        max_globals: 4 + random.below(20) as usize,
        min_types: 1,
        max_types: 1 + random.below(20) as usize,
        max_instructions: [30, 100, 300, 1000][random.below(4) as usize],
        max_nesting_depth: [3, 10, 40][random.below(3) as usize],
        max_memories: 1 + random.below(3) as usize,
        min_memories: random.below(2) as u32,
        max_memory32_bytes: 4 << 16,
        memory_max_size_required: true,
        max_tables: 1 + random.below(3) as usize,
        min_tables: random.below(2) as u32,
        max_table_elements: 100,
        table_max_size_required: true,
        max_data_segments: 8,
        max_element_segments: 8,
        max_elements: 20,
        max_type_size: 200,
        // Features of later versions.
        memory64_enabled: random.below(3) == 0,
        max_memory64_bytes: 4 << 16,
        custom_page_sizes_enabled: random.below(3) == 0,
        gc_enabled: false,
        exceptions_enabled: false,
        simd_enabled: random.below(2) == 0,
        // Here some are what the deterministic profile says, there what is fastest.
        relaxed_simd_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: random.below(3) == 0,
        compact_imports_enabled: false,
        max_tags: 0,
        tail_call_enabled: random.below(4) != 0,
        ..Config::default()
    };
    config.memory_offset_choices.0 = 97;
    config
}

/// A hash of a memory (FNV over words), the same for both engines.
pub fn hash(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(0xcbf2_9ce4_8422_2325, |h, c| {
        let word = c.iter().rev().fold(0_u64, |w, b| w << 8 | u64::from(*b));
        (h ^ word)
            .wrapping_mul(0x0000_0100_0000_01b3)
            .rotate_left(17)
    })
}
