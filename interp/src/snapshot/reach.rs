//! Where something can be reached from, for who must be told that it cannot be saved.

use core::fmt;

use crate::store::{FuncAddr, GlobalAddr, InstAddr, TableAddr};
use crate::vm::Vm;

/// What leads to something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Place {
    /// An entry of a table.
    Table(TableAddr, u32),
    /// A global.
    Global(GlobalAddr),
    /// An element segment.
    Element(InstAddr, u32),
    /// What the host has a handle of.
    Handle,
    /// A frame, or a place that is not looked into.
    Elsewhere,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(table, entry) => write!(f, "entry {entry} of table {}", table.0),
            Self::Global(global) => write!(f, "global {}", global.0),
            Self::Element(inst, segment) => {
                write!(f, "element segment {segment} of instance {}", inst.0)
            }
            Self::Handle => f.write_str("a handle of the host's"),
            Self::Elsewhere => f.write_str("a frame or an object"),
        }
    }
}

impl Vm {
    /// What leads to the object of host value `index`, if they are numbered: [`Vm::number_externs`].
    pub fn where_extern(&mut self, index: u32) -> Place {
        let object = self.extern_object(index);
        let places = self.places(true);
        let found = object.and_then(|object| {
            places
                .into_iter()
                .find(|(_, root)| self.leads_to(&[*root], object))
        });
        // What was looked at has overwritten what survived.
        if self.gc().is_err() {
            return Place::Elsewhere;
        }
        found.map_or(Place::Elsewhere, |(place, _)| place)
    }

    /// What refers to a function. Globals are not told from numbers, so the caller says which hold functions.
    pub fn where_func(&mut self, func: FuncAddr, is_func: impl Fn(GlobalAddr) -> bool) -> Place {
        let refers = |(place, value): &(Place, u32)| {
            let may = !matches!(place, Place::Global(g) if !is_func(*g));
            may && value.checked_sub(1) == Some(func.0)
        };
        let found = self.places(false).into_iter().find(refers);
        found.map_or(Place::Elsewhere, |(place, _)| place)
    }

    /// Everything outside of frames and objects that holds references: those that the collector follows, or the others.
    fn places(&mut self, traced: bool) -> Vec<(Place, u32)> {
        let mut all = Vec::new();
        for t in 0..self.tables.len() {
            let table = &self.tables[t];
            let (off, len) = (table.off, table.len);
            if table.traced == traced {
                let place = |i| Place::Table(TableAddr(t as u32), i);
                let entries = self.entries_mut(off, len).iter();
                all.extend((0..).map(place).zip(entries.map(|e| u32::from_le(*e))));
            }
        }
        for g in 0..self.global_cells.len() {
            if self.gc.traced_globals.contains(&self.global_cells[g]) == traced {
                let global = GlobalAddr(g as u32);
                all.push((Place::Global(global), self.global_get(global) as u32));
            }
        }
        for i in 0..self.instances.len() {
            for e in 0..self.instances[i].elems.len() as u32 {
                let (off, len) = self.instances[i].elems[e as usize];
                if len > 0 && self.instances[i].traced_elems.contains(&e) == traced {
                    let place = Place::Element(InstAddr(i as u32), e);
                    let entries = self.entries_mut(off, len).iter();
                    all.extend(entries.map(|e| (place, u32::from_le(*e))));
                }
            }
        }
        if traced {
            all.extend(self.gc.roots.all().map(|root| (Place::Handle, root)));
        }
        all.retain(|(_, value)| *value != 0);
        all
    }
}
