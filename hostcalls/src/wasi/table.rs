//! The table of open descriptors, and what is known about each.

use super::errno::Errno;
use super::readdir::Listing;
use super::stdio::{Input, Output};
use super::types::{DirPerms, FdFlags, FilePerms, Filetype, OFlags, Rights};
use cap_std::fs::Dir;
use std::fs::File;
use std::sync::Arc;

/// What an open descriptor is.
pub(super) enum Kind {
    Input(Input),
    Output(Output),
    File(OpenFile),
    Dir(OpenDir),
    /// Was open in another process, and could not be opened here.
    Lost,
}

/// A standard stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standard {
    In = 0,
    Out = 1,
    Err = 2,
}

impl Standard {
    pub(super) fn from_number(n: u8) -> Option<Standard> {
        [Standard::In, Standard::Out, Standard::Err]
            .into_iter()
            .find(|s| *s as u8 == n)
    }
}

/// An open file. The offset is that of the host's descriptor.
pub(super) struct OpenFile {
    pub file: File,
    pub filetype: Filetype,
    /// Open for reading, as the host sees it.
    pub read: bool,
    /// Open for writing, as the host sees it.
    pub write: bool,
    pub perms: FilePerms,
}

/// An open directory.
pub(super) struct OpenDir {
    pub dir: Dir,
    pub dir_perms: DirPerms,
    pub file_perms: FilePerms,
    /// The listing that an unfinished `fd_readdir` goes on with.
    pub listing: Option<Listing>,
}

/// One open descriptor.
pub(super) struct Descriptor {
    pub kind: Kind,
    /// Which of the streams it is, if it is one.
    pub standard: Standard,
    pub base: Rights,
    pub inheriting: Rights,
    pub flags: FdFlags,
    pub oflags: OFlags,
    /// The guest name of the preopen that it comes from.
    pub preopen: Option<Arc<str>>,
    /// Its path from there, as the guest has opened it. Empty for the preopen
    /// itself.
    pub path: String,
}

impl Descriptor {
    /// Fails if the guest has given up one of these rights.
    pub(super) fn require(&self, rights: Rights) -> Result<(), Errno> {
        if self.base.contains(rights) {
            Ok(())
        } else {
            Err(Errno::NOTCAPABLE)
        }
    }

    pub(super) fn filetype(&self) -> Filetype {
        let terminal = match &self.kind {
            Kind::File(f) => return f.filetype,
            Kind::Dir(_) => return Filetype::Directory,
            Kind::Lost => return Filetype::Unknown,
            Kind::Input(s) => s.is_terminal(),
            Kind::Output(s) => s.is_terminal(),
        };
        if terminal {
            Filetype::CharacterDevice
        } else {
            Filetype::Unknown
        }
    }

    pub(super) fn is_preopen(&self) -> bool {
        self.preopen.is_some() && self.path.is_empty()
    }

    /// As a file: what is not one has no such operation.
    pub(super) fn file(&mut self, rights: Rights) -> Result<&mut OpenFile, Errno> {
        let wants_write = rights.intersects(Rights::WRITING);
        let wants_read = rights.contains(Rights::FD_READ);
        if let Kind::File(f) = &self.kind
            && ((wants_write && !f.write) || (wants_read && !f.read))
        {
            // As `ftruncate` has it, and all the others do not.
            let size = rights == Rights::FD_FILESTAT_SET_SIZE;
            return Err(if size { Errno::INVAL } else { Errno::BADF });
        }
        if matches!(self.kind, Kind::File(_)) {
            self.require(rights)?;
        }
        match &mut self.kind {
            Kind::File(f) => Ok(f),
            _ => Err(Errno::BADF),
        }
    }

    /// As a directory: only one can be the base of a path.
    pub(super) fn dir(&self, rights: Rights) -> Result<&OpenDir, Errno> {
        let Kind::Dir(dir) = &self.kind else {
            return Err(Errno::NOTDIR);
        };
        self.require(rights)?;
        Ok(dir)
    }
}

impl OpenDir {
    pub(super) fn allow(&self, perms: DirPerms) -> Result<(), Errno> {
        if self.dir_perms.contains(perms) {
            Ok(())
        } else {
            Err(Errno::PERM)
        }
    }
}

/// The open descriptors by number. New ones get the lowest free number.
#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Option<Descriptor>>,
    /// How many there may be.
    pub limit: usize,
}

impl Table {
    pub(super) fn get(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        self.slots
            .get_mut(fd as usize)
            .and_then(Option::as_mut)
            .filter(|d| !matches!(d.kind, Kind::Lost))
            .ok_or(Errno::BADF)
    }

