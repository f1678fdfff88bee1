//! The report: tables in markdown.

use crate::{calls, engines::Engine, execute, startup, stats};
use std::fmt::Write;

/// What the report says besides the numbers.
pub struct About<'a> {
    /// The engines, in the order of the rows' outcomes.
    pub engines: &'a [Box<dyn Engine>],
    /// The engine whose time is 1.
    pub base: usize,
    /// Rounds of the execute group.
    pub rounds: u32,
    /// The module of the startup group, for its heading.
    pub startup: String,
}

/// Writes everything that was measured.
pub fn markdown(about: &About<'_>, rows: &[execute::Row], starts: &[startup::Row], calls: &[calls::Row]) -> String {
    let mut out = String::from("# Comparison\n\n");
    for engine in about.engines {
        let _ = writeln!(out, "- **{}**: {}", engine.name(), engine.about());
    }
    let _ = writeln!(out, "- on {}", machine());
    if !rows.is_empty() {
        execute_tables(&mut out, about, rows);
    }
    if !starts.is_empty() {
        startup_table(&mut out, about, starts);
    }
    if !calls.is_empty() {
        calls_table(&mut out, about, calls);
    }
    out
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| text.lines().find_map(|line| line.strip_prefix("model name").map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_string())))
        .unwrap_or_else(|| "an unnamed processor".into());
    format!("{cpu}, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}

fn execute_tables(out: &mut String, about: &About<'_>, rows: &[execute::Row]) {
    let base = about.engines[about.base].name();
    let others: Vec<usize> = (0..about.engines.len()).filter(|&i| i != about.base).collect();
    let _ = writeln!(
        out,
        "\n## Execute\n\nTime relative to {base} = 1: the median over {} interleaved rounds of the ratio of CPU times, in brackets the middle half of the rounds. Lower is faster.\n",
        about.rounds
    );
    let _ = write!(out, "| program | kind | {base}, ms |");
    for &i in &others {
        let _ = write!(out, " {} |", about.engines[i].name());
    }
    let _ = write!(out, "\n|---|---|--:|{}\n", "--:|".repeat(others.len()));
    for row in rows {
        let time = row.outcomes[about.base].as_ref().map_or("–".into(), |times| format!("{:.1}", stats::median(times) * 1e3));
        let _ = write!(out, "| {} | {} | {time} |", row.program.name, row.program.kind);
        for &i in &others {
            let _ = match (row.ratios(i, about.base), &row.outcomes[i]) {
                (Some(r), _) => write!(out, " {:.3} [{:.2}–{:.2}] |", stats::median(&r), stats::quantile(&r, 0.25), stats::quantile(&r, 0.75)),
                (None, Err(why)) => write!(out, " {} |", why.chars().take(40).collect::<String>().replace('|', "/")),
                (None, Ok(_)) => write!(out, " – |"),
            };
        }
        out.push('\n');
    }
    let mut mean = |name: &str, value: &dyn Fn(&execute::Row, usize) -> Option<f64>, keep: &dyn Fn(&execute::Row) -> bool| {
        let _ = write!(out, "| **{name}** | | |");
        for &i in &others {
            let values: Vec<f64> = rows.iter().filter(|row| keep(row)).filter_map(|row| value(row, i)).collect();
            let _ = match stats::geomean(values.iter().copied()) {
                Some(mean) => write!(out, " **{mean:.3}** ({}) |", values.len()),
                None => write!(out, " – |"),
            };
        }
        out.push('\n');
    };
    let by_median = |row: &execute::Row, i: usize| row.ratios(i, about.base).map(|r| stats::median(&r));
    mean("geometric mean of the medians (programs)", &by_median, &|_| true);
    mean("geometric mean of the fastest rounds", &|row, i| row.best(i, about.base), &|_| true);
    let mut kinds: Vec<&str> = rows.iter().map(|row| row.program.kind).collect();
    kinds.dedup();
    for kind in kinds {
        mean(kind, &by_median, &|row| row.program.kind == kind);
    }
}

fn startup_table(out: &mut String, about: &About<'_>, rows: &[startup::Row]) {
    let _ = writeln!(out, "\n## Startup\n\nFrom bytes in memory to an instance: {}. Milliseconds on the wall, and CPU time of the calling thread.\n", about.startup);
    out.push_str("| engine | mode | fastest | median | CPU, fastest |\n|---|---|--:|--:|--:|\n");
    for row in rows {
        let _ = writeln!(
            out,
            "| {} | {} | {:.2} | {:.2} | {:.2} |",
            row.engine,
            row.mode,
            stats::min(&row.wall) * 1e3,
            stats::median(&row.wall) * 1e3,
            stats::min(&row.cpu) * 1e3
        );
    }
}

fn calls_table(out: &mut String, about: &About<'_>, rows: &[calls::Row]) {
    let base = about.engines[about.base].name();
    let _ = writeln!(out, "\n## Calls\n\nNanoseconds a call, `(i32, i32) -> i32`: typed calls from the host into the guest, and from a loop in the guest to a host function.\n");
    let _ = writeln!(out, "| engine | host → wasm | relative to {base} | wasm → host | relative to {base} |\n|---|--:|--:|--:|--:|");
    let reference = rows.iter().find(|row| row.engine == base);
    for row in rows {
        let ratio = |mine: &[f64], theirs: Option<&[f64]>| theirs.map_or("–".into(), |theirs| format!("{:.2}", stats::median(mine) / stats::median(theirs)));
        let _ = writeln!(
            out,
            "| {} | {:.1} | {} | {:.1} | {} |",
            row.engine,
            stats::median(&row.into_guest),
            ratio(&row.into_guest, reference.map(|r| &r.into_guest[..])),
            stats::median(&row.out_of_guest),
            ratio(&row.out_of_guest, reference.map(|r| &r.out_of_guest[..]))
        );
    }
}
