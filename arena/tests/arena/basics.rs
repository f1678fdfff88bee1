//! What each operation does, one at a time.

use crate::{PAGE, all_are, on_each_backend};
use sheave_arena::layout::{HEADER_BYTES, MAX_OBJECT_BYTES, ROOTS};
use sheave_arena::{Arena, ArenaConfig, ArenaError, Backend, Offset, U32, U64};

const NO_BUDGET: u64 = u64::MAX;

#[test]
fn an_arena_is_send_and_sync() {
    fn check<T: Send + Sync>() {}
    check::<Arena>();
    check::<Offset<*const u8>>();
}

#[test]
fn objects_are_aligned_zeroed_and_apart() {
    on_each_backend(NO_BUDGET, |mut arena| {
        assert_eq!(arena.heap_len(), HEADER_BYTES);
        let mut last_end = HEADER_BYTES;
        for size in [0, 1, 15, 16, 17, 128, 129, 1000, 5000] {
            let object = arena.alloc(size).unwrap();
            assert!(object.get() >= last_end && object.get().is_multiple_of(16));
            let bytes = arena.slice_mut(object, size).unwrap();
            assert!(all_are(0, bytes));
            bytes.fill(0xff);
            last_end = object.get() + size.max(1);
        }
        assert!(arena.heap_len() >= last_end);
    });
}

#[test]
fn what_was_freed_last_is_used_first_and_zeroed() {
    on_each_backend(NO_BUDGET, |mut arena| {
        let objects = [(); 3].map(|()| arena.alloc(40).unwrap());
        let live = arena.live_bytes();
        for &object in &objects {
            arena.slice_mut(object, 48).unwrap().fill(0xff);
            arena.free(object, 40);
        }
        assert_eq!(arena.live_bytes(), live - 3 * 48);
        let end = arena.heap_len();
        for &object in objects.iter().rev() {
            assert_eq!(arena.alloc(33), Ok(object), "the same size class");
            assert_eq!(arena.slice(object, 48).unwrap(), [0; 48]);
        }
        assert_eq!((arena.heap_len(), arena.live_bytes()), (end, live));
    });
}

#[test]
fn another_size_keeps_the_contents() {
    on_each_backend(NO_BUDGET, |mut arena| {
        let object = arena.alloc(20).unwrap();
        arena.slice_mut(object, 20).unwrap().fill(1);
        assert_eq!(arena.realloc(object, 20, 18), Ok(object));
        assert_eq!(arena.realloc(object, 18, 32), Ok(object));
        assert_eq!(arena.slice(object, 32).unwrap()[17..20], [1, 0, 0]);
        let larger = arena.realloc(object, 32, 3000).unwrap();
        assert_eq!(
            arena.slice(larger, 3000).unwrap()[..19]
                .iter()
                .filter(|&&b| b == 1)
                .count(),
            18
        );
        assert_eq!(arena.alloc(32), Ok(object), "the old place is free");
        let smaller = arena.realloc(larger, 3000, 3).unwrap();
        assert_eq!(arena.slice(smaller, 3).unwrap(), [1; 3]);
        assert_eq!(
            arena.realloc(smaller, 3, u32::MAX),
            Err(ArenaError::HeapFull)
        );
        assert_eq!(arena.slice(smaller, 3).unwrap(), [1; 3]);
    });
}

