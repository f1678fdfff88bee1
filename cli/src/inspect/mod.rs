//! `sheave inspect`: what is in a snapshot.

mod html;
mod pages;
mod text;

use crate::args::InspectArgs;
use crate::failure::Failure;
use crate::features;
use crate::load;
use crate::snapshots::Program;
use sheave::{
    Description, Engine, FrameInfo, PauseReason, Snapshot, StackDescription, WasmBacktrace,
};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// What is shown.
struct Subject<'a> {
    path: &'a Path,
    snapshot: &'a Snapshot,
    description: Description,
    /// If it was taken by this command.
    program: Option<Program>,
}

/// A stack, in the tree of stacks.
struct Stack<'a> {
    number: u32,
    title: String,
    backtrace: Option<&'a WasmBacktrace>,
    frames: usize,
    bytes: u64,
}

pub(crate) fn main(args: &InspectArgs) -> Result<ExitCode, Failure> {
    let failure = |error: &sheave::Error| Failure::of(&args.file, error.root_cause());
    let snapshot = Snapshot::open(&args.file).map_err(|error| failure(&error))?;
    if args.verify {
        snapshot.verify().map_err(|error| failure(&error))?;
    }
    let program = Program::of(&snapshot).ok();
    let mut config = features::all();
    // Names and positions are all that is wanted of the modules.
    snapshot.configure(&mut config).lazy_validation(true);
    let engine = Engine::new(&config).map_err(Failure::new)?;
    let mut module = None;
    if snapshot.lacks_modules() {
        let there = program
            .as_ref()
            .map(|p| Path::new(&p.file))
            .filter(|p| p.is_file());
        if let Some(file) = args.module.as_deref().or(there) {
            module = Some(load::module(&engine, file)?);
        }
    }
    let found = |hash: &_| Ok(module.clone().filter(|m| m.hash() == *hash));
    let description = snapshot.describe(&engine, found);
    let subject = Subject {
        path: &args.file,
        snapshot: &snapshot,
        description: description.map_err(|error| failure(&error))?,
        program,
    };
    if let Some(html) = &args.html {
        std::fs::write(html, html::page(&subject)).map_err(|error| Failure::io(html, &error))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = io::stdout().lock();
    let written = out.write_all(text::show(&subject).as_bytes());
    match written.and_then(|()| out.flush()) {
        // Whoever reads this may stop reading.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

impl Subject<'_> {
    /// Why the call waits, in words.
    fn reason(&self, reason: PauseReason) -> &'static str {
        let asked = self
            .program
            .as_ref()
            .is_some_and(|p| p.pending == crate::snapshots::Pending::Now);
        match reason {
            PauseReason::OutOfFuel => "its fuel was used up",
            PauseReason::Interrupted => "it was interrupted",
            PauseReason::HostCall if asked => "it asked for a snapshot",
            PauseReason::HostCall => "it waits in a host function, which is called again",
        }
    }

    /// All stacks, each behind the one that goes on when it ends, and how deep it is in this tree.
    fn stacks(&self) -> Vec<(usize, Stack<'_>)> {
        let d = &self.description;
        let first = d.paused.iter().map(|paused| Stack {
            number: 0,
            title: format!("the call that waits: {}", self.reason(paused.reason)),
            backtrace: paused.backtrace.as_ref(),
            frames: paused.frames,
            bytes: paused.stack_bytes,
        });
        let title = |s: &StackDescription| {
            let number = s.number;
            // Only the waiting call's stacks have the first one outside of them.
            match (s.parent, s.suspended) {
                (None, true) => format!("a suspended continuation: stack {number}"),
                (None, false) => format!("a suspended continuation: outermost, stack {number}"),
                (Some(_), true) => format!("innermost, stack {number}"),
                (Some(_), false) => format!("resumed there: stack {number}"),
            }
        };
        let others = |parent: Option<u32>| {
            let stacks = d.stacks.iter().filter(move |s| s.parent == parent);
            stacks.map(|s| Stack {
                number: s.number,
                title: title(s),
                backtrace: s.backtrace.as_ref(),
                frames: s.frames,
                bytes: s.bytes,
            })
        };
        // From the last to the first, as they are taken from the end.
        let mut left: Vec<_> = first.chain(others(None)).map(|s| (0, s)).collect();
        left.reverse();
        let mut all = Vec::new();
        while let Some((depth, stack)) = left.pop() {
            // In a damaged file two may have one number.
            if all.len() > d.stacks.len() {
                break;
            }
            let children = others(Some(stack.number)).map(|s| (depth + 1, s));
            let at = left.len();
            left.extend(children);
            left[at..].reverse();
            all.push((depth, stack));
        }
        all
    }

    /// The name of a module, or where it stands in the list.
    fn module_name(&self, number: usize) -> String {
        let module = self.description.modules.get(number);
        let module = module.and_then(|(_, module)| module.as_ref());
        match module.and_then(|m| m.name()) {
            Some(name) => name.to_owned(),
            None => format!("module {number}"),
        }
    }
}

/// A function's name, or its index.
fn function(frame: &FrameInfo) -> String {
    match frame.func_name() {
        Some(name) => name.to_owned(),
        None => format!("function {}", frame.func_index()),
    }
}

/// `3 frames`.
fn frames(count: usize) -> String {
    match count {
        1 => "1 frame".to_owned(),
        n => format!("{n} frames"),
    }
}

/// `10.3 MiB`.
fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_short() {
        let sizes = [0, 1023, 1024, 1536, 10 << 20, u64::MAX].map(super::size);
        assert_eq!(
            sizes,
            [
                "0 B",
                "1023 B",
                "1.0 KiB",
                "1.5 KiB",
                "10.0 MiB",
                "16777216.0 TiB"
            ]
        );
    }
}
