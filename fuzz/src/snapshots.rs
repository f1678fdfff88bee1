//! Damaged snapshots of paused stores: restored, gone on with, and saved again, on both executors and both backends. And
//! paused stores whose own bytes are damaged, where they are.
//! Whatever is in them, there is an error or a store that fools only itself; a crash or a panic is a finding.

use std::ops::Range;

use anyhow::Result;
use sheave::{
    Backend, Config, Engine, Executor, Func, Linker, Module, Restore, Snapshot, Store, StoreLimits,
    StoreLimitsBuilder, Val,
};

use crate::damage::{crc32, word};
use crate::random::Random;

/// Programs whose `run` takes a number and pauses in the middle of things.
const PROGRAMS: [&str; 5] = [
    include_str!("snapshots/plain.wat"),
    include_str!("snapshots/objects.wat"),
    include_str!("snapshots/instances.wat"),
    include_str!("snapshots/stacks.wat"),
    include_str!("snapshots/switches.wat"),
];

/// The machines that everything runs on.
const WAYS: [(Executor, Backend); 2] = [
    (Executor::best(), Backend::Auto),
    (Executor::Portable, Backend::Heap),
];

/// Bytes of header and table, and of an entry of the table.
const HEAD: usize = 32 + SECTIONS * ENTRY;
const ENTRY: usize = 32;
const SECTIONS: usize = 9;

fn engine(executor: Executor, backend: Backend) -> Result<Engine> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .wasm_stack_switching(true)
        .executor(executor)
        .arena_backend(backend)
        .max_store_bytes(64 << 20)
        .memory_reservation(64 << 20);
    Engine::new(&config)
}

fn linker(engine: &Engine) -> Result<Linker<StoreLimits>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "note", |x: i32| i64::from(x) + 100)?;
    Ok(linker)
}

fn limits() -> StoreLimits {
    StoreLimitsBuilder::new()
        .memory_size(16 << 20)
        .table_elements(1 << 16)
        .build()
}

fn run_of(store: &mut Store<StoreLimits>) -> Option<Func> {
    let last = store.instances().last()?;
    last.get_func(store, "run")
}

/// A paused store. The same numbers give the same one, whatever its engine.
fn paused(engine: Engine, random: &mut Random) -> Result<Store<StoreLimits>> {
    let mut linker = linker(&engine)?;
    let mut store = Store::new(&engine, limits());
    store.set_fuel(1 << 20)?;
    // What has stacks has most that can be wrong.
    let text = PROGRAMS[[0, 1, 2, 3, 3, 3, 4, 4][random.below(8) as usize]];
    for (i, text) in text.split(";; ----").enumerate() {
        let module = Module::new(&engine, text)?;
        let instance = linker.instantiate(&mut store, &module)?;
        linker.instance(&mut store, &format!("module {i}"), instance)?;
    }
    let run = run_of(&mut store).expect("a program has `run`");
    store.set_fuel(5 + random.below(3000))?;
    let mut results = [Val::I64(0)];
    run.call_resumable(&mut store, &[Val::I32(20)], &mut results)?;
    Ok(store)
}

/// Makes all checksums right again.
fn repair(file: &mut [u8]) -> Option<()> {
    for entry in (32..HEAD).step_by(ENTRY) {
        let (start, len) = (word(file, entry + 8)?, word(file, entry + 16)?);
        let crc = crc32(&[file.get(start..start.checked_add(len)?)?]);
        file.get_mut(entry + 4..entry + 8)?.copy_from_slice(&crc);
    }
    file.get_mut(24..28)?.fill(0);
    let crc = crc32(&[file.get(..HEAD)?]);
    file.get_mut(24..28)?.copy_from_slice(&crc);
    Some(())
}

/// Damages one section, or any byte.
fn damage(file: &mut Vec<u8>, random: &mut Random) {
    let all = 0..file.len();
    // State and heap have most to say.
    let kind = [0, 0, 0, 0, 0, 1, 4, 5, 6, 7, 8, 8][random.below(12) as usize];
    let section = || {
        let entry = 32 + kind * ENTRY;
        let (start, len) = (word(file, entry + 8)?, word(file, entry + 16)?);
        (len > 0 && start.checked_add(len)? <= file.len()).then(|| start..start + len)
    };
    let chosen = if random.one_in(12) {
        all.clone()
    } else {
        section().unwrap_or(all.clone())
    };
    if random.one_in(64) {
        file.truncate(chosen.start + random.below(chosen.len() as u64) as usize);
    } else {
        scribble(file, chosen, random);
    }
}

