//! The file: a header, a table of sections with checksums, the sections. See `docs/snapshot-format.md`.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};

use super::blob::{Blob, stretches};
use super::codec::{Reader, Writer};
use super::contents::{Contents, SnapshotId};
use super::heap::{HeapPages, Words};
use super::modules::{ModuleHash, ModuleSource};
use super::pages::{PAGE, PageSet};
use super::state;
use super::{Modules, Snapshot};

pub(super) const MAGIC: [u8; 8] = *b"sheaveSN";
/// Rises with every change of what bytes of a file mean: see `docs/snapshot-format.md`.
const VERSION: u32 = 2;
const HEADER_BYTES: usize = 32;
const ENTRY_BYTES: usize = 32;
const HEAD_BYTES: usize = HEADER_BYTES + SECTIONS * ENTRY_BYTES;
/// Where the checksum of header and table is.
const CRC_AT: usize = 24;

/// The sections, in their order in the file.
const STATE: usize = 0;
const MODULES: usize = 1;
const WASM: usize = 2;
const HOST: usize = 3;
const RUNS: usize = 4;
const PAGES: usize = 5;
const OBJECTS: usize = 6;
const HEAP_RUNS: usize = 7;
const HEAP_PAGES: usize = 8;
const SECTIONS: usize = 9;
const NAMES: [&str; SECTIONS] = [
    "state",
    "modules",
    "wasm",
    "host",
    "runs",
    "pages",
    "objects",
    "heap runs",
    "heap pages",
];

/// Whether a section is checked when a file is opened. The others are pages, which mean nothing but to the guest; modules,
/// each of which has its own checksum; and the list of objects, which is checked when it is used.
const fn is_checked_at_open(section: usize) -> bool {
    !matches!(section, WASM | PAGES | OBJECTS | HEAP_PAGES)
}

/// A file that is about to be written.
pub(super) struct Layout<'a> {
    head: Vec<u8>,
    /// Where each section starts, and its bytes.
    sections: Vec<(u64, Cow<'a, [u8]>)>,
}

