//! Where the references of a frame are: what the collector must know of code.

/// For each op of a function at which a collection can happen, the slots that hold traced references then.
///
/// These ops are: allocations, calls, `throw`, and the ops at which code pauses. At an op that allocates or throws,
/// operands count; at a call, its arguments do not: they belong to the callee's frame. At a tail call nothing is left.
/// A slot named here holds a reference, 0, or a reference that was dropped, never anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefMaps {
    /// Position of an op, and where its slots start in `slots`; in order of positions.
    points: Vec<(u32, u32)>,
    slots: Vec<u16>,
}

impl RefMaps {
    /// Of a function without such ops.
    #[must_use]
    pub fn new() -> RefMaps {
        RefMaps::default()
    }

    /// Adds the op at `pos` (in units from the function's start), behind all those added before.
    ///
    /// # Panics
    /// If `pos` is not behind them.
    pub fn push(&mut self, pos: u32, slots: impl IntoIterator<Item = u16>) {
        assert!(
            self.points.last().is_none_or(|last| last.0 < pos),
            "ops come in order"
        );
        self.points.push((pos, self.slots.len() as u32));
        self.slots.extend(slots);
    }

    /// The slots that hold traced references at the op at `pos`; none if it has no map.
    #[must_use]
    pub fn at(&self, pos: u32) -> Option<&[u16]> {
        let i = self.points.binary_search_by_key(&pos, |p| p.0).ok()?;
        let end = self
            .points
            .get(i + 1)
            .map_or(self.slots.len(), |p| p.1 as usize);
        Some(&self.slots[self.points[i].1 as usize..end])
    }
}
