//! `sheave disasm`: bytecode beside the WebAssembly it came from.
//!
//! ```text
//! function 0 fib: 4 slots
//!   0x00022  local.get $n
//!   0x00024  i32.const 2
//!   0x00026  i32.lt_u
//!   0x00027  if (result i64) ;; label = @1             br_i32_ge_u_imm s0, 2, @11
//! ```

use crate::args::DisasmArgs;
use crate::failure::Failure;
use crate::load;
use sheave::{DisassembledOp, Disassembly, Engine, Module};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

/// Where the bytecode begins on a line.
const COLUMN: usize = 44;

pub(crate) fn main(args: &DisasmArgs) -> Result<ExitCode, Failure> {
    let engine = Engine::new(&args.features.config()).map_err(Failure::new)?;
    let module = load::module(&engine, &args.file)?;
    let failure = |error: sheave::Error| Failure::of(&args.file, format_args!("{error:#}"));
    let is_wanted = |index: &u32| match &args.func {
        Some(wanted) => {
            module.func_names(*index).any(|name| name == wanted) || index.to_string() == *wanted
        }
        None => true,
    };
    let functions = module.defined_functions().filter(is_wanted);
    let functions = functions.map(|index| Ok((index, module.disassemble(index).map_err(failure)?)));
    let functions = functions.collect::<Result<Vec<_>, Failure>>()?;
    if let (Some(name), true) = (&args.func, functions.is_empty()) {
        return Err(Failure::of(
            &args.file,
            format_args!("no function is called `{name}`"),
        ));
    }
    let mut text = String::new();
    let lines = wasmprinter::Config::new().offsets_and_lines(module.wasm(), &mut text);
    let lines: Vec<Line<'_>> = lines
        .map_err(failure)?
        .filter_map(|(offset, text)| {
            Some(Line {
                offset: usize::try_from(offset?).ok()?,
                text: text.trim_end(),
            })
        })
        .collect();

    match print(&module, &functions, &lines) {
        // Whoever reads this may stop reading.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(error)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// A line of the text format, and the offset of what it says.
struct Line<'a> {
    offset: usize,
    text: &'a str,
}

fn print(module: &Module, functions: &[(u32, Disassembly)], lines: &[Line<'_>]) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for (index, code) in functions {
        write!(out, "function {index}")?;
        let mut names: Vec<_> = module.func_names(*index).collect();
        names.dedup();
        names.iter().try_for_each(|name| write!(out, " {name}"))?;
        writeln!(out, ": {} slots", code.frame_slots)?;
        let from = lines.partition_point(|line| line.offset < code.body.start);
        let to = lines.partition_point(|line| line.offset < code.body.end);
        let body: Vec<_> = lines[from..to.max(from)]
            .iter()
            .filter(|line| !line.text.contains("(func "))
            .collect();
        print_function(&mut out, &body, &code.ops)?;
        writeln!(out)?;
    }
    out.flush()
}

fn print_function(
    out: &mut impl Write,
    lines: &[&Line<'_>],
    ops: &[DisassembledOp],
) -> io::Result<()> {
    let mut lines = lines.iter().peekable();
    let mut left = String::new();
    for op in ops {
        // The wasm up to where the op came from, each on a line of its own; the op goes beside the last.
        while let Some(line) =
            lines.next_if(|line| op.wasm_offset.is_some_and(|offset| line.offset <= offset))
        {
            if !left.is_empty() {
                writeln!(out, "{left}")?;
            }
            left = show(line);
        }
        let label = if op.is_label {
            format!("@{}:", op.position)
        } else {
            String::new()
        };
        writeln!(out, "{left:COLUMN$} {label:>7} {}", op.text)?;
        left.clear();
    }
    if !left.is_empty() {
        writeln!(out, "{left}")?;
    }
    lines.try_for_each(|line| writeln!(out, "{}", show(line)))
}

fn show(line: &Line<'_>) -> String {
    // Functions are fields of the module: two steps in. The bracket that closes one is its `end`.
    let text = line
        .text
        .strip_prefix("    ")
        .unwrap_or(line.text)
        .trim_end();
    let text = if text.trim() == ")" { "end" } else { text };
    format!("  {:#07x}  {text}", line.offset)
}
