//! The layout of an image's header and index.
//!
//! ```text
//!   0       160                                                                      file length
//!   ├────────┼───────┬────────────┬──────────┬─────────────────────┬──────────────────────┤
//!   │ header │ index │ table of   │ bytecode │ WebAssembly module  │ contents of memories │
//!   │        │       │ memories   │          │                     │ (at 64 KiB)          │
//!   └────────┴───────┴────────────┴──────────┴─────────────────────┴──────────────────────┘
//! ```

use crate::error::{ImageErrorKind, ImagePart, LoadError};

pub(super) const MAGIC: [u8; 8] = *b"sheave\x1a\n";
pub(super) const FORMAT_VERSION: u32 = 2;
pub(super) const HEADER_BYTES: usize = 160;
pub(super) const ENTRY_BYTES: usize = 24;
pub(super) const RUN_BYTES: usize = 32;

/// The header's word for the options that change code.
pub(super) fn flags(fuel: bool, interruption: bool) -> u32 {
    u32::from(fuel) | (u32::from(interruption) << 1)
}

/// A part of the file: where it starts and how many bytes it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) len: u64,
}

impl Span {
    /// As a range of a file of `file_len` bytes, if it lies in it and is aligned.
    pub(super) fn range(self, file_len: usize) -> Option<core::ops::Range<usize>> {
        let start = usize::try_from(self.start).ok()?;
        let end = start.checked_add(usize::try_from(self.len).ok()?)?;
        (start.is_multiple_of(8) && end <= file_len).then_some(start..end)
    }
}

/// What the header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) isa_version: u32,
    pub(super) isa_hash: u64,
    pub(super) flags: u32,
    pub(super) n_funcs: u32,
    pub(super) features: u64,
    pub(super) file_len: u64,
    pub(super) index: Span,
    pub(super) code: Span,
    pub(super) wasm: Span,
    pub(super) index_crc: u32,
    /// Of the parts of the module, by [`super::sections::Class`].
    pub(super) wasm_crcs: [u32; 4],
    /// The table of what memories hold at first.
    pub(super) runs: Span,
    pub(super) runs_crc: u32,
}

/// What a memory holds at first, from one of its bytes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) memory: u32,
    pub(super) crc: u32,
    /// Where in the memory.
    pub(super) at: u64,
    /// Where in the image.
    pub(super) start: u64,
    pub(super) len: u64,
}

/// One function of the index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IndexEntry {
    /// Where its bytecode starts in the bytecode part, in units.
    pub(super) start: u32,
    /// Length of its bytecode in units.
    pub(super) len: u32,
    pub(super) frame_slots: u32,
    pub(super) crc: u32,
    /// Where its body is in the module.
    pub(super) body_start: u32,
    pub(super) body_end: u32,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..)
        .and_then(|b| b.first_chunk())
        .map_or(0, |b| u32::from_le_bytes(*b))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(|b| b.first_chunk())
        .map_or(0, |b| u64::from_le_bytes(*b))
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC);
        put(8, &FORMAT_VERSION.to_le_bytes());
        put(12, &self.isa_version.to_le_bytes());
        put(16, &self.isa_hash.to_le_bytes());
        put(24, &self.flags.to_le_bytes());
        put(28, &self.n_funcs.to_le_bytes());
        put(32, &self.features.to_le_bytes());
        put(40, &self.file_len.to_le_bytes());
        for (i, span) in [self.index, self.code, self.wasm].into_iter().enumerate() {
            put(48 + 16 * i, &span.start.to_le_bytes());
            put(56 + 16 * i, &span.len.to_le_bytes());
        }
        put(96, &self.index_crc.to_le_bytes());
        for (i, crc) in self.wasm_crcs.into_iter().enumerate() {
            put(100 + 4 * i, &crc.to_le_bytes());
        }
        put(116, &self.runs_crc.to_le_bytes());
        put(120, &self.runs.start.to_le_bytes());
        put(128, &self.runs.len.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..HEADER_BYTES - 4]);
        bytes[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(file: &[u8]) -> Result<Self, LoadError> {
        let err = |offset, kind| Err(LoadError::image(offset, kind));
        if !file.starts_with(&MAGIC) {
            let cut_off = MAGIC.starts_with(file) && !file.is_empty();
            let kind = if cut_off {
                ImageErrorKind::Truncated
            } else {
                ImageErrorKind::NotAnImage
            };
            return err(0, kind);
        }
        let Some(bytes) = file.get(..HEADER_BYTES) else {
            return err(file.len() as u64, ImageErrorKind::Truncated);
        };
        // Another version may have another header, so this comes before its checksum.
        if u32_at(bytes, 8) != FORMAT_VERSION {
            return err(8, ImageErrorKind::FormatVersion(u32_at(bytes, 8)));
        }
        let crc = crc32fast::hash(&bytes[..HEADER_BYTES - 4]);
        if crc != u32_at(bytes, HEADER_BYTES - 4) {
            return err(0, ImageErrorKind::Checksum(ImagePart::Header));
        }
        let span = |at: usize| Span {
            start: u64_at(bytes, at),
            len: u64_at(bytes, at + 8),
        };
        let header = Self {
            isa_version: u32_at(bytes, 12),
            isa_hash: u64_at(bytes, 16),
            flags: u32_at(bytes, 24),
            n_funcs: u32_at(bytes, 28),
            features: u64_at(bytes, 32),
            file_len: u64_at(bytes, 40),
            index: span(48),
            code: span(64),
            wasm: span(80),
            index_crc: u32_at(bytes, 96),
            wasm_crcs: core::array::from_fn(|i| u32_at(bytes, 100 + 4 * i)),
            runs: span(120),
            runs_crc: u32_at(bytes, 116),
        };
        if header.file_len > file.len() as u64 {
            return err(file.len() as u64, ImageErrorKind::Truncated);
        }
        Ok(header)
    }
}

impl IndexEntry {
    pub(super) fn encode(&self) -> [u8; ENTRY_BYTES] {
        let words = [
            self.start,
            self.len,
            self.frame_slots,
            self.crc,
            self.body_start,
            self.body_end,
        ];
        let mut bytes = [0; ENTRY_BYTES];
        for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        let word = |i: usize| u32_at(bytes, 4 * i);
        Self {
            start: word(0),
            len: word(1),
            frame_slots: word(2),
            crc: word(3),
            body_start: word(4),
            body_end: word(5),
        }
    }
}

impl Run {
    pub(super) fn encode(&self) -> [u8; RUN_BYTES] {
        let mut bytes = [0; RUN_BYTES];
        bytes[..4].copy_from_slice(&self.memory.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.crc.to_le_bytes());
        for (chunk, word) in bytes[8..]
            .chunks_exact_mut(8)
            .zip([self.at, self.start, self.len])
        {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Self {
        Self {
            memory: u32_at(bytes, 0),
            crc: u32_at(bytes, 4),
            at: u64_at(bytes, 8),
            start: u64_at(bytes, 16),
            len: u64_at(bytes, 24),
        }
    }
}
