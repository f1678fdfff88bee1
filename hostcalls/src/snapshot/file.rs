//! The file: a header, a table of sections with checksums, the sections. See `docs/snapshot-format.md`.

use std::sync::Arc;

use anyhow::{Result, bail};

use super::codec::{Reader, Writer};
use super::contents::{Contents, PAGE, Run};
use super::state;

pub(super) const MAGIC: [u8; 8] = *b"sheaveSN";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 32;
const ENTRY_BYTES: usize = 32;
/// Where the checksum of header and table is.
const CRC_AT: usize = 24;

/// The sections, in their order in the file.
const STATE: usize = 0;
const MODULES: usize = 1;
const HOST: usize = 2;
const RUNS: usize = 3;
const PAGES: usize = 4;
const SECTIONS: usize = 5;
const NAMES: [&str; SECTIONS] = ["state", "modules", "host", "runs", "pages"];

/// The file of a store's state and the embedder's bytes.
pub(super) fn encode(contents: &Contents, host: &[u8]) -> Vec<u8> {
    let mut sections: [Writer; SECTIONS] = Default::default();
    state::write(&mut sections[STATE], contents);
    sections[MODULES].list(&contents.modules, |w, wasm| w.bytes(wasm));
    sections[HOST].0.extend_from_slice(host);
    sections[RUNS].list(&contents.runs, |w, run| {
        w.u32(run.memory);
        w.u32(run.pages);
        w.u64(run.first_page);
    });
    let mut file = Writer::default();
    file.0.extend_from_slice(&MAGIC);
    file.u32(VERSION);
    file.u32(SECTIONS as u32);
    file.0.resize(HEADER_BYTES + SECTIONS * ENTRY_BYTES, 0);
    for (i, section) in sections.iter().enumerate() {
        let bytes = if i == PAGES {
            &contents.pages
        } else {
            &section.0
        };
        let align = if i == PAGES { PAGE } else { 8 };
        file.0.resize(file.0.len().next_multiple_of(align), 0);
        let mut entry = Writer::default();
        entry.u32(i as u32);
        entry.u32(crc32fast::hash(bytes));
        entry.u64(file.0.len() as u64);
        entry.u64(bytes.len() as u64);
        let at = HEADER_BYTES + i * ENTRY_BYTES;
        file.0[at..at + entry.0.len()].copy_from_slice(&entry.0);
        file.0.extend_from_slice(bytes);
    }
    let len = file.0.len() as u64;
    file.0[16..24].copy_from_slice(&len.to_le_bytes());
    let crc = crc32fast::hash(&file.0[..HEADER_BYTES + SECTIONS * ENTRY_BYTES]);
    file.0[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    file.0
}

pub(super) fn decode(file: &[u8]) -> Result<(Contents, Arc<[u8]>)> {
    if !file.starts_with(&MAGIC) {
        bail!("not a snapshot");
    }
    let mut header = Reader(&file[MAGIC.len()..]);
    let version = header.u32()?;
    if version != VERSION {
        bail!("the snapshot has format version {version}, this is {VERSION}");
    }
    let (count, len) = (header.u32()?, header.u64()?);
    if (file.len() as u64) < len {
        bail!("the snapshot is cut off: {} of {len} bytes", file.len());
    }
    let Some(head) = file.get(..HEADER_BYTES + SECTIONS * ENTRY_BYTES) else {
        bail!("the snapshot is cut off");
    };
    let mut checked = head.to_vec();
    checked[CRC_AT..CRC_AT + 4].fill(0);
    if crc32fast::hash(&checked) != header.u32()? || count as usize != SECTIONS {
        bail!("damaged snapshot: checksum of the header");
    }
    let section = |i: usize| -> Result<&[u8]> {
        let mut entry = Reader(&head[HEADER_BYTES + i * ENTRY_BYTES..]);
        let (kind, crc) = (entry.u32()?, entry.u32()?);
        let (start, len) = (
            usize::try_from(entry.u64()?)?,
            usize::try_from(entry.u64()?)?,
        );
        let bytes = start.checked_add(len).and_then(|end| file.get(start..end));
        match bytes {
            Some(bytes) if kind as usize == i && crc32fast::hash(bytes) == crc => Ok(bytes),
            _ => bail!("damaged snapshot: section `{}`", NAMES[i]),
        }
    };
    let mut reader = Reader(section(STATE)?);
    let mut contents = state::read(&mut reader)?;
    reader.end()?;
    let mut reader = Reader(section(MODULES)?);
    contents.modules = reader.list(|r| r.bytes().map(Arc::from))?;
    reader.end()?;
    let mut reader = Reader(section(RUNS)?);
    contents.runs = reader.list(|r| {
        Ok(Run {
            memory: r.u32()?,
            pages: r.u32()?,
            first_page: r.u64()?,
        })
    })?;
    reader.end()?;
    contents.pages = section(PAGES)?.to_vec();
    Ok((contents, Arc::from(section(HOST)?)))
}
