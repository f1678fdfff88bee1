//! The heap as a snapshot has it, and a heap made anew from that.
//!
//! The heap's bytes are pages like those of any memory; here is what is said of them. Where the objects lie is listed
//! once, for who has to rename their types: identities of types are an engine's. Nothing of it is needed for safety: what
//! a heap's bytes say is checked on use, as always (G1).
#![allow(unsafe_code, reason = "zeroes what is dead in the heap's memory")]

use sheave_arena::FilePlace;
use sheave_types::TypeRegistry;

use crate::gc::heap::{BLOCK, Block};
use crate::gc::types::{CONT_TYPE, EXN_TYPE, EXTERN_TYPE, GRANULE, Kind, ObjectTypes};
use crate::module::SourceError;
use crate::snapshot::RestoreError;
use crate::trap::Trap;
use crate::vm::Vm;

/// What is said of a store's heap; its bytes are [`Vm::heap_bytes`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeapState {
    /// Bytes of the heap; none if there never was an object.
    pub len: u64,
    /// Bytes of its objects.
    pub live: u64,
    /// Which blocks of 32 KiB objects lie in.
    pub used_blocks: Vec<bool>,
    /// Objects that stand for host values: the one at position `i` for value `i`.
    pub externs: Vec<u32>,
}

/// Objects that lie one behind the other: the place of the first, and their bytes.
pub type ObjectRun = (u32, u32);

impl Vm {
    /// Collects, zeroes what is not alive, and says what is left, and where objects lie. Host values must be numbered
    /// from 0: [`Vm::number_externs`].
    ///
    /// # Errors
    /// If it cannot be collected.
    pub(crate) fn heap_state(&mut self) -> Result<(HeapState, Vec<ObjectRun>), SourceError> {
        self.gc()?;
        let granules = (self.gc_len / u64::from(GRANULE)) as u32;
        let mut objects = Vec::new();
        let mut live = 0;
        // Granule 0 is nobody's, and always marked.
        let mut at = 1;
        while at < granules {
            let from = self.gc.space.next_bit(at, granules, true);
            self.zero(at, from);
            let to = self.gc.space.next_bit(from, granules, false);
            at = to;
            if to > from {
                objects.push((from * GRANULE, (to - from) * GRANULE));
                live += u64::from(to - from) * u64::from(GRANULE);
            }
        }
        let blocks = self.gc.space.blocks.iter();
        let state = HeapState {
            len: self.gc_len,
            live,
            used_blocks: blocks.map(|b| *b != Block::Free).collect(),
            externs: self.gc.externs.clone(),
        };
        Ok((state, objects))
    }

    /// Zeroes granules, but writes nothing where zeros are.
    fn zero(&mut self, from: u32, to: u32) {
        let (at, end) = (from * GRANULE, (to * GRANULE).min(self.gc.space.fresh()));
        if at >= end {
            return;
        }
        let len = end - at;
        if let Some(p) = self.object_bytes(at, 0, len.into()) {
            // SAFETY: G1, just checked; nobody else has a reference to the heap.
            let bytes = unsafe { core::slice::from_raw_parts_mut(p, len as usize) };
            for page in bytes.chunks_mut(4096) {
                if page.iter().any(|b| *b != 0) {
                    page.fill(0);
                }
            }
        }
    }

    /// The bytes of the heap.
    pub fn heap_bytes(&self) -> &[u8] {
        self.gc.memory.map_or(&[], |id| self.arena.memory_bytes(id))
    }

    /// As [`HeapTypes::rename`], of this machine's heap and with its types.
    #[must_use]
    pub fn rename_heap(
        &mut self,
        runs: &[ObjectRun],
        before: TypeWords,
        rename: impl FnMut(u32) -> Option<u32>,
    ) -> bool {
        let Some(id) = self.gc.memory else {
            return runs.is_empty();
        };
        let types = HeapTypes(core::mem::take(&mut self.gc.types));
        let done = types.rename(self.arena.memory_bytes_mut(id), runs, before, rename);
        self.gc.types = types.0;
        done
    }

    /// Gives the host values that objects stand for the numbers 0, 1, …, after a collection: tells `old` number by
    /// number, in order, which they had.
    ///
    /// # Errors
    /// If it cannot be collected.
    pub fn number_externs(&mut self, mut old: impl FnMut(u32)) -> Result<(), SourceError> {
        self.gc()?;
        self.gc.externs.sort_unstable();
        for (index, object) in (0..).zip(self.gc.externs.clone()) {
            old(self.extern_index(object).unwrap_or(u32::MAX));
            self.object_write(object, sheave_types::HEADER_BYTES.into(), index);
        }
        Ok(())
    }

    /// Makes a heap of zeros for a machine that has none: its objects are to be put there, by [`Vm::heap_map`].
    pub(crate) fn restore_heap(&mut self, state: &HeapState) -> Result<(), RestoreError> {
        if state.len == 0 {
            return Ok(());
        }
        let blocks = state.len / u64::from(BLOCK);
        if !state.len.is_multiple_of(BLOCK.into()) || state.used_blocks.len() as u64 != blocks {
            return Err(RestoreError::Inconsistent("length of the heap"));
        }
        self.grow_heap_to(state.len).map_err(|_| {
            RestoreError::Inconsistent("the heap is larger than a heap may be here")
        })?;
        let space = &mut self.gc.space;
        for (block, used) in space.blocks.iter_mut().zip(&state.used_blocks) {
            *block = if *used { Block::Taken } else { Block::Free };
        }
        // Null is nobody's place.
        if let Some(first) = space.blocks.first_mut() {
            *first = Block::Taken;
        }
        space.not_swept(state.live.min(state.len));
        self.gc.externs.clone_from(&state.externs);
        Ok(())
    }

