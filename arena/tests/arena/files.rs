//! Files in memories: the same bytes, mapped or copied.
#![allow(unsafe_code, reason = "mapping files is what is tested")]

use crate::{PAGE, all_are, on_each_backend};
use sheave_arena::{ArenaError, FilePlace};
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

/// A file that is removed when the test ends.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, bytes: &[u8]) -> (Self, File) {
        let path = std::env::temp_dir().join(format!("sheave-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let file = File::open(&path).unwrap();
        (Self(path), file)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// `PAGE` bytes of something, and then three pages, the last one not whole, that differ.
fn contents() -> Vec<u8> {
    let mut bytes = vec![0xee; 3 * PAGE as usize + 100];
    for (i, byte) in bytes[PAGE as usize..].iter_mut().enumerate().step_by(97) {
        *byte = (i / 97) as u8;
    }
    bytes
}

#[test]
fn a_mapped_file_is_what_the_memory_holds_and_writing_does_not_reach_it() {
    let bytes = contents();
    let (path, file) = Temporary::new("mapped", &bytes);
    on_each_backend(u64::MAX, |mut arena| {
        let memory = arena.memory_new(5 * PAGE, 6 * PAGE).unwrap();
        let place = FilePlace {
            descriptor: file.as_raw_fd(),
            offset: PAGE,
        };
        let part = &bytes[PAGE as usize..];
        // SAFETY: A9, nobody else knows the file.
        unsafe { arena.memory_map(memory, PAGE, part, place) }.unwrap();
        let end = PAGE as usize + part.len();
        let seen = arena.memory_bytes_mut(memory);
        assert!(&seen[PAGE as usize..end] == part);
        assert!(seen[..PAGE as usize].iter().all(|byte| *byte == 0));
        assert!(seen[end..].iter().all(|byte| *byte == 0));

        seen[PAGE as usize] = 77;
        arena.relocate().unwrap();
        arena.memory_grow(memory, 6 * PAGE).unwrap();
        let seen = arena.memory_bytes(memory);
        assert_eq!(seen[PAGE as usize], 77);
        assert!(seen[PAGE as usize + 1..end] == part[1..]);
        assert!(std::fs::read(&path.0).unwrap() == bytes);
    });
}

#[test]
fn what_does_not_lie_at_the_start_of_a_page_is_copied() {
    let bytes = contents();
    let (_path, file) = Temporary::new("copied", &bytes);
    on_each_backend(u64::MAX, |mut arena| {
        let memory = arena.memory_new(4 * PAGE, 4 * PAGE).unwrap();
        let place = FilePlace {
            descriptor: file.as_raw_fd(),
            offset: 10,
        };
        // SAFETY: A9, nobody else knows the file.
        unsafe { arena.memory_map(memory, 20, &bytes[10..], place) }.unwrap();
        assert!(arena.memory_bytes(memory)[20..bytes.len() + 10] == bytes[10..]);
    });
}

#[test]
fn a_file_that_cannot_be_mapped_is_copied() {
    let bytes = contents();
    on_each_backend(u64::MAX, |mut arena| {
        let memory = arena.memory_new(4 * PAGE, 4 * PAGE).unwrap();
        let place = FilePlace {
            descriptor: -1,
            offset: 0,
        };
        // SAFETY: A9, there is no such file.
        unsafe { arena.memory_map(memory, 0, &bytes, place) }.unwrap();
        assert!(arena.memory_bytes(memory)[..bytes.len()] == bytes[..]);
    });
}

#[test]
fn a_file_cannot_be_mapped_beyond_the_memory() {
    let bytes = contents();
    let (_path, file) = Temporary::new("beyond", &bytes);
    on_each_backend(u64::MAX, |mut arena| {
        let memory = arena.memory_new(3 * PAGE, 8 * PAGE).unwrap();
        let place = FilePlace {
            descriptor: file.as_raw_fd(),
            offset: 0,
        };
        for at in [0, PAGE, 3 * PAGE, u64::MAX] {
            // SAFETY: A9, nobody else knows the file.
            let outcome = unsafe { arena.memory_map(memory, at, &bytes, place) };
            assert!(matches!(outcome, Err(ArenaError::OutOfBounds)));
        }
        assert!(arena.memory_bytes(memory).iter().all(|byte| *byte == 0));
    });
}

#[test]
fn pages_of_the_system_are_mapped_where_they_are_wanted() {
    const PAGE: usize = 4096;
    let bytes = contents();
    let (_path, file) = Temporary::new("pages", &bytes);
    on_each_backend(u64::MAX, |mut arena| {
        let memory = arena
            .memory_new(16 * PAGE as u64, 16 * PAGE as u64)
            .unwrap();
        let place = FilePlace {
            descriptor: file.as_raw_fd(),
            offset: 17 * PAGE as u64,
        };
        let part = &bytes[17 * PAGE..20 * PAGE];
        // Copied, then mapped over by the page behind.
        arena.memory_bytes_mut(memory)[..5 * PAGE].fill(1);
        // SAFETY: A9, nobody else knows the file.
        unsafe { arena.memory_map(memory, 2 * PAGE as u64, part, place) }.unwrap();
        let seen = arena.memory_bytes(memory);
        assert!(seen[2 * PAGE..5 * PAGE] == *part);
        assert!(all_are(1, &seen[..2 * PAGE]) && all_are(0, &seen[5 * PAGE..]));
    });
}
