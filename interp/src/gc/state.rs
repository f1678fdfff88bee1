//! The heap as plain data, and a heap made anew from it: for snapshots.
//!
//! Identities of types are an engine's, so type words and the function types of exceptions are written as numbers that the
//! caller chooses, and turned back when the heap is filled again. What else a heap's bytes say is checked on use, as
//! always (G1); which of them are free is found by a collection.
#![allow(
    unsafe_code,
    reason = "copies objects out of and into the heap's memory"
)]

use crate::gc::heap::{BLOCK, Block};
use crate::gc::types::{EXN_TYPE, EXTERN_TYPE, GRANULE, Kind, ObjectTypes};
use crate::module::SourceError;
use crate::snapshot::RestoreError;
use crate::vm::Vm;

/// The objects of a store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeapState {
    /// Bytes of the heap; none if there never was an object.
    pub len: u64,
    /// Objects that lie one behind the other, with the place of the first.
    pub runs: Vec<(u32, Vec<u8>)>,
}

impl Vm {
    /// Collects, and gives what is left. `number` gives the number of a type.
    ///
    /// # Errors
    /// If it cannot be collected.
    pub fn heap_state(
        &mut self,
        mut number: impl FnMut(u32) -> Option<u32>,
    ) -> Result<HeapState, SourceError> {
        self.gc()?;
        let mut state = HeapState {
            len: self.gc_len,
            runs: Vec::new(),
        };
        let granules = (self.gc_len / u64::from(GRANULE)) as u32;
        let space = &self.gc.space;
        // Granule 0 is nobody's, and always marked.
        let mut at = 1;
        while at < granules {
            let from = space.next_bit(at, granules, true);
            let to = space.next_bit(from, granules, false);
            at = to;
            let len = (to - from) * GRANULE;
            let Some(bytes) = self
                .object_bytes(from * GRANULE, 0, len.into())
                .filter(|_| len > 0)
            else {
                continue;
            };
            // SAFETY: G1, just checked.
            let mut run = unsafe { core::slice::from_raw_parts(bytes, len as usize) }.to_vec();
            if !rename_types(&mut run, &self.gc.types, &mut number, Word::Identity) {
                return Err("the heap cannot be walked".into());
            }
            state.runs.push((from * GRANULE, run));
        }
        Ok(state)
    }

    /// Whether host values are reachable.
    pub fn has_externs(&self) -> bool {
        !self.gc.externs.is_empty()
    }

    /// Fills a heap that has no objects yet. `identity` gives the type of a number. A collection must follow before
    /// anything is allocated: [`Vm::gc`].
    ///
    /// # Errors
    /// If the objects do not lie one behind the other inside the heap, or there is no room.
    pub(crate) fn restore_heap(
        &mut self,
        state: &HeapState,
        mut identity: impl FnMut(u32) -> Option<u32>,
    ) -> Result<(), RestoreError> {
        if state.len == 0 && state.runs.is_empty() {
            return Ok(());
        }
        if !state.len.is_multiple_of(BLOCK.into()) || state.len == 0 {
            return Err(RestoreError::Inconsistent("length of the heap"));
        }
        self.grow_heap_to(state.len).map_err(|_| {
            RestoreError::Inconsistent("the heap is larger than a heap may be here")
        })?;
        for (at, run) in &state.runs {
            let mut run = run.clone();
            let place = self.object_bytes(*at, 0, run.len() as u64);
            let Some(to) = place.filter(|_| at.is_multiple_of(GRANULE)) else {
                return Err(RestoreError::Inconsistent("objects outside of the heap"));
            };
            if !rename_types(&mut run, &self.gc.types, &mut identity, Word::Number) {
                return Err(RestoreError::Inconsistent("an object of no type"));
            }
            // SAFETY: G1, just checked.
            unsafe { to.copy_from_nonoverlapping(run.as_ptr(), run.len()) };
        }
        self.gc.space.blocks.fill(Block::Taken);
        self.gc.space.nothing_is_fresh();
        Ok(())
    }
}

/// What type words are before they are renamed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Identity,
    Number,
}

/// Renames the types of objects that lie one behind the other; false if they do not.
fn rename_types(
    run: &mut [u8],
    types: &ObjectTypes,
    rename: &mut impl FnMut(u32) -> Option<u32>,
    before: Word,
) -> bool {
    let mut at = 0;
    while at < run.len() {
        let word = |run: &[u8], offset: usize| {
            let bytes = run.get(at + offset..)?.first_chunk()?;
            Some(u32::from_le_bytes(*bytes))
        };
        let (Some(type_word), Some(length)) = (word(run, 0), word(run, 4)) else {
            return false;
        };
        let (offset, old, bytes) = match type_word {
            EXTERN_TYPE => {
                at += GRANULE as usize;
                continue;
            }
            EXN_TYPE => match word(run, 12) {
                Some(ty) => (12, ty, 16 + u64::from(length) * 8),
                None => return false,
            },
            _ => (0, type_word, 0),
        };
        let Some(new) = rename(old) else {
            return false;
        };
        let identity = if before == Word::Identity { old } else { new };
        let bytes = match types.get(identity).map(|ty| (ty.kind, ty)) {
            Some((Kind::Struct, ty)) if offset == 0 => ty.bytes.into(),
            Some((Kind::Array, ty)) if offset == 0 => {
                8 + u64::from(length) * u64::from(ty.width.bytes())
            }
            Some((Kind::Func, _)) if offset != 0 => bytes,
            _ => return false,
        };
        run[at + offset..][..4].copy_from_slice(&new.to_le_bytes());
        match usize::try_from(bytes.next_multiple_of(GRANULE.into())) {
            Ok(bytes) => at += bytes,
            Err(_) => return false,
        }
    }
    at == run.len()
}
