//! `path_open`.
//!
//! Three things limit what an opened file can do. What the embedder has
//! allowed ([`FilePerms`], [`DirPerms`]) fails with `EPERM` here, at once.
//! Reading and writing must be asked for here; without, they fail with
//! `EBADF`. The other rights are as the directory hands them down: few
//! programs ask for exactly those that they need, so what is asked for does
//! not count, but what was given up with `fd_fdstat_set_rights` stays so.

use super::ctx::WasiCtx;
use super::errno::Errno;
use super::memory::GuestMemory;
use super::path::{joined, path};
use super::sys;
use super::table::{Descriptor, Kind, OpenDir, OpenFile, Standard};
use super::types::{DirPerms, FdFlags, FilePerms, Filetype, OFlags, Rights, follows};
use cap_fs_ext::{
    DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsMaybeDirExt as _,
};
use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use std::io;

type Result<T = (), E = Errno> = core::result::Result<T, E>;

/// What is asked for, decoded.
pub(super) struct Request {
    pub follow: bool,
    pub read: bool,
    pub write: bool,
    pub oflags: OFlags,
    pub flags: FdFlags,
}

impl Request {
    /// Fails for what the embedder or the guest itself has forbidden and can
    /// be seen before the file is.
    fn check(&self, parent: &Descriptor, dir: &OpenDir) -> Result {
        dir.allow(DirPerms::READ)?;
        let directory = self.oflags.contains(OFlags::DIRECTORY);
        if directory && self.oflags != OFlags::DIRECTORY {
            return Err(Errno::INVAL);
        }
        if directory && self.write {
            return Err(Errno::ISDIR);
        }
        if self.oflags.contains(OFlags::CREAT) {
            parent.require(Rights::PATH_CREATE_FILE)?;
            dir.allow(DirPerms::MUTATE)?;
        }
        if self.oflags.contains(OFlags::TRUNC) {
            parent.require(Rights::PATH_FILESTAT_SET_SIZE)?;
        }
        let writes = self.write || self.oflags.contains(OFlags::TRUNC);
        if writes && !dir.file_perms.contains(FilePerms::WRITE) {
            return Err(Errno::PERM);
        }
        let mut wanted = Rights::empty();
        wanted.set(Rights::FD_READ, self.read && !directory);
        wanted.set(Rights::FD_WRITE, self.write);
        if parent.inheriting.contains(wanted) {
            Ok(())
        } else {
            Err(Errno::NOTCAPABLE)
        }
    }

    fn options(&self) -> OpenOptions {
        let mut options = OpenOptions::new();
        // A host file must be open for something.
        options.read(self.read || !self.write).write(self.write);
        options.maybe_dir(true);
        options.follow(if self.follow {
            FollowSymlinks::Yes
        } else {
            FollowSymlinks::No
        });
        #[cfg(not(windows))]
        {
            use cap_fs_ext::OpenOptionsSyncExt as _;
            options
                .dsync(self.flags.contains(FdFlags::DSYNC))
                .rsync(self.flags.contains(FdFlags::RSYNC))
                .sync(self.flags.contains(FdFlags::SYNC))
                .nonblock(self.flags.contains(FdFlags::NONBLOCK));
        }
        options
    }

    pub(super) fn open(&self, dir: &Dir, path: &str) -> io::Result<File> {
        let mut options = self.options();
        let creates = self.oflags.contains(OFlags::CREAT);
        let exclusive = creates && self.oflags.contains(OFlags::EXCL);
        let truncates = self.oflags.contains(OFlags::TRUNC);
        if creates && !exclusive && !truncates && !self.write {
            // Creation asks the host for a file to write, which one that
            // exists need not be.
            match dir.open_with(path, &options) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                other => return other,
            }
        }
        if creates || truncates {
            options
                .write(true)
                .truncate(truncates)
                .create(creates)
                .create_new(exclusive);
        }
        dir.open_with(path, &options)
    }
}

/// Opens a file or directory.
#[expect(clippy::too_many_arguments, reason = "those of WASI")]
pub fn path_open(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    lookup_flags: u32,
    ptr: u32,
    len: u32,
    oflags: u32,
    rights: u64,
    _inheriting: u64,
    fd_flags: u32,
    out: u32,
) -> Result {
    let parent = cx.table.peek(fd)?;
    let dir = parent.dir(Rights::PATH_OPEN)?;
    let path = path(mem, ptr, len)?;
    let rights = Rights::from_bits_retain(rights);
    let request = Request {
        follow: follows(lookup_flags)?,
        read: rights.contains(Rights::FD_READ),
        write: rights.contains(Rights::FD_WRITE),
        oflags: OFlags::from_guest(oflags)?,
        flags: FdFlags::from_guest(fd_flags)?,
    };
    request.check(parent, dir)?;
    cx.table.room()?;
    mem.check(out, 4)?;

    let kind = if request.oflags.contains(OFlags::DIRECTORY) {
        let opened = match request.follow {
            true => dir.dir.open_dir(path)?,
            false => dir.dir.open_dir_nofollow(path)?,
        };
        as_dir(opened, dir)
    } else {
        as_kind(request.open(&dir.dir, path)?, dir, &request)?
    };
    let base = match &kind {
        Kind::File(f) => {
            let mut base = Rights::FILE;
            base.set(Rights::FD_READ, f.read);
            base.set(Rights::WRITING, f.write);
            base
        }
        _ => Rights::DIRECTORY,
    };
    let descriptor = Descriptor {
        base: base & parent.inheriting,
        inheriting: if let Kind::Dir(_) = kind {
            parent.inheriting
        } else {
            Rights::empty()
        },
        kind,
        standard: Standard::In,
        flags: request.flags,
        oflags: request.oflags,
        preopen: parent.preopen.clone(),
        path: joined(parent, path),
    };
    let new = cx.table.push(descriptor)?;
    mem.write_u32(out, new)
}

pub(super) fn as_dir(dir: Dir, parent: &OpenDir) -> Kind {
    let OpenDir {
        dir_perms,
        file_perms,
        ..
    } = *parent;
    Kind::Dir(OpenDir {
        dir,
        dir_perms,
        file_perms,
        listing: None,
    })
}

/// What was opened without knowing what it is.
pub(super) fn as_kind(file: File, parent: &OpenDir, request: &Request) -> Result<Kind> {
    let file = file.into_std();
    let filetype = Filetype::from(Metadata::from_file(&file)?.file_type());
    if filetype == Filetype::Directory {
        return Ok(as_dir(Dir::from_std_file(file), parent));
    }
    if request.read && !parent.file_perms.contains(FilePerms::READ) {
        return Err(Errno::PERM);
    }
    if request.flags.contains(FdFlags::APPEND) {
        sys::set_flags(&file, request.flags)?;
    }
    Ok(Kind::File(OpenFile {
        file,
        filetype,
        read: request.read,
        write: request.write,
        perms: parent.file_perms,
    }))
}
