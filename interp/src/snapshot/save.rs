//! What a machine holds, as plain data.
#![allow(unsafe_code, reason = "reads frames of a paused activation")]

use super::{
    FuncState, GlobalState, InstanceState, PausedState, TableState, VmState, has_two_cells, owners,
};
use crate::gc::ObjectRun;
use crate::layout::Layouts;
use crate::memories::MemorySpec;
use crate::module::SourceError;
use crate::pause::Paused;
use crate::store::{ElemSegment, FuncAddr, GlobalAddr};
use crate::vm::Vm;

impl Vm {
    /// What it holds, and where objects lie in the heap, of which nothing but them is left. `paused` is the activation
    /// that waits, if there is one; no other may be under way. Host values are numbered as [`Vm::number_externs`] does.
    ///
    /// # Errors
    /// If it cannot be collected, or its stacks cannot be walked.
    pub fn state(
        &mut self,
        paused: Option<&Paused>,
    ) -> Result<(VmState, Vec<ObjectRun>), SourceError> {
        let (heap, objects) = self.heap_state()?;
        let memories = self.memories.iter().map(|m| MemorySpec {
            bytes: self.arena.memory_len(m.id),
            max_bytes: m.max_bytes,
            limit_bytes: m.limit_bytes,
            page_size_log2: m.page_size_log2,
            memory64: m.memory64,
            shared: m.shared,
        });
        let memories = memories.collect();
        let tables = (0..self.tables.len()).map(|i| {
            let (off, len) = (self.tables[i].off, self.tables[i].len);
            TableState {
                entries: self.entries(off, len),
                max: self.tables[i].max,
                table64: self.tables[i].table64,
                traced: self.tables[i].traced,
            }
        });
        let tables = tables.collect();
        let instances = (0..self.instances.len()).map(|i| self.instance_state(i));
        let instances: Vec<InstanceState> = instances.collect();
        let funcs = (0..self.funcs.len() as u32).map(|addr| self.func_state(FuncAddr(addr)));
        let state = VmState {
            heap,
            fuel: self.fuel,
            memories,
            tables,
            globals: self.global_values(&instances),
            tags: self.tags.iter().map(|tag| tag.ty).collect(),
            funcs: funcs.collect(),
            instances,
            stacks: self.stack_states()?,
            paused: paused.map(|p| self.paused_state(p)),
        };
        Ok((state, objects))
    }

    fn entries(&mut self, off: u32, len: u32) -> Vec<u32> {
        let entries = self.entries_mut(off, len).iter();
        entries.map(|e| u32::from_le(*e)).collect()
    }

    fn func_state(&self, addr: FuncAddr) -> FuncState {
        if let Some((inst, func)) = self.func_origin(addr) {
            return FuncState::Wasm { inst, func };
        }
        let rec = &self.funcs[addr.0 as usize];
        FuncState::Host {
            ty: rec.ty,
            slots: rec.slots,
        }
    }

    fn instance_state(&mut self, inst: usize) -> InstanceState {
        let elems = self.instances[inst].elems.clone();
        let elems = (0..).zip(elems).map(|(k, (off, len))| ElemSegment {
            refs: self.entries(off, len),
            traced: self.instances[inst].traced_elems.contains(&k),
        });
        let elems = elems.collect();
        let i = &self.instances[inst];
        let imported = &i.funcs[..i.module.desc().imported_funcs as usize];
        InstanceState {
            imported_funcs: imported.iter().map(|f| FuncAddr(f - 1)).collect(),
            tables: i.tables.clone(),
            memories: i.memories.clone(),
            globals: i.globals.clone(),
            tags: i.tags.clone(),
            elems,
            // Those that nothing can name are not even there if the module comes from an image.
            data_dropped: match i.module.desc().names_data {
                true => i.data_dropped.clone(),
                false => Vec::new(),
            },
        }
    }

    fn global_values(&self, instances: &[InstanceState]) -> Vec<GlobalState> {
        let modules: Vec<_> = self.instances.iter().map(|i| &*i.module).collect();
        let owners = owners(self.global_cells.len(), instances, &modules).unwrap_or_default();
        let values = (0..).map(GlobalAddr).zip(&owners);
        let value = |(global, owner): (GlobalAddr, &Option<(usize, u32)>)| {
            let bits = if has_two_cells(*owner, &modules) {
                self.global_get_v128(global)
            } else {
                self.global_get(global).into()
            };
            let cell = self.global_cells[global.0 as usize];
            GlobalState {
                bits,
                traced: self.gc.traced_globals.contains(&cell),
            }
        };
        values.map(value).collect()
    }

    fn paused_state(&self, paused: &Paused) -> PausedState {
        let (place, end) = if self.current == 0 {
            (self.current_place(), self.top)
        } else {
            let place = self.waiting_place(0);
            let module = &self.instances[place.inst as usize].module;
            (place, place.fp + module.frame_bytes(place.at).unwrap_or(0))
        };
        // SAFETY: I3, frames lie in the chunk up to the end of the innermost; `put_aside` set `top` to that.
        let bytes = (paused.frame()..end).map(|at| unsafe { self.chunk(0, at).read() });
        let frames = self.frames_on(place, &mut Layouts::default());
        let outermost = frames.last().and_then(|f| {
            let module = &self.instances.get(f.inst.0 as usize)?.module;
            module.defined_shape(f.func)
        });
        PausedState {
            stack: self.current,
            bytes: bytes.collect(),
            results: outermost.map_or(0, |(shape, _)| shape.results),
            frames,
        }
    }
}
