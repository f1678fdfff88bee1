//! Types of memories, and their builder.

use anyhow::{Result, bail};
use sheave_interp::MemorySpec;
use sheave_loader as loader;

/// The type of a memory; sizes are in pages. Spec: syntax-memtype.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MemoryType(pub(crate) loader::MemoryType);

impl MemoryType {
    /// The same type, if its limits make sense.
    pub(crate) fn checked(&self) -> Result<MemoryType> {
        MemoryTypeBuilder(self.0).build()
    }

    /// A type of memories with 32-bit addresses.
    ///
    /// Limits that make no sense are an error where a memory is made.
    pub fn new(min: u32, max: Option<u32>) -> MemoryType {
        MemoryTypeBuilder::new()
            .min(min.into())
            .max(max.map(u64::from))
            .unchecked()
    }

    /// A type of memories with 64-bit addresses.
    ///
    /// Limits that make no sense are an error where a memory is made.
    pub fn new64(min: u64, max: Option<u64>) -> MemoryType {
        MemoryTypeBuilder::new()
            .memory64(true)
            .min(min)
            .max(max)
            .unchecked()
    }

    /// A type of memories with 32-bit addresses that threads share.
    ///
    /// Limits that make no sense are an error where a memory is made.
    pub fn shared(min: u32, max: u32) -> MemoryType {
        MemoryTypeBuilder::new()
            .shared(true)
            .min(min.into())
            .max(Some(max.into()))
            .unchecked()
    }

    /// The least size.
    pub fn minimum(&self) -> u64 {
        self.0.min_pages
    }

    /// The largest size.
    pub fn maximum(&self) -> Option<u64> {
        self.0.max_pages
    }

    /// Whether addresses have 64 bits.
    pub fn is_64(&self) -> bool {
        self.0.memory64
    }

    /// Whether threads share it.
    pub fn is_shared(&self) -> bool {
        self.0.shared
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u64 {
        1 << self.0.page_size_log2
    }

    /// Binary logarithm of the bytes of a page: 16 or 0.
    pub fn page_size_log2(&self) -> u8 {
        self.0.page_size_log2
    }

    /// What the machine is told of a memory of this type that has `bytes` now.
    pub(crate) fn spec(&self, bytes: u64) -> MemorySpec {
        MemorySpec {
            bytes,
            max_bytes: self.maximum().map(|pages| self.bytes(pages)),
            limit_bytes: self.0.limit_bytes(),
            page_size_log2: self.page_size_log2(),
            memory64: self.is_64(),
            shared: self.is_shared(),
        }
    }

    /// The same type with the length that a memory has now.
    pub(crate) fn at_length(&self, bytes: u64) -> MemoryType {
        MemoryType(loader::MemoryType {
            min_pages: bytes >> self.page_size_log2(),
            ..self.0
        })
    }

    /// The bytes of so many pages; `u64::MAX` if they are more than that.
    pub(crate) fn bytes(&self, pages: u64) -> u64 {
        pages.saturating_mul(self.page_size())
    }
}

/// Makes a [`MemoryType`].
///
/// ```
/// use sheave_hostcalls::MemoryTypeBuilder;
/// let ty = MemoryTypeBuilder::new().min(100).max(Some(200)).page_size_log2(0).build()?;
/// assert_eq!(ty.page_size(), 1);
/// # Ok::<(), sheave_hostcalls::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryTypeBuilder(loader::MemoryType);

impl Default for MemoryTypeBuilder {
    fn default() -> MemoryTypeBuilder {
        MemoryTypeBuilder::new()
    }
}

impl MemoryTypeBuilder {
    /// No pages, no maximum, 32-bit addresses, not shared, pages of 64 KiB.
    pub fn new() -> MemoryTypeBuilder {
        MemoryTypeBuilder(loader::MemoryType {
            min_pages: 0,
            max_pages: None,
            memory64: false,
            shared: false,
            page_size_log2: loader::MemoryType::DEFAULT_PAGE_SIZE_LOG2,
        })
    }

    /// The least size in pages.
    pub fn min(&mut self, pages: u64) -> &mut MemoryTypeBuilder {
        self.0.min_pages = pages;
        self
    }

    /// The largest size in pages.
    pub fn max(&mut self, pages: Option<u64>) -> &mut MemoryTypeBuilder {
        self.0.max_pages = pages;
        self
    }

    /// Whether addresses have 64 bits.
    pub fn memory64(&mut self, enable: bool) -> &mut MemoryTypeBuilder {
        self.0.memory64 = enable;
        self
    }

    /// Whether threads share it.
    pub fn shared(&mut self, enable: bool) -> &mut MemoryTypeBuilder {
        self.0.shared = enable;
        self
    }

    /// Binary logarithm of the bytes of a page: 16 or 0.
    pub fn page_size_log2(&mut self, log2: u8) -> &mut MemoryTypeBuilder {
        self.0.page_size_log2 = log2;
        self
    }

    fn unchecked(&self) -> MemoryType {
        MemoryType(self.0)
    }

    /// The type.
    ///
    /// # Errors
    /// If the page size is neither 64 KiB nor 1, the maximum is below the minimum, a shared memory has no maximum,
    /// or the address type cannot say the sizes.
    pub fn build(&self) -> Result<MemoryType> {
        let ty = &self.0;
        if ty.max_pages.is_some_and(|max| max < ty.min_pages) {
            bail!("maximum page size cannot be smaller than the minimum page size");
        }
        if !matches!(ty.page_size_log2, 0 | 16) {
            bail!(
                "page size must be 2**16 or 2**0, but was given 2**{}",
                ty.page_size_log2
            );
        }
        if ty.shared && ty.max_pages.is_none() {
            bail!("shared memories must have a maximum size");
        }
        if ty.min_pages > ty.limit_pages() {
            bail!("minimum size is too large for this memory type's index type");
        }
        if ty.max_pages.is_some_and(|max| max > ty.limit_pages()) {
            bail!("maximum size is too large for this memory type's index type");
        }
        Ok(MemoryType(*ty))
    }
}
