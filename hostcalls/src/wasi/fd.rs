//! Functions on descriptors, all but reading and writing.

use super::ctx::WasiCtx;
use super::errno::Errno;
use super::memory::GuestMemory;
use super::sys;
use super::table::{Kind, OpenDir};
use super::types::{Abi, FdFlags, FilePerms, Filestat, FstFlags, Rights};
use core::time::Duration;
use std::fs::{File, FileTimes};
use std::io::{Seek as _, SeekFrom};
use std::time::SystemTime;

type Result<T = (), E = Errno> = core::result::Result<T, E>;

/// A descriptor of a directory that can be synced and stamped: the one that
/// cap-std holds may be open for looking up paths only.
fn reopen(dir: &OpenDir) -> Result<File> {
    Ok(dir.dir.open(".")?.into_std())
}

/// Says how a file will be read; the host may forget it.
pub fn fd_advise(
    cx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    offset: u64,
    len: u64,
    advice: u32,
) -> Result {
    let f = cx.table.get(fd)?.file(Rights::FD_ADVISE)?;
    if advice > 5
        || offset
            .checked_add(len)
            .is_none_or(|end| end > i64::MAX as u64)
    {
        return Err(Errno::INVAL);
    }
    Ok(sys::advise(&f.file, offset, len, advice)?)
}

/// Makes room on disk, and the file longer if it ends before.
pub fn fd_allocate(
    cx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    offset: u64,
    len: u64,
) -> Result {
    let f = cx.table.get(fd)?.file(Rights::FD_ALLOCATE)?;
    if len == 0 {
        return Err(Errno::INVAL);
    }
    sys::allocate(&f.file, offset, len)
}

/// Closes a descriptor, also a preopen or a standard stream.
pub fn fd_close(cx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32) -> Result {
    cx.table.remove(fd).map(drop)
}

fn sync(cx: &mut WasiCtx, fd: u32, right: Rights, data_only: bool) -> Result {
    let descriptor = cx.table.get(fd)?;
    descriptor.require(right)?;
    let reopened;
    let file = match &descriptor.kind {
        Kind::File(f) => &f.file,
        Kind::Dir(dir) => {
            reopened = reopen(dir)?;
            &reopened
        }
        // Nothing is kept back.
        Kind::Input(_) | Kind::Output(_) => return Ok(()),
        Kind::Lost => return Err(Errno::BADF),
    };
    if data_only {
        file.sync_data()?;
    } else {
        file.sync_all()?;
    }
    Ok(())
}

/// Waits until the data of a file is on disk.
pub fn fd_datasync(cx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32) -> Result {
    sync(cx, fd, Rights::FD_DATASYNC, true)
}

/// Waits until the data and metadata of a file are on disk.
pub fn fd_sync(cx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32) -> Result {
    sync(cx, fd, Rights::FD_SYNC, false)
}

/// The type, flags and rights of a descriptor.
///
/// ```text
/// type 0 (u8), flags 2 (u16), rights 8 (u64), inheriting rights 16 (u64); 24 bytes
/// ```
pub fn fd_fdstat_get(cx: &mut WasiCtx, mem: &mut GuestMemory<'_>, fd: u32, out: u32) -> Result {
    let d = cx.table.get(fd)?;
    let mut record = [0; 24];
    record[0] = d.filetype() as u8;
    record[2..4].copy_from_slice(&d.flags.bits().to_le_bytes());
    record[8..16].copy_from_slice(&d.base.bits().to_le_bytes());
    record[16..].copy_from_slice(&d.inheriting.bits().to_le_bytes());
    mem.write(out, &record)
}

/// Changes whether a descriptor appends and whether it waits. The flags for
/// synchronous writes are fixed when a file is opened.
pub fn fd_fdstat_set_flags(
    cx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    flags: u32,
) -> Result {
    let d = cx.table.get(fd)?;
    if matches!(d.kind, Kind::Dir(_)) {
        return Err(Errno::BADF);
    }
    d.require(Rights::FD_FDSTAT_SET_FLAGS)?;
    let flags = FdFlags::from_guest(flags)?;
    if (flags ^ d.flags).intersects(FdFlags::SYNCS) {
        return Err(Errno::NOTSUP);
    }
    if let Kind::File(f) = &d.kind {
        sys::set_flags(&f.file, flags)?;
    }
    // On a standard stream the flags are ours alone: the host's descriptor is
    // shared with other processes.
    d.flags = flags;
    Ok(())
}

/// Gives up rights. They do not come back.
pub fn fd_fdstat_set_rights(
    cx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    base: u64,
    inheriting: u64,
) -> Result {
    let d = cx.table.get(fd)?;
    let (base, inheriting) = (
        Rights::from_bits_retain(base),
        Rights::from_bits_retain(inheriting),
    );
    if !d.base.contains(base) || !d.inheriting.contains(inheriting) {
        return Err(Errno::NOTCAPABLE);
    }
    (d.base, d.inheriting) = (base, inheriting);
    Ok(())
}

fn filestat_get(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    out: u32,
    abi: Abi,
) -> Result {
    let d = cx.table.get(fd)?;
    d.require(Rights::FD_FILESTAT_GET)?;
    let stat = match &d.kind {
        Kind::File(f) => Filestat::from_metadata(&cap_std::fs::Metadata::from_file(&f.file)?),
        Kind::Dir(dir) => Filestat::from_metadata(&dir.dir.dir_metadata()?),
        _ => Filestat::stream(d.filetype()),
    };
    stat.write(mem, out, abi)
}

/// The metadata of an open file.
pub fn fd_filestat_get(cx: &mut WasiCtx, mem: &mut GuestMemory<'_>, fd: u32, out: u32) -> Result {
    filestat_get(cx, mem, fd, out, Abi::Preview1)
}

