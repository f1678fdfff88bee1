//! Flags, rights and records of WASI preview 1, with their layout in memory.

use super::errno::Errno;
use super::memory::GuestMemory;
use bitflags::bitflags;

bitflags! {
    /// What a guest may do with a descriptor, as the guest sees it and may
    /// reduce it with `fd_fdstat_set_rights`. What the embedder allows is
    /// [`DirPerms`] and [`FilePerms`], which the guest can not change.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Rights: u64 {
        /// `fd_datasync`.
        const FD_DATASYNC = 1 << 0;
        /// `fd_read`, `fd_pread`.
        const FD_READ = 1 << 1;
        /// `fd_seek`, and with it `fd_tell`.
        const FD_SEEK = 1 << 2;
        /// `fd_fdstat_set_flags`.
        const FD_FDSTAT_SET_FLAGS = 1 << 3;
        /// `fd_sync`.
        const FD_SYNC = 1 << 4;
        /// `fd_tell`.
        const FD_TELL = 1 << 5;
        /// `fd_write`, `fd_pwrite`.
        const FD_WRITE = 1 << 6;
        /// `fd_advise`.
        const FD_ADVISE = 1 << 7;
        /// `fd_allocate`.
        const FD_ALLOCATE = 1 << 8;
        /// `path_create_directory`.
        const PATH_CREATE_DIRECTORY = 1 << 9;
        /// `path_open` with `OFLAGS_CREAT`.
        const PATH_CREATE_FILE = 1 << 10;
        /// `path_link`, as the old directory.
        const PATH_LINK_SOURCE = 1 << 11;
        /// `path_link`, as the new directory.
        const PATH_LINK_TARGET = 1 << 12;
        /// `path_open`.
        const PATH_OPEN = 1 << 13;
        /// `fd_readdir`.
        const FD_READDIR = 1 << 14;
        /// `path_readlink`.
        const PATH_READLINK = 1 << 15;
        /// `path_rename`, as the old directory.
        const PATH_RENAME_SOURCE = 1 << 16;
        /// `path_rename`, as the new directory.
        const PATH_RENAME_TARGET = 1 << 17;
        /// `path_filestat_get`.
        const PATH_FILESTAT_GET = 1 << 18;
        /// `path_open` with `OFLAGS_TRUNC`.
        const PATH_FILESTAT_SET_SIZE = 1 << 19;
        /// `path_filestat_set_times`.
        const PATH_FILESTAT_SET_TIMES = 1 << 20;
        /// `fd_filestat_get`.
        const FD_FILESTAT_GET = 1 << 21;
        /// `fd_filestat_set_size`.
        const FD_FILESTAT_SET_SIZE = 1 << 22;
        /// `fd_filestat_set_times`.
        const FD_FILESTAT_SET_TIMES = 1 << 23;
        /// `path_symlink`.
        const PATH_SYMLINK = 1 << 24;
        /// `path_remove_directory`.
        const PATH_REMOVE_DIRECTORY = 1 << 25;
        /// `path_unlink_file`.
        const PATH_UNLINK_FILE = 1 << 26;
        /// `poll_oneoff` on the descriptor.
        const POLL_FD_READWRITE = 1 << 27;
        /// `sock_shutdown`.
        const SOCK_SHUTDOWN = 1 << 28;
        /// `sock_accept`.
        const SOCK_ACCEPT = 1 << 29;
    }
}

impl Rights {
    /// What makes sense on a directory.
    pub const DIRECTORY: Rights = Rights::FD_FDSTAT_SET_FLAGS
        .union(Rights::FD_SYNC)
        .union(Rights::FD_DATASYNC)
        .union(Rights::PATH_CREATE_DIRECTORY)
        .union(Rights::PATH_CREATE_FILE)
        .union(Rights::PATH_LINK_SOURCE)
        .union(Rights::PATH_LINK_TARGET)
        .union(Rights::PATH_OPEN)
        .union(Rights::FD_READDIR)
        .union(Rights::PATH_READLINK)
        .union(Rights::PATH_RENAME_SOURCE)
        .union(Rights::PATH_RENAME_TARGET)
        .union(Rights::PATH_FILESTAT_GET)
        .union(Rights::PATH_FILESTAT_SET_SIZE)
        .union(Rights::PATH_FILESTAT_SET_TIMES)
        .union(Rights::FD_FILESTAT_GET)
        .union(Rights::FD_FILESTAT_SET_TIMES)
        .union(Rights::PATH_SYMLINK)
        .union(Rights::PATH_REMOVE_DIRECTORY)
        .union(Rights::PATH_UNLINK_FILE)
        .union(Rights::POLL_FD_READWRITE);

