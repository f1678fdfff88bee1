//! Functions on paths.
//!
//! Every path is looked up by cap-std from an open directory and can not
//! leave it: not by being absolute, not by `..`, not through a symbolic link,
//! also not while another process moves directories about. Such a path is
//! [`Errno::PERM`].

use super::ctx::WasiCtx;
use super::errno::Errno;
use super::fd::times_to_set;
use super::memory::GuestMemory;
use super::table::{Descriptor, OpenDir};
use super::types::{Abi, DirPerms, Filestat, FstFlags, Rights, follows};
use cap_fs_ext::{DirExt as _, SystemTimeSpec};
use cap_std::time::SystemTime;

type Result<T = (), E = Errno> = core::result::Result<T, E>;

/// The longest path taken from a guest, as on Linux.
const MAX_PATH_BYTES: u32 = 4096;

/// The path at `ptr`.
pub(super) fn path<'m>(mem: &'m GuestMemory<'_>, ptr: u32, len: u32) -> Result<&'m str> {
    let bytes = mem.slice(ptr, len)?;
    if len > MAX_PATH_BYTES {
        return Err(Errno::NAMETOOLONG);
    }
    let path = core::str::from_utf8(bytes).map_err(|_| Errno::ILSEQ)?;
    match path {
        "" => Err(Errno::NOENT),
        p if p.contains('\0') => Err(Errno::INVAL),
        p => Ok(p),
    }
}

/// A path that can name nothing but a directory, without the slashes that say
/// so: cap-std does not take them.
fn directory(path: &str) -> &str {
    let name = path.trim_end_matches('/');
    if name.is_empty() { path } else { name }
}

/// An open directory below which `rights` are held and `perms` are given.
fn base(cx: &WasiCtx, fd: u32, rights: Rights, perms: DirPerms) -> Result<&OpenDir> {
    let dir = cx.table.peek(fd)?.dir(rights)?;
    dir.allow(perms)?;
    Ok(dir)
}

/// Creates a directory.
pub fn path_create_directory(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    ptr: u32,
    len: u32,
) -> Result {
    let dir = base(cx, fd, Rights::PATH_CREATE_DIRECTORY, DirPerms::MUTATE)?;
    let path = path(mem, ptr, len)?;
    // Slashes at the end are right here, and cap-std does not take them.
    let name = path.trim_end_matches('/');
    Ok(dir
        .dir
        .create_dir(if name.is_empty() { path } else { name })?)
}

#[expect(clippy::too_many_arguments, reason = "those of WASI, and which WASI")]
fn filestat_get(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    flags: u32,
    ptr: u32,
    len: u32,
    out: u32,
    abi: Abi,
) -> Result {
    let dir = base(cx, fd, Rights::PATH_FILESTAT_GET, DirPerms::READ)?;
    let path = path(mem, ptr, len)?;
    let metadata = if follows(flags)? || path.ends_with('/') {
        dir.dir.metadata(path)?
    } else {
        dir.dir.symlink_metadata(path)?
    };
    if path.ends_with('/') && !metadata.is_dir() {
        return Err(Errno::NOTDIR);
    }
    Filestat::from_metadata(&metadata).write(mem, out, abi)
}

/// The metadata of a file or, unless told to follow, of a symbolic link.
pub fn path_filestat_get(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    flags: u32,
    ptr: u32,
    len: u32,
    out: u32,
) -> Result {
    filestat_get(cx, mem, fd, flags, ptr, len, out, Abi::Preview1)
}

/// [`path_filestat_get`] with the record of `wasi_unstable`.
pub fn path_filestat_get_unstable(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    flags: u32,
    ptr: u32,
    len: u32,
    out: u32,
) -> Result {
    filestat_get(cx, mem, fd, flags, ptr, len, out, Abi::Unstable)
}

/// Sets the times of a file or, unless told to follow, of a symbolic link.
#[expect(clippy::too_many_arguments, reason = "those of WASI")]
pub fn path_filestat_set_times(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    flags: u32,
    ptr: u32,
    len: u32,
    atim: u64,
    mtim: u64,
    fst_flags: u32,
) -> Result {
    let dir = base(cx, fd, Rights::PATH_FILESTAT_SET_TIMES, DirPerms::MUTATE)?;
    let path = path(mem, ptr, len)?;
    let fst_flags = FstFlags::from_guest(fst_flags)?;
    let (atim, mtim) = times_to_set(cx, atim, mtim, fst_flags);
    let spec = |t| SystemTimeSpec::Absolute(SystemTime::from_std(t));
    let (atim, mtim) = (atim.map(spec), mtim.map(spec));
    if follows(flags)? {
        dir.dir.set_times(path, atim, mtim)?;
    } else {
        dir.dir.set_symlink_times(path, atim, mtim)?;
    }
    Ok(())
}

