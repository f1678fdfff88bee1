//! The chart: a line a program, a dot an engine, on a logarithmic scale where wasmtime is 1.

use std::fmt::Write;

const LEFT: f64 = 110.0;
const RIGHT: f64 = 30.0;
const WIDTH: f64 = 760.0;
const LINE: f64 = 30.0;
const TOP: f64 = 84.0;
const LOW: f64 = 0.002;
const HIGH: f64 = 5.0;

/// Colours that differ also for the colour-blind, in the order of the engines.
const COLOURS: [&str; 3] = ["#c2410c", "#9ca3af", "#0f766e"];

/// A program: its name, what is counted, and nanoseconds by engine.
pub type Row = (&'static str, &'static str, [Option<f64>; 3]);

/// Draws how long each engine takes, as a multiple of the second one's time.
pub fn svg(engines: [&str; 3], rows: &[Row]) -> String {
    let height = TOP + LINE * rows.len() as f64 + 50.0;
    let bottom = height - 40.0;
    let x = |ratio: f64| {
        LEFT + (WIDTH - LEFT - RIGHT) * (ratio.clamp(LOW, HIGH) / LOW).ln() / (HIGH / LOW).ln()
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"20\" y=\"28\" font-size=\"16\" font-weight=\"600\" fill=\"#111827\">\
         Continuations: time relative to {} = 1 (lower is faster)</text>\n",
        engines[1]
    );
    for (k, engine) in engines.iter().enumerate() {
        let at = 25.0 + 110.0 * k as f64;
        let _ = writeln!(
            out,
            "<circle cx=\"{at}\" cy=\"48\" r=\"4.5\" fill=\"{}\"/><text x=\"{}\" y=\"52\" fill=\"#374151\">{engine}</text>",
            COLOURS[k],
            at + 9.0
        );
    }
    for tick in [0.002, 0.01, 0.05, 0.2, 1.0, 5.0] {
        let (stroke, dash) = if tick == 1.0 {
            ("#9ca3af", "")
        } else {
            ("#e5e7eb", " stroke-dasharray=\"2 3\"")
        };
        let _ = writeln!(
            out,
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1}\" y2=\"{bottom}\" stroke=\"{stroke}\"{dash}/>\
             <text x=\"{0:.1}\" y=\"{2}\" text-anchor=\"middle\" fill=\"#6b7280\">{tick}</text>",
            x(tick),
            TOP - 8.0,
            TOP - 12.0
        );
    }
    for (k, (name, unit, times)) in rows.iter().enumerate() {
        let y = TOP + LINE * k as f64 + 8.0;
        let _ = writeln!(
            out,
            "<text x=\"{0}\" y=\"{1:.1}\" text-anchor=\"end\" font-weight=\"600\" fill=\"#111827\">{name}</text>\
             <text x=\"{2}\" y=\"{3:.1}\" font-size=\"9\" fill=\"#6b7280\">{unit}</text>",
            LEFT - 12.0,
            y + 4.0,
            LEFT,
            y + 14.0
        );
        let Some(base) = times[1] else {
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"#6b7280\">{} cannot run it</text>",
                x(0.2),
                y + 4.0,
                engines[1]
            );
            continue;
        };
        for (time, colour) in times.iter().zip(COLOURS) {
            if let Some(time) = time {
                let ratio = time / base;
                let _ = writeln!(
                    out,
                    "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"{colour}\"><title>{ratio:.3}: {time:.1} ns</title></circle>",
                    x(ratio)
                );
            }
        }
    }
    out.push_str("</svg>\n");
    out
}