    /// What makes sense on a file.
    pub const FILE: Rights = Rights::FD_DATASYNC
        .union(Rights::FD_READ)
        .union(Rights::FD_SEEK)
        .union(Rights::FD_FDSTAT_SET_FLAGS)
        .union(Rights::FD_SYNC)
        .union(Rights::FD_TELL)
        .union(Rights::FD_WRITE)
        .union(Rights::FD_ADVISE)
        .union(Rights::FD_ALLOCATE)
        .union(Rights::FD_FILESTAT_GET)
        .union(Rights::FD_FILESTAT_SET_SIZE)
        .union(Rights::FD_FILESTAT_SET_TIMES)
        .union(Rights::POLL_FD_READWRITE);

    /// What makes sense on a stream. Without seek and tell on a character
    /// device: that is how `isatty` in wasi-libc knows a terminal.
    pub const STREAM: Rights = Rights::FD_FDSTAT_SET_FLAGS
        .union(Rights::FD_SYNC)
        .union(Rights::FD_DATASYNC)
        .union(Rights::FD_FILESTAT_GET)
        .union(Rights::POLL_FD_READWRITE);

    /// What needs a file open for writing.
    pub(super) const WRITING: Rights = Rights::FD_WRITE
        .union(Rights::FD_ALLOCATE)
        .union(Rights::FD_FILESTAT_SET_SIZE);
}

bitflags! {
    /// What the embedder lets a guest do with the directories below a preopen.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct DirPerms: u8 {
        /// List it, look into it and open what is there.
        const READ = 1;
        /// Create, rename, link and remove in it.
        const MUTATE = 2;
    }

    /// What the embedder lets a guest do with the files below a preopen.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct FilePerms: u8 {
        /// Read them.
        const READ = 1;
        /// Write them.
        const WRITE = 2;
    }

    /// How `path_open` opens.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct OFlags: u16 {
        /// Create the file if it does not exist.
        const CREAT = 1;
        /// Fail if it is not a directory.
        const DIRECTORY = 2;
        /// Fail if the file exists.
        const EXCL = 4;
        /// Truncate the file.
        const TRUNC = 8;
    }

    /// Flags of an open descriptor.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct FdFlags: u16 {
        /// Every write goes to the end of the file.
        const APPEND = 1;
        /// Writes wait for the data to be on disk.
        const DSYNC = 2;
        /// Fail instead of waiting.
        const NONBLOCK = 4;
        /// Reads wait as writes do.
        const RSYNC = 8;
        /// Writes wait for data and metadata to be on disk.
        const SYNC = 16;
    }

    /// Which times `*_filestat_set_times` sets, and to what.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(super) struct FstFlags: u16 {
        const ATIM = 1;
        const ATIM_NOW = 2;
        const MTIM = 4;
        const MTIM_NOW = 8;
    }
}

impl OFlags {
    pub(super) fn from_guest(raw: u32) -> Result<OFlags, Errno> {
        u16::try_from(raw)
            .ok()
            .and_then(OFlags::from_bits)
            .ok_or(Errno::INVAL)
    }
}

impl FdFlags {
    pub(super) fn from_guest(raw: u32) -> Result<FdFlags, Errno> {
        u16::try_from(raw)
            .ok()
            .and_then(FdFlags::from_bits)
            .ok_or(Errno::INVAL)
    }

    /// The ones that are fixed when a file is opened.
    pub(super) const SYNCS: FdFlags = FdFlags::DSYNC.union(FdFlags::RSYNC).union(FdFlags::SYNC);
}

impl FstFlags {
    /// Unknown and contradicting flags are errors.
    pub(super) fn from_guest(raw: u32) -> Result<FstFlags, Errno> {
        let flags = u16::try_from(raw)
            .ok()
            .and_then(FstFlags::from_bits)
            .ok_or(Errno::INVAL)?;
        if flags.contains(FstFlags::ATIM.union(FstFlags::ATIM_NOW))
            || flags.contains(FstFlags::MTIM.union(FstFlags::MTIM_NOW))
        {
            return Err(Errno::INVAL);
        }
        Ok(flags)
    }
}

