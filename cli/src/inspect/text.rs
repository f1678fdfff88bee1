//! A snapshot as text.

use super::{Stack, Subject, frames, function, size};
use std::fmt::Write as _;

/// Frames, types and objects that are shown at most.
const MOST: usize = 30;

pub(super) fn show(subject: &Subject<'_>) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut out, subject);
    out
}

fn write(out: &mut String, subject: &Subject<'_>) -> std::fmt::Result {
    let d = &subject.description;
    let file: u64 = d.sections.iter().map(|(_, bytes)| bytes).sum();
    writeln!(out, "{}: {}", subject.path.display(), size(file))?;
    if let Some(program) = &subject.program {
        let call = program
            .invoke
            .as_ref()
            .map(|name| format!(", function `{name}`"));
        writeln!(
            out,
            "program    {}{}",
            program.name,
            call.unwrap_or_default()
        )?;
    }
    if let Some(fuel) = d.fuel {
        writeln!(out, "fuel       {fuel} left")?;
    }
    for (i, (hash, module)) in d.modules.iter().enumerate() {
        let what = match module {
            Some(module) => size(module.wasm().len() as u64),
            None => "not in the snapshot".to_owned(),
        };
        writeln!(
            out,
            "module {i:<3} {}, {what}, {hash}",
            subject.module_name(i)
        )?;
    }
    for (i, instance) in d.instances.iter().enumerate() {
        let (memories, tables) = (&instance.memories, &instance.tables);
        let of = subject.module_name(instance.module);
        writeln!(
            out,
            "instance {i} of {of}; memories {memories:?}, tables {tables:?}"
        )?;
    }
    for (i, memory) in d.memories.iter().enumerate() {
        let most = memory
            .max_bytes
            .map(|most| format!(" of at most {}", size(most)));
        let (length, stored) = (size(memory.bytes), size(memory.stored_bytes));
        let bits = if memory.memory64 { ", 64-bit" } else { "" };
        writeln!(
            out,
            "memory {i:<3} {length}{}, {stored} stored{bits}",
            most.unwrap_or_default()
        )?;
    }
    for (i, table) in d.tables.iter().enumerate() {
        let (size, element, filled) = (table.size, &table.element, table.filled);
        writeln!(out, "table {i:<4} {size} of {element}, {filled} not null")?;
    }
    writeln!(out, "globals    {}", d.globals)?;
    writeln!(out, "imports    {} host functions", d.host_functions.len())?;
    for (module, name) in &d.host_functions {
        writeln!(out, "             {module} {name}")?;
    }
    heap(out, subject)?;
    if d.paused.is_none() {
        writeln!(out, "no call waits")?;
    }
    for (depth, stack) in subject.stacks() {
        let (frames, bytes) = (frames(stack.frames), size(stack.bytes));
        let indent = "  ".repeat(depth.min(MOST));
        writeln!(out, "{indent}{}; {frames}, {bytes}", stack.title)?;
        frames_of(out, &indent, &stack)?;
    }
    Ok(())
}

fn heap(out: &mut String, subject: &Subject<'_>) -> std::fmt::Result {
    let heap = &subject.description.heap;
    if heap.objects == 0 {
        return Ok(());
    }
    let (objects, taken, length) = (heap.objects, size(heap.object_bytes), size(heap.bytes));
    writeln!(out, "heap       {objects} objects, {taken} of {length}")?;
    for (name, count, bytes) in heap.types.iter().take(MOST) {
        writeln!(out, "  {count:>9} {:>10}  {name}", size(*bytes))?;
    }
    writeln!(out, "  the biggest:")?;
    for (name, at, bytes) in heap.biggest.iter().take(MOST) {
        writeln!(out, "  {at:#9x} {:>10}  {name}", size((*bytes).into()))?;
    }
    Ok(())
}

fn frames_of(out: &mut String, indent: &str, stack: &Stack<'_>) -> std::fmt::Result {
    let Some(backtrace) = stack.backtrace else {
        let text = "(its module is not in the snapshot: --module names its file)";
        return writeln!(out, "{indent}  {text}");
    };
    let frames = backtrace.frames();
    for (i, frame) in frames.iter().take(MOST).enumerate() {
        write!(out, "{indent}  {i:>3}: ")?;
        if let Some(offset) = frame.module_offset() {
            write!(out, "{offset:#9x} - ")?;
        }
        let module = frame.module().name().unwrap_or("<unknown>");
        writeln!(out, "{module}!{}", function(frame))?;
    }
    if frames.len() > MOST {
        writeln!(out, "{indent}       … {} more frames", frames.len() - MOST)?;
    }
    Ok(())
}
