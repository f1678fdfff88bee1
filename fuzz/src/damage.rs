//! Damaged images: opened and run under both executors. Whatever is in them, there is an error or a run that fools only
//! itself; a crash or a panic is a finding.
//!
//! A damaged program may run for ever or take the process down, so cases run in a child that says which one it is at.

use std::io::{BufRead as _, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sheave::{Executor, Module, StoreLimitsBuilder};

use crate::case::{Case, Random};
use crate::check::PLAIN;
use crate::conts;
use crate::ours::{Mode, run_module};

/// Where the header of an image ends.
const HEADER: usize = 160;

/// Bytes that a memory may have, and elements a table.
const MOST: usize = 64 << 20;

pub fn word(image: &[u8], at: usize) -> Option<usize> {
    let bytes = image.get(at..)?.first_chunk()?;
    usize::try_from(u64::from_le_bytes(*bytes)).ok()
}

/// A part of an image, whose place is said at `at` in the header.
fn part(image: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let (start, len) = (word(image, at)?, word(image, at + 8)?);
    let end = start.checked_add(len)?;
    (end <= image.len()).then_some(start..end)
}

/// CRC-32 by its definition.
pub fn crc32(parts: &[&[u8]]) -> [u8; 4] {
    let crc = parts
        .iter()
        .flat_map(|part| part.iter())
        .fold(!0, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| {
                (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
            })
        });
    (!crc).to_le_bytes()
}

/// Makes all checksums right again, as somebody would who means harm (see `docs/image-format.md`).
fn repair(image: &mut [u8]) -> Option<()> {
    let (index, code) = (part(image, 48)?, part(image, 64)?);
    for at in index.clone().step_by(24) {
        let field = |i: usize| {
            let bytes = image.get(at + 4 * i..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes) as usize)
        };
        let (start, len) = (code.start + 2 * field(0)?, 2 * field(1)?);
        if let Some(bytes) = image.get(start..start + len) {
            let crc = crc32(&[bytes]);
            image.get_mut(at + 12..at + 16)?.copy_from_slice(&crc);
        }
    }
    let crc = crc32(&[&image[index]]);
    image[96..100].copy_from_slice(&crc);
    if let Some(crcs) = part(image, 80).and_then(|wasm| classes(&image[wasm])) {
        for (i, crc) in crcs.into_iter().enumerate() {
            image[100 + 4 * i..104 + 4 * i].copy_from_slice(&crc);
        }
    }
    let runs = part(image, 120)?;
    for at in runs.clone().step_by(32) {
        let (start, len) = (word(image, at + 16)?, word(image, at + 24)?);
        if let Some(bytes) = image.get(start..start.checked_add(len)?) {
            let crc = crc32(&[bytes]);
            image.get_mut(at + 4..at + 8)?.copy_from_slice(&crc);
        }
    }
    let crc = crc32(&[&image[runs]]);
    image[116..120].copy_from_slice(&crc);
    let crc = crc32(&[&image[..HEADER - 4]]);
    image[HEADER - 4..HEADER].copy_from_slice(&crc);
    Some(())
}

/// The checksums of a module's declarations, bodies, data and custom sections.
fn classes(wasm: &[u8]) -> Option<[[u8; 4]; 4]> {
    let mut parts: [Vec<&[u8]>; 4] = Default::default();
    parts[0].push(wasm.get(..8)?);
    let mut at = 8;
    while at < wasm.len() {
        let (start, id, mut len, mut shift) = (at, wasm[at], 0_usize, 0);
        at += 1;
        loop {
            let byte = *wasm.get(at)?;
            at += 1;
            len |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
            if shift > 28 {
                return None;
            }
        }
        parts[0].push(&wasm[start..at]);
        let class = match id {
            0 => 3,
            10 => 1,
            11 => 2,
            _ => 0,
        };
        parts[class].push(wasm.get(at..at.checked_add(len)?)?);
        at += len;
    }
    Some(parts.map(|parts| crc32(&parts)))
}

