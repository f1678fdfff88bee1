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
    /// 0 of an owned one.
    lane: u32,
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

/// References with their generations, on a stack of scopes.
type Scoped = Vec<(u32, u32)>;

/// The host's references of one store.
#[derive(Default, Debug)]
pub struct Roots {
    /// Those of the current lane.
    scoped: Scoped,
    generation: u32,
    /// Scopes end in the order in which they began, on each lane. There is one lane, number 0, and one more for each host
    /// function that can sleep in a continuation: its scopes do not end when those of its callers do.
    lane: u32,
    /// What is on the lanes that are not the current one.
    lanes: Vec<Lane>,
    free_lanes: Vec<u32>,
    owned: Vec<Option<Owned>>,
    owned_generation: u32,
    free: Vec<u32>,
    /// Trim the owned ones when there are this many.
    trim_at: usize,
}

/// A lane.
#[derive(Default, Debug)]
struct Lane {
    /// Empty of the current one.
    scoped: Scoped,
    /// It is that of a host function that sleeps, and so no root by itself.
    asleep: bool,
}

impl Roots {
    /// A lane that nobody uses.
    pub(crate) fn new_lane(&mut self) -> u32 {
        if self.lanes.is_empty() {
            self.lanes.push(Lane::default());
        }
        self.free_lanes.pop().unwrap_or_else(|| {
            self.lanes.push(Lane::default());
            (self.lanes.len() - 1) as u32
        })
    }

    /// Makes another lane the current one; gives which was.
    pub(crate) fn enter_lane(&mut self, lane: u32) -> u32 {
        let left = core::mem::replace(&mut self.lane, lane);
        let entered = core::mem::take(&mut self.lanes[lane as usize].scoped);
        self.lanes[left as usize].scoped = core::mem::replace(&mut self.scoped, entered);
        left
    }

    /// A lane that is not the current one belongs to a host function that sleeps, or does not any more.
    pub(crate) fn set_asleep(&mut self, lane: u32, asleep: bool) {
        self.lanes[lane as usize].asleep = asleep;
    }

    /// Ends a lane that is not the current one.
    pub(crate) fn end_lane(&mut self, lane: u32) {
        self.lanes[lane as usize] = Lane::default();
        self.free_lanes.push(lane);
        // What is on its successor is not what old handles named.
        self.generation = self.generation.wrapping_add(1);
    }

    /// References on a lane that is not the current one.
    pub(crate) fn on_lane(&self, lane: u32) -> impl Iterator<Item = u32> + '_ {
        let scoped = self.lanes.get(lane as usize).map(|lane| &lane.scoped);
        scoped.into_iter().flatten().map(|(r, _)| *r)
    }

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
            lane: self.lane,
        }
    }

    /// The reference, unless its scope has ended or its handles are gone.
    #[must_use]
    pub fn get(&self, root: Root) -> Option<u32> {
        let (reference, generation) = if root.index & OWNED == 0 {
            let scoped = if root.lane == self.lane {
                &self.scoped
            } else {
                &self.lanes.get(root.lane as usize)?.scoped
            };
            *scoped.get(root.index as usize)?
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
            root: Root {
                index,
                generation,
                lane: 0,
            },
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

    /// All references, but those on the lanes of who sleeps.
    pub(crate) fn all(&self) -> impl Iterator<Item = u32> + '_ {
        let owned = self.owned.iter().flatten().map(|(r, _, _)| *r);
        let awake = self.lanes.iter().filter(|lane| !lane.asleep);
        let awake = awake.flat_map(|lane| &lane.scoped);
        self.scoped
            .iter()
            .chain(awake)
            .map(|(r, _)| *r)
            .chain(owned)
    }
}
