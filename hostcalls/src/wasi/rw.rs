//! Reading and writing of descriptors.
//!
//! Buffers go to the host as they lie in the guest's memory, without a copy.
//! A write takes many of them in one host call. A read of a regular file
//! fills them one after the other; of anything else only the first, because
//! to ask for more could wait although there is something to return.

use super::ctx::{Interrupt, WasiCtx};
use super::errno::Errno;
use super::memory::GuestMemory;
use super::pausing::Pausing;
use super::stdio::Input;
use super::sys::{self, Ready, Waitable};
use super::table::{Kind, OpenFile};
use super::types::{FdFlags, Filetype, Rights};
use core::time::Duration;
use std::io::{self, IoSlice, Read as _, Write as _};

type Result<T = (), E = Errno> = core::result::Result<T, E>;

/// How often a wait asks whether it shall end.
pub(super) const WAIT_SLICE: Duration = Duration::from_millis(5);

/// Repeats `f` while signals interrupt it: a guest has none.
fn retry(mut f: impl FnMut() -> io::Result<usize>) -> Result<usize> {
    loop {
        match f() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return Ok(other?),
        }
    }
}

/// Fails if the input has nothing and the guest does not want to wait, or
/// waits in slices if somebody may interrupt it.
fn wait_for_input(
    input: &Input,
    flags: FdFlags,
    interrupt: &Interrupt,
    pausing: &mut Pausing,
) -> Result {
    let nonblock = flags.contains(FdFlags::NONBLOCK);
    if !nonblock && !interrupt.is_possible() {
        return Ok(());
    }
    loop {
        let slice = if nonblock { Duration::ZERO } else { WAIT_SLICE };
        let ready = match input {
            Input::Null => true,
            Input::Custom(s) => s.ready().is_some(),
            Input::Inherit => {
                let want = Ready {
                    read: true,
                    ..Ready::default()
                };
                sys::poll(&[(Waitable::Stdin, want)], Some(slice))?
                    .iter()
                    .any(|r| r.read)
            }
        };
        if ready {
            return Ok(());
        }
        if nonblock {
            return Err(Errno::AGAIN);
        }
        if interrupt.is_wanted() {
            return Err(pausing.interrupted());
        }
        if matches!(input, Input::Custom(_)) {
            std::thread::sleep(slice);
        }
    }
}

/// Reads from where the descriptor is.
pub fn fd_read(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    out: u32,
) -> Result {
    let d = cx.table.get(fd)?;
    let flags = d.flags;
    let n = if let Kind::Input(_) = d.kind {
        d.require(Rights::FD_READ)?;
        let iovecs = mem.iovecs(iovs, iovs_len, out)?;
        cx.pausing.before_input()?;
        let Kind::Input(input) = &mut d.kind else {
            return Err(Errno::BADF);
        };
        mem.scatter(iovecs, true, |buf, _| {
            wait_for_input(input, flags, &cx.interrupt, &mut cx.pausing)?;
            retry(|| input.read(buf))
        })?
    } else {
        let f = d.file(Rights::FD_READ)?;
        let iovecs = mem.iovecs(iovs, iovs_len, out)?;
        let once = f.filetype != Filetype::RegularFile;
        mem.scatter(iovecs, once, |buf, _| retry(|| (&f.file).read(buf)))?
    };
    mem.write_u32(out, n)
}

/// Writes to where the descriptor is. Everything reaches the host at once.
pub fn fd_write(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    out: u32,
) -> Result {
    let d = cx.table.get(fd)?;
    let append = d.flags.contains(FdFlags::APPEND);
    let n = if let Kind::Output(_) = d.kind {
        d.require(Rights::FD_WRITE)?;
        let iovecs = mem.iovecs(iovs, iovs_len, out)?;
        let Kind::Output(output) = &mut d.kind else {
            return Err(Errno::BADF);
        };
        mem.gather(iovecs, |bufs, _| retry(|| output.write(bufs)))?
    } else {
        let f = d.file(Rights::FD_WRITE)?;
        let iovecs = mem.iovecs(iovs, iovs_len, out)?;
        if append && cfg!(not(unix)) {
            io::Seek::seek(&mut &f.file, io::SeekFrom::End(0))?;
        }
        mem.gather(iovecs, |bufs, _| retry(|| (&f.file).write_vectored(bufs)))?
    };
    mem.write_u32(out, n)
}

/// A file for access at an offset: streams have none.
fn positioned(cx: &mut WasiCtx, fd: u32, rights: Rights) -> Result<&mut OpenFile> {
    let d = cx.table.get(fd)?;
    if matches!(d.kind, Kind::Input(_) | Kind::Output(_)) {
        return Err(Errno::SPIPE);
    }
    d.file(rights)
}

/// An offset `done` bytes further on.
fn beyond(offset: u64, done: u64) -> Result<u64> {
    offset.checked_add(done).ok_or(Errno::INVAL)
}

/// Reads from an offset and leaves the descriptor where it is.
pub fn fd_pread(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    out: u32,
) -> Result {
    let f = positioned(cx, fd, Rights::FD_READ | Rights::FD_SEEK)?;
    let iovecs = mem.iovecs(iovs, iovs_len, out)?;
    let once = f.filetype != Filetype::RegularFile;
    let n = mem.scatter(iovecs, once, |buf, done| {
        let at = beyond(offset, done.into())?;
        retry(|| sys::read_at(&f.file, buf, at))
    })?;
    mem.write_u32(out, n)
}

/// Writes at an offset and leaves the descriptor where it is.
pub fn fd_pwrite(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    fd: u32,
    iovs: u32,
    iovs_len: u32,
    offset: u64,
    out: u32,
) -> Result {
    let f = positioned(cx, fd, Rights::FD_WRITE | Rights::FD_SEEK)?;
    let iovecs = mem.iovecs(iovs, iovs_len, out)?;
    let n = mem.gather(iovecs, |bufs, done| {
        write_all_at(&f.file, bufs, beyond(offset, done.into())?)
    })?;
    mem.write_u32(out, n)
}

/// Writes the buffers one behind the other until one is not taken whole.
fn write_all_at(file: &std::fs::File, bufs: &[IoSlice<'_>], at: u64) -> Result<usize> {
    let mut done = 0;
    for buf in bufs {
        let at = beyond(at, done as u64)?;
        match retry(|| sys::write_at(file, buf, at)) {
            Ok(n) => {
                done += n;
                if n < buf.len() {
                    break;
                }
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}
