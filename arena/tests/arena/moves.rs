//! When the block moves, when it does not, and what raw pointers may do in between.

use crate::{PAGE, all_are, backends, on_each_backend};
use sheave_arena::{Arena, ArenaConfig, ArenaError, Backend, U32};

#[test]
fn objects_and_memories_survive_a_move() {
    on_each_backend(u64::MAX, |mut arena| {
        let object = arena.alloc_value(U32::new(7)).unwrap();
        let memory = arena.memory_new(PAGE, 1 << 20).unwrap();
        arena.memory_bytes_mut(memory)[65535] = 9;
        let (base, generation) = (arena.base(), arena.generation());
        arena.relocate().unwrap();
        assert_ne!(arena.base(), base);
        assert_ne!(arena.generation(), generation);
        assert_eq!(arena.read(object).unwrap().get(), 7);
        assert_eq!(arena.memory_bytes(memory)[65535], 9);
        arena.memory_grow(memory, 1 << 20).unwrap();
        assert_eq!(arena.memory_bytes(memory)[65535..65537], [9, 0]);
    });
}

#[test]
fn growing_moves_the_heap_backend_and_keeps_everything() {
    let config = ArenaConfig {
        backend: Backend::Heap,
        ..ArenaConfig::default()
    };
    let mut arena = Arena::new(&config).unwrap();
    let memories = [1, 2].map(|byte| {
        let memory = arena.memory_new(PAGE, 100 * PAGE).unwrap();
        arena.memory_bytes_mut(memory).fill(byte);
        memory
    });
    let mut objects = Vec::new();
    for value in 0..200 {
        let object = arena.alloc(1000).unwrap();
        arena.write(object.cast(), U32::new(value)).unwrap();
        objects.push((object, value));
    }
    let moved = arena.generation();
    assert!(moved > 0);
    for memory in memories {
        arena.memory_grow(memory, PAGE * 3 / 2).unwrap();
    }
    assert!(arena.generation() > moved);
    for (object, value) in objects {
        assert_eq!(arena.read(object.cast::<U32>()).unwrap().get(), value);
    }
    for (memory, byte) in memories.into_iter().zip([1, 2]) {
        let (old, new) = arena.memory_bytes(memory).split_at(65536);
        assert!(all_are(byte, old) && all_are(0, new));
    }
}

#[test]
fn growing_by_little_moves_seldom() {
    let pages = if cfg!(miri) { 20 } else { 200 };
    on_each_backend(u64::MAX, |mut arena| {
        let memory = arena.memory_new(0, u64::MAX).unwrap();
        for pages in 1..=pages {
            arena.memory_grow(memory, pages * PAGE).unwrap();
        }
        assert!(arena.generation() < 20, "{}", arena.generation());
    });
}

fn reserved(heap_reserve_bytes: u64, memory_reserve_bytes: u64) -> Option<Arena> {
    let backend = Backend::Reserved;
    let config = ArenaConfig {
        backend,
        heap_reserve_bytes,
        memory_reserve_bytes,
        ..ArenaConfig::default()
    };
    match Arena::new(&config) {
        Err(ArenaError::BackendUnavailable) => None,
        arena => Some(arena.unwrap()),
    }
}

#[test]
fn growing_within_a_reservation_moves_nothing() {
    let Some(mut arena) = reserved(4 << 30, 12 << 30) else {
        return;
    };
    let memories = [(); 3].map(|()| arena.memory_new(PAGE, 4 << 30).unwrap());
    let base = arena.base();
    for round in 1..20 {
        arena.alloc(1 << round).unwrap();
        for memory in memories {
            arena
                .memory_grow(memory, (round + 1) * (round + 1) * PAGE)
                .unwrap();
        }
    }
    // Room for all 4 GiB is there, and costs nothing until it is touched.
    arena.memory_grow(memories[1], 4 << 30).unwrap();
    *arena.memory_bytes_mut(memories[1]).last_mut().unwrap() = 1;
    arena.memory_bytes_mut(memories[2])[0] = 2;
    assert_eq!((arena.base(), arena.generation()), (base, 0));
    // A fourth of that kind moves, and then there is room again.
    arena.memory_new(PAGE, 4 << 30).unwrap();
    assert_eq!(arena.generation(), 1);
    assert_eq!(arena.memory_bytes(memories[1]).last(), Some(&1));
    assert_eq!(arena.memory_bytes(memories[2])[0], 2);
    arena.memory_new(PAGE, 4 << 30).unwrap();
    assert_eq!(arena.generation(), 1);
}

