//! How an arena is set up.

/// Where the bytes of an arena come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// `Reserved` where it exists and the system grants it, else `Heap`.
    #[default]
    Auto,
    /// Address space reserved up front and committed as it is used, so that growing hardly ever
    /// moves anything (64-bit Unix).
    Reserved,
    /// The global allocator: a block just large enough, moved when it grows (everywhere).
    Heap,
}

/// How an arena is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArenaConfig {
    /// Where the bytes come from.
    pub backend: Backend,
    /// Address space for the VM heap, up to 4 GiB. A heap that outgrows it moves to a larger block.
    /// [`Backend::Heap`] takes it only as an upper limit for its first, small block.
    pub heap_reserve_bytes: u64,
    /// Address space for the linear memories. Memories that outgrow it make the arena move to a
    /// larger block. Only for [`Backend::Reserved`].
    pub memory_reserve_bytes: u64,
    /// Most bytes that header, VM heap and linear memories may hold together.
    pub budget_bytes: u64,
}

impl Default for ArenaConfig {
    /// 4 GiB of address space for the heap, 12 GiB for memories, and no budget.
    fn default() -> Self {
        Self {
            backend: Backend::Auto,
            heap_reserve_bytes: 4 << 30,
            memory_reserve_bytes: 12 << 30,
            budget_bytes: u64::MAX,
        }
    }
}
