//! Tables of a store, and the element segments they are filled from.
#![allow(unsafe_code, reason = "reads and writes table entries in the arena")]

use sheave_arena::Offset;

use crate::store::{InstAddr, LimitRequest, StoreError, TableAddr, TableRec, next_addr};
use crate::vm::Vm;

impl Vm {
    /// A table of `len` entries, each `init`, that may grow to `max`; `table64` says what `table.grow` gives if it fails.
    ///
    /// # Errors
    /// If the arena or the budget has no room.
    pub fn new_table(
        &mut self,
        len: u32,
        max: Option<u64>,
        table64: bool,
        init: u32,
    ) -> Result<TableAddr, StoreError> {
        let addr = next_addr(self.tables.len())?;
        let cap = len.max(4);
        let off = self.alloc_u32s(cap)?;
        self.tables.push(TableRec {
            off,
            len,
            cap,
            max,
            table64,
            traced: false,
        });
        if init != 0 {
            self.entries_mut(off, len).fill(init.to_le());
        }
        self.refresh();
        Ok(TableAddr(addr))
    }

    pub(crate) fn alloc_u32s(&mut self, n: u32) -> Result<u32, StoreError> {
        let bytes = n.checked_mul(4).ok_or(StoreError::TooMany)?;
        Ok(self.arena.alloc(bytes.max(16))?.get())
    }

    pub(crate) fn entries_mut(&mut self, off: u32, n: u32) -> &mut [u32] {
        // SAFETY: I5, `n` entries were allocated at `off`, 16-aligned; the reference borrows the vm.
        unsafe {
            core::slice::from_raw_parts_mut(self.arena.base().add(off as usize).cast(), n as usize)
        }
    }

    /// Entries of a table.
    pub fn table_len(&self, table: TableAddr) -> u32 {
        self.tables[table.0 as usize].len
    }

    /// An entry, or `None` past the end. Function references are FuncAddr + 1; 0 is null.
    pub fn table_get(&mut self, table: TableAddr, i: u64) -> Option<u32> {
        let t = &self.tables[table.0 as usize];
        let (off, len) = (t.off, t.len);
        let i = usize::try_from(i).ok()?;
        self.entries_mut(off, len).get(i).map(|e| u32::from_le(*e))
    }

    /// Sets an entry; false past the end.
    pub fn table_set(&mut self, table: TableAddr, i: u64, v: u32) -> bool {
        self.table_range(table, i, 1)
            .map(|e| e[0] = v.to_le())
            .is_some()
    }

    fn table_range(&mut self, table: TableAddr, i: u64, n: u64) -> Option<&mut [u32]> {
        let t = &self.tables[table.0 as usize];
        let (off, len) = (t.off, t.len);
        let end = i.checked_add(n).filter(|e| *e <= u64::from(len))?;
        Some(&mut self.entries_mut(off, len)[i as usize..end as usize])
    }

    /// Grows a table by `delta` entries of `init`; gives the old length, or `None` if it cannot.
    pub fn table_grow(&mut self, table: TableAddr, delta: u64, init: u32) -> Option<u32> {
        let t = &self.tables[table.0 as usize];
        let (off, len, cap, max) = (t.off, t.len, t.cap, t.max);
        let new = u64::from(len).checked_add(delta);
        let new = new.filter(|new| *new <= max.unwrap_or(u64::from(u32::MAX)));
        let Some(new) = new.and_then(|new| u32::try_from(new).ok()) else {
            self.growth_failed(LimitRequest::TableFailed { at_maximum: true });
            return None;
        };
        let request = LimitRequest::Table {
            current: len.into(),
            desired: new.into(),
            maximum: max,
        };
        if !self.allowed(request) {
            return None;
        }
        if new > cap {
            let new_cap = new
                .max(cap.saturating_mul(2))
                .min(u32::try_from(max.unwrap_or(u64::MAX)).unwrap_or(u32::MAX))
                .max(new);
            let room = self.alloc_u32s(new_cap).or_else(|_| self.alloc_u32s(new));
            let Ok(new_off) = room else {
                self.growth_failed(LimitRequest::TableFailed { at_maximum: false });
                return None;
            };
            let base = self.arena.base();
            // SAFETY: both objects are alive and disjoint.
            unsafe {
                base.add(new_off as usize)
                    .cast::<u32>()
                    .copy_from_nonoverlapping(base.add(off as usize).cast(), len as usize)
            };
            if let Some(old) = Offset::new(off) {
                self.arena.free(old, (cap * 4).max(16));
            }
            let t = &mut self.tables[table.0 as usize];
            (t.off, t.cap) = (new_off, new_cap);
        }
        let t = &mut self.tables[table.0 as usize];
        t.len = new;
        let off = t.off;
        self.entries_mut(off, new)[len as usize..].fill(init.to_le());
        self.refresh();
        Some(len)
    }

    /// Sets `n` entries from `i` up; false if they are not all inside.
    pub fn table_fill(&mut self, table: TableAddr, i: u64, v: u32, n: u64) -> bool {
        self.table_range(table, i, n)
            .map(|e| e.fill(v.to_le()))
            .is_some()
    }

    /// Copies `n` entries; false if they are not all inside.
    pub fn table_copy(&mut self, dst: TableAddr, d: u64, src: TableAddr, s: u64, n: u64) -> bool {
        if self.table_range(dst, d, n).is_none() {
            return false;
        }
        let Some(from) = self.table_range(src, s, n) else {
            return false;
        };
        let from = from.as_ptr();
        let Some(to) = self.table_range(dst, d, n) else {
            return false;
        };
        let to = to.as_mut_ptr();
        let base = self.arena.base();
        // SAFETY: both ranges were just checked; the pointers are taken anew from the base, and may overlap.
        unsafe {
            let (from, to) = (
                base.add(from.addr() - base.addr()),
                base.add(to.addr() - base.addr()),
            );
            to.cast::<u32>().copy_from(from.cast(), n as usize);
        }
        true
    }

    /// Copies `n` references of an element segment of `inst`; false if they are not all inside.
    pub fn table_init(
        &mut self,
        inst: InstAddr,
        elem: u32,
        table: TableAddr,
        d: u64,
        s: u32,
        n: u32,
    ) -> bool {
        let (off, len) = self.instances[inst.0 as usize].elems[elem as usize];
        if s.checked_add(n).is_none_or(|e| e > len)
            || self.table_range(table, d, n.into()).is_none()
        {
            return false;
        }
        for k in 0..n {
            let v = u32::from_le(self.entries_mut(off, len)[(s + k) as usize]);
            self.table_set(table, d + u64::from(k), v);
        }
        true
    }

    /// Drops an element segment. Spec: exec-elem.drop.
    pub fn elem_drop(&mut self, inst: InstAddr, elem: u32) {
        let e = &mut self.instances[inst.0 as usize].elems[elem as usize];
        if e.1 > 0
            && let Some(off) = Offset::new(e.0)
        {
            let bytes = (e.1 * 4).max(16);
            *e = (0, 0);
            self.arena.free(off, bytes);
        }
    }
}