#[test]
fn growing_beyond_a_reservation_moves() {
    let Some(mut arena) = reserved(PAGE, 0) else {
        return;
    };
    let memory = arena.memory_new(PAGE, 5 * PAGE).unwrap();
    assert_eq!(arena.generation(), 1);
    arena.memory_bytes_mut(memory).fill(3);
    let object = arena.alloc(40000).unwrap();
    arena.slice_mut(object, 40000).unwrap().fill(4);
    arena.alloc(40000).unwrap();
    assert_eq!(arena.generation(), 2);
    arena.memory_grow(memory, 5 * PAGE).unwrap();
    assert_eq!(arena.generation(), 2, "a memory has room up to its maximum");
    assert!(all_are(4, arena.slice(object, 40000).unwrap()));
    assert!(all_are(3, &arena.memory_bytes(memory)[..65536]));
}

#[test]
fn the_whole_heap_can_be_used() {
    if cfg!(miri) {
        return;
    }
    let Some(mut arena) = reserved(4 << 30, 0) else {
        return;
    };
    let half = arena.alloc(1 << 31).unwrap();
    arena.alloc(1 << 30).unwrap();
    arena.alloc(1 << 29).unwrap();
    assert_eq!(arena.alloc(1 << 29), Err(ArenaError::HeapFull));
    while arena.alloc(1 << 12).is_ok() {}
    while arena.alloc(16).is_ok() {}
    assert_eq!(arena.heap_len(), u32::MAX - 15);
    assert_eq!(arena.heap_bytes().len(), u32::MAX as usize - 15);
    assert_eq!(arena.generation(), 0);
    // The last 16 bytes of all offsets never belong to an object.
    let end = sheave_arena::Offset::new(u32::MAX - 15).unwrap();
    assert!(arena.ptr(end, 15).is_ok());
    assert_eq!(arena.ptr(end, 16), Err(ArenaError::OutOfBounds));
    arena.free(half, 1 << 31);
    assert_eq!(arena.alloc(1 << 30), Ok(half));
}

#[test]
fn many_memories_find_their_place() {
    let count = if cfg!(miri) { 10 } else { 100 };
    for backend in backends() {
        let mut arena = Arena::new(&ArenaConfig {
            backend,
            ..ArenaConfig::default()
        })
        .unwrap();
        let memories: Vec<_> = (0..count)
            .map(|_| arena.memory_new(100, 4 << 30).unwrap())
            .collect();
        for (byte, &memory) in memories.iter().enumerate() {
            arena.memory_bytes_mut(memory).fill(byte as u8);
        }
        for (byte, &memory) in memories.iter().enumerate() {
            assert_eq!(arena.memory_bytes(memory), [byte as u8; 100]);
        }
        assert!(backend == Backend::Heap || arena.generation() < 8);
    }
}

/// What an interpreter does: it keeps pointers derived from one base, and calls the arena between
/// uses of them. Meant for Miri.
#[test]
#[allow(unsafe_code, reason = "raw pointers are what is tested")]
fn pointers_hold_until_the_block_moves() {
    on_each_backend(u64::MAX, |mut arena| {
        let first = arena.alloc(64).unwrap();
        let memory = arena.memory_new(PAGE, PAGE).unwrap();
        let generation = arena.generation();
        let (base, memory_ptr) = (arena.base(), arena.memory_ptr(memory));
        let object_ptr = arena.ptr(first, 64).unwrap();
        // SAFETY: A5, both lie in the heap or the memory, and nothing has moved.
        unsafe {
            object_ptr.cast::<u64>().write(1);
            memory_ptr.add(65535).write(2);
        }
        let second = arena.alloc(64).unwrap();
        arena.write(second.cast(), U32::new(3)).unwrap();
        arena.set_root(0, Some(second));
        assert_eq!(arena.generation(), generation);
        // SAFETY: A5, as above. From one pointer, all the block can be reached.
        unsafe {
            assert_eq!(object_ptr.cast::<u64>().read(), 1);
            assert_eq!(
                base.add(second.get() as usize).cast::<u32>().read(),
                3u32.to_le()
            );
            object_ptr.cast::<u64>().write(4);
            let far = memory_ptr.offset_from(base);
            assert_eq!(base.offset(far).add(65535).read(), 2);
            assert_eq!(
                memory_ptr
                    .offset(-far)
                    .add(first.get() as usize)
                    .cast::<u64>()
                    .read(),
                4
            );
        }
        assert_eq!(
            arena.read(first.cast::<U32>()).unwrap().get(),
            4u64.to_le() as u32
        );
        assert_eq!(arena.memory_bytes(memory)[65535], 2);
        arena.free(second, 64);
        // SAFETY: A5, as above.
        unsafe { memory_ptr.write(5) };
        arena.relocate().unwrap();
        assert_eq!(arena.memory_bytes(memory)[0], 5);
    });
}