/// [`fd_filestat_get`] with the record of `wasi_unstable`.
pub fn fd_filestat_get_unstable(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    out: u32,
) -> Result {
    filestat_get(cx, mem, fd, out, Abi::Unstable)
}

/// Makes a file shorter or longer.
pub fn fd_filestat_set_size(
    cx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    size: u64,
) -> Result {
    let f = cx.table.get(fd)?.file(Rights::FD_FILESTAT_SET_SIZE)?;
    if size > i64::MAX as u64 {
        return Err(Errno::INVAL);
    }
    Ok(f.file.set_len(size)?)
}

/// The times that `fst_flags` ask for: of access and of modification.
pub(super) fn times_to_set(
    cx: &WasiCtx,
    atim: u64,
    mtim: u64,
    flags: FstFlags,
) -> (Option<SystemTime>, Option<SystemTime>) {
    let at = |since: Duration| SystemTime::UNIX_EPOCH + since;
    let time = |given, now, nanos| {
        if flags.contains(given) {
            Some(at(Duration::from_nanos(nanos)))
        } else if flags.contains(now) {
            Some(at(cx.clocks.wall.now()))
        } else {
            None
        }
    };
    (
        time(FstFlags::ATIM, FstFlags::ATIM_NOW, atim),
        time(FstFlags::MTIM, FstFlags::MTIM_NOW, mtim),
    )
}

/// Sets the times of an open file or directory.
pub fn fd_filestat_set_times(
    cx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    atim: u64,
    mtim: u64,
    flags: u32,
) -> Result {
    let flags = FstFlags::from_guest(flags)?;
    let (atim, mtim) = times_to_set(cx, atim, mtim, flags);
    let d = cx.table.get(fd)?;
    let reopened;
    let file = match &d.kind {
        Kind::File(f) => {
            if !f.perms.contains(FilePerms::WRITE) {
                return Err(Errno::PERM);
            }
            &f.file
        }
        Kind::Dir(dir) => {
            dir.allow(super::types::DirPerms::MUTATE)?;
            reopened = reopen(dir)?;
            &reopened
        }
        _ => return Err(Errno::BADF),
    };
    d.require(Rights::FD_FILESTAT_SET_TIMES)?;
    let mut times = FileTimes::new();
    if let Some(t) = atim {
        times = times.set_accessed(t);
    }
    if let Some(t) = mtim {
        times = times.set_modified(t);
    }
    Ok(file.set_times(times)?)
}

/// What a preopen is: a directory, and the length of its name.
pub fn fd_prestat_get(cx: &mut WasiCtx, mem: &mut GuestMemory<'_>, fd: u32, out: u32) -> Result {
    let d = cx.table.get(fd)?;
    let name = d
        .preopen
        .as_ref()
        .filter(|_| d.is_preopen())
        .ok_or(Errno::BADF)?;
    let len = u32::try_from(name.len()).map_err(|_| Errno::OVERFLOW)?;
    // The tag of a directory is 0, in 32 bits with the padding.
    mem.check(out, 8)?;
    mem.write_u32(out, 0)?;
    mem.write_u32(out + 4, len)
}

/// The name of a preopen, without a zero at its end.
pub fn fd_prestat_dir_name(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    buf: u32,
    len: u32,
) -> Result {
    let d = cx.table.get(fd)?;
    let name = d
        .preopen
        .as_ref()
        .filter(|_| d.is_preopen())
        .ok_or(Errno::BADF)?;
    if name.len() > len as usize {
        return Err(Errno::NAMETOOLONG);
    }
    mem.check(buf, len)?;
    mem.write(buf, name.as_bytes())
}

/// Moves a descriptor to another number, closing what was there.
pub fn fd_renumber(cx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, from: u32, to: u32) -> Result {
    cx.table.renumber(from, to)
}

/// From where an offset counts.
#[derive(Clone, Copy)]
enum Whence {
    Set,
    Cur,
    End,
}

fn seek(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    offset: i64,
    whence: Whence,
    right: Rights,
    out: u32,
) -> Result {
    let d = cx.table.get(fd)?;
    if matches!(d.kind, Kind::Input(_) | Kind::Output(_)) {
        return Err(Errno::SPIPE);
    }
    let f = d.file(right)?;
    mem.check(out, 8)?;
    let to = match whence {
        Whence::Set => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::INVAL)?),
        Whence::Cur => SeekFrom::Current(offset),
        Whence::End => SeekFrom::End(offset),
    };
    mem.write_u64(out, (&f.file).seek(to)?)
}

/// Moves the offset of a file.
pub fn fd_seek(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    offset: i64,
    whence: u32,
    out: u32,
) -> Result {
    let whence = match whence {
        0 => Whence::Set,
        1 => Whence::Cur,
        2 => Whence::End,
        _ => return Err(Errno::INVAL),
    };
    seek(cx, mem, fd, offset, whence, Rights::FD_SEEK, out)
}

/// [`fd_seek`] with the numbers of `wasi_unstable`.
pub fn fd_seek_unstable(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    offset: i64,
    whence: u32,
    out: u32,
) -> Result {
    let whence = match whence {
        0 => Whence::Cur,
        1 => Whence::End,
        2 => Whence::Set,
        _ => return Err(Errno::INVAL),
    };
    seek(cx, mem, fd, offset, whence, Rights::FD_SEEK, out)
}

/// The offset of a file.
pub fn fd_tell(cx: &mut WasiCtx, mem: &mut GuestMemory<'_>, fd: u32, out: u32) -> Result {
    seek(cx, mem, fd, 0, Whence::Cur, Rights::FD_TELL, out)
}
