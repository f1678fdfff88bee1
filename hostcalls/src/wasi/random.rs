//! Random bytes: the system's, a seeded sequence, or the embedder's own.

use super::errno::Errno;

/// A source of random bytes for `random_get`.
pub trait HostRandom: Send {
    /// Fills `buf`.
    fn fill(&mut self, buf: &mut [u8]);
}

/// A reproducible sequence of bytes from a 64-bit seed (SplitMix64).
///
/// For tests and replay. It is **not** fit for keys: a guest that sees some of
/// it can compute the rest.
#[derive(Clone, Debug)]
pub struct SeededRandom {
    /// All there is to save and restore.
    state: u64,
}

impl SeededRandom {
    /// The sequence that `seed` starts.
    pub fn new(seed: u64) -> Self {
        SeededRandom { state: seed }
    }

    /// A seed that continues the sequence where it is now.
    pub fn state(&self) -> u64 {
        self.state
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl HostRandom for SeededRandom {
    fn fill(&mut self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

/// Where a context takes its random bytes from.
pub(super) enum Random {
    System,
    Seeded(SeededRandom),
    Custom(Box<dyn HostRandom>),
}

impl Random {
    pub(super) fn fill(&mut self, buf: &mut [u8]) -> Result<(), Errno> {
        match self {
            Random::System => getrandom::fill(buf).map_err(|_| Errno::IO)?,
            Random::Seeded(r) => r.fill(buf),
            Random::Custom(r) => r.fill(buf),
        }
        Ok(())
    }
}
