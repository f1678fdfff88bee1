//! Validates the operators that `decode` decodes.

use super::signature::{ACCESSES, Type};
use super::{BlockType, FrameKind, PlainFunctions};
use crate::translate::decode::VisitFrequent;
use wasmparser::MemArg;

macro_rules! numeric {
    ($($visit:ident $opcode:literal,)*) => {
        $(
            #[inline]
            fn $visit(&mut self) -> Option<()> {
                self.numeric($opcode)
            }
        )*
    };
}

macro_rules! accesses {
    ($($visit:ident $opcode:literal,)*) => {
        $(
            #[inline]
            fn $visit(&mut self, arg: MemArg) -> Option<()> {
                let access = &ACCESSES[$opcode - 0x28];
                if arg.align > access.max_align {
                    return None;
                }
                self.access(access)
            }
        )*
    };
}

impl PlainFunctions<'_> {
    #[inline]
    fn frequent_block(&mut self, kind: FrameKind, ty: wasmparser::BlockType) -> Option<()> {
        let ty = match ty {
            wasmparser::BlockType::Empty => BlockType::Empty,
            wasmparser::BlockType::Type(ty) => BlockType::Result(Type::of_read(ty)?),
            wasmparser::BlockType::FuncType(_) => return None,
        };
        self.open(kind, ty)
    }

    #[inline]
    fn local(&self, local: u32) -> Option<Type> {
        self.locals.get(local as usize).copied()
    }
}

impl VisitFrequent for PlainFunctions<'_> {
    type Output = Option<()>;

    #[inline]
    fn is_open(&self) -> bool {
        self.open
    }

    #[inline]
    fn visit_block(&mut self, ty: wasmparser::BlockType) -> Option<()> {
        self.frequent_block(FrameKind::Block, ty)
    }

    #[inline]
    fn visit_loop(&mut self, ty: wasmparser::BlockType) -> Option<()> {
        self.frequent_block(FrameKind::Loop, ty)
    }

    #[inline]
    fn visit_if(&mut self, ty: wasmparser::BlockType) -> Option<()> {
        self.pop(Type::I32)?;
        self.frequent_block(FrameKind::If, ty)
    }

    #[inline]
    fn visit_end(&mut self) -> Option<()> {
        self.end()
    }

    #[inline]
    fn visit_br(&mut self, label: u32) -> Option<()> {
        self.pop_all(self.label(label)?)?;
        self.end_reachable();
        Some(())
    }

    #[inline]
    fn visit_br_if(&mut self, label: u32) -> Option<()> {
        self.pop(Type::I32)?;
        let types = self.label(label)?;
        if types.is_empty() {
            return Some(());
        }
        self.pop_all(types)?;
        self.push_all(types)
    }

    #[inline]
    fn visit_call(&mut self, func: u32) -> Option<()> {
        self.call(*self.info.funcs.get(func as usize)?)
    }

    #[inline]
    fn visit_local_get(&mut self, local: u32) -> Option<()> {
        self.operands.push(self.local(local)?);
        Some(())
    }

    #[inline]
    fn visit_local_set(&mut self, local: u32) -> Option<()> {
        self.pop(self.local(local)?)
    }

    #[inline]
    fn visit_local_tee(&mut self, local: u32) -> Option<()> {
        let ty = self.local(local)?;
        self.pop(ty)?;
        self.operands.push(ty);
        Some(())
    }

    #[inline]
    fn visit_global_get(&mut self, global: u32) -> Option<()> {
        let global = self.info.globals.get(global as usize)?;
        self.operands.push(Type::of(global.content)?);
        Some(())
    }

    #[inline]
    fn visit_global_set(&mut self, global: u32) -> Option<()> {
        let global = self.info.globals.get(global as usize)?;
        if !global.mutable {
            return None;
        }
        self.pop(Type::of(global.content)?)
    }

    #[inline]
    fn visit_i32_const(&mut self, _: i32) -> Option<()> {
        self.operands.push(Type::I32);
        Some(())
    }

    accesses! {
        visit_i32_load 0x28,
        visit_i64_load 0x29,
        visit_i32_load8_u 0x2d,
        visit_i32_store 0x36,
        visit_i64_store 0x37,
        visit_i32_store8 0x3a,
    }

    numeric! {
        visit_i32_eqz 0x45,
        visit_i32_eq 0x46,
        visit_i32_add 0x6a,
        visit_i32_sub 0x6b,
        visit_i32_and 0x71,
        visit_i32_shl 0x74,
    }
}