    /// Puts bytes into the heap from `at` on; if `file` holds them too, they are mapped where that can be done.
    ///
    /// # Errors
    /// If they do not lie in the heap.
    ///
    /// # Safety
    /// - As [`Vm::memory_map`].
    pub unsafe fn heap_map(
        &mut self,
        at: u64,
        bytes: &[u8],
        file: Option<FilePlace>,
    ) -> Result<(), Trap> {
        let Some(id) = self.gc.memory else {
            return Err(Trap::MemoryOutOfBounds);
        };
        // SAFETY: the caller's promise.
        unsafe { self.fill(id, at, bytes, file) }
    }
}

/// What an engine knows of the types of objects, to rename them in a heap's bytes.
pub struct HeapTypes(ObjectTypes);

/// What type words are before they are renamed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TypeWords {
    /// Identities of the engine; they become the numbers.
    Identities,
    /// Numbers; they become identities.
    Numbers,
}

impl HeapTypes {
    /// The types that the engine has now.
    #[must_use]
    pub fn new(registry: &TypeRegistry) -> HeapTypes {
        let (mut defs, mut types) = (Vec::new(), ObjectTypes::default());
        registry.update(&mut defs);
        types.update(&defs);
        HeapTypes(types)
    }

    /// Renames the types of all objects; false if they do not lie in the heap one behind the other as the runs say.
    /// Types are in the type words, and beside those of exceptions and continuations.
    #[must_use]
    pub fn rename(
        &self,
        heap: &mut [u8],
        runs: &[ObjectRun],
        before: TypeWords,
        mut rename: impl FnMut(u32) -> Option<u32>,
    ) -> bool {
        runs.iter().all(|(at, len)| {
            let at = *at as usize;
            let run = heap.get_mut(at..).and_then(|h| h.get_mut(..*len as usize));
            run.is_some_and(|run| rename_types(run, &self.0, &mut rename, before))
        })
    }

    /// Shows each object: where it is, its bytes, and what stands for its type, of which `identity` gives the engine's
    /// name; none for one that stands for a value of the host. False if they do not lie as the runs say.
    #[must_use]
    pub fn visit(
        &self,
        heap: &[u8],
        runs: &[ObjectRun],
        identity: impl Fn(u32) -> Option<u32>,
        mut visit: impl FnMut(u32, u32, Option<u32>),
    ) -> bool {
        runs.iter().all(|(start, len)| {
            let run = heap
                .get(*start as usize..)
                .and_then(|h| h.get(..*len as usize));
            let Some(run) = run else {
                return false;
            };
            let mut at = 0;
            while at < run.len() {
                let Some(object) = object_at(run, at, &self.0, &identity) else {
                    return false;
                };
                let ty = object.ty.map(|(_, ty)| ty);
                visit(start + at as u32, object.bytes as u32, ty);
                at += object.bytes;
            }
            true
        })
    }
}

/// Renames the types of objects that lie one behind the other; false if they do not.
fn rename_types(
    run: &mut [u8],
    types: &ObjectTypes,
    rename: &mut impl FnMut(u32) -> Option<u32>,
    before: TypeWords,
) -> bool {
    let mut at = 0;
    while at < run.len() {
        let identity = |old: u32| match before {
            TypeWords::Identities => Some(old),
            TypeWords::Numbers => rename(old),
        };
        let Some(object) = object_at(run, at, types, identity) else {
            return false;
        };
        if let Some((offset, old)) = object.ty {
            let Some(new) = rename(old) else {
                return false;
            };
            if new != old {
                // What is not written stays shared with the file that it is mapped from.
                run[at + offset..][..4].copy_from_slice(&new.to_le_bytes());
            }
        }
        at += object.bytes;
    }
    true
}

/// An object in a heap's bytes.
struct Found {
    /// Where in it the name of its type stands, and that.
    ty: Option<(usize, u32)>,
    /// Bytes up to the next one.
    bytes: usize,
}

/// The object at `at`, if there can be one. `identity` is asked for that of its type.
fn object_at(
    run: &[u8],
    at: usize,
    types: &ObjectTypes,
    identity: impl FnOnce(u32) -> Option<u32>,
) -> Option<Found> {
    let word = |offset: usize| {
        let bytes = run.get(at + offset..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    };
    let (type_word, length) = (word(0)?, word(4)?);
    let (offset, old, bytes) = match type_word {
        EXTERN_TYPE => {
            let bytes = GRANULE as usize;
            return Some(Found { ty: None, bytes });
        }
        CONT_TYPE => (4, length, 16),
        EXN_TYPE => (12, word(12)?, 16 + u64::from(length) * 8),
        _ => (0, type_word, 0),
    };
    let bytes = match types.get(identity(old)?).map(|ty| (ty.kind, ty)) {
        Some((Kind::Struct, ty)) if offset == 0 => ty.bytes.into(),
        Some((Kind::Array, ty)) if offset == 0 => {
            8 + u64::from(length) * u64::from(ty.width.bytes())
        }
        Some((Kind::Func, _)) if offset == 12 => bytes,
        Some((Kind::Cont, _)) if offset == 4 => bytes,
        _ => return None,
    };
    Some(Found {
        ty: Some((offset, old)),
        bytes: usize::try_from(bytes.next_multiple_of(GRANULE.into())).ok()?,
    })
}
