//! Limits on what a guest may take.

use crate::Result;

/// Asked before a guest or the host grows something in a store; see [`Store::limiter`](crate::Store::limiter).
///
/// An `Err` refuses as `Ok(false)` does.
pub trait ResourceLimiter: Send + Sync {
    /// Whether a memory may grow from `current` to `desired` bytes. `maximum` is that of its type.
    ///
    /// # Errors
    /// To refuse.
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool>;

    /// Whether a table may grow from `current` to `desired` elements. `maximum` is that of its type.
    ///
    /// # Errors
    /// To refuse.
    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool>;

    /// How many instances the store may have.
    fn instances(&self) -> usize {
        10_000
    }

    /// How many tables the store may have.
    fn tables(&self) -> usize {
        10_000
    }

    /// How many memories the store may have.
    fn memories(&self) -> usize {
        10_000
    }
}

/// Fixed limits.
#[derive(Clone, Debug)]
pub struct StoreLimits {
    memory_size: Option<usize>,
    table_elements: Option<usize>,
    instances: usize,
    tables: usize,
    memories: usize,
}

impl Default for StoreLimits {
    fn default() -> StoreLimits {
        StoreLimits { memory_size: None, table_elements: None, instances: 10_000, tables: 10_000, memories: 10_000 }
    }
}

impl ResourceLimiter for StoreLimits {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(self.memory_size.is_none_or(|limit| desired <= limit))
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(self.table_elements.is_none_or(|limit| desired <= limit))
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

/// Makes [`StoreLimits`].
#[derive(Clone, Debug, Default)]
pub struct StoreLimitsBuilder(StoreLimits);

impl StoreLimitsBuilder {
    /// No limits but 10,000 instances, tables and memories.
    pub fn new() -> StoreLimitsBuilder {
        StoreLimitsBuilder::default()
    }

    /// Most bytes of each memory.
    pub fn memory_size(mut self, bytes: usize) -> StoreLimitsBuilder {
        self.0.memory_size = Some(bytes);
        self
    }

    /// Most elements of each table.
    pub fn table_elements(mut self, n: usize) -> StoreLimitsBuilder {
        self.0.table_elements = Some(n);
        self
    }

    /// Most instances.
    pub fn instances(mut self, n: usize) -> StoreLimitsBuilder {
        self.0.instances = n;
        self
    }

    /// Most tables.
    pub fn tables(mut self, n: usize) -> StoreLimitsBuilder {
        self.0.tables = n;
        self
    }

    /// Most memories.
    pub fn memories(mut self, n: usize) -> StoreLimitsBuilder {
        self.0.memories = n;
        self
    }

    /// The limits.
    pub fn build(self) -> StoreLimits {
        self.0
    }
}
