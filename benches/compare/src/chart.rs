//! The chart: one line a program, one dot an engine, on a logarithmic scale; SVG written by hand.

use crate::{engines::Engine, execute, stats};
use std::fmt::Write;

const LEFT: f64 = 150.0;
const RIGHT: f64 = 30.0;
const WIDTH: f64 = 900.0;
const LINE: f64 = 17.0;
const TOP: f64 = 84.0;

/// Colours that differ also for the colour-blind, by engine name.
fn colour(engine: &str) -> &'static str {
    match engine {
        "sheave" => "#c2410c",
        "wasmi" => "#1f2937",
        "wasm3" => "#0f766e",
        "pulley" => "#6d28d9",
        _ => "#9ca3af",
    }
}

/// Draws the ratios to the engine `base`.
pub fn svg(engines: &[Box<dyn Engine>], base: usize, rows: &[execute::Row]) -> String {
    let height = TOP + LINE * (rows.len() + 2) as f64 + 40.0;
    let (low, high) = (0.05f64, 6.0f64);
    let x = |ratio: f64| LEFT + (WIDTH - LEFT - RIGHT) * (ratio.clamp(low, high) / low).ln() / (high / low).ln();
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"20\" y=\"28\" font-size=\"16\" font-weight=\"600\" fill=\"#111827\">Time relative to {} = 1 (lower is faster)</text>\n",
        engines[base].name()
    );
    let mut legend = 20.0;
    for engine in engines {
        let _ = writeln!(
            out,
            "<circle cx=\"{}\" cy=\"48\" r=\"4.5\" fill=\"{}\"/><text x=\"{}\" y=\"52\" fill=\"#374151\">{}</text>",
            legend + 5.0,
            colour(engine.name()),
            legend + 14.0,
            engine.name()
        );
        legend += 34.0 + 7.0 * engine.name().len() as f64;
    }
    let bottom = height - 30.0;
    for tick in [0.05, 0.1, 0.2, 0.5, 0.85, 1.0, 2.0, 5.0] {
        let (stroke, dash) = if tick == 1.0 { ("#9ca3af", "") } else { ("#e5e7eb", " stroke-dasharray=\"2 3\"") };
        let _ = writeln!(
            out,
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1}\" y2=\"{bottom}\" stroke=\"{stroke}\"{dash}/><text x=\"{0:.1}\" y=\"{2}\" text-anchor=\"middle\" fill=\"#6b7280\">{tick}</text>",
            x(tick),
            TOP - 8.0,
            TOP - 12.0
        );
    }
    let line = |out: &mut String, at: usize, name: &str, bold: bool, ratio: &dyn Fn(usize) -> Option<f64>| {
        let y = TOP + LINE * at as f64 + 8.0;
        let weight = if bold { " font-weight=\"600\"" } else { "" };
        let _ = writeln!(out, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#111827\"{weight}>{name}</text>", LEFT - 12.0, y + 4.0);
        let values: Vec<(usize, f64)> = (0..engines.len()).filter_map(|i| Some((i, if i == base { 1.0 } else { ratio(i)? }))).collect();
        let ends = values.iter().fold((f64::MAX, f64::MIN), |(a, b), &(_, v)| (a.min(v), b.max(v)));
        if ends.0 <= ends.1 {
            let _ = writeln!(out, "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#f3f4f6\" stroke-width=\"5\"/>", x(ends.0), x(ends.1));
        }
        // Drawn last to first, so that the first engine lies on top.
        for &(i, value) in values.iter().rev() {
            let radius = if i == 0 { 4.8 } else { 3.6 };
            let _ = writeln!(out, "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{}\"><title>{} {value:.3}</title></circle>", x(value), colour(engines[i].name()), engines[i].name());
        }
    };
    let mut sorted: Vec<&execute::Row> = rows.iter().collect();
    let first = if base == 0 { engines.len() - 1 } else { 0 };
    let key = |row: &&execute::Row| row.ratios(first, base).map_or(f64::MAX, |r| stats::median(&r));
    sorted.sort_by(|a, b| key(a).total_cmp(&key(b)));
    line(&mut out, 0, "geometric mean", true, &|i| stats::geomean(rows.iter().filter_map(|row| row.ratios(i, base).map(|r| stats::median(&r)))));
    for (at, row) in sorted.iter().enumerate() {
        line(&mut out, at + 1, row.program.name, false, &|i| row.ratios(i, base).map(|r| stats::median(&r)));
    }
    let _ = writeln!(out, "<text x=\"20\" y=\"{:.0}\" fill=\"#6b7280\">Programs by the first engine's ratio; values outside the scale lie on its edge.</text>\n</svg>", height - 10.0);
    out
}