#[test]
fn access_is_checked() {
    on_each_backend(NO_BUDGET, |mut arena| {
        let object = arena.alloc_value(U64::new(0x0102_0304_0506_0708)).unwrap();
        assert_eq!(
            arena.read(object.cast::<[u8; 8]>()).unwrap(),
            [8, 7, 6, 5, 4, 3, 2, 1]
        );
        let odd = object.checked_add(1).unwrap();
        assert_eq!(arena.read(odd.cast::<U32>()).unwrap().get(), 0x0405_0607);
        assert_eq!(arena.get(odd).err(), Some(ArenaError::Misaligned));
        assert_eq!(arena.get_mut(odd).err(), Some(ArenaError::Misaligned));
        assert_eq!(arena.slice(odd, 1).err(), Some(ArenaError::Misaligned));
        for far in [1 << 30, u32::MAX - 7, u32::MAX] {
            let far = Offset::<U64>::new(far).unwrap();
            assert_eq!(arena.read(far).err(), Some(ArenaError::OutOfBounds));
            assert_eq!(
                arena.write(far, U64::ZERO).err(),
                Some(ArenaError::OutOfBounds)
            );
            assert_eq!(
                arena.ptr(far.cast(), 8).err(),
                Some(ArenaError::OutOfBounds)
            );
            assert_eq!(
                arena.copy_within(object.cast(), far.cast(), 8),
                Err(ArenaError::OutOfBounds)
            );
        }
        assert_eq!(
            arena.slice(object, u32::MAX / 8 + 1).err(),
            Some(ArenaError::OutOfBounds)
        );
        assert_eq!(
            arena.slice(object, u32::MAX / 8).err(),
            Some(ArenaError::OutOfBounds)
        );
    });
}

#[test]
fn copies_may_overlap() {
    on_each_backend(NO_BUDGET, |mut arena| {
        let low = arena.alloc(16).unwrap();
        let high = low.checked_add(2).unwrap();
        arena.slice_mut(low, 6).unwrap().copy_from_slice(b"abcdef");
        arena.copy_within(low, high, 4).unwrap();
        assert_eq!(arena.slice(low, 6).unwrap(), b"ababcd");
        arena.copy_within(high, low, 4).unwrap();
        assert_eq!(arena.slice(low, 6).unwrap(), b"abcdcd");
    });
}

#[test]
fn roots_are_kept() {
    on_each_backend(NO_BUDGET, |mut arena| {
        let object = arena.alloc(1).unwrap();
        assert_eq!(arena.root(0), None);
        arena.set_root(ROOTS - 1, Some(object));
        arena.relocate().unwrap();
        assert_eq!(arena.root(ROOTS - 1), Some(object));
        assert_eq!(arena.root(ROOTS), None);
    });
}

#[test]
fn memories_grow_with_zeroes_up_to_their_maximum() {
    on_each_backend(NO_BUDGET, |mut arena| {
        let memory = arena.memory_new(PAGE, 3 * PAGE).unwrap();
        let empty = arena.memory_new(0, 0).unwrap();
        let odd = arena.memory_new(10, u64::MAX).unwrap();
        arena.memory_bytes_mut(memory).fill(1);
        arena.memory_bytes_mut(odd).fill(2);
        arena.memory_grow(memory, 3 * PAGE).unwrap();
        arena.memory_grow(odd, 12).unwrap();
        arena.memory_grow(empty, 0).unwrap();
        assert!(all_are(1, &arena.memory_bytes(memory)[..PAGE as usize]));
        assert!(all_are(0, &arena.memory_bytes(memory)[PAGE as usize..]));
        assert_eq!(
            arena.memory_bytes(odd),
            [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0]
        );
        assert_eq!(arena.memory_bytes(empty), []);
        for (id, len) in [
            (memory, 3 * PAGE + 1),
            (memory, 2 * PAGE),
            (empty, 1),
            (odd, 11),
        ] {
            assert_eq!(arena.memory_grow(id, len), Err(ArenaError::MemoryLimit));
        }
        let all: Vec<_> = arena
            .memories()
            .map(|m| (m.id, m.len_bytes, m.max_bytes))
            .collect();
        assert_eq!(
            all,
            [
                (memory, 3 * PAGE, 3 * PAGE),
                (empty, 0, 0),
                (odd, 12, u64::MAX)
            ]
        );
        for (id, len, max) in all {
            assert_eq!((arena.memory_len(id), arena.memory_max(id)), (len, max));
            assert!((arena.memory_ptr(id).addr() - arena.base().addr()).is_multiple_of(65536));
        }
        assert_eq!(arena.memory_new(2, 1), Err(ArenaError::MemoryLimit));
    });
}

