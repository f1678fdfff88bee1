//! The heap of objects: its pages, and the names of types in them.
//!
//! In a file, an object says its type by a number of the snapshot; in a store, by an identity of the engine. A snapshot
//! that was just taken has identities, so that its engine need change nothing; one from a file has numbers, which are
//! what an engine gives as identities if those types are its first.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Result, bail};
use sheave_interp::{HeapState, HeapTypes, ObjectRun, TypeWords};
use sheave_types::TypeRegistry;

use super::blob::Blob;
use super::pages::PageSet;

/// What a heap holds.
#[derive(Clone, Debug)]
pub(super) struct HeapPages {
    /// Where objects lie: place and bytes of those that lie one behind the other, two words of 4 bytes.
    pub(super) objects: Blob,
    pub(super) pages: PageSet,
    pub(super) words: Words,
}

/// What type words are.
#[derive(Clone, Debug)]
pub(super) enum Words {
    Numbers,
    /// With the number of each.
    Identities(Arc<HashMap<u32, u32>>),
}

impl HeapPages {
    pub(super) fn encode_objects(objects: &[ObjectRun]) -> Vec<u8> {
        let words = objects.iter().flat_map(|(at, len)| [*at, *len]);
        words.flat_map(u32::to_le_bytes).collect()
    }

    /// Where objects lie.
    pub(super) fn runs(&self) -> Result<Vec<ObjectRun>> {
        let (pairs, rest) = self.objects.as_chunks::<8>();
        if !rest.is_empty() {
            bail!("damaged snapshot: list of objects");
        }
        let word = |b: &[u8]| b.first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        Ok(pairs.iter().map(|p| (word(p), word(&p[4..]))).collect())
    }

    /// How types in it are to be renamed for an engine, in which those of the snapshot have `ids`; none if they need not.
    pub(super) fn renaming<'a>(
        &'a self,
        same_engine: bool,
        ids: &'a [u32],
    ) -> Option<impl FnMut(u32) -> Option<u32> + 'a> {
        let identities = match &self.words {
            Words::Identities(_) if same_engine => return None,
            Words::Identities(numbers) => Some(numbers),
            Words::Numbers if (0..).zip(ids).all(|(number, id)| number == *id) => return None,
            Words::Numbers => None,
        };
        Some(move |word: u32| {
            let number = match identities {
                Some(numbers) => *numbers.get(&word)?,
                None => word,
            };
            ids.get(number as usize).copied()
        })
    }

    /// With numbers for types. `registry` is that of the engine that it was taken in.
    pub(super) fn numbered(
        &self,
        state: &HeapState,
        registry: Option<&TypeRegistry>,
    ) -> Result<Cow<'_, PageSet>> {
        let (Words::Identities(numbers), Some(registry)) = (&self.words, registry) else {
            return Ok(Cow::Borrowed(&self.pages));
        };
        let mut heap = vec![0; usize::try_from(state.len)?];
        self.pages.fill(
            true,
            |_| Some(state.len),
            |_, at, bytes, _| {
                heap[at as usize..][..bytes.len()].copy_from_slice(bytes);
                Ok(())
            },
        )?;
        let rename = |id: u32| numbers.get(&id).copied();
        let types = HeapTypes::new(registry);
        if !types.rename(&mut heap, &self.runs()?, TypeWords::Identities, rename) {
            bail!("the heap cannot be walked");
        }
        Ok(Cow::Owned(PageSet::not_zero(&[&heap])?))
    }
}