/// Follow a symbolic link that the last part of a path names.
const LOOKUP_SYMLINK_FOLLOW: u32 = 1;

/// Whether `lookupflags` say to follow a final symbolic link.
pub(super) fn follows(lookupflags: u32) -> Result<bool, Errno> {
    match lookupflags {
        0 => Ok(false),
        LOOKUP_SYMLINK_FOLLOW => Ok(true),
        _ => Err(Errno::INVAL),
    }
}

/// The kind of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Filetype {
    /// None of the others, or not known.
    Unknown = 0,
    /// A block device.
    BlockDevice = 1,
    /// A character device, also a terminal.
    CharacterDevice = 2,
    /// A directory.
    Directory = 3,
    /// A regular file.
    RegularFile = 4,
    /// A datagram socket.
    SocketDgram = 5,
    /// A stream socket.
    SocketStream = 6,
    /// A symbolic link.
    SymbolicLink = 7,
}

impl From<cap_std::fs::FileType> for Filetype {
    fn from(t: cap_std::fs::FileType) -> Filetype {
        use cap_fs_ext::FileTypeExt as _;
        if t.is_dir() {
            Filetype::Directory
        } else if t.is_file() {
            Filetype::RegularFile
        } else if t.is_symlink() {
            Filetype::SymbolicLink
        } else if t.is_char_device() {
            Filetype::CharacterDevice
        } else if t.is_block_device() {
            Filetype::BlockDevice
        } else if t.is_socket() {
            Filetype::SocketStream
        } else {
            Filetype::Unknown
        }
    }
}

/// What `*_filestat_get` returns. Times are nanoseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Filestat {
    pub dev: u64,
    pub ino: u64,
    pub filetype: Filetype,
    pub nlink: u64,
    pub size: u64,
    pub atim: u64,
    pub mtim: u64,
    pub ctim: u64,
}

/// Which of the two layouts of a record a guest expects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Abi {
    /// `wasi_unstable`, of 2019.
    Unstable,
    /// `wasi_snapshot_preview1`.
    Preview1,
}

impl Filestat {
    /// A stream: no file behind it that the guest may know of.
    pub(super) fn stream(filetype: Filetype) -> Filestat {
        Filestat {
            dev: 0,
            ino: 0,
            filetype,
            nlink: 0,
            size: 0,
            atim: 0,
            mtim: 0,
            ctim: 0,
        }
    }

    pub(super) fn from_metadata(m: &cap_std::fs::Metadata) -> Filestat {
        use cap_fs_ext::MetadataExt as _;
        let [atim, mtim, ctim] = super::sys::times(m);
        Filestat {
            dev: m.dev(),
            ino: m.ino(),
            filetype: m.file_type().into(),
            nlink: m.nlink(),
            size: m.len(),
            atim,
            mtim,
            ctim,
        }
    }

    /// Writes the record. `nlink` had 32 bits in `wasi_unstable`:
    ///
    /// ```text
    /// preview1: dev 0, ino 8, type 16, nlink 24 (u64), size 32, times 40, 48, 56; 64 bytes
    /// unstable: dev 0, ino 8, type 16, nlink 20 (u32), size 24, times 32, 40, 48; 56 bytes
    /// ```
    pub(super) fn write(&self, mem: &mut GuestMemory<'_>, ptr: u32, abi: Abi) -> Result<(), Errno> {
        let mut out = [0; 64];
        out[..8].copy_from_slice(&self.dev.to_le_bytes());
        out[8..16].copy_from_slice(&self.ino.to_le_bytes());
        out[16] = self.filetype as u8;
        let rest = match abi {
            Abi::Preview1 => {
                out[24..32].copy_from_slice(&self.nlink.to_le_bytes());
                32
            }
            Abi::Unstable => {
                let nlink = u32::try_from(self.nlink).unwrap_or(u32::MAX);
                out[20..24].copy_from_slice(&nlink.to_le_bytes());
                24
            }
        };
        let words = [self.size, self.atim, self.mtim, self.ctim];
        for (chunk, word) in out[rest..].chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        mem.write(ptr, &out[..rest + 32])
    }
}
