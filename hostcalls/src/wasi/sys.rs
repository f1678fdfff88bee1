//! What the standard library has no portable word for: descriptor flags,
//! polling, preallocation, processor time, unbuffered standard streams.
//!
//! Everything is safe code: rustix on Unix, and elsewhere the nearest thing
//! that the standard library has.

use super::types::FdFlags;
use core::time::Duration;
use std::fs::File;
use std::io::{self, IoSlice};

/// Something that the host can wait for.
#[derive(Clone, Copy)]
pub(super) enum Waitable<'a> {
    Stdin,
    Stdout,
    Stderr,
    File(&'a File),
}

/// What a [`Waitable`] shall become, and then what it is.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Ready {
    pub read: bool,
    pub write: bool,
    pub hangup: bool,
}

pub(super) use imp::{
    advise, allocate, available, cpu_time, poll, read_at, read_stdin, set_flags, times, write_at,
    write_stderr, write_stdout,
};

/// Nanoseconds since 1970 as WASI has them: nothing before, nothing after 2554.
#[cfg(unix)]
fn timestamp(seconds: i64, nanoseconds: i64) -> u64 {
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    u64::try_from(total.max(0)).unwrap_or(u64::MAX)
}

#[cfg(unix)]
mod imp {
    use super::*;
    use crate::wasi::errno::Errno;
    use cap_std::fs::MetadataExt as _;
    use rustix::event::{PollFd, PollFlags, Timespec};
    use rustix::fs::OFlags;
    use std::io::Write as _;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::fs::FileExt as _;

    pub(in crate::wasi) fn times(m: &cap_std::fs::Metadata) -> [u64; 3] {
        [
            timestamp(m.atime(), m.atime_nsec()),
            timestamp(m.mtime(), m.mtime_nsec()),
            timestamp(m.ctime(), m.ctime_nsec()),
        ]
    }

    pub(in crate::wasi) fn set_flags(file: &File, flags: FdFlags) -> io::Result<()> {
        let mut host = rustix::fs::fcntl_getfl(file)?;
        host.set(OFlags::APPEND, flags.contains(FdFlags::APPEND));
        host.set(OFlags::NONBLOCK, flags.contains(FdFlags::NONBLOCK));
        Ok(rustix::fs::fcntl_setfl(file, host)?)
    }

    pub(in crate::wasi) fn read_at(file: &File, buf: &mut [u8], at: u64) -> io::Result<usize> {
        file.read_at(buf, at)
    }

    pub(in crate::wasi) fn write_at(file: &File, buf: &[u8], at: u64) -> io::Result<usize> {
        file.write_at(buf, at)
    }

    /// Makes the file at least `offset + len` bytes long, with room on disk
    /// for that part where the file system knows how to.
    pub(in crate::wasi) fn allocate(file: &File, offset: u64, len: u64) -> Result<(), Errno> {
        let end = offset
            .checked_add(len)
            .filter(|&e| e <= i64::MAX as u64)
            .ok_or(Errno::FBIG)?;
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        {
            let mode = rustix::fs::FallocateFlags::empty();
            match rustix::fs::fallocate(file, mode, offset, len) {
                Err(e) if e == rustix::io::Errno::OPNOTSUPP => {}
                other => return Ok(other?),
            }
        }
        if file.metadata()?.len() < end {
            file.set_len(end)?;
        }
        Ok(())
    }

