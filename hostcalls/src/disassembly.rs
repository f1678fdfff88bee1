//! Bytecode as text, beside the wasm it came from.

use core::ops::Range;

use anyhow::ensure;
use sheave_isa::Instrs;
use sheave_loader::ExportKind;

use crate::Result;
use crate::module::Module;

/// The bytecode of a function, as text: see [`Module::disassemble`].
#[derive(Clone, Debug)]
pub struct Disassembly {
    /// Where its body lies in the module, in bytes.
    pub body: Range<usize>,
    /// How many slots of 8 bytes its frame has.
    pub frame_slots: u32,
    /// Its ops, in order.
    pub ops: Vec<DisassembledOp>,
}

/// One op of a [`Disassembly`].
#[derive(Clone, Debug)]
pub struct DisassembledOp {
    /// Where it stands, in units of 16 bits from the function's start.
    pub position: u32,
    /// Whether some branch leads here.
    pub is_label: bool,
    /// The op and its operands.
    pub text: String,
    /// Where in the module the operator stands that it came from, in bytes.
    pub wasm_offset: Option<usize>,
}

impl Module {
    /// The indices of the functions that the module defines: those after the imported ones.
    pub fn defined_functions(&self) -> Range<u32> {
        let info = self.loaded().info();
        info.n_imported_funcs..info.n_imported_funcs + info.n_defined_funcs()
    }

    /// All names of a function, by its index (imports included): those it is exported by, and the one in the name
    /// section.
    pub fn func_names(&self, func: u32) -> impl Iterator<Item = &str> {
        let exports = self.loaded().info().exports.iter();
        let exports = exports.filter(move |e| e.kind == ExportKind::Func && e.index == func);
        exports.map(|e| &*e.name).chain(self.func_name(func))
    }

    /// The bytecode of a function as text, by the function's index (imports included).
    ///
    /// # Errors
    /// If there is no such function, it is imported, or it cannot be translated.
    pub fn disassemble(&self, func: u32) -> Result<Disassembly> {
        let loaded = self.loaded();
        let functions = self.defined_functions();
        ensure!(
            functions.contains(&func),
            "the module defines no function {func}"
        );
        let defined = func - functions.start;
        let code = loaded.code(defined)?;
        let positions = loaded.positions(defined)?;
        let ops = Instrs::new(&code.code).map_while(|op| op.ok()).map(|op| {
            let before = positions.partition_point(|(position, _)| *position <= op.pos);
            let origin = before.checked_sub(1).map(|i| positions[i].1 as usize);
            DisassembledOp {
                position: op.pos,
                is_label: op.label,
                text: op.to_string(),
                wasm_offset: origin,
            }
        });
        let body = &loaded.info().bodies[defined as usize];
        Ok(Disassembly {
            body: body.start as usize..body.end as usize,
            frame_slots: code.frame_slots,
            ops: ops.collect(),
        })
    }
}
