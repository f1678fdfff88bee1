//! The arena seen from outside. Each test runs on both backends where both exist.

use sheave_arena::{Arena, ArenaConfig, ArenaError, Backend};

mod basics;

/// The backends that this target has.
fn backends() -> impl Iterator<Item = Backend> {
    [Backend::Heap, Backend::Reserved].into_iter().filter(|&backend| {
        let config = ArenaConfig { backend, ..ArenaConfig::default() };
        !matches!(Arena::new(&config), Err(ArenaError::BackendUnavailable))
    })
}
