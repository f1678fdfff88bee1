//! Bytes that a snapshot is made of: owned, or a part of a mapped file, so that memories can be mapped from there too.
#![allow(unsafe_code, reason = "maps files")]

use core::ops::Range;
#[cfg(all(unix, not(miri)))]
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use sheave_interp::FilePlace;

use super::pages::{PAGE, is_zero};

/// Bytes that never change. Cheap to clone.
#[derive(Clone)]
pub(super) struct Blob {
    storage: Storage,
    range: Range<usize>,
}

#[derive(Clone)]
enum Storage {
    Owned(Arc<[u8]>),
    #[cfg(all(unix, not(miri)))]
    Mapped(Arc<(memmap2::Mmap, File)>),
}

impl Default for Blob {
    fn default() -> Blob {
        Blob::from(Vec::new())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Blob {
        Blob {
            range: 0..bytes.len(),
            storage: Storage::Owned(bytes.into()),
        }
    }
}

impl core::ops::Deref for Blob {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        let all = match &self.storage {
            Storage::Owned(bytes) => bytes,
            #[cfg(all(unix, not(miri)))]
            Storage::Mapped(mapping) => &mapping.0[..],
        };
        &all[self.range.clone()]
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl core::fmt::Debug for Blob {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Blob({} bytes)", self.len())
    }
}

impl Blob {
    /// A file's bytes: mapped, where that can be done.
    pub(super) fn open(path: &Path) -> std::io::Result<Blob> {
        #[cfg(all(unix, not(miri)))]
        {
            let file = File::open(path)?;
            if file.metadata()?.is_file()
                && let Ok(blob) = Blob::map(file)
            {
                return Ok(blob);
            }
        }
        Ok(std::fs::read(path)?.into())
    }

    /// A mapped file, which nobody may change: see L1.
    #[cfg(all(unix, not(miri)))]
    fn map(file: File) -> std::io::Result<Blob> {
        // SAFETY: L1: a snapshot's file is replaced, never written in place; one in memory was sealed.
        let map = unsafe { memmap2::Mmap::map(&file) }?;
        Ok(Blob {
            range: 0..map.len(),
            storage: Storage::Mapped(Arc::new((map, file))),
        })
    }

    /// A part of it, if it is one.
    pub(super) fn part(&self, range: Range<usize>) -> Option<Blob> {
        let len = range.end.checked_sub(range.start)?;
        let start = self.range.start.checked_add(range.start)?;
        let end = start.checked_add(len).filter(|e| *e <= self.range.end)?;
        Some(Blob {
            storage: self.storage.clone(),
            range: start..end,
        })
    }

    /// Where its byte `at` is in a file.
    pub(super) fn place(&self, at: usize) -> Option<FilePlace> {
        match &self.storage {
            Storage::Owned(_) => {
                let _ = at;
                None
            }
            #[cfg(all(unix, not(miri)))]
            Storage::Mapped(mapping) => Some(FilePlace {
                descriptor: std::os::fd::AsRawFd::as_raw_fd(&mapping.1),
                offset: (self.range.start + at) as u64,
            }),
        }
    }
}

/// Fewer bytes are not worth a file in memory.
const LEAST_FILE: usize = 16 * PAGE;

/// Makes a blob of pages: of a sealed file in memory where there is such a thing, in which pages of zeros take no room.
pub(super) struct Pages {
    #[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
    file: Option<File>,
    bytes: Vec<u8>,
    len: u64,
}

impl Pages {
    /// For that many bytes.
    pub(super) fn new(len: usize) -> Pages {
        #[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
        {
            let file = (len >= LEAST_FILE).then(|| file_in_memory(len).ok());
            let file = file.flatten();
            let bytes = Vec::with_capacity(if file.is_some() { 0 } else { len });
            Pages {
                file,
                bytes,
                len: 0,
            }
        }
        #[cfg(not(all(any(target_os = "linux", target_os = "android"), not(miri))))]
        {
            let _ = LEAST_FILE;
            let bytes = Vec::with_capacity(len);
            Pages { bytes, len: 0 }
        }
    }

    /// Adds bytes, and zeros up to the end of a page.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(super) fn add(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let end = (self.len + bytes.len() as u64).next_multiple_of(PAGE as u64);
        #[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
        if let Some(file) = &self.file {
            use std::os::unix::fs::FileExt as _;
            for (at, piece) in stretches(bytes) {
                file.write_all_at(piece, self.len + at as u64)?;
            }
            self.len = end;
            return Ok(());
        }
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(end as usize, 0);
        self.len = end;
        Ok(())
    }

    /// The blob.
    ///
    /// # Errors
    /// If the file cannot be mapped.
    pub(super) fn finish(self) -> std::io::Result<Blob> {
        #[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
        if let Some(file) = self.file {
            use rustix::fs::{SealFlags, fcntl_add_seals};
            file.set_len(self.len)?;
            let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
            fcntl_add_seals(&file, seals)?;
            return Blob::map(file);
        }
        Ok(self.bytes.into())
    }
}

#[cfg(all(any(target_os = "linux", target_os = "android"), not(miri)))]
fn file_in_memory(len: usize) -> std::io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(memfd_create("sheave-snapshot", flags)?);
    file.set_len(len as u64)?;
    Ok(file)
}

/// The stretches of pages that are not all zero, with where they are.
pub(super) fn stretches(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    core::iter::from_fn(move || {
        let rest = &bytes[at..];
        let skip = rest.chunks(PAGE).take_while(|page| is_zero(page)).count() * PAGE;
        let start = at + skip.min(rest.len());
        let rest = &bytes[start..];
        let take = rest.chunks(PAGE).take_while(|page| !is_zero(page)).count() * PAGE;
        let end = start + take.min(rest.len());
        at = end;
        (end > start).then(|| (start, &bytes[start..end]))
    })
}
