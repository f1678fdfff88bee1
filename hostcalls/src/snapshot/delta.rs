//! What a page of a memory was in an earlier snapshot.

use anyhow::Result;

use super::Snapshot;
use super::pages::{PAGE, PageSet, Run, is_zero};

/// The pages of a snapshot and of those it is relative to.
pub(super) struct Lookup<'a> {
    /// The newest first.
    sets: Vec<(&'a PageSet, Vec<(Run, usize)>)>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Result<Lookup<'a>> {
        let chain = snapshot.chain()?;
        let sets = chain.into_iter().rev().map(|s| {
            let set = &s.contents().memories;
            (set, set.places().collect())
        });
        Ok(Lookup {
            sets: sets.collect(),
        })
    }

    /// The bytes of a page, if it is not all zero.
    fn page(&self, memory: u32, page: u64) -> Option<&'a [u8]> {
        self.sets.iter().find_map(|(set, places)| {
            let key = (memory, page);
            let behind = places.partition_point(|(run, _)| (run.memory, run.first_page) <= key);
            let (run, start) = places.get(behind.checked_sub(1)?)?;
            let in_run = page - run.first_page;
            if run.memory != memory || in_run >= run.pages.into() {
                return None;
            }
            set.bytes.get(start + in_run as usize * PAGE..)?.get(..PAGE)
        })
    }

    /// Whether `bytes`, a page or the end of a memory in it, are others than they were.
    pub(super) fn differs(&self, memory: u32, page: u64, bytes: &[u8]) -> bool {
        match self.page(memory, page) {
            Some(before) => before[..bytes.len()] != *bytes,
            None => !is_zero(bytes),
        }
    }
}
