//! Writing images.

use super::format::{ENTRY_BYTES, HEADER_BYTES, Header, IndexEntry, RUN_BYTES, Run, Span, flags};
use super::memory::{self, UNIT};
use super::sections::{self, Class};
use crate::error::{LoadError, LoadErrorKind};
use crate::functions::{AllCode, Functions};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The bytes of an image of a module and its code.
pub(crate) fn encode(functions: &Functions<'_>, code: &AllCode) -> Result<Vec<u8>, LoadError> {
    let n_funcs = functions.info.bodies.len();
    let mut index = Vec::with_capacity(n_funcs * ENTRY_BYTES);
    let pieces = memory::pieces(functions.info, functions.wasm);
    let runs_start = HEADER_BYTES + (n_funcs * ENTRY_BYTES).next_multiple_of(8);
    let mut image = vec![0; runs_start + pieces.len() * RUN_BYTES];
    let code_start = image.len();
    for (i, body) in functions.info.bodies.iter().enumerate() {
        let func = i as u32;
        let missing = || LoadError::invalid(u64::from(body.start), "function has no code");
        let function = code.get(func).ok_or_else(missing)?;
        let start = image.len();
        image.extend(function.code.iter().flat_map(|unit| unit.to_le_bytes()));
        let units = u32::try_from((start - code_start) / 2);
        let entry = IndexEntry {
            start: units.map_err(|_| LoadError::new(0, LoadErrorKind::CodeTooLarge))?,
            len: function.code.len() as u32,
            frame_slots: function.frame_slots,
            crc: crc32fast::hash(&image[start..]),
            body_start: body.start,
            body_end: body.end,
        };
        index.extend_from_slice(&entry.encode());
    }
    let code_len = image.len() - code_start;
    image.resize(image.len().next_multiple_of(8), 0);
    let wasm_start = image.len();
    image.extend_from_slice(functions.wasm);
    image[HEADER_BYTES..][..index.len()].copy_from_slice(&index);
    let mut runs = Vec::with_capacity(pieces.len() * RUN_BYTES);
    for piece in &pieces {
        image.resize(image.len().next_multiple_of(UNIT), 0);
        let run = Run {
            memory: piece.memory,
            crc: crc32fast::hash(&piece.bytes),
            at: piece.at,
            start: image.len() as u64,
            len: piece.bytes.len() as u64,
        };
        runs.extend_from_slice(&run.encode());
        image.extend_from_slice(&piece.bytes);
    }
    image[runs_start..][..runs.len()].copy_from_slice(&runs);

    let span = |start: usize, len: usize| Span {
        start: start as u64,
        len: len as u64,
    };
    let crc = |class| sections::checksum(functions.wasm, class).unwrap_or(0);
    let header = Header {
        isa_version: sheave_isa::ISA_VERSION,
        isa_hash: sheave_isa::ISA_HASH,
        flags: flags(functions.options.fuel, functions.options.interruption),
        n_funcs: n_funcs as u32,
        features: functions.features.bits(),
        file_len: image.len() as u64,
        index: span(HEADER_BYTES, index.len()),
        code: span(code_start, code_len),
        wasm: span(wasm_start, functions.wasm.len()),
        index_crc: crc32fast::hash(&index),
        wasm_crcs: [
            Class::Declarations,
            Class::Bodies,
            Class::Data,
            Class::Custom,
        ]
        .map(crc),
        runs: span(runs_start, runs.len()),
        runs_crc: crc32fast::hash(&runs),
    };
    image[..HEADER_BYTES].copy_from_slice(&header.encode());
    Ok(image)
}

/// Writes a file so that, whenever the machine stops, there is the old file or the new one.
///
/// # Errors
/// If it cannot be written.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), LoadError> {
    replace_file(path, |file| file.write_all(bytes)).map_err(|e| LoadError::io(&e))
}

/// As [`write_file`], with what `write` writes to a new file.
///
/// # Errors
/// If it cannot be written.
pub fn replace_file(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let (temporary, mut file) = create_beside(path)?;
    let written = write(&mut file)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    written.inspect_err(|_| {
        // What failed is what matters, not that its remains could not be removed.
        let _ = fs::remove_file(&temporary);
    })
}

/// Creates a new file in the directory of `path`.
fn create_beside(path: &Path) -> std::io::Result<(PathBuf, File)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".{name}.{}.{count}", std::process::id()));
        match File::create_new(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}