/// Damages an image in one of several ways.
fn damage(image: &mut Vec<u8>, random: &mut Random) {
    let within = |random: &mut Random, range: &std::ops::Range<usize>| {
        range.start + random.below(range.len().max(1) as u64) as usize
    };
    let parts = [48, 64, 64, 64, 80, 80, 120].map(|at| part(image, at).unwrap_or(0..0));
    let all = 0..image.len();
    let chosen = match random.below(8) {
        0 => &all,
        n => &parts[n as usize - 1],
    };
    match random.below(8) {
        0 => image.truncate(within(random, &all)),
        1 => {
            // A piece of another place.
            let (from, to) = (within(random, chosen), within(random, chosen));
            let len = (random.below(64) as usize + 1).min(all.end - from.max(to));
            image.copy_within(from..from + len, to);
        }
        2 => {
            // Units of bytecode, or numbers of the index, with a small change.
            for _ in 0..=random.below(3) {
                let at = within(random, chosen) & !1;
                if let Some(low) = image.get_mut(at) {
                    *low = low.wrapping_add([1, 2, 4, 8, 0xff, 0xfe][random.below(6) as usize]);
                }
            }
        }
        _ => {
            for _ in 0..=random.below(4) {
                let at = within(random, chosen);
                if let Some(byte) = image.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
        }
    }
}

/// Runs one case. What it came to: `refused`, `same` or `differs` (between the executors).
fn one(seed: u64) -> Result<&'static str> {
    let mut random = Random(seed ^ 0xda3a);
    let case = if seed >> 32 & 3 == 0 {
        conts::module(seed >> 34).to_vec()
    } else {
        match Case::new(seed) {
            Some(case) => case.wasm,
            None => return Ok("no module"),
        }
    };
    let fuel = random.one_in(2);
    let mode = |executor| Mode {
        executor,
        fuel,
        fuel_per_call: 100_000,
        ..PLAIN
    };
    let engine = mode(Executor::Portable).engine()?;
    let Ok(module) = Module::from_binary(&engine, &case) else {
        return Ok("no module");
    };
    let mut image = module.serialize()?;
    for _ in 0..=random.below(2) {
        damage(&mut image, &mut random);
    }
    // With wrong checksums nearly nothing gets past them.
    if !random.one_in(8) && image.len() >= HEADER {
        let _ = repair(&mut image);
    }
    let path = random
        .one_in(4)
        .then(|| std::env::temp_dir().join(format!("sheave-damaged-{}", std::process::id())));
    if let Some(path) = &path {
        std::fs::write(path, &image)?;
    }
    let mut events = Vec::new();
    for executor in [Executor::Portable, Executor::best()] {
        let mode = mode(executor);
        let engine = mode.engine()?;
        let opened = match &path {
            Some(path) => Module::open_image(&engine, path),
            None => Module::deserialize(&engine, &image),
        };
        let Ok(module) = opened else {
            return Ok("refused");
        };
        let limits = StoreLimitsBuilder::new()
            .memory_size(MOST)
            .table_elements(MOST / 8)
            .build();
        match run_module(&module, seed, &mode, limits) {
            Ok(run) => events.push(run.events),
            Err(_) => return Ok("refused"),
        }
    }
    Ok(if events[0] == events[1] {
        "same"
    } else {
        "differs"
    })
}

/// What is damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    /// Images of modules.
    Images,
    /// Snapshots of paused stores.
    Snapshots,
}

impl Subject {
    fn one(self, seed: u64) -> Result<&'static str> {
        match self {
            Subject::Images => one(seed),
            Subject::Snapshots => crate::snapshots::one(seed),
        }
    }
}

/// The child: runs cases from the `skip`-th on, and says before each which one it is.
pub fn child(subject: Subject, seed: u64, skip: u64, seconds: u64) {
    let (mut seeds, start) = (Random(seed), Instant::now());
    for index in 0.. {
        let seed = seeds.next();
        if index < skip {
            continue;
        }
        if start.elapsed() > Duration::from_secs(seconds) {
            break;
        }
        println!("case {index} {seed:#x}");
        let outcome = catch_unwind(AssertUnwindSafe(|| subject.one(seed)));
        match outcome {
            Ok(Ok(outcome)) => println!("{outcome}"),
            Ok(Err(error)) => println!("FOUND --damaged-case {seed:#x}: {error:#}"),
            Err(_) => println!("FOUND --damaged-case {seed:#x}: panic"),
        }
    }
}

/// One case, in this process.
pub fn single(subject: Subject, seed: u64) -> Result<()> {
    println!("{}", subject.one(seed)?);
    Ok(())
}

/// Runs cases in children for some time; gives how many findings there were.
pub fn fuzz(subject: Subject, seed: u64, seconds: u64) -> Result<u64> {
    let start = Instant::now();
    let (mut skip, mut found, mut said) = (0, 0, start);
    let mut outcomes = std::collections::BTreeMap::<String, u64>::new();
    loop {
        let left = seconds.saturating_sub(start.elapsed().as_secs());
        if left == 0 {
            println!(
                "{} s: {outcomes:?}, {found} found",
                start.elapsed().as_secs()
            );
            return Ok(found);
        }
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--damaged-child", &skip.to_string()])
            .args((subject == Subject::Snapshots).then_some("--snapshots"))
            .args(["--seed", &seed.to_string(), "--seconds", &left.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(child.stdout.take().context("its output")?);
        let (send, lines) = channel();
        let reader = std::thread::spawn(move || {
            output.lines().map_while(Result::ok).for_each(|line| {
                let _ = send.send(line);
            });
        });
        let mut current = String::new();
        let end = loop {
            match lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) if line.starts_with("case ") => {
                    skip += 1;
                    current = line;
                }
                Ok(line) if line.starts_with("FOUND") => {
                    found += 1;
                    println!("{line}");
                }
                Ok(line) => *outcomes.entry(line).or_default() += 1,
                Err(RecvTimeoutError::Timeout) => {
                    // What a damaged program does may have no end: that is its own affair.
                    *outcomes.entry("endless".into()).or_default() += 1;
                    child.kill()?;
                    child.wait()?;
                    break true;
                }
                Err(RecvTimeoutError::Disconnected) => break child.wait()?.success(),
            }
            if said.elapsed() > Duration::from_secs(60) {
                said = Instant::now();
                println!(
                    "{} s: {outcomes:?}, {found} found",
                    start.elapsed().as_secs()
                );
            }
        };
        let _ = reader.join();
        if !end {
            found += 1;
            println!("FOUND: the process died at {current}");
        }
    }
}
