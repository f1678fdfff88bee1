//! Random histories, compared with a model made of `Vec`s.

use crate::{PAGE, backends};
use proptest::prelude::*;
use proptest::sample::Index;
use sheave_arena::layout::{HEADER_BYTES, Header, class_bytes, class_of};
use sheave_arena::{Arena, ArenaConfig, ArenaError, Backend, MemoryId, Offset, U32};
use std::mem::offset_of;

#[derive(Clone, Debug)]
enum Op {
    Alloc {
        size: u32,
    },
    Free {
        object: Index,
    },
    Realloc {
        object: Index,
        size: u32,
    },
    Fill {
        object: Index,
        byte: u8,
    },
    MemoryNew {
        len: u64,
        max: u64,
    },
    MemoryGrow {
        memory: Index,
        more: u64,
    },
    MemoryFill {
        memory: Index,
        start: Index,
        byte: u8,
    },
    Relocate,
}

fn op() -> impl Strategy<Value = Op> {
    let size = prop_oneof![6 => 0..200u32, 3 => 0..5000u32, 1 => 0..100_000u32];
    let index = any::<Index>;
    let len = prop_oneof![2 => 0..300u64, 1 => 0..3 * PAGE];
    prop_oneof![
        10 => size.clone().prop_map(|size| Op::Alloc { size }),
        6 => index().prop_map(|object| Op::Free { object }),
        4 => (index(), size).prop_map(|(object, size)| Op::Realloc { object, size }),
        8 => (index(), any::<u8>()).prop_map(|(object, byte)| Op::Fill { object, byte }),
        2 => (len.clone(), prop_oneof![0..4 * PAGE, Just(4 << 30), Just(u64::MAX)])
            .prop_map(|(len, max)| Op::MemoryNew { len, max }),
        4 => (index(), len).prop_map(|(memory, more)| Op::MemoryGrow { memory, more }),
        4 => (index(), index(), any::<u8>())
            .prop_map(|(memory, start, byte)| Op::MemoryFill { memory, start, byte }),
        1 => Just(Op::Relocate),
    ]
}

fn config() -> impl Strategy<Value = ArenaConfig> {
    let backend = proptest::sample::select(backends().collect::<Vec<_>>());
    let heap = proptest::sample::select(vec![1, 2 * PAGE, 4 << 30]);
    let memory = proptest::sample::select(vec![0, 2 * PAGE, 12 << 30]);
    let budget = proptest::sample::select(vec![PAGE, 8 * PAGE, u64::MAX]);
    (backend, heap, memory, budget).prop_map(|(backend, heap, memory, budget)| ArenaConfig {
        backend,
        heap_reserve_bytes: heap,
        memory_reserve_bytes: memory,
        budget_bytes: budget,
    })
}

/// An arena and what should be in it.
struct Pair {
    arena: Arena,
    objects: Vec<(Offset<u8>, Vec<u8>)>,
    memories: Vec<(MemoryId, Vec<u8>, u64)>,
}

/// `Vec::resize`, quick under Miri too.
fn resize(bytes: &mut Vec<u8>, len: u64) {
    let mut resized = vec![0; len as usize];
    let kept = bytes.len().min(resized.len());
    resized[..kept].copy_from_slice(&bytes[..kept]);
    *bytes = resized;
}

fn class_size(size: usize) -> u32 {
    class_bytes(class_of(size as u32).unwrap())
}

impl Pair {
    fn memory_bytes(&self) -> u64 {
        self.memories
            .iter()
            .map(|(_, bytes, _)| bytes.len() as u64)
            .sum()
    }

