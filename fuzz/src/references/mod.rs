//! Modules of wasm-smith with objects, typed references and exceptions, under sheave with and without a collection at every
//! allocation, and, with the feature `wasmtime`, under that: wasmi has none of these.

mod engine;

use anyhow::Result;
use arbitrary::Unstructured;
use sheave::{Backend, Config, Engine, Executor, Module};
use wasm_smith::{InstructionKind, InstructionKinds};

use crate::case::{CALLS_AND_LOOPS, COUNTER, Case, Random};
use crate::check::Verdict;
use crate::edit::{with_export, with_short_arrays};
use engine::{Event, Failure};

/// The case of that seed; `None` if its bytes make no module.
pub fn case(seed: u64) -> Option<Case> {
    let mut random = Random(seed);
    let len = 256 << random.below(8);
    let bytes: Vec<u8> = (0..len / 8)
        .flat_map(|_| random.next().to_le_bytes())
        .collect();
    let config = config(&mut random);
    let mut module = wasm_smith::Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
    let counter = module.ensure_termination(CALLS_AND_LOOPS).ok()?;
    let wasm = with_export(&module.to_bytes(), COUNTER, counter)?;
    let wasm = with_short_arrays(&wasm).ok()?;
    Some(Case { wasm, seed })
}

fn config(random: &mut Random) -> wasm_smith::Config {
    use InstructionKind::{
        Aggregate, Control, Memory, NumericInt, Parametric, Reference, Table, Variable, VectorInt,
    };
    let kinds: &[InstructionKind] = match random.below(3) {
        0 => &[Aggregate, Reference, Control, Variable, Parametric],
        1 => &[
            Aggregate, Reference, Control, Variable, Parametric, NumericInt, Table,
        ],
        _ => &[
            Aggregate, Reference, Control, Variable, Parametric, NumericInt, Table, Memory,
            VectorInt,
        ],
    };
    wasm_smith::Config {
        allowed_instructions: InstructionKinds::new(kinds),
        canonicalize_nans: true,
        disallow_traps: random.below(3) != 0,
        export_everything: true,
        max_imports: 0,
        min_funcs: 1 + random.below(6) as usize,
        max_funcs: 6 + random.below(20) as usize,
        min_globals: random.below(4) as usize,
        max_globals: 4 + random.below(20) as usize,
        min_types: 1 + random.below(10) as usize,
        max_types: 11 + random.below(40) as usize,
        min_tags: random.below(3) as usize,
        max_tags: 2 + random.below(6) as usize,
        max_instructions: [30, 100, 300, 1000][random.below(4) as usize],
        max_nesting_depth: [3, 10, 40][random.below(3) as usize],
        max_memories: 1,
        max_memory32_bytes: 4 << 16,
        max_memory64_bytes: 4 << 16,
        memory_max_size_required: true,
        max_tables: 1 + random.below(3) as usize,
        max_table_elements: 100,
        table_max_size_required: true,
        max_data_segments: 8,
        max_element_segments: 8,
        max_elements: 20,
        max_type_size: 500,
        limit_arrays_in_const_exprs: true,
        gc_enabled: true,
        exceptions_enabled: true,
        reference_types_enabled: true,
        tail_call_enabled: random.below(2) == 0,
        // The other peer compares these.
        memory64_enabled: false,
        custom_page_sizes_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        compact_imports_enabled: false,
        ..wasm_smith::Config::default()
    }
}

/// One way to run a module; none may be seen.
#[derive(Clone, Debug)]
struct Way {
    executor: Executor,
    stress: bool,
    lazy: bool,
    heap: bool,
    image: bool,
}

fn ours(wasm: &[u8], seed: u64, way: &Way) -> Result<Vec<Event>> {
    let backend = if way.heap {
        Backend::Heap
    } else {
        Backend::Auto
    };
    let mut config = Config::new();
    config
        .executor(way.executor)
        .gc_stress(way.stress)
        .lazy_translation(way.lazy)
        .parallel_compilation(false)
        .arena_backend(backend)
        .memory_reservation(16 << 20)
        .code_reservation(64 << 20);
    let engine = Engine::new(&config)?;
    let mut module = match Module::from_binary(&engine, wasm) {
        Ok(module) => module,
        Err(e) => return Ok(vec![Event::Rejected(format!("{e:#}"))]),
    };
    if way.image {
        module = Module::deserialize(&engine, module.serialize()?)?;
    }
    Ok(engine::ours::run(&engine, &module, seed))
}

#[cfg(feature = "wasmtime")]
fn theirs(wasm: &[u8], seed: u64) -> Result<Vec<Event>> {
    let mut config = wasmtime::Config::new();
    config
        .wasm_gc(true)
        .wasm_function_references(true)
        .wasm_exceptions(true)
        .collector(wasmtime::Collector::Copying)
        .gc_heap_reservation(engine::LIMIT as u64)
        .max_wasm_stack(2 << 20);
    let engine = wasmtime::Engine::new(&config).map_err(|e| anyhow::anyhow!("{e:#}"))?;
    Ok(match wasmtime::Module::from_binary(&engine, wasm) {
        Ok(module) => engine::theirs::run(&engine, &module, seed),
        Err(e) => vec![Event::Rejected(format!("{e:#}"))],
    })
}

fn limited(events: &[Event]) -> bool {
    events.iter().any(|e| {
        matches!(
            e,
            Event::Instance(Err(Failure::Limit)) | Event::Call(_, Err(Failure::Limit))
        )
    })
}

/// Where runs differ. Reasons of a rejection are each engine's own.
fn difference(a: &[Event], b: &[Event]) -> Option<String> {
    if let ([Event::Rejected(_)], [Event::Rejected(_)]) = (a, b) {
        return None;
    }
    let at = (0..a.len().max(b.len())).find(|i| a.get(*i) != b.get(*i))?;
    Some(format!(
        "event {at}\n  here:  {:?}\n  first: {:?}",
        a.get(at),
        b.get(at)
    ))
}

/// Runs the module under everything.
pub fn check(wasm: &[u8], seed: u64) -> Result<Verdict> {
    let mut random = Random(seed ^ 0x0dd5);
    let mut flip = || random.one_in(2);
    let plain = Way {
        executor: Executor::best(),
        stress: false,
        lazy: flip(),
        heap: flip(),
        image: flip(),
    };
    let ways = [
        Way {
            executor: Executor::Portable,
            stress: true,
            lazy: flip(),
            ..plain.clone()
        },
        Way {
            stress: true,
            image: flip(),
            ..plain.clone()
        },
    ];
    let first = ours(wasm, seed, &plain)?;
    let mut others = Vec::new();
    #[cfg(feature = "wasmtime")]
    others.push(("wasmtime".to_string(), theirs(wasm, seed)?));
    for way in ways {
        others.push((format!("{way:?}"), ours(wasm, seed, &way)?));
    }
    if limited(&first) || others.iter().any(|(_, events)| limited(events)) {
        return Ok(Verdict::Skipped);
    }
    for (name, events) in others {
        if let Some(difference) = difference(&events, &first) {
            return Ok(Verdict::Differ(format!("{name}: {difference}")));
        }
    }
    let calls = first.iter().filter(|e| matches!(e, Event::Call(..)));
    let returned = first.iter().filter(|e| matches!(e, Event::Call(_, Ok(_))));
    Ok(Verdict::Agree {
        calls: calls.count() as u64,
        returned: returned.count() as u64,
    })
}
