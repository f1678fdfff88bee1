//! The bytes of the arena that hold what the guest can touch, for a fuzzer to damage in a store that stands still.
//!
//! Left out are what the machine alone writes and relies on: the arena's header and free lists, and return records (I3).

use sheave_arena::Offset;

use crate::vm::Vm;

impl Vm {
    /// Gives `f` all values of all frames, tables, globals and element segments, then the bytes of each memory, of which
    /// the first is the heap of objects if there is one.
    ///
    /// Whatever `f` makes of them, the store fools only itself. Nothing may run in it meanwhile but what is paused.
    pub fn guest_bytes(&mut self, f: &mut dyn FnMut(&mut [u8])) {
        // Frames lie below the innermost record of each stack.
        let stacks = core::iter::once(0).chain(self.stacks.numbers());
        let frames = stacks.map(|n| match n == self.current {
            true => (self.stacks[n].off, self.stack_len() - self.records_bytes()),
            false => (self.stacks[n].off, self.waiting_place(n).csp),
        });
        let mut parts: Vec<(u32, u32)> = frames.collect();
        parts.extend(self.tables.iter().map(|t| (t.off, t.cap * 4)));
        // A cell of a global has eight bytes behind it, for the other half of a vector.
        parts.extend(self.global_cells.iter().map(|cell| (*cell, 16)));
        let segments = self.instances.iter().flat_map(|i| &i.elems);
        parts.extend(segments.map(|(off, len)| (*off, len * 4)));
        for (off, len) in parts {
            let bytes = Offset::<u8>::new(off).map(|off| self.arena.slice_mut(off, len));
            if let Some(Ok(bytes)) = bytes {
                f(bytes);
            }
        }
        let memories: Vec<_> = self.arena.memories().map(|memory| memory.id).collect();
        for memory in memories {
            f(self.arena.memory_bytes_mut(memory));
        }
    }
}
