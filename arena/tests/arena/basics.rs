//! What each operation does, one at a time.

use crate::backends;
use sheave_arena::{Arena, ArenaConfig, U32};

#[test]
fn objects_and_memories_survive_a_move() {
    for backend in backends() {
        let mut arena = Arena::new(&ArenaConfig { backend, ..ArenaConfig::default() }).unwrap();
        let object = arena.alloc_value(U32::new(7)).unwrap();
        let memory = arena.memory_new(65536, 1 << 20).unwrap();
        arena.memory_bytes_mut(memory)[65535] = 9;
        let (base, generation) = (arena.base(), arena.generation());
        arena.relocate().unwrap();
        assert_ne!(arena.base(), base);
        assert_ne!(arena.generation(), generation);
        assert_eq!(arena.read(object).unwrap().get(), 7);
        assert_eq!(arena.memory_bytes(memory)[65535], 9);
    }
}
