//! The bytes of a block are the same on every target and backend.

use crate::{PAGE, on_each_backend};
use sheave_arena::layout::{HEADER_BYTES, MemoryEntry};
use sheave_arena::{Arena, Offset, U16, U32, U64};

/// Uses everything that leaves a mark in the block.
fn story(arena: &mut Arena) {
    let sizes = [1, 16, 100, 129, 500, 3000, 16, 48, 70000];
    let objects = sizes.map(|size| (arena.alloc(size).unwrap(), size));
    for (index, (object, size)) in objects.into_iter().enumerate() {
        arena.slice_mut(object, size).unwrap().fill(index as u8 + 1);
    }
    arena.write(objects[1].0.cast(), U16::new(0x0102)).unwrap();
    arena
        .write(objects[4].0.cast(), U64::new(0x0102_0304_0506_0708))
        .unwrap();
    arena
        .write(objects[5].0.cast(), Some(objects[4].0))
        .unwrap();
    arena.set_root(3, Some(objects[5].0));
    let memories = [(); 5].map(|()| arena.memory_new(PAGE, 1 << 32).unwrap());
    arena.memory_grow(memories[2], PAGE + 1).unwrap();
    for (object, size) in [objects[0], objects[6], objects[8], objects[2]] {
        arena.free(object, size);
    }
    arena.realloc(objects[3].0, 129, 300).unwrap();
    arena.alloc(16).unwrap();
    arena.relocate().unwrap();
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

#[test]
fn a_block_has_the_same_bytes_everywhere() {
    on_each_backend(u64::MAX, |mut arena| {
        story(&mut arena);
        let bytes = arena.heap_bytes();
        let start = [
            b's', b'h', b'e', b'a', b'v', b'e', b'A', b'R', // magic
            1, 0, 0, 0, // version
            0, 16, 0, 0, // header_len
            0x70, 0x61, 1, 0, // heap_end
            0x10, 0x10, 0, 0, // live_bytes
            5, 0, 0, 0, // memory_count
            0xb0, 0x5f, 1, 0, // memory_directory
            8, 0, 0, 0, // memory_capacity
        ];
        assert_eq!(bytes[..36], start);
        assert_eq!(bytes.len(), 0x16170);
        assert_eq!(hash(bytes), 0x33be_f362_8227_4ed2);
    });
}

#[test]
fn the_layout_tells_everything() {
    on_each_backend(u64::MAX, |mut arena| {
        story(&mut arena);
        // From nothing but the bytes, with what docs/arena-layout.md says.
        let bytes = arena.heap_bytes();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!(word(12), HEADER_BYTES);
        assert_eq!(word(16) as usize, bytes.len());
        assert_eq!(Offset::new(word(64 + 4 * 3)), arena.root(3));
        let directory = word(28) as usize;
        let listed: Vec<_> = (0..word(24) as usize)
            .map(|memory| {
                (
                    long(directory + 16 * memory),
                    long(directory + 16 * memory + 8),
                )
            })
            .collect();
        let known: Vec<_> = arena
            .memories()
            .map(|m| (m.len_bytes, m.max_bytes))
            .collect();
        assert_eq!(listed, known);
        assert_eq!(size_of::<MemoryEntry>(), 16);
        // Two blocks of 16 were freed, and one of them used again.
        let first = word(128) as usize;
        assert_eq!((first, word(first)), (HEADER_BYTES as usize, 0));
        assert_eq!(
            arena.read(Offset::<U32>::new(128).unwrap()).unwrap().get(),
            HEADER_BYTES
        );
    });
}
