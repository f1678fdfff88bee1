//! References that the host holds: a stack of scopes, and owned ones that live as long as their handles.

use std::sync::Arc;

/// Set in the index of an owned root.
const OWNED: u32 = 1 << 31;

/// The name of a reference that the host holds. It is of no use once its scope has ended, or its [`OwnedRoot`] is gone:
/// nothing takes its place for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Root {
    index: u32,
    generation: u32,
}

/// A reference that stays alive as long as a clone of this does.
#[derive(Clone, Debug)]
pub struct OwnedRoot {
    root: Root,
    /// Counted by the table of roots.
    _alive: Arc<()>,
}

impl OwnedRoot {
    /// Its name.
    #[must_use]
    pub fn root(&self) -> Root {
        self.root
    }
}

/// An owned reference with its generation.
type Owned = (u32, u32, Arc<()>);

/// The host's references of one store.
#[derive(Default, Debug)]
pub struct Roots {
    scoped: Vec<(u32, u32)>,
    generation: u32,
    owned: Vec<Option<Owned>>,
    owned_generation: u32,
    free: Vec<u32>,
    /// Trim the owned ones when there are this many.
    trim_at: usize,
}

impl Roots {
    /// Where a scope begins; [`Roots::end_scope`] ends it.
    #[must_use]
    #[inline]
    pub fn begin_scope(&self) -> usize {
        self.scoped.len()
    }

    /// Drops what was pushed since the scope began.
    #[inline]
    pub fn end_scope(&mut self, begin: usize) {
        if self.scoped.len() > begin {
            self.scoped.truncate(begin);
            // What is pushed from now on is not what old handles named.
            self.generation = self.generation.wrapping_add(1);
        }
    }

    /// Keeps a reference until the current scope ends.
    pub fn push(&mut self, reference: u32) -> Root {
        let index = self.scoped.len() as u32;
        self.scoped.push((reference, self.generation));
        Root {
            index,
            generation: self.generation,
        }
    }

    /// The reference, unless its scope has ended or its handles are gone.
    #[must_use]
    pub fn get(&self, root: Root) -> Option<u32> {
        let (reference, generation) = if root.index & OWNED == 0 {
            *self.scoped.get(root.index as usize)?
        } else {
            let owned = self.owned.get((root.index & !OWNED) as usize)?.as_ref()?;
            (owned.0, owned.1)
        };
        (generation == root.generation).then_some(reference)
    }

    /// Keeps a reference as long as the handle, or a clone of it, lives.
    pub fn own(&mut self, reference: u32) -> OwnedRoot {
        if self.owned.len() - self.free.len() >= self.trim_at {
            self.trim();
            self.trim_at = 2 * (self.owned.len() - self.free.len()).max(32);
        }
        let alive = Arc::new(());
        self.owned_generation = self.owned_generation.wrapping_add(1);
        let generation = self.owned_generation;
        let entry = Some((reference, generation, Arc::clone(&alive)));
        let index = match self.free.pop() {
            Some(i) => {
                self.owned[i as usize] = entry;
                i
            }
            None => {
                self.owned.push(entry);
                (self.owned.len() - 1) as u32
            }
        };
        let index = index | OWNED;
        OwnedRoot {
            root: Root { index, generation },
            _alive: alive,
        }
    }

    /// Forgets the owned references whose handles are gone.
    pub(crate) fn trim(&mut self) {
        for (i, entry) in self.owned.iter_mut().enumerate() {
            if entry
                .as_ref()
                .is_some_and(|(_, _, alive)| Arc::strong_count(alive) == 1)
            {
                *entry = None;
                self.free.push(i as u32);
            }
        }
    }

    /// All references.
    pub(crate) fn all(&self) -> impl Iterator<Item = u32> + '_ {
        let owned = self.owned.iter().flatten().map(|(r, _, _)| *r);
        self.scoped.iter().map(|(r, _)| *r).chain(owned)
    }
}
