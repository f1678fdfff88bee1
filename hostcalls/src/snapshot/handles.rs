//! What the embedder has handles of, by names that it chose: to find it again in a store that was restored.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use sheave_interp::{FuncAddr, GlobalAddr, MemAddr, TableAddr, TagAddr, VmState};

use super::codec::{Reader, Writer};
use crate::store::{Store, StoreOpaque};
use crate::{Extern, Func, Global, Memory, Table, Tag};

/// A kind of items (0 to 4: function, table, memory, global, tag) and the address of one.
pub(super) type Handle = (u8, u32);

/// The items with a name, ascending by that.
pub(super) type Handles = Vec<(Box<str>, Handle)>;

/// The same, to look a name up in.
#[derive(Clone, Default)]
pub(crate) struct Restored(Arc<HashMap<Box<str>, Handle>>);

pub(super) fn of(item: &Extern) -> Handle {
    match item {
        Extern::Func(f) => (0, f.addr.0),
        Extern::Table(t) => (1, t.addr.0),
        Extern::Memory(m) => (2, m.addr.0),
        Extern::Global(g) => (3, g.addr.0),
        Extern::Tag(t) => (4, t.addr.0),
    }
}

pub(super) fn write(w: &mut Writer, handles: &Handles) {
    w.list(handles, |w, (name, (kind, addr))| {
        w.bytes(name.as_bytes());
        w.u8(*kind);
        w.u32(*addr);
    });
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<Handles> {
    r.list(|r| Ok((r.text()?, (r.u8()?, r.u32()?))))
}

/// Checks that each leads to something.
pub(super) fn restored(handles: &Handles, vm: &VmState) -> Result<Restored> {
    let counts = [
        vm.funcs.len(),
        vm.tables.len(),
        vm.memories.len(),
        vm.globals.len(),
        vm.tags.len(),
    ];
    let exists = |(kind, addr): Handle| {
        let count = counts.get(usize::from(kind));
        count.is_some_and(|n| (addr as usize) < *n)
    };
    if !handles.iter().all(|(_, handle)| exists(*handle)) {
        return Err(anyhow!("inconsistent snapshot: a name of nothing"));
    }
    Ok(Restored(Arc::new(handles.iter().cloned().collect())))
}

impl<T: 'static> Store<T> {
    /// What had that name when the snapshot was taken that this store was restored from
    /// ([`SnapshotOptions::handle`](crate::SnapshotOptions::handle)).
    ///
    /// ```
    /// # use sheave_hostcalls::{Engine, Linker, Memory, MemoryType, Restore, SnapshotOptions, Store};
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, ());
    /// let memory = Memory::new(&mut store, MemoryType::new(1, None))?;
    /// memory.write(&mut store, 7, b"kept")?;
    /// let snapshot = store.snapshot_with(SnapshotOptions::new().handle("mine", memory))?;
    ///
    /// let mut store = Store::restore(&engine, &snapshot, &Linker::new(&engine), ())?;
    /// let memory = store.restored("mine").unwrap().into_memory().unwrap();
    /// assert_eq!(&memory.data(&store)[7..11], b"kept");
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    pub fn restored(&self, name: &str) -> Option<Extern> {
        let opaque: &StoreOpaque = &self.0.opaque;
        let (kind, addr) = *opaque.restored.0.get(name)?;
        let store = opaque.id;
        Some(match kind {
            0 => Extern::Func(Func {
                store,
                addr: FuncAddr(addr),
            }),
            1 => Extern::Table(Table {
                store,
                addr: TableAddr(addr),
            }),
            2 => Extern::Memory(Memory {
                store,
                addr: MemAddr(addr),
                shared: opaque.memory_types.get(addr as usize)?.is_shared(),
            }),
            3 => Extern::Global(Global {
                store,
                addr: GlobalAddr(addr),
            }),
            _ => Extern::Tag(Tag {
                store,
                addr: TagAddr(addr),
            }),
        })
    }
}