#[test]
fn a_fork_has_the_objects_and_empty_memories_of_its_own() {
    on_each_backend(1 << 20, |mut arena| {
        let object = arena.alloc_value(U32::new(7)).unwrap();
        let memory = arena.memory_new(PAGE, 3 * PAGE).unwrap();
        arena.memory_bytes_mut(memory)[5] = 9;
        let mut fork = arena.fork().unwrap();
        assert_eq!(fork.read(object).unwrap().get(), 7);
        assert_eq!(fork.memory_len(memory), PAGE);
        assert!(all_are(0, fork.memory_bytes(memory)));
        assert_eq!(fork.backend(), arena.backend());

        fork.write(object, U32::new(8)).unwrap();
        fork.memory_grow(memory, 3 * PAGE).unwrap();
        fork.memory_bytes_mut(memory)[3 * PAGE as usize - 1] = 1;
        // The budget goes along: four pages and the heap are too much for it here and there.
        assert_eq!(fork.used_bytes(), arena.used_bytes() + 2 * PAGE);
        assert_eq!(fork.alloc(900 << 10), Err(ArenaError::Budget));
        let next = fork.alloc(16).unwrap();
        assert_eq!(arena.alloc(16).unwrap(), next);
        assert_eq!(arena.read(object).unwrap().get(), 7);
        assert_eq!(arena.memory_bytes(memory)[5], 9);
        drop(arena);
        assert_eq!(fork.read(object).unwrap().get(), 8);
    });
}

#[test]
fn a_fork_that_outgrows_its_room_moves_and_keeps_what_it_has() {
    on_each_backend(u64::MAX, |mut arena| {
        let object = arena.alloc_value(U32::new(7)).unwrap();
        let memory = arena.memory_new(PAGE, 1 << 32).unwrap();
        let other = arena.memory_new(3 * PAGE, 1 << 32).unwrap();
        let mut fork = arena.fork().unwrap();
        fork.memory_bytes_mut(memory)[100] = 1;
        fork.memory_bytes_mut(other)[3 * PAGE as usize - 1] = 2;
        let sizes: &[u64] = if cfg!(miri) {
            &[5 * PAGE]
        } else {
            &[200 * PAGE, 300 * PAGE, 2000 * PAGE]
        };
        for size in sizes {
            fork.memory_grow(memory, *size).unwrap();
            fork.memory_grow(other, *size).unwrap();
            let third = fork.memory_new(*size, 1 << 32).unwrap();
            assert!(all_are(0, fork.memory_bytes(third)));
            assert_eq!(fork.memory_bytes(memory)[100], 1);
            assert!(all_are(0, &fork.memory_bytes(memory)[PAGE as usize..]));
            assert_eq!(fork.memory_bytes(other)[3 * PAGE as usize - 1], 2);
            assert_eq!(fork.memory_len(other), *size);
        }
        let large = if cfg!(miri) { 1 << 16 } else { 8 << 20 };
        let objects: Vec<_> = (0..4).map(|_| fork.alloc(large).unwrap()).collect();
        assert!(objects.is_sorted());
        assert_eq!(fork.read(object).unwrap().get(), 7);
    });
}
