//! Where the ops of functions lie in their linked forms, for who looks at many frames: each function's code is got, and gone through, once.

use std::collections::HashMap;
use std::sync::Arc;

use sheave_isa::{Instr, Instrs};

use crate::link;
use crate::module::{CodeModule, SourceError};
use crate::vm::Vm;

/// The ops of a function, in both forms.
pub(crate) struct Layout {
    code: Box<[u16]>,
    /// Of each op the first unit, and the first byte of its linked form; at the end, those behind the last.
    ops: Box<[(u32, u32)]>,
}

impl Layout {
    fn new(module: &CodeModule, func: u32) -> Result<Layout, SourceError> {
        let code: Box<[u16]> = module.source().code(func)?.code.into();
        let ops = link::places(module.executor(), &code).collect();
        Ok(Layout { code, ops })
    }

    /// The unit of the op whose linked form contains a byte.
    pub(crate) fn unit_at(&self, byte: u32) -> u32 {
        let behind = self.ops.partition_point(|(_, at)| *at <= byte);
        self.ops[behind.saturating_sub(1)].0
    }

    fn index(&self, pos: u32) -> Option<usize> {
        self.ops.binary_search_by_key(&pos, |(unit, _)| *unit).ok()
    }

    /// The byte at which the linked form of the op at `pos` begins, or of what is behind the last.
    pub(crate) fn linked(&self, pos: u32) -> Option<u32> {
        Some(self.ops[self.index(pos)?].1)
    }

    /// The op at `pos`.
    pub(crate) fn at(&self, pos: u32) -> Option<Instr<'_>> {
        self.index(pos)?;
        Instrs::at(&self.code, pos).next()?.ok()
    }

    /// The op before the one at `pos`.
    pub(crate) fn before(&self, pos: u32) -> Option<Instr<'_>> {
        self.at(self.ops[self.index(pos)?.checked_sub(1)?].0)
    }
}

/// The layouts that somebody needed, by instance and function.
#[derive(Default)]
pub(crate) struct Layouts(HashMap<(u32, u32), Arc<Layout>>);

impl Layouts {
    /// That of a defined function of an instance.
    pub(crate) fn of(
        &mut self,
        module: &CodeModule,
        inst: u32,
        func: u32,
    ) -> Result<Arc<Layout>, SourceError> {
        if let Some(layout) = self.0.get(&(inst, func)) {
            return Ok(Arc::clone(layout));
        }
        let layout = Arc::new(Layout::new(module, func)?);
        self.0.insert((inst, func), Arc::clone(&layout));
        Ok(layout)
    }
}

impl Vm {
    /// The defined function of an instance, and its op (in units), that contain byte `at` of the code space.
    pub(crate) fn op_at(&self, inst: u32, at: u32, layouts: &mut Layouts) -> Option<(u32, u32)> {
        let module = &self.instances.get(inst as usize)?.module;
        let (start, func) = module.func_at(at)?;
        let layout = layouts.of(module, inst, func).ok()?;
        Some((func, layout.unit_at(at - start)))
    }
}
