//! Listing of directories.
//!
//! A listing is taken as a whole and sorted by name, so that a cookie is just
//! an index: it stays good whatever the guest removes between two calls, and
//! the order is the same on every host. It is kept until its end has been
//! read, and made again when a cookie needs it.

use super::ctx::WasiCtx;
use super::errno::Errno;
use super::memory::GuestMemory;
use super::table::{Kind, OpenDir, Table};
use super::types::{DirPerms, Filetype, Rights};
use cap_fs_ext::MetadataExt as _;

type Result<T = (), E = Errno> = core::result::Result<T, E>;

/// Size in bytes of the record before each name.
const DIRENT_BYTES: usize = 24;
/// Entries in kept listings of one guest, beyond which others are dropped.
const MAX_KEPT: usize = 1 << 18;

struct Entry {
    ino: u64,
    filetype: Filetype,
    name: Box<str>,
}

/// The entries of a directory at some moment.
pub(super) struct Listing {
    entries: Vec<Entry>,
}

impl Listing {
    fn read(dir: &OpenDir) -> Result<Listing> {
        // The parent of a preopen is nobody's business: `..` looks like `.`.
        let ino = dir.dir.dir_metadata()?.ino();
        let special = |name: &str| Entry {
            ino,
            filetype: Filetype::Directory,
            name: name.into(),
        };
        let mut entries = vec![special("."), special("..")];
        for entry in dir.dir.entries()? {
            let entry = entry?;
            // A name that is not UTF-8 can not be said in WASI.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            entries.push(Entry {
                ino: entry_ino(&entry),
                filetype: entry.file_type().map_or(Filetype::Unknown, Filetype::from),
                name: name.into(),
            });
        }
        entries[2..].sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Listing { entries })
    }
}

#[cfg(unix)]
fn entry_ino(entry: &cap_std::fs::DirEntry) -> u64 {
    std::os::unix::fs::DirEntryExt::ino(entry)
}

#[cfg(not(unix))]
fn entry_ino(entry: &cap_std::fs::DirEntry) -> u64 {
    use cap_fs_ext::DirEntryExt as _;
    entry.full_metadata().map_or(0, |m| m.ino())
}

/// Drops all listings if those kept are too big together.
fn trim(table: &mut Table) {
    let listing = |kind: &Kind| match kind {
        Kind::Dir(OpenDir {
            listing: Some(l), ..
        }) => l.entries.len(),
        _ => 0,
    };
    if table.iter().map(|(_, d)| listing(&d.kind)).sum::<usize>() > MAX_KEPT {
        for d in table.iter_mut() {
            if let Kind::Dir(dir) = &mut d.kind {
                dir.listing = None;
            }
        }
    }
}

/// Fills `buf` with entries from `cookie` on. The last one may be cut off at
/// the end of the buffer; one that is not full ends the directory.
///
/// ```text
/// next cookie 0 (u64), inode 8 (u64), length of the name 16 (u32), type 20 (u8); 24 bytes
/// ```
pub fn fd_readdir(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    buf: u32,
    buf_len: u32,
    cookie: u64,
    out: u32,
) -> Result {
    let d = cx.table.get(fd)?;
    if !matches!(d.kind, Kind::Dir(_)) {
        return Err(Errno::NOTDIR);
    }
    d.require(Rights::FD_READDIR)?;
    let Kind::Dir(dir) = &mut d.kind else {
        return Err(Errno::NOTDIR);
    };
    dir.allow(DirPerms::READ)?;
    mem.check(out, 4)?;
    let mut rest = mem.slice_mut(buf, buf_len)?;
    let listing = match dir.listing.take() {
        Some(listing) if cookie != 0 => listing,
        _ => Listing::read(dir)?,
    };
    let mut put = |bytes: &[u8]| {
        let n = bytes.len().min(rest.len());
        let (head, tail) = core::mem::take(&mut rest).split_at_mut(n);
        head.copy_from_slice(&bytes[..n]);
        rest = tail;
        !rest.is_empty()
    };
    let mut ended = true;
    let start = usize::try_from(cookie).unwrap_or(usize::MAX);
    for (i, entry) in listing.entries.iter().enumerate().skip(start) {
        let mut record = [0; DIRENT_BYTES];
        record[..8].copy_from_slice(&(i as u64 + 1).to_le_bytes());
        record[8..16].copy_from_slice(&entry.ino.to_le_bytes());
        record[16..20].copy_from_slice(&(entry.name.len() as u32).to_le_bytes());
        record[20] = entry.filetype as u8;
        if !(put(&record) && put(entry.name.as_bytes())) {
            ended = false;
            break;
        }
    }
    // At most `buf_len`.
    let left = rest.len() as u32;
    if !ended {
        dir.listing = Some(listing);
        trim(&mut cx.table);
    }
    mem.write_u32(out, buf_len - left)
}