/// Writes something wrong into `chosen`, of which there is some.
fn scribble(bytes: &mut [u8], chosen: Range<usize>, random: &mut Random) {
    let within = |random: &mut Random| chosen.start + random.below(chosen.len() as u64) as usize;
    let end = bytes.len();
    match random.below(7) {
        0 => {
            let (from, to) = (within(random), within(random));
            let len = (random.below(24) as usize + 1).min(end - from.max(to));
            bytes.copy_within(from..from + len, to);
        }
        1 => {
            let numbers = [
                0,
                1,
                2,
                0x7f,
                0x80,
                0xff,
                0xffff_ffff,
                0x8000_0000,
                u64::MAX,
            ];
            let number = numbers[random.below(9) as usize].to_le_bytes();
            let at = within(random);
            let len = [1, 2, 4, 8][random.below(4) as usize].min(end - at);
            bytes[at..at + len].copy_from_slice(&number[..len]);
        }
        2 => {
            let at = within(random) & !3;
            bytes[at] = bytes[at].wrapping_add([1, 4, 8, 16, 0xff, 0xf0][random.below(6) as usize]);
        }
        3 => {
            // A number from elsewhere, where numbers lie: references, indices, lengths.
            let (from, to) = (within(random) & !3, within(random) & !3);
            let len = [4, 8, 16][random.below(3) as usize].min(end - from.max(to));
            bytes.copy_within(from..from + len, to);
        }
        _ => {
            for _ in 0..=random.below(3) {
                let at = within(random);
                bytes[at] ^= 1 << random.below(8);
            }
        }
    }
}

/// Runs one case. What it came to: `refused`, `same` or `differs` (between the ways to restore it, or the machines that
/// were damaged in the same way).
pub fn one(seed: u64) -> Result<&'static str> {
    let mut random = Random(seed ^ 0x54a9);
    if random.one_in(3) {
        let mut seen = Vec::new();
        for (executor, backend) in WAYS {
            seen.push(in_place(engine(executor, backend)?, random.clone())?);
        }
        return Ok(if seen[0] == seen[1] {
            "in place: same"
        } else {
            "in place: differs"
        });
    }
    let first = engine(Executor::best(), Backend::Auto)?;
    let mut file = paused(first, &mut random)?.snapshot()?.to_bytes();
    for _ in 0..=random.below(3) {
        damage(&mut file, &mut random);
    }
    // With wrong checksums nearly nothing gets past them.
    if !random.one_in(16) {
        let _ = repair(&mut file);
    }
    let path = std::env::temp_dir().join(format!("sheave-snapshot-{}", std::process::id()));
    let in_file = random.one_in(3);
    if in_file {
        std::fs::write(&path, &file)?;
    }
    let mut seen = Vec::new();
    for (executor, backend) in WAYS {
        let engine = engine(executor, backend)?;
        let opened = if in_file {
            Snapshot::open(&path)
        } else {
            Snapshot::from_bytes(&file)
        };
        let Ok(snapshot) = opened else {
            return Ok("refused");
        };
        let linker = linker(&engine)?;
        let Ok(template) = Restore::new(&engine, &snapshot, &linker).template() else {
            return Ok("refused");
        };
        for _ in 0..2 {
            let Ok(mut store) = template.store(limits()) else {
                return Ok("refused");
            };
            seen.push(go_on(&mut store, true)?);
        }
    }
    if in_file {
        std::fs::remove_file(&path)?;
    }
    Ok(if seen.iter().all(|s| *s == seen[0]) {
        "same"
    } else {
        "differs"
    })
}

/// Runs a paused store whose own bytes are damaged, before it goes on and in between.
fn in_place(engine: Engine, mut random: Random) -> Result<String> {
    let mut store = paused(engine, &mut random)?;
    let mut seen = String::new();
    for _ in 0..=random.below(3) {
        damage_in_place(&mut store, &mut random);
        seen.push_str(&go_on(&mut store, random.one_in(2))?);
    }
    Ok(seen)
}

/// Damages one part of a store's block, or several.
fn damage_in_place(store: &mut Store<StoreLimits>, random: &mut Random) {
    let mut lens = Vec::new();
    store.damage(|part| lens.push(part.len()));
    let some: Vec<_> = (0..lens.len()).filter(|i| lens[*i] > 0).collect();
    for _ in 0..=random.below(3) {
        let Some(chosen) = some.get(random.below(some.len().max(1) as u64) as usize) else {
            return;
        };
        // Most of a memory is empty.
        let len = lens[*chosen].min(64 << random.below(12));
        let mut index = 0;
        store.damage(|part| {
            if index == *chosen {
                scribble(part, 0..len, random);
            }
            index += 1;
        });
    }
}

/// Does with a store whatever can be done. With `end`, the call that waits is given up for another in the end.
fn go_on(store: &mut Store<StoreLimits>, end: bool) -> Result<String> {
    store.limiter(|limits| limits);
    let mut seen = String::new();
    let mut results = [Val::I64(0)];
    let _ = store.paused_backtrace().map(|trace| trace.to_string());
    for _ in 0..3 {
        store.set_fuel(3000)?;
        seen.push_str(match store.resume_call(&mut results) {
            Ok(_) => "paused or done;",
            Err(_) => "failed;",
        });
        let _ = store.gc(None);
        // What cannot be saved is refused, nothing more.
        let _ = store.snapshot().map(|s| s.to_bytes());
    }
    let _ = store.relocate();
    if !end {
        return Ok(seen);
    }
    store.cancel_call();
    store.set_fuel(20_000)?;
    if let Some(run) = run_of(store) {
        let done = run.call(&mut *store, &[Val::I32(7)], &mut results);
        seen.push_str(if done.is_ok() { "ran" } else { "failed" });
    }
    Ok(seen)
}