impl<'a> Layout<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, modules: Modules) -> Result<Layout<'a>> {
        let contents = snapshot.contents();
        let mut small: [Writer; SECTIONS] = Default::default();
        state::write(&mut small[STATE], contents);
        let [_, list, wasm, ..] = &mut small;
        list.list(&contents.modules, |w, module| {
            w.0.extend_from_slice(&module.hash().0);
            w.option(module.written(modules), |w, bytes| {
                wasm.0.resize(wasm.0.len().next_multiple_of(8), 0);
                w.u64(wasm.0.len() as u64);
                w.u64(bytes.len() as u64);
                w.u32(crc32fast::hash(&bytes));
                wasm.0.extend_from_slice(&bytes);
            });
        });
        let registry = snapshot.0.engine.as_ref().map(|e| &**e.types());
        let heap = contents.heap.numbered(&contents.vm.heap, registry)?;
        contents.memories.write_runs(&mut small[RUNS]);
        heap.write_runs(&mut small[HEAP_RUNS]);
        let mut sections: Vec<Cow<'a, [u8]>> = small.into_iter().map(|w| Cow::Owned(w.0)).collect();
        sections[HOST] = Cow::Borrowed(snapshot.host_state());
        sections[PAGES] = Cow::Borrowed(&contents.memories.bytes);
        sections[OBJECTS] = Cow::Borrowed(&contents.heap.objects);
        sections[HEAP_PAGES] = match heap {
            Cow::Borrowed(pages) => Cow::Borrowed(&pages.bytes),
            Cow::Owned(pages) => Cow::Owned(pages.bytes.to_vec()),
        };
        Ok(Layout::of(sections))
    }

    fn of(sections: Vec<Cow<'a, [u8]>>) -> Layout<'a> {
        let mut head = Writer::default();
        head.0.extend_from_slice(&MAGIC);
        head.u32(VERSION);
        head.u32(SECTIONS as u32);
        let mut end = HEAD_BYTES as u64;
        let mut table = Writer::default();
        let mut placed = Vec::new();
        for (kind, bytes) in (0..).zip(sections) {
            let pages = [PAGES, HEAP_PAGES].contains(&(kind as usize)) && !bytes.is_empty();
            let start = end.next_multiple_of(if pages { PAGE as u64 } else { 8 });
            table.u32(kind);
            table.u32(crc32fast::hash(&bytes));
            table.u64(start);
            table.u64(bytes.len() as u64);
            table.u64(0);
            end = start + bytes.len() as u64;
            placed.push((start, bytes));
        }
        head.u64(end);
        head.u64(0);
        head.0.extend_from_slice(&table.0);
        let crc = crc32fast::hash(&head.0);
        head.0[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        Layout {
            head: head.0,
            sections: placed,
        }
    }

    /// Bytes of the file.
    pub(super) fn len(&self) -> u64 {
        self.sections
            .last()
            .map_or(0, |(start, bytes)| start + bytes.len() as u64)
    }

    pub(super) fn to_vec(&self) -> Vec<u8> {
        let mut file = self.head.clone();
        for (start, bytes) in &self.sections {
            file.resize(*start as usize, 0);
            file.extend_from_slice(bytes);
        }
        file
    }

    /// Writes a new file, and leaves out pages of zeros: they become holes. Tells `progress` how many bytes are behind it.
    pub(super) fn write(
        &self,
        file: &mut File,
        mut progress: impl FnMut(u64),
    ) -> std::io::Result<()> {
        const STEP: usize = 4 << 20;
        file.write_all(&self.head)?;
        for (start, bytes) in &self.sections {
            for (i, piece) in bytes.chunks(STEP).enumerate() {
                let from = start + (i * STEP) as u64;
                for (at, bytes) in stretches(piece) {
                    file.seek(SeekFrom::Start(from + at as u64))?;
                    file.write_all(bytes)?;
                }
                progress(from + piece.len() as u64);
            }
        }
        file.set_len(self.len())?;
        progress(self.len());
        Ok(())
    }

    /// What state and pages are known by.
    pub(super) fn id(&self) -> SnapshotId {
        id_of(&self.head)
    }
}

/// Of the entries of state and pages in the table of sections, without where they are.
fn id_of(head: &[u8]) -> SnapshotId {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    for section in [STATE, RUNS, PAGES, OBJECTS, HEAP_RUNS, HEAP_PAGES] {
        let entry = &head[HEADER_BYTES + section * ENTRY_BYTES..][..ENTRY_BYTES];
        hash.update(&entry[..8]);
        hash.update(&entry[16..24]);
    }
    hash.finalize().into()
}

/// What a file said.
pub(super) struct Decoded {
    pub(super) contents: Contents,
    pub(super) host: Arc<[u8]>,
    pub(super) id: SnapshotId,
    pub(super) sections: Vec<Section>,
}

/// A section of a file, and its checksum.
pub(super) struct Section {
    name: &'static str,
    bytes: Blob,
    crc: u32,
}

impl Section {
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether its bytes are those that were written.
    pub(super) fn check(&self) -> Result<()> {
        if crc32fast::hash(&self.bytes) == self.crc {
            Ok(())
        } else {
            bail!("damaged snapshot: checksum of section `{}`", self.name)
        }
    }
}

pub(super) fn decode(file: &Blob) -> Result<Decoded> {
    let sections = sections(file)?;
    let bytes = |i: usize| &sections[i].bytes;
    let mut reader = Reader(bytes(STATE));
    let mut contents = state::read(&mut reader)?;
    reader.end()?;
    let mut reader = Reader(bytes(MODULES));
    contents.modules = reader.list(|r| {
        let hash = ModuleHash(r.array()?);
        let part = r.option(|r| Ok((r.u64()?, r.u64()?, r.u32()?)))?;
        let Some((start, len, crc)) = part else {
            return Ok(ModuleSource::Hash(hash));
        };
        let (start, len) = (usize::try_from(start)?, usize::try_from(len)?);
        let wasm = start
            .checked_add(len)
            .and_then(|end| bytes(WASM).part(start..end));
        let wasm = wasm.ok_or_else(|| anyhow!("damaged snapshot: place of a module"))?;
        Ok(ModuleSource::Bytes(hash, wasm, crc))
    })?;
    reader.end()?;
    let pages = |runs: usize, pages: usize| {
        let mut reader = Reader(bytes(runs));
        let set = PageSet {
            runs: PageSet::read_runs(&mut reader)?,
            bytes: bytes(pages).clone(),
        };
        reader.end()?;
        set.checked()
    };
    contents.memories = pages(RUNS, PAGES)?;
    contents.heap = HeapPages {
        objects: bytes(OBJECTS).clone(),
        pages: pages(HEAP_RUNS, HEAP_PAGES)?,
        words: Words::Numbers,
    };
    Ok(Decoded {
        contents,
        host: Arc::from(&bytes(HOST)[..]),
        id: id_of(file),
        sections,
    })
}

/// The length of a file, as its first bytes say.
#[cfg(feature = "zstd")]
pub(super) fn length(first: &[u8]) -> Result<u64> {
    if !first.starts_with(&MAGIC) {
        bail!("not a snapshot");
    }
    let mut header = Reader(&first[MAGIC.len()..]);
    let _ = (header.u32()?, header.u32()?);
    header.u64()
}

/// The sections of a file whose header is whole; those that are checked at once are.
fn sections(file: &Blob) -> Result<Vec<Section>> {
    if !file.starts_with(&MAGIC) {
        bail!("not a snapshot");
    }
    let mut header = Reader(&file[MAGIC.len()..]);
    let version = header.u32()?;
    if version != VERSION {
        bail!(
            "the snapshot is of version {version} of the format, and version {VERSION} is what is read here"
        );
    }
    let (count, len) = (header.u32()?, header.u64()?);
    if (file.len() as u64) < len {
        bail!("the snapshot is cut off: {} of {len} bytes", file.len());
    }
    let Some(head) = file.get(..HEAD_BYTES) else {
        bail!("the snapshot is cut off");
    };
    let mut checked = head.to_vec();
    checked[CRC_AT..CRC_AT + 4].fill(0);
    if crc32fast::hash(&checked) != header.u32()? || count as usize != SECTIONS {
        bail!("damaged snapshot: checksum of the header");
    }
    let mut all = Vec::with_capacity(SECTIONS);
    let mut before = HEAD_BYTES;
    for (i, name) in NAMES.into_iter().enumerate() {
        let mut entry = Reader(&head[HEADER_BYTES + i * ENTRY_BYTES..]);
        let (kind, crc) = (entry.u32()?, entry.u32()?);
        let start = usize::try_from(entry.u64()?)?;
        let len = usize::try_from(entry.u64()?)?;
        let end = start.checked_add(len);
        let bytes = end.and_then(|end| file.part(start..end));
        let (Some(bytes), Some(end)) = (bytes, end) else {
            bail!("damaged snapshot: section `{name}` is not in the file");
        };
        if kind as usize != i || start < before {
            bail!("damaged snapshot: section `{name}` is not in its place");
        }
        before = end;
        all.push(Section { name, bytes, crc });
        if is_checked_at_open(i) {
            all[i].check()?;
        }
    }
    Ok(all)
}
