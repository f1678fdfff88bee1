//! What lies where in the block, byte by byte: the code twin of `docs/arena-layout.md`.
//!
//! ```text
//!    0  magic │ version │ header_len │ heap_end │ live_bytes │ memory_count, _directory, _capacity
//!   64  roots: 16 × offset
//!  128  free: 107 × offset of the first free block of each size class
//!  556  zero
//! 4096  the first object
//! ```
//!
//! Nothing here says where a memory lies: that is the host's knowledge, differs from one block to
//! the next, and would keep two equal stores from having equal bytes.

use crate::{Offset, Plain, U32, U64};
use bytemuck::{Pod, Zeroable};
use core::mem::{offset_of, size_of};

/// The first eight bytes of a block.
pub const MAGIC: [u8; 8] = *b"sheaveAR";

/// The version of this layout, the size classes included.
pub const VERSION: u32 = 1;

/// Bytes of the header page. The first object lies right behind it.
pub const HEADER_BYTES: u32 = 4096;

/// Every object begins at a multiple of this.
pub const OBJECT_ALIGN: u32 = 16;

/// The end of the heap never lies beyond this, so that the end of each object is a `u32` too.
pub const MAX_HEAP_BYTES: u32 = u32::MAX - (OBJECT_ALIGN - 1);

/// Linear memories begin at multiples of this, which is also the unit of committing.
pub const MEMORY_ALIGN: u64 = 64 << 10;

/// Offsets in the header for the owner of the arena to find its objects by.
pub const ROOTS: usize = 16;

/// Size classes up to 128 bytes, 16 bytes apart.
const SMALL_CLASSES: u32 = 8;

/// Number of size classes: the small ones, and four for each doubling up to 3.5 GiB.
pub const SIZE_CLASSES: usize = (SMALL_CLASSES + 4 * 25 - 1) as usize;

/// The largest object, that of the last size class.
pub const MAX_OBJECT_BYTES: u32 = class_bytes(SIZE_CLASSES - 1);

/// The header page.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: U32,
    /// [`HEADER_BYTES`].
    pub header_len: U32,
    /// Where the next fresh object goes: all objects lie below.
    pub heap_end: U32,
    /// Bytes in objects that are allocated now, each rounded up to its size class.
    pub live_bytes: U32,
    /// Number of linear memories.
    pub memory_count: U32,
    /// The object with one [`MemoryEntry`] for each memory.
    pub memory_directory: Option<Offset<MemoryEntry>>,
    /// Number of entries that the directory object has room for.
    pub memory_capacity: U32,
    /// Zero.
    pub reserved: [u8; 28],
    /// Offsets for the owner of the arena to find its objects by.
    pub roots: [Option<Offset<u8>>; ROOTS],
    /// The free block of each size class that was freed last, 0 for none. The first four bytes of
    /// a free block are the offset of the next one, 0 for none.
    pub free: [U32; SIZE_CLASSES],
    /// Zero.
    pub rest: [u8; HEADER_BYTES as usize - 128 - 4 * SIZE_CLASSES],
}

impl Plain for Header {}

impl Header {
    /// The header of a block without objects.
    pub(crate) fn empty() -> Self {
        Self {
            magic: MAGIC,
            version: U32::new(VERSION),
            header_len: U32::new(HEADER_BYTES),
            heap_end: U32::new(HEADER_BYTES),
            ..Self::zeroed()
        }
    }
}

/// What the directory tells of one linear memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct MemoryEntry {
    /// Its length.
    pub len_bytes: U64,
    /// The length it may grow to.
    pub max_bytes: U64,
}

impl Plain for MemoryEntry {}

const _: () = {
    assert!(size_of::<Header>() == HEADER_BYTES as usize);
    assert!(offset_of!(Header, roots) == 64);
    assert!(offset_of!(Header, free) == 128);
    assert!(offset_of!(Header, rest) == 556);
    assert!(size_of::<MemoryEntry>() == 16);
    assert!(MAX_OBJECT_BYTES == 0xe000_0000);
};

/// The size class that objects of `size_bytes` belong to; `None` if there is none so large.
#[inline]
pub const fn class_of(size_bytes: u32) -> Option<usize> {
    if size_bytes <= 16 * SMALL_CLASSES {
        return Some((size_bytes.saturating_sub(1) / 16) as usize);
    }
    let last = size_bytes - 1; // the top bit of `last` is the doubling, the next two the quarter
    let doubling = last.ilog2();
    let quarter = (last >> (doubling - 2)) & 3;
    let class = (SMALL_CLASSES + 4 * (doubling - 7) + quarter) as usize;
    if class < SIZE_CLASSES {
        Some(class)
    } else {
        None
    }
}

/// Bytes of a block of size class `class`, which is below [`SIZE_CLASSES`].
#[inline]
pub const fn class_bytes(class: usize) -> u32 {
    debug_assert!(class < SIZE_CLASSES);
    let class = class as u32;
    if class < SMALL_CLASSES {
        return 16 * (class + 1);
    }
    let doubling = 7 + (class - SMALL_CLASSES) / 4;
    let quarter = (class - SMALL_CLASSES) % 4;
    (1 << doubling) + ((quarter + 1) << (doubling - 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_holds_just_the_sizes_up_to_its_own() {
        let mut below = 0;
        for class in 0..SIZE_CLASSES {
            let bytes = class_bytes(class);
            assert!(bytes > below && bytes.is_multiple_of(OBJECT_ALIGN));
            assert_eq!(class_of(below + 1), Some(class));
            assert_eq!(class_of(bytes), Some(class));
            assert!(
                class < 8 || u64::from(bytes) * 4 <= u64::from(below) * 5,
                "at most a quarter"
            );
            below = bytes;
        }
        assert_eq!(below, MAX_OBJECT_BYTES);
        assert_eq!(class_of(0), Some(0));
        assert_eq!(class_of(MAX_OBJECT_BYTES + 1), None);
        assert_eq!(class_of(u32::MAX), None);
    }

    /// The rows of a table in the document: `| offset | bytes | name | … |`.
    fn rows<'a>(title: &str) -> impl Iterator<Item = (usize, usize, &'a str)> {
        let document = include_str!("../../docs/arena-layout.md");
        let section = document
            .split("\n## ")
            .find(|section| section.starts_with(title));
        section.expect(title).lines().filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let offset = cells.next()?.parse().ok()?;
            let bytes = cells.next()?.parse().ok()?;
            Some((offset, bytes, cells.next()?.trim_matches('`')))
        })
    }

    macro_rules! fields {
        ($of:ty: $($name:ident)*) => {{
            let value = <$of>::zeroed();
            [$((offset_of!($of, $name), size_of_val(&value.$name), stringify!($name))),*]
        }};
    }

    #[test]
    fn document_agrees() {
        let header = fields!(Header: magic version header_len heap_end live_bytes memory_count
            memory_directory memory_capacity reserved roots free rest);
        assert!(rows("Header").eq(header));
        let entry = fields!(MemoryEntry: len_bytes max_bytes);
        assert!(rows("Memory directory").eq(entry));
        let classes: [_; SIZE_CLASSES] = core::array::from_fn(class_bytes);
        let samples = rows("Size classes").map(|(class, bytes, _)| (class, bytes as u32));
        let mut seen = 0;
        for (class, bytes) in samples {
            assert_eq!(classes[class], bytes);
            seen += 1;
        }
        assert!(seen >= 10);
    }
}
