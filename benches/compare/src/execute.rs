//! The execute group: every program on every engine, a round at a time.

use crate::{
    clock,
    engines::{Engine, Guest},
    programs::{self, Program},
    stats,
};

/// What one engine did on one program: seconds of each round, or why it could not run.
pub type Outcome = Result<Vec<f64>, String>;

/// A program's results, one for each engine in order.
pub struct Row {
    /// The program.
    pub program: &'static Program,
    /// Results by engine.
    pub outcomes: Vec<Outcome>,
}

impl Row {
    /// The ratios of one engine's time to another's, round by round.
    pub fn ratios(&self, engine: usize, base: usize) -> Option<Vec<f64>> {
        let (engine, base) = (self.outcomes[engine].as_ref().ok()?, self.outcomes[base].as_ref().ok()?);
        Some(engine.iter().zip(base).map(|(a, b)| a / b).collect())
    }

    /// The ratio of the fastest rounds.
    pub fn best(&self, engine: usize, base: usize) -> Option<f64> {
        let (engine, base) = (self.outcomes[engine].as_ref().ok()?, self.outcomes[base].as_ref().ok()?);
        Some(stats::min(engine) / stats::min(base))
    }
}

/// Runs the programs. The second value says whether any engine computed something else than the others.
pub fn run(engines: &[Box<dyn Engine>], wanted: &[&'static Program], rounds: u32, quick: bool) -> (Vec<Row>, bool) {
    let mut rows = Vec::new();
    let mut wrong = false;
    for &program in wanted {
        let Ok(wasm) = std::fs::read(programs::dir().join(format!("{}.wasm", program.name))) else {
            eprintln!("{:16} not built: left out", program.name);
            continue;
        };
        let n = if quick { program.quick } else { program.n };
        let row = one(engines, program, &wasm, n, rounds, &mut wrong);
        report(engines, &row);
        rows.push(row);
    }
    (rows, wrong)
}

fn one(engines: &[Box<dyn Engine>], program: &'static Program, wasm: &[u8], n: u32, rounds: u32, wrong: &mut bool) -> Row {
    // The first call translates what is translated on demand, touches the memory, and tells the checksum.
    let mut checksum: Option<u64> = None;
    let mut guests: Vec<Result<Box<dyn Guest>, String>> = Vec::new();
    for engine in engines {
        if engine.may_crash() && !survives(engine.name(), program, n) {
            guests.push(Err("crashes".into()));
            continue;
        }
        let first = engine.load(wasm).and_then(|mut guest| guest.run(n).map(|sum| (guest, sum)));
        guests.push(match first {
            Ok((_, sum)) if checksum.is_some_and(|expected| expected != sum) => {
                *wrong = true;
                eprintln!("WRONG: {} on {}: {sum:#x} instead of {:#x}", program.name, engine.name(), checksum.unwrap_or(0));
                Err("wrong result".into())
            }
            Ok((guest, sum)) => {
                checksum = Some(sum);
                Ok(guest)
            }
            Err(error) => {
                eprintln!("{} on {}: {error:?}", program.name, engine.name());
                Err(error.to_string().lines().next().unwrap_or_default().to_string())
            }
        });
    }
    let mut outcomes: Vec<Outcome> = guests.iter().map(|guest| guest.as_ref().map(|_| Vec::new()).map_err(String::clone)).collect();
    for round in 0..rounds as usize {
        // Another engine begins each round, so that none always runs after the same other.
        for turn in 0..engines.len() {
            let at = (turn + round) % engines.len();
            let (Ok(guest), Ok(times)) = (&mut guests[at], &mut outcomes[at]) else { continue };
            let before = clock::thread_ns();
            let sum = guest.run(n);
            times.push((clock::thread_ns() - before) as f64 / 1e9);
            if sum.as_ref().ok() != checksum.as_ref() {
                *wrong = true;
                eprintln!("WRONG: {} on {}, round {round}: {sum:x?} instead of {checksum:x?}", program.name, engines[at].name());
            }
        }
    }
    Row { program, outcomes }
}

/// Runs the program in a process of its own first.
fn survives(engine: &str, program: &Program, n: u32) -> bool {
    let file = programs::dir().join(format!("{}.wasm", program.name));
    let Ok(me) = std::env::current_exe() else { return false };
    let output = std::process::Command::new(me).arg("--probe").arg(engine).arg(file).arg(n.to_string()).output();
    // It ended by itself: with a result, or with an error that the engine will tell again.
    output.is_ok_and(|output| output.status.code().is_some())
}

fn report(engines: &[Box<dyn Engine>], row: &Row) {
    eprint!("{:16}", row.program.name);
    for (engine, outcome) in engines.iter().zip(&row.outcomes) {
        match outcome {
            Ok(times) => eprint!("  {} {:7.1} ms", engine.name(), stats::median(times) * 1e3),
            Err(why) => eprint!("  {} ({why})", engine.name()),
        }
    }
    eprintln!();
}
