//! Limits on what a guest may take.

use crate::{Error, Result};

/// Asked before a guest or the host grows something in a store; see [`Store::limiter`](crate::Store::limiter).
///
/// `Ok(false)` makes a growth fail as the specification allows: `memory.grow` gives -1. An `Err` ends the guest, and is
/// the error of the call.
pub trait ResourceLimiter: Send {
    /// Whether a memory may grow from `current` to `desired` bytes. `maximum` is that of its type.
    ///
    /// # Errors
    /// To end the guest.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool>;

    /// Whether a table may grow from `current` to `desired` elements. `maximum` is that of its type.
    ///
    /// # Errors
    /// To end the guest.
    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool>;

    /// Told that a memory has not grown although it was asked for: its type's maximum or a lack of room is against it.
    ///
    /// # Errors
    /// To end the guest; else it is told of the failure as the specification says.
    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        let _ = error;
        Ok(())
    }

    /// Told that a table has not grown although it was asked for.
    ///
    /// # Errors
    /// To end the guest; else it is told of the failure as the specification says.
    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        let _ = error;
        Ok(())
    }

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
    trap_on_grow_failure: bool,
}

impl Default for StoreLimits {
    fn default() -> StoreLimits {
        StoreLimits {
            memory_size: None,
            table_elements: None,
            instances: 10_000,
            tables: 10_000,
            memories: 10_000,
            trap_on_grow_failure: false,
        }
    }
}

impl StoreLimits {
    fn decide(&self, limit: Option<usize>, desired: usize, what: &str, unit: &str) -> Result<bool> {
        let allow = limit.is_none_or(|limit| desired <= limit);
        if !allow && self.trap_on_grow_failure {
            anyhow::bail!("forcing trap when growing {what} to {desired} {unit}");
        }
        Ok(allow)
    }
}

impl StoreLimits {
    fn failed(&self, error: Error, what: &str) -> Result<()> {
        if self.trap_on_grow_failure {
            return Err(error.context(format!("forcing a {what} growth failure to be a trap")));
        }
        Ok(())
    }
}

impl ResourceLimiter for StoreLimits {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        self.decide(self.memory_size, desired, "memory", "bytes")
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        self.decide(self.table_elements, desired, "table", "elements")
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        self.failed(error, "memory")
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        self.failed(error, "table")
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

    /// Whether exceeding a limit on size ends the guest with an error, rather than making the growth fail. Off at first.
    pub fn trap_on_grow_failure(mut self, trap: bool) -> StoreLimitsBuilder {
        self.0.trap_on_grow_failure = trap;
        self
    }

    /// The limits.
    pub fn build(self) -> StoreLimits {
        self.0
    }
}
