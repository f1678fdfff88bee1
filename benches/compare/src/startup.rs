//! The startup group: from the bytes of a large module to an instance.

use crate::{
    clock,
    engines::{Engine, Startup},
    stats,
};
use std::path::Path;

/// One engine's way to start.
pub struct Row {
    /// The engine's name.
    pub engine: &'static str,
    /// The way.
    pub mode: &'static str,
    /// Seconds on the wall, each round.
    pub wall: Vec<f64>,
    /// Seconds of this thread's CPU, each round.
    pub cpu: Vec<f64>,
}

/// Measures all ways of all engines on the module in `file`, interleaved; the slow ones only once.
pub fn run(engines: &[Box<dyn Engine>], file: &Path, rounds: u32, quick: bool) -> Vec<Row> {
    let wasm = match std::fs::read(file) {
        Ok(wasm) => wasm,
        Err(error) => {
            eprintln!("startup: {}: {error}: left out (`--startup FILE` names another module)", file.display());
            return Vec::new();
        }
    };
    let mut rows: Vec<(Startup, Row)> = Vec::new();
    for engine in engines {
        match engine.startup(&wasm) {
            Ok(modes) => rows.extend(modes.into_iter().map(|startup| {
                let mode = startup.mode;
                (startup, Row { engine: engine.name(), mode, wall: Vec::new(), cpu: Vec::new() })
            })),
            Err(error) => eprintln!("startup on {}: {error}", engine.name()),
        }
    }
    rows.retain(|(startup, _)| !(quick && startup.mode.contains("(once)")));
    for round in 0..rounds.max(3) {
        for (startup, row) in &mut rows {
            if round > 0 && startup.mode.contains("(once)") {
                continue;
            }
            let (wall, cpu) = (clock::wall_ns(), clock::thread_ns());
            match (startup.start)() {
                Ok(()) => {
                    row.wall.push((clock::wall_ns() - wall) as f64 / 1e9);
                    row.cpu.push((clock::thread_ns() - cpu) as f64 / 1e9);
                }
                Err(error) if round == 0 => eprintln!("startup on {}, {}: {error}", row.engine, row.mode),
                Err(_) => {}
            }
        }
    }
    let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).filter(|row| !row.wall.is_empty()).collect();
    for row in &rows {
        eprintln!("{:8} {:28} {:9.2} ms", row.engine, row.mode, stats::min(&row.wall) * 1e3);
    }
    rows
}