    /// To look only: of two at once, which may be the same one.
    pub(super) fn peek(&self, fd: u32) -> Result<&Descriptor, Errno> {
        self.slots
            .get(fd as usize)
            .and_then(Option::as_ref)
            .filter(|d| !matches!(d.kind, Kind::Lost))
            .ok_or(Errno::BADF)
    }

    /// Fails if there is no room for another one.
    pub(super) fn room(&self) -> Result<usize, Errno> {
        let at = self
            .slots
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.slots.len());
        if at < self.limit {
            Ok(at)
        } else {
            Err(Errno::MFILE)
        }
    }

    pub(super) fn push(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let at = self.room()?;
        if at == self.slots.len() {
            self.slots.push(None);
        }
        self.slots[at] = Some(descriptor);
        u32::try_from(at).map_err(|_| Errno::MFILE)
    }

    /// Puts a standard stream at its number, whatever the limit is.
    pub(super) fn push_stdio(&mut self, descriptor: Descriptor) {
        self.slots.push(Some(descriptor));
    }

    /// Puts a descriptor at a number that is free.
    pub(super) fn put(&mut self, fd: u32, descriptor: Descriptor) {
        let at = fd as usize;
        if at >= self.slots.len() {
            self.slots.resize_with(at + 1, || None);
        }
        self.slots[at] = Some(descriptor);
    }

    pub(super) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        self.slots
            .get_mut(fd as usize)
            .and_then(Option::take)
            .ok_or(Errno::BADF)
    }

    /// Moves `from` to `to`, closing what was there. Both must be open.
    pub(super) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(to)?;
        self.get(from)?;
        if from != to {
            let moved = self.remove(from)?;
            *self.get(to)? = moved;
        }
        Ok(())
    }

    /// What is open.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Descriptor)> {
        self.all().filter(|(_, d)| !matches!(d.kind, Kind::Lost))
    }

    /// What is open or lost.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, &Descriptor)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(i, d)| Some((i as u32, d.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Descriptor> {
        self.slots.iter_mut().flatten()
    }
}

/// What is behind a descriptor, for inspection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DescriptorKind {
    /// An input stream that the embedder has given.
    Input,
    /// An output stream that the embedder has given.
    Output,
    /// A file below a preopen.
    File,
    /// A preopen, or a directory below one.
    Directory,
}

/// All that is needed to open a descriptor again somewhere else.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DescriptorInfo {
    /// Its number.
    pub fd: u32,
    /// What it is.
    pub kind: DescriptorKind,
    /// The guest name of the preopen that it comes from; `None` for streams.
    pub preopen: Option<String>,
    /// Its path from the preopen, as it was when opened; empty for the
    /// preopen itself.
    pub path: String,
    /// How it was opened.
    pub oflags: OFlags,
    /// Its flags now.
    pub flags: FdFlags,
    /// Its rights now.
    pub rights: Rights,
    /// The rights of what is opened through it.
    pub inheriting: Rights,
    /// Whether a file is open for reading.
    pub read: bool,
    /// Whether a file is open for writing.
    pub write: bool,
    /// The offset of a file that has one.
    pub offset: Option<u64>,
    /// Device and inode numbers, to recognise the file by.
    pub file_id: Option<(u64, u64)>,
}

impl DescriptorInfo {
    pub(super) fn new(fd: u32, d: &Descriptor) -> DescriptorInfo {
        use cap_fs_ext::MetadataExt as _;
        let (mut read, mut write, mut offset, mut metadata) = (false, false, None, None);
        let kind = match &d.kind {
            Kind::Input(_) => DescriptorKind::Input,
            Kind::Output(_) | Kind::Lost => DescriptorKind::Output,
            Kind::Dir(dir) => {
                metadata = dir.dir.dir_metadata().ok();
                DescriptorKind::Directory
            }
            Kind::File(f) => {
                (read, write) = (f.read, f.write);
                offset = std::io::Seek::stream_position(&mut &f.file).ok();
                metadata = cap_std::fs::Metadata::from_file(&f.file).ok();
                DescriptorKind::File
            }
        };
        DescriptorInfo {
            fd,
            kind,
            preopen: d.preopen.as_deref().map(str::to_owned),
            path: d.path.clone(),
            oflags: d.oflags,
            flags: d.flags,
            rights: d.base,
            inheriting: d.inheriting,
            read,
            write,
            offset,
            file_id: metadata.map(|m| (m.dev(), m.ino())),
        }
    }
}
