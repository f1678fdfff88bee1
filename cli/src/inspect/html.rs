//! A snapshot as a page to look at: the memories page by page, the stack as a tree, the file's parts.

use super::pages::{Drawing, Look};
use super::{Stack, Subject, frames, function, size};
use std::fmt::Write as _;

/// Frames that are drawn at most.
const MOST_FRAMES: usize = 200;

/// The page around what is put in for `{{NAME}}`.
const PAGE: &str = include_str!("page.html");

pub(super) fn page(subject: &Subject<'_>) -> String {
    let title = subject
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let parts = [
        ("{{TITLE}}", escape(&title)),
        ("{{FACTS}}", facts(subject)),
        ("{{FILE}}", file(subject)),
        ("{{LEGEND}}", legend()),
        ("{{MEMORIES}}", memories(subject)),
        ("{{STACK}}", stacks(subject)),
        ("{{HEAP}}", heap(subject)),
    ];
    let mut page = PAGE.to_owned();
    for (name, text) in parts {
        page = page.replace(name, &text);
    }
    page
}

/// Text in which nothing is markup. Names come from modules: anything can be in them.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // So that nothing that was put in is taken for a place to put something.
            '{' => out.push_str("&#123;"),
            c => out.push(c),
        }
    }
    out
}

fn fact(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
}

fn facts(subject: &Subject<'_>) -> String {
    let d = &subject.description;
    let mut out = String::new();
    if let Some(program) = &subject.program {
        fact(&mut out, "program", &program.name);
    }
    let file: u64 = d.sections.iter().map(|(_, bytes)| bytes).sum();
    fact(&mut out, "file", &size(file));
    let state = match &d.paused {
        Some(paused) => subject.reason(paused.reason),
        None => "no call waits",
    };
    fact(&mut out, "state", state);
    for number in 0..d.modules.len() {
        fact(&mut out, "module", &subject.module_name(number));
    }
    let counts = [
        ("instances", d.instances.len()),
        ("tables", d.tables.len()),
        ("globals", d.globals),
        ("host functions", d.host_functions.len()),
    ];
    for (name, count) in counts {
        fact(&mut out, name, &count.to_string());
    }
    if let Some(fuel) = d.fuel {
        fact(&mut out, "fuel left", &fuel.to_string());
    }
    out
}

/// The file's sections as a bar.
fn file(subject: &Subject<'_>) -> String {
    let mut out = String::new();
    let sections = subject.description.sections.iter();
    for (name, bytes) in sections.filter(|(_, bytes)| *bytes > 0) {
        let size = size(*bytes);
        let _ = write!(
            out,
            "<span class=\"part {}\" style=\"flex-grow:{bytes}\" title=\"{name}: {size}\"><b>{name}</b> {size}</span>",
            name.replace(' ', "-")
        );
    }
    out
}

fn legend() -> String {
    let mut out = String::new();
    for (_, letter, name) in Look::ALL {
        let _ = write!(out, "<span><i class=\"look {letter}\"></i>{name}</span>");
    }
    out
}

fn memories(subject: &Subject<'_>) -> String {
    let mut out = String::new();
    for (number, memory) in subject.description.memories.iter().enumerate() {
        let drawing = Drawing::new(memory.bytes, subject.snapshot.memory_pages(number));
        let stored = size(memory.stored_bytes);
        let text = format!("{}, {stored} in the snapshot", size(memory.bytes));
        draw(&mut out, &format!("Memory {number}"), &text, &drawing);
    }
    let heap = &subject.description.heap;
    if heap.objects > 0 {
        let drawing = Drawing::new(heap.bytes, subject.snapshot.heap_pages());
        let text = format!("{}, {} objects", size(heap.bytes), heap.objects);
        draw(&mut out, "Heap of objects", &text, &drawing);
    }
    out
}

fn draw(out: &mut String, name: &str, text: &str, drawing: &Drawing) {
    let a_cell = match drawing.pages_a_cell {
        1 => String::new(),
        n => format!(", {n} pages a square"),
    };
    let _ = write!(
        out,
        "<h3>{name} <small>{text}{a_cell}</small></h3><canvas data-cells=\"{}\" data-pages=\"{}\" data-letters=\"{}\"></canvas>",
        drawing.cells, drawing.pages_a_cell, drawing.letters
    );
}

/// The stacks, each below the one that goes on when it ends; in each, every frame below the one that called it.
fn stacks(subject: &Subject<'_>) -> String {
    let mut out = String::new();
    for (depth, stack) in subject.stacks() {
        let title = escape(&stack.title);
        let (frames, bytes, left) = (frames(stack.frames), size(stack.bytes), depth.min(40) * 2);
        let _ = write!(
            out,
            "<section style=\"margin-left:{left}rem\"><h3>{title} <small>{frames}, {bytes}</small></h3>"
        );
        frames_of(&mut out, &stack);
        out.push_str("</section>");
    }
    if out.is_empty() {
        out.push_str("<p>No call waits.</p>");
    }
    out
}

fn frames_of(out: &mut String, stack: &Stack<'_>) {
    let Some(backtrace) = stack.backtrace else {
        out.push_str("<p>The module is not in the snapshot.</p>");
        return;
    };
    let frames = backtrace.frames();
    out.push_str("<ol class=\"stack\">");
    let hidden = frames.len().saturating_sub(MOST_FRAMES);
    for frame in frames.iter().skip(hidden).rev() {
        let name = escape(&function(frame));
        let module = escape(frame.module().name().unwrap_or_default());
        let offset = frame.module_offset().map(|at| format!("{at:#x}"));
        let _ = write!(
            out,
            "<li><code>{name}</code> <small>{module} {}</small></li>",
            offset.unwrap_or_default()
        );
    }
    if hidden > 0 {
        let _ = write!(out, "<li><small>… and {hidden} more inside</small></li>");
    }
    out.push_str("</ol>");
}

fn heap(subject: &Subject<'_>) -> String {
    let heap = &subject.description.heap;
    if heap.objects == 0 {
        return String::new();
    }
    let mut out = String::from("<h2>Objects</h2><table><tr><th>type<th>objects<th>bytes</tr>");
    for (name, count, bytes) in heap.types.iter().take(30) {
        let (name, bytes) = (escape(name), size(*bytes));
        let _ = write!(
            out,
            "<tr><td><code>{name}</code><td>{count}<td>{bytes}</tr>"
        );
    }
    out.push_str("</table><h3>The biggest</h3><table><tr><th>type<th>place<th>bytes</tr>");
    for (name, at, bytes) in &heap.biggest {
        let (name, bytes) = (escape(name), size((*bytes).into()));
        let _ = write!(
            out,
            "<tr><td><code>{name}</code><td>{at:#x}<td>{bytes}</tr>"
        );
    }
    out.push_str("</table>");
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_no_markup() {
        assert_eq!(super::escape("<b>&{{X}}"), "&lt;b&gt;&amp;&#123;&#123;X}}");
    }
}