    /// Whether an operation that failed would have needed more than the budget.
    fn allow(&self, error: ArenaError, more: u64) {
        assert_eq!(error, ArenaError::Budget);
        // A directory may have to be made or doubled first.
        let directory = 32 * (self.memories.len() as u64 + 4);
        assert!(self.arena.used_bytes() + more + directory > self.arena.budget_bytes());
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Alloc { size } => match self.arena.alloc(size) {
                Ok(object) => self.objects.push((object, vec![0; size as usize])),
                Err(error) => self.allow(error, class_size(size as usize).into()),
            },
            Op::Free { object } if !self.objects.is_empty() => {
                let (offset, bytes) = self.objects.swap_remove(object.index(self.objects.len()));
                self.arena.free(offset, bytes.len() as u32);
            }
            Op::Realloc { object, size } if !self.objects.is_empty() => {
                let index = object.index(self.objects.len());
                let (offset, bytes) = &mut self.objects[index];
                match self.arena.realloc(*offset, bytes.len() as u32, size) {
                    Ok(new) => {
                        *offset = new;
                        resize(bytes, size.into());
                    }
                    Err(error) => self.allow(error, class_size(size as usize).into()),
                }
            }
            Op::Fill { object, byte } if !self.objects.is_empty() => {
                let index = object.index(self.objects.len());
                let (offset, bytes) = &mut self.objects[index];
                bytes.fill(byte);
                self.arena
                    .slice_mut(*offset, bytes.len() as u32)
                    .unwrap()
                    .fill(byte);
            }
            Op::MemoryNew { len, max } => match self.arena.memory_new(len, max) {
                Ok(memory) => self.memories.push((memory, vec![0; len as usize], max)),
                Err(ArenaError::MemoryLimit) => assert!(len > max),
                Err(error) => self.allow(error, len),
            },
            Op::MemoryGrow { memory, more } if !self.memories.is_empty() => {
                let index = memory.index(self.memories.len());
                let (memory, bytes, max) = &mut self.memories[index];
                let len = bytes.len() as u64 + more;
                match self.arena.memory_grow(*memory, len) {
                    Ok(()) => resize(bytes, len),
                    Err(ArenaError::MemoryLimit) => assert!(len > *max),
                    Err(error) => self.allow(error, more),
                }
            }
            Op::MemoryFill {
                memory,
                start,
                byte,
            } if !self.memories.is_empty() => {
                let index = memory.index(self.memories.len());
                let (memory, bytes, _) = &mut self.memories[index];
                let start = start.index(bytes.len() + 1);
                let end = bytes.len().min(start + 100);
                bytes[start..end].fill(byte);
                self.arena.memory_bytes_mut(*memory)[start..end].fill(byte);
            }
            Op::Relocate => {
                let generation = self.arena.generation();
                self.arena.relocate().unwrap();
                assert_ne!(self.arena.generation(), generation);
            }
            _ => {}
        }
    }

    fn check(&self) {
        let arena = &self.arena;
        let heap_len = arena.heap_len();
        assert!(arena.used_bytes() <= arena.budget_bytes());
        assert_eq!(
            arena.used_bytes(),
            u64::from(heap_len) + self.memory_bytes()
        );
        assert_eq!(arena.heap_bytes().len(), heap_len as usize);

        let mut places = Vec::new();
        for (object, bytes) in &self.objects {
            assert!(object.get().is_multiple_of(16));
            assert_eq!(arena.slice(*object, bytes.len() as u32).unwrap(), bytes);
            places.push((object.get(), class_size(bytes.len())));
        }
        let live: u32 = places.iter().map(|&(_, bytes)| bytes).sum();
        // The memory directory is an object too.
        let capacity = Offset::<U32>::new(offset_of!(Header, memory_capacity) as u32).unwrap();
        let directory = match arena.read(capacity).unwrap().get() {
            0 => 0,
            entries => class_size(16 * entries as usize),
        };
        assert_eq!(arena.live_bytes(), live + directory);
        places.sort_unstable();
        let mut end = HEADER_BYTES;
        for (start, bytes) in places {
            assert!(start >= end, "objects overlap");
            end = start + bytes;
        }
        assert!(end <= heap_len);

        assert_eq!(arena.memories().len(), self.memories.len());
        for (info, (id, bytes, max)) in arena.memories().zip(&self.memories) {
            assert_eq!(
                (info.id, info.len_bytes, info.max_bytes),
                (*id, bytes.len() as u64, *max)
            );
            assert_eq!(arena.memory_bytes(*id), bytes);
            assert!((arena.memory_ptr(*id).addr() - arena.base().addr()).is_multiple_of(65536));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 3 } else { 200 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_arena_behaves_like_vectors(
        config in config(),
        ops in proptest::collection::vec(op(), 0..if cfg!(miri) { 30 } else { 150 }),
    ) {
        let arena = Arena::new(&config).unwrap();
        let mut pair = Pair { arena, objects: Vec::new(), memories: Vec::new() };
        for op in &ops {
            pair.apply(op);
            if !cfg!(miri) {
                pair.check();
            }
        }
        pair.check();
    }

    /// Where things lie does not depend on how the block gets its bytes.
    #[test]
    fn backends_make_the_same_bytes(
        mut config in config(),
        ops in proptest::collection::vec(op(), 0..if cfg!(miri) { 20 } else { 100 }),
    ) {
        config.budget_bytes = u64::MAX;
        let images: Vec<_> = backends().chain([Backend::Heap]).map(|backend| {
            let arena = Arena::new(&ArenaConfig { backend, ..config.clone() }).unwrap();
            let mut pair = Pair { arena, objects: Vec::new(), memories: Vec::new() };
            ops.iter().for_each(|op| pair.apply(op));
            pair.arena.heap_bytes().to_vec()
        }).collect();
        prop_assert!(images.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
