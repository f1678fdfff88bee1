//! The call group: nanoseconds for a typed call into the guest, and for a call from the guest to the host.

use crate::{clock, engines::Engine, stats};

/// `calls.wat` in binary: exports `add` and `out`, imports `host.add`.
pub const MODULE: &[u8] = include_bytes!("calls.wasm");

/// Nanoseconds of each round for one engine: into the guest, out of it.
pub struct Row {
    /// The engine's name.
    pub engine: &'static str,
    /// Host to wasm.
    pub into_guest: Vec<f64>,
    /// Wasm to host.
    pub out_of_guest: Vec<f64>,
}

/// Measures all engines, interleaved.
pub fn run(engines: &[Box<dyn Engine>], rounds: u32, quick: bool) -> Vec<Row> {
    let times = if quick { 20_000 } else { 300_000 };
    let mut rows = Vec::new();
    for engine in engines {
        match engine.calls(MODULE) {
            Ok(calls) => rows.push((calls, Row { engine: engine.name(), into_guest: Vec::new(), out_of_guest: Vec::new() })),
            Err(error) => eprintln!("calls on {}: {error}", engine.name()),
        }
    }
    let expected = (0..times).fold(0u32, u32::wrapping_add);
    for _ in 0..rounds.max(3) {
        for (calls, row) in &mut rows {
            let before = clock::thread_ns();
            let result = calls.into_guest(times).expect("the call returns");
            row.into_guest.push((clock::thread_ns() - before) as f64 / f64::from(times));
            assert_eq!(result, expected, "{}", row.engine);
            let before = clock::thread_ns();
            let result = calls.out_of_guest(times).expect("the call returns");
            row.out_of_guest.push((clock::thread_ns() - before) as f64 / f64::from(times));
            assert_eq!(result, expected, "{}", row.engine);
        }
    }
    for (_, row) in &rows {
        eprintln!("{:8} into {:6.1} ns  out {:6.1} ns", row.engine, stats::median(&row.into_guest), stats::median(&row.out_of_guest));
    }
    rows.into_iter().map(|(_, row)| row).collect()
}