    /// Passes on a `fd_advise`; `advice` is that of WASI.
    pub(in crate::wasi) fn advise(file: &File, at: u64, len: u64, advice: u32) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        {
            use rustix::fs::Advice;
            let advice = match advice {
                1 => Advice::Sequential,
                2 => Advice::Random,
                3 => Advice::WillNeed,
                4 => Advice::DontNeed,
                5 => Advice::NoReuse,
                _ => Advice::Normal,
            };
            rustix::fs::fadvise(file, at, core::num::NonZeroU64::new(len), advice)?;
        }
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
        let _ = (file, at, len, advice);
        Ok(())
    }

    pub(in crate::wasi) fn cpu_time(thread: bool) -> Result<u64, Errno> {
        use rustix::time::{ClockId, clock_gettime};
        let id = if thread {
            ClockId::ThreadCPUTime
        } else {
            ClockId::ProcessCPUTime
        };
        let t = clock_gettime(id);
        Ok(timestamp(t.tv_sec, t.tv_nsec as i64))
    }

    pub(in crate::wasi) fn read_stdin(buf: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(io::stdin(), buf)?)
    }

    /// Writes past the line buffer of the standard library, but after what is
    /// in it, and waits if the descriptor itself does not.
    fn write(fd: BorrowedFd<'_>, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match rustix::io::writev(fd, bufs) {
                Err(rustix::io::Errno::AGAIN) => {
                    rustix::event::poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], None)?;
                }
                other => return Ok(other?),
            }
        }
    }

    pub(in crate::wasi) fn write_stdout(bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut out = io::stdout().lock();
        out.flush()?;
        write(out.as_fd(), bufs)
    }

    pub(in crate::wasi) fn write_stderr(bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        write(io::stderr().lock().as_fd(), bufs)
    }

    /// How many bytes can be read at once, at least 0.
    pub(in crate::wasi) fn available(item: Waitable<'_>) -> u64 {
        let result = match item {
            Waitable::Stdin => rustix::io::ioctl_fionread(io::stdin()),
            Waitable::File(file) => rustix::io::ioctl_fionread(file),
            Waitable::Stdout | Waitable::Stderr => Ok(0),
        };
        result.unwrap_or(0)
    }

    /// Waits until one of the items is what it shall become or until the time
    /// is over, and says what they are then. With signals it may end early.
    pub(in crate::wasi) fn poll(
        items: &[(Waitable<'_>, Ready)],
        timeout: Option<Duration>,
    ) -> io::Result<Vec<Ready>> {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let mut fds = Vec::with_capacity(items.len());
        for (item, want) in items {
            let fd = match item {
                Waitable::Stdin => stdin.as_fd(),
                Waitable::Stdout => stdout.as_fd(),
                Waitable::Stderr => stderr.as_fd(),
                Waitable::File(file) => file.as_fd(),
            };
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, want.read);
            flags.set(PollFlags::OUT, want.write);
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        }
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: t.subsec_nanos().into(),
        });
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(vec![Ready::default(); items.len()]),
            Err(e) => return Err(e.into()),
        }
        let ready = |fd: &PollFd<'_>| {
            let got = fd.revents();
            // With an error or a hang-up no operation waits.
            let over = got.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL);
            Ready {
                read: over || got.contains(PollFlags::IN),
                write: over || got.contains(PollFlags::OUT),
                hangup: got.contains(PollFlags::HUP),
            }
        };
        Ok(fds.iter().map(ready).collect())
    }
}

#[cfg(not(unix))]
mod imp {
    use super::*;
    use crate::wasi::errno::Errno;
    use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
    use std::time::SystemTime;

    pub(in crate::wasi) fn times(m: &cap_std::fs::Metadata) -> [u64; 3] {
        let nanos = |t: io::Result<cap_std::time::SystemTime>| {
            let t = t.ok().map(cap_std::time::SystemTime::into_std);
            let since = t.and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok());
            since.map_or(0, crate::wasi::clocks::nanos)
        };
        [
            nanos(m.accessed()),
            nanos(m.modified()),
            nanos(m.modified()),
        ]
    }

    /// The flags are kept by the caller, which appends by seeking.
    pub(in crate::wasi) fn set_flags(_: &File, _: FdFlags) -> io::Result<()> {
        Ok(())
    }

    fn at<R>(mut file: &File, at: u64, f: impl FnOnce(&File) -> io::Result<R>) -> io::Result<R> {
        let old = file.stream_position()?;
        file.seek(SeekFrom::Start(at))?;
        let result = f(file);
        file.seek(SeekFrom::Start(old))?;
        result
    }

    pub(in crate::wasi) fn read_at(file: &File, buf: &mut [u8], pos: u64) -> io::Result<usize> {
        at(file, pos, |mut f| f.read(buf))
    }

    pub(in crate::wasi) fn write_at(file: &File, buf: &[u8], pos: u64) -> io::Result<usize> {
        at(file, pos, |mut f| f.write(buf))
    }

    pub(in crate::wasi) fn allocate(file: &File, offset: u64, len: u64) -> Result<(), Errno> {
        let end = offset.checked_add(len).ok_or(Errno::FBIG)?;
        if file.metadata()?.len() < end {
            file.set_len(end)?;
        }
        Ok(())
    }

    pub(in crate::wasi) fn advise(_: &File, _: u64, _: u64, _: u32) -> io::Result<()> {
        Ok(())
    }

    pub(in crate::wasi) fn cpu_time(_: bool) -> Result<u64, Errno> {
        Err(Errno::NOTSUP)
    }

    pub(in crate::wasi) fn read_stdin(buf: &mut [u8]) -> io::Result<usize> {
        io::stdin().lock().read(buf)
    }

    fn write(mut out: impl io::Write, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let n = out.write_vectored(bufs)?;
        out.flush()?;
        Ok(n)
    }

    pub(in crate::wasi) fn write_stdout(bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        write(io::stdout().lock(), bufs)
    }

    pub(in crate::wasi) fn write_stderr(bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        write(io::stderr().lock(), bufs)
    }

    pub(in crate::wasi) fn available(_: Waitable<'_>) -> u64 {
        1
    }

    /// Takes everything for ready: then the operation waits.
    pub(in crate::wasi) fn poll(
        items: &[(Waitable<'_>, Ready)],
        _: Option<Duration>,
    ) -> io::Result<Vec<Ready>> {
        Ok(vec![
            Ready {
                read: true,
                write: true,
                hangup: false
            };
            items.len()
        ])
    }
}
