//! The arena seen from outside. Each test runs on all backends that the target has.

use sheave_arena::{Arena, ArenaConfig, ArenaError, Backend};

mod basics;
#[cfg(unix)]
mod files;
mod hostile;
mod image;
mod model;
mod moves;

/// The unit of room for memories.
const PAGE: u64 = 65536;

/// The backends that this target has.
fn backends() -> impl Iterator<Item = Backend> {
    [Backend::Heap, Backend::Reserved]
        .into_iter()
        .filter(|&backend| {
            let config = ArenaConfig {
                backend,
                ..ArenaConfig::default()
            };
            !matches!(Arena::new(&config), Err(ArenaError::BackendUnavailable))
        })
}

/// Runs a test on an arena of each backend, set up by default but for `budget_bytes`.
fn on_each_backend(budget_bytes: u64, test: impl Fn(Arena)) {
    for backend in backends() {
        let arena = Arena::new(&ArenaConfig {
            backend,
            budget_bytes,
            ..ArenaConfig::default()
        });
        let arena = arena.unwrap();
        assert_eq!(arena.backend(), backend);
        test(arena);
    }
}

/// Whether all of `bytes` are `byte`; comparing whole slices is quick under Miri too.
fn all_are(byte: u8, bytes: &[u8]) -> bool {
    bytes == vec![byte; bytes.len()]
}