#[test]
fn the_budget_holds_for_heap_and_memories_together() {
    let budget = 4 * PAGE;
    on_each_backend(budget, |mut arena| {
        assert_eq!(arena.budget_bytes(), budget);
        assert_eq!(
            arena.memory_new(4 * PAGE, 4 * PAGE),
            Err(ArenaError::Budget)
        );
        let memory = arena.memory_new(PAGE, 10 * PAGE).unwrap();
        arena.memory_grow(memory, 2 * PAGE).unwrap();
        let used = arena.used_bytes();
        assert_eq!(used, u64::from(arena.heap_len()) + 2 * PAGE);
        let left = (budget - used) as u32;
        assert_eq!(arena.alloc(left + 1), Err(ArenaError::Budget));
        assert_eq!(arena.memory_grow(memory, 4 * PAGE), Err(ArenaError::Budget));
        assert_eq!(
            (arena.used_bytes(), arena.memory_len(memory)),
            (used, 2 * PAGE)
        );

        let large = arena.alloc(40000).unwrap();
        let free = (budget - arena.used_bytes()) / 16;
        for _ in 0..free {
            arena.alloc(16).unwrap();
        }
        assert_eq!(arena.used_bytes(), budget);
        assert_eq!(arena.alloc(1), Err(ArenaError::Budget));
        assert_eq!(
            arena.memory_grow(memory, 2 * PAGE + 1),
            Err(ArenaError::Budget)
        );

        arena.set_budget_bytes(budget + 16);
        arena.alloc(16).unwrap();
        arena.memory_grow(memory, 2 * PAGE).unwrap();
        assert_eq!(arena.alloc(1), Err(ArenaError::Budget));

        // What is free is cut up once there is nothing else.
        let live = arena.live_bytes();
        arena.slice_mut(large, 40000).unwrap().fill(0xff);
        arena.free(large, 40000);
        let mut pieces = Vec::new();
        while let Ok(piece) = arena.alloc(700) {
            assert!(all_are(0, arena.slice(piece, 700).unwrap()));
            pieces.push(piece);
        }
        assert!(
            pieces.len() * 768 * 4 >= 40960 * 3,
            "most of it, not all: {}",
            pieces.len()
        );
        for piece in pieces {
            assert!((large.get()..large.get() + 40960).contains(&piece.get()));
            arena.free(piece, 700);
        }
        assert!(arena.live_bytes() < live);
    });
    for backend in crate::backends() {
        let config = ArenaConfig {
            backend,
            budget_bytes: 4095,
            ..ArenaConfig::default()
        };
        assert_eq!(Arena::new(&config).err(), Some(ArenaError::Budget));
    }
}

#[test]
fn impossible_sizes_are_errors() {
    // Miri gives up where a system would refuse.
    let huge: &[u64] = &[u64::MAX, u64::MAX - PAGE, 1 << 60][..if cfg!(miri) { 2 } else { 3 }];
    on_each_backend(NO_BUDGET, |mut arena| {
        assert_eq!(arena.alloc(u32::MAX), Err(ArenaError::HeapFull));
        assert_eq!(arena.alloc(MAX_OBJECT_BYTES + 1), Err(ArenaError::HeapFull));
        for &len in huge {
            let refused = arena.memory_new(len, u64::MAX).unwrap_err();
            assert!(matches!(
                refused,
                ArenaError::OutOfMemory | ArenaError::TooLarge | ArenaError::Budget
            ));
        }
        let memory = arena.memory_new(1, u64::MAX).unwrap();
        arena.memory_bytes_mut(memory)[0] = 5;
        for &len in huge {
            assert!(arena.memory_grow(memory, len).is_err());
            assert_eq!(arena.memory_bytes(memory), [5]);
        }
        assert_eq!(arena.memories().len(), 1);
        arena.memory_grow(memory, 3).unwrap();
        arena.alloc(100).unwrap();
    });
}

#[test]
fn auto_finds_a_backend_and_large_wishes_are_cut_down() {
    let config = ArenaConfig {
        backend: Backend::Auto,
        heap_reserve_bytes: u64::MAX,
        memory_reserve_bytes: u64::MAX,
        ..ArenaConfig::default()
    };
    let mut arena = Arena::new(&config).unwrap();
    assert_eq!(Some(arena.backend()), crate::backends().last());
    arena.alloc(16).unwrap();
    arena.memory_new(PAGE, 2 * PAGE).unwrap();
}
