//! Bytes in the block are data, never authority: whatever they say, nothing outside is touched and
//! nothing panics. Miri and sanitizers notice if it is.

use crate::{PAGE, backends, on_each_backend};
use proptest::prelude::*;
use sheave_arena::layout::{HEADER_BYTES, Header};
use sheave_arena::{Arena, ArenaConfig, ArenaError, Offset, U32};
use std::mem::offset_of;

/// Changes a word of the header.
fn forge(arena: &mut Arena, at: usize, value: u32) {
    arena
        .write(Offset::new(at as u32).unwrap(), U32::new(value))
        .unwrap();
}

#[test]
fn a_forged_end_of_the_heap_is_an_error() {
    on_each_backend(u64::MAX, |mut arena| {
        for end in [
            0,
            16,
            HEADER_BYTES - 16,
            HEADER_BYTES + 1,
            1 << 31,
            u32::MAX - 15,
            u32::MAX,
        ] {
            forge(&mut arena, offset_of!(Header, heap_end), end);
            assert_eq!(arena.alloc(16), Err(ArenaError::Corrupt));
            assert!(arena.heap_bytes().len() >= HEADER_BYTES as usize);
            assert_eq!(arena.memory_new(PAGE, PAGE), Err(ArenaError::Corrupt));
            arena.relocate().unwrap();
        }
    });
}

#[test]
fn a_forged_free_list_is_dropped() {
    on_each_backend(u64::MAX, |mut arena| {
        for first in [1, 16, HEADER_BYTES + 8, 1 << 31, u32::MAX - 15, u32::MAX] {
            forge(&mut arena, offset_of!(Header, free), first);
            let end = arena.heap_len();
            assert_eq!(arena.alloc(16).unwrap().get(), end);
        }
        // A list that leads astray behind its first block, or in a circle.
        let object = arena.alloc(16).unwrap();
        arena.free(object, 16);
        arena.write(object.cast(), U32::new(u32::MAX)).unwrap();
        assert_eq!(arena.alloc(16), Ok(object));
        assert_eq!(arena.alloc(16).unwrap().get(), object.get() + 16);
        arena.free(object, 16);
        arena.free(object, 16);
        assert_eq!(arena.alloc(16), Ok(object));
    });
}

#[test]
fn what_is_no_object_cannot_be_freed() {
    on_each_backend(u64::MAX, |mut arena| {
        let object = arena.alloc(64).unwrap();
        let before = arena.heap_bytes().to_vec();
        for place in [
            1,
            16,
            2048,
            object.get() + 8,
            1 << 31,
            u32::MAX - 15,
            u32::MAX,
        ] {
            arena.free(Offset::new(place).unwrap(), 64);
            arena.free(Offset::new(place).unwrap(), u32::MAX);
        }
        assert_eq!(arena.heap_bytes(), before);
        assert_eq!(
            arena.realloc(Offset::new(1 << 31).unwrap(), 64, 640),
            Err(ArenaError::OutOfBounds)
        );
    });
}

#[test]
fn a_forged_directory_is_an_error() {
    on_each_backend(u64::MAX, |mut arena| {
        let memory = arena.memory_new(PAGE, 4 * PAGE).unwrap();
        for directory in [0, 1 << 31, u32::MAX] {
            forge(&mut arena, offset_of!(Header, memory_directory), directory);
            assert_eq!(
                arena.memory_grow(memory, 2 * PAGE),
                Err(ArenaError::Corrupt)
            );
            assert_eq!(arena.memory_len(memory), PAGE);
            forge(&mut arena, offset_of!(Header, memory_capacity), 0);
            assert!(arena.memory_new(1, 1).is_err() || directory == 0);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 500 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_byte_can_do_harm(
        backend in proptest::sample::select(backends().collect::<Vec<_>>()),
        forged in proptest::collection::vec((0..3u8, any::<prop::sample::Index>(), any::<u32>()), 1..30),
    ) {
        let config = ArenaConfig { backend, budget_bytes: 64 * PAGE, ..ArenaConfig::default() };
        let mut arena = Arena::new(&config).unwrap();
        let memory = arena.memory_new(100, 4 * PAGE).unwrap();
        let mut objects = Vec::new();
        for (kind, place, value) in forged {
            // A byte anywhere, or a plausible or arbitrary word of the header.
            let end = arena.heap_len();
            match kind {
                0 => forge(&mut arena, 16 + 4 * place.index(135), value),
                1 => forge(&mut arena, 16 + 4 * place.index(135), (value % (2 * end)) & !15),
                _ => {
                    let at = Offset::new(1 + place.index(end as usize - 1) as u32).unwrap();
                    arena.slice_mut(at, 1).unwrap()[0] = value as u8;
                }
            }
            let size = value % 1000;
            if let Ok(object) = arena.alloc(size) {
                arena.slice_mut(object, size).unwrap().fill(value as u8);
                objects.push((object, size));
            }
            if let Some((object, old)) = objects.pop() {
                if let Ok(object) = arena.realloc(object, old, value % 20_000) {
                    arena.free(object, value % 20_000);
                }
                arena.free(object, old);
            }
            let _ = arena.memory_new(10, PAGE);
            let _ = arena.memory_grow(memory, arena.memory_len(memory) + 10);
            let _ = arena.root(3).map(|root| arena.read(root.cast::<U32>()));
            arena.memory_bytes_mut(memory).fill(1);
            prop_assert!(arena.heap_bytes().len() as u32 == arena.heap_len());
            if value % 8 == 0 {
                arena.relocate().unwrap();
            }
        }
    }
}
