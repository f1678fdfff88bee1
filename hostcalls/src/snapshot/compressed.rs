//! Snapshots compressed for transport: one Zstandard frame around the file.

use anyhow::{Context as _, Result, bail};

use super::blob::{Blob, Pages};
use super::pages::PAGE;
use super::{Modules, Snapshot, file};

/// What a Zstandard frame starts with.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Files that are longer than this are not unpacked, whoever says that they are.
const MAX_BYTES: u64 = 16 << 30;

/// How much is unpacked at a time; a multiple of a page.
const STEP: usize = 64 * PAGE;

pub(super) fn is_compressed(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

impl Snapshot {
    /// Its bytes compressed with Zstandard: level 1 is fast, 19 small. [`Snapshot::from_bytes`] and [`Snapshot::open`] take
    /// them too, but cannot map what they unpack from a file.
    ///
    /// # Errors
    /// If there is no such level, or no memory.
    pub fn to_compressed(&self, level: i32, modules: Modules) -> Result<Vec<u8>> {
        if !zstd::compression_level_range().contains(&level) {
            bail!("there is no level {level} of compression");
        }
        let bytes = file::Layout::new(self, modules)?.to_vec();
        Ok(zstd::encode_all(&bytes[..], level)?)
    }
}

/// The file in a frame. No more is unpacked than its header says.
pub(super) fn unpack(bytes: &[u8]) -> Result<Blob> {
    let mut decoder = zstd::Decoder::new(bytes)?;
    let mut step = vec![0; STEP];
    let mut pages: Option<(Pages, u64)> = None;
    loop {
        let n = fill(&mut decoder, &mut step).context("unpacking a snapshot")?;
        let (pages, left) = match &mut pages {
            Some(pages) => pages,
            None => {
                let len = file::length(&step[..n])?;
                if len > MAX_BYTES {
                    bail!("the snapshot would have {len} bytes, which is too much to unpack");
                }
                pages.insert((Pages::new(usize::try_from(len)?), len))
            }
        };
        let take = usize::try_from(*left).unwrap_or(usize::MAX).min(n);
        pages.add(&step[..take])?;
        *left -= take as u64;
        if take < n || *left == 0 && fill(&mut decoder, &mut [0])? > 0 {
            bail!("damaged snapshot: more bytes than it should have");
        }
        if *left == 0 {
            break;
        }
        if n < STEP {
            bail!("the snapshot is cut off");
        }
    }
    match pages {
        Some((pages, _)) => Ok(pages.finish()?),
        None => bail!("the snapshot is cut off"),
    }
}

/// Reads until the buffer is full or nothing is left.
fn fill(from: &mut impl std::io::Read, to: &mut [u8]) -> std::io::Result<usize> {
    let mut n = 0;
    while n < to.len() {
        match from.read(&mut to[n..])? {
            0 => break,
            more => n += more,
        }
    }
    Ok(n)
}
