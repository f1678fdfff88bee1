//! References that the host holds: a stack of scopes, and owned ones that live as long as their handles.

use std::sync::Arc;

/// A reference on the stack of scopes. It is gone when its scope ends, and nothing takes its place for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ScopedRoot {
    index: u32,
    generation: u32,
}

/// A reference that stays alive as long as a clone of this does.
#[derive(Clone, Debug)]
pub struct OwnedRoot {
    index: u32,
    alive: Arc<()>,
}

/// The host's references of one store.
#[derive(Default, Debug)]
pub struct Roots {
    scoped: Vec<(u32, u32)>,
    generation: u32,
    owned: Vec<Option<(u32, Arc<()>)>>,
    free: Vec<u32>,
    /// Trim the owned ones when there are this many.
    trim_at: usize,
}

impl Roots {
    /// Where a scope begins; [`Roots::end_scope`] ends it.
    #[must_use]
    pub fn begin_scope(&self) -> usize {
        self.scoped.len()
    }

    /// Drops what was pushed since the scope began.
    pub fn end_scope(&mut self, begin: usize) {
        if self.scoped.len() > begin {
            self.scoped.truncate(begin);
            // What is pushed from now on is not what old handles named.
            self.generation = self.generation.wrapping_add(1);
        }
    }

    /// Keeps a reference until the current scope ends.
    pub fn push(&mut self, reference: u32) -> ScopedRoot {
        let index = self.scoped.len() as u32;
        self.scoped.push((reference, self.generation));
        ScopedRoot {
            index,
            generation: self.generation,
        }
    }

    /// The reference, unless its scope has ended.
    #[must_use]
    pub fn get(&self, root: ScopedRoot) -> Option<u32> {
        let (reference, generation) = self.scoped.get(root.index as usize)?;
        (*generation == root.generation).then_some(*reference)
    }

    /// Keeps a reference as long as the handle, or a clone of it, lives.
    pub fn own(&mut self, reference: u32) -> OwnedRoot {
        if self.owned.len() - self.free.len() >= self.trim_at {
            self.trim();
            self.trim_at = 2 * (self.owned.len() - self.free.len()).max(32);
        }
        let alive = Arc::new(());
        let entry = Some((reference, Arc::clone(&alive)));
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
        OwnedRoot { index, alive }
    }

    /// The reference of a handle; none if it is another store's.
    #[must_use]
    pub fn owned(&self, root: &OwnedRoot) -> Option<u32> {
        let (reference, alive) = self.owned.get(root.index as usize)?.as_ref()?;
        Arc::ptr_eq(alive, &root.alive).then_some(*reference)
    }

    /// Forgets the owned references whose handles are gone.
    pub(crate) fn trim(&mut self) {
        for (i, entry) in self.owned.iter_mut().enumerate() {
            if entry
                .as_ref()
                .is_some_and(|(_, a)| Arc::strong_count(a) == 1)
            {
                *entry = None;
                self.free.push(i as u32);
            }
        }
    }

    /// All references.
    pub(crate) fn all(&self) -> impl Iterator<Item = u32> + '_ {
        let owned = self.owned.iter().flatten().map(|(r, _)| *r);
        self.scoped.iter().map(|(r, _)| *r).chain(owned)
    }
}
