//! Where references are in a frame when a collection can happen.
//!
//! That is at allocations, calls, and where code can pause. Nothing of it is made while code is
//! translated to be run: a collector has the function translated once more, with this on.
//!
//! Locals that are not written on all paths to a point are left out, unless they start as zero: then
//! what they hold is either not read before they are written again, or the translator has found that
//! it may be, and has them start as zero.

use super::emit::MAPS;
use super::stack::Kind;
use super::{Translator, Ty};
use crate::error::LoadErrorKind;
use core::ops::Range;

/// Where the references that a collector follows are in a function's frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefMaps {
    /// Position of an op, and where the end of its slots is. They begin where those before end.
    points: Vec<(u32, u32)>,
    slots: Vec<u16>,
}

impl RefMaps {
    /// The ops at which a collection can happen, by position in units; and the slots that hold
    /// references then. Operands of a call are not among them: they belong to whom it calls.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u16])> {
        let mut start = 0;
        self.points.iter().map(move |(pos, end)| {
            let range = core::mem::replace(&mut start, *end as usize)..*end as usize;
            (*pos, &self.slots[range])
        })
    }
}

/// Slots of one point, as a range of the recorder's.
pub(super) type Slots = (u32, u32);

/// In the recorder's slots: a local that counts only if it starts as zero.
const IF_ZERO: u32 = 1 << 31;

/// More slots than this in all maps of a function are refused: code can be made so that they are as
/// many as its ops times its locals.
const MAX_MAP_SLOTS: usize = 1 << 24;

/// Maps in the making.
#[derive(Default)]
pub(super) struct Recorder {
    points: Vec<(u32, Slots)>,
    slots: Vec<u32>,
    /// What an op that counts fuel will have.
    fuel: Option<Slots>,
    /// Slots of all locals that are traced.
    locals: Vec<u32>,
}

impl Recorder {
    pub(super) fn clear(&mut self) {
        self.points.clear();
        self.slots.clear();
        self.fuel = None;
        self.locals.clear();
    }

    pub(super) fn add(&mut self, pos: u32, slots: Slots) {
        self.points.push((pos, slots));
    }

    /// Takes back the point of the op at `pos`, if it is one.
    pub(super) fn take(&mut self, pos: u32) -> Option<Slots> {
        self.points
            .pop_if(|point| point.0 == pos)
            .map(|point| point.1)
    }

    /// The op at `pos` counts fuel.
    #[inline]
    pub(super) fn add_fuel(&mut self, pos: u32) {
        if let Some(slots) = self.fuel.take() {
            self.add(pos, slots);
        }
    }

    /// The maps of code that begins `start` units late, when it is known which locals start as zero.
    pub(super) fn finish(&mut self, start: u32, zero: Option<(u32, u32)>) -> RefMaps {
        let is_zero = |slot: u32| zero.is_some_and(|(first, last)| first <= slot && slot <= last);
        let mut maps = RefMaps::default();
        for (pos, (from, to)) in self.points.drain(..) {
            let range: Range<usize> = from as usize..to as usize;
            for slot in &self.slots[range] {
                let plain = slot & !IF_ZERO;
                if slot & IF_ZERO == 0 || is_zero(plain) {
                    maps.slots.push(plain as u16);
                }
            }
            maps.points.push((pos - start, maps.slots.len() as u32));
        }
        maps
    }
}

impl Translator<'_> {
    /// Looks for the locals that hold traced references.
    pub(super) fn find_traced_locals(&mut self) {
        let types = (0..).zip(&self.local_types);
        let traced = types.filter(|(_, ty)| **ty == Ty::GcRef);
        self.maps.locals.extend(traced.map(|(x, _)| x));
    }

    /// The next op will count fuel. Until then nothing is written, so the references that are in
    /// slots now will be there when it pauses.
    pub(super) fn note_fuel_block(&mut self) {
        if self.pending & MAPS != 0 {
            if let Some((from, _)) = self.maps.fuel.take() {
                self.maps.slots.truncate(from as usize);
            }
            self.maps.fuel = self.live();
        }
    }

    /// Where references are now, if that is to be recorded.
    #[inline]
    pub(super) fn live(&mut self) -> Option<Slots> {
        (self.pending & MAPS != 0).then(|| self.find_live())
    }

    #[cold]
    fn find_live(&mut self) -> Slots {
        let from = self.maps.slots.len();
        if from > MAX_MAP_SLOTS {
            self.failed = Some(LoadErrorKind::CodeTooLarge);
            return (0, 0);
        }
        for x in &self.maps.locals {
            let known = *x < self.n_params || self.initialised[*x as usize];
            self.maps.slots.push(if known { *x } else { *x | IF_ZERO });
        }
        for (at, entry) in (0..).zip(&self.stack) {
            if entry.kind == Kind::Temp && entry.ty == Ty::GcRef {
                self.maps.slots.push(self.n_locals + at);
            }
        }
        (from as u32, self.maps.slots.len() as u32)
    }

    /// The op at `pos` can lead to a collection: what is on the stack now, and the locals, are
    /// still there then.
    #[inline]
    pub(super) fn safepoint(&mut self, pos: u32) {
        let live = self.live();
        self.safepoint_with(pos, live);
    }

    /// As `safepoint`, with what `live` gave before.
    #[inline]
    pub(super) fn safepoint_with(&mut self, pos: u32, live: Option<Slots>) {
        if let Some(slots) = live {
            self.maps.add(pos, slots);
        }
    }

    /// The op at `pos` leaves nothing of this frame.
    #[inline]
    pub(super) fn tail_call(&mut self, pos: u32) {
        if self.pending & MAPS != 0 {
            self.maps.add(pos, (0, 0));
        }
    }
}