/// The directories of an operation that moves a file from one to the other:
/// it must not give the guest more than it had before.
fn two_bases(cx: &WasiCtx, old: (u32, Rights), new: (u32, Rights)) -> Result<(&OpenDir, &OpenDir)> {
    let from = base(cx, old.0, old.1, DirPerms::MUTATE)?;
    let to = base(cx, new.0, new.1, DirPerms::MUTATE)?;
    if !from.dir_perms.contains(to.dir_perms) || !from.file_perms.contains(to.file_perms) {
        return Err(Errno::PERM);
    }
    Ok((from, to))
}

/// Makes a hard link, to a symbolic link itself if the old path names one.
#[expect(clippy::too_many_arguments, reason = "those of WASI")]
pub fn path_link(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    old_fd: u32,
    old_flags: u32,
    old_ptr: u32,
    old_len: u32,
    new_fd: u32,
    new_ptr: u32,
    new_len: u32,
) -> Result {
    let (from, to) = two_bases(
        cx,
        (old_fd, Rights::PATH_LINK_SOURCE),
        (new_fd, Rights::PATH_LINK_TARGET),
    )?;
    let (old, new) = (path(mem, old_ptr, old_len)?, path(mem, new_ptr, new_len)?);
    if follows(old_flags)? {
        // There is no way to do it in one step inside of a directory.
        return Err(Errno::INVAL);
    }
    Ok(from.dir.hard_link(old, &to.dir, new)?)
}

/// Reads what a symbolic link says, as much as fits.
#[expect(clippy::too_many_arguments, reason = "those of WASI")]
pub fn path_readlink(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    ptr: u32,
    len: u32,
    buf: u32,
    buf_len: u32,
    out: u32,
) -> Result {
    let dir = base(cx, fd, Rights::PATH_READLINK, DirPerms::READ)?;
    let target = dir.dir.read_link(path(mem, ptr, len)?)?;
    let target = target.to_str().ok_or(Errno::ILSEQ)?.as_bytes();
    let n = target.len().min(buf_len as usize);
    mem.slice_mut(buf, buf_len)?[..n].copy_from_slice(&target[..n]);
    mem.write_u32(out, n as u32)
}

/// Removes an empty directory.
pub fn path_remove_directory(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    ptr: u32,
    len: u32,
) -> Result {
    let dir = base(cx, fd, Rights::PATH_REMOVE_DIRECTORY, DirPerms::MUTATE)?;
    Ok(dir.dir.remove_dir(directory(path(mem, ptr, len)?))?)
}

/// Renames a file or directory, replacing what can be replaced.
#[expect(clippy::too_many_arguments, reason = "those of WASI")]
pub fn path_rename(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    old_fd: u32,
    old_ptr: u32,
    old_len: u32,
    new_fd: u32,
    new_ptr: u32,
    new_len: u32,
) -> Result {
    let (from, to) = two_bases(
        cx,
        (old_fd, Rights::PATH_RENAME_SOURCE),
        (new_fd, Rights::PATH_RENAME_TARGET),
    )?;
    let (old, new) = (path(mem, old_ptr, old_len)?, path(mem, new_ptr, new_len)?);
    Ok(from.dir.rename(old, &to.dir, new)?)
}

/// Makes a symbolic link. What it says must be relative; it may lead outside,
/// but then nobody here can follow it.
pub fn path_symlink(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    old_ptr: u32,
    old_len: u32,
    fd: u32,
    new_ptr: u32,
    new_len: u32,
) -> Result {
    let dir = base(cx, fd, Rights::PATH_SYMLINK, DirPerms::MUTATE)?;
    let (old, new) = (path(mem, old_ptr, old_len)?, path(mem, new_ptr, new_len)?);
    Ok(dir.dir.symlink(old, new)?)
}

/// Removes a file or symbolic link.
pub fn path_unlink_file(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    ptr: u32,
    len: u32,
) -> Result {
    let dir = base(cx, fd, Rights::PATH_UNLINK_FILE, DirPerms::MUTATE)?;
    Ok(dir.dir.remove_file_or_symlink(path(mem, ptr, len)?)?)
}

/// The path of something opened below `parent`, from the same preopen.
pub(super) fn joined(parent: &Descriptor, path: &str) -> String {
    if parent.path.is_empty() {
        path.to_owned()
    } else {
        format!("{}/{path}", parent.path)
    }
}
