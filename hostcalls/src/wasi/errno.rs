//! The error numbers of WASI preview 1, and how host errors become one.
//!
//! Host errors are matched by their POSIX number where there is one, else by
//! [`io::ErrorKind`]. An error that cap-std made up itself (a path that leaves
//! its directory) has no number and becomes [`Errno::PERM`].

use std::{fmt, io};

macro_rules! errnos {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        /// An error number of WASI preview 1.
        ///
        /// Success is not one of them: functions return `Result<_, Errno>`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct Errno(u16);

        impl Errno {
            $($(#[$doc])* pub const $name: Errno = Errno($value);)*

            /// The name in the specification, in upper case.
            pub fn name(self) -> &'static str {
                match self.0 { $($value => stringify!($name),)* _ => "?" }
            }
        }
    };
}

errnos! {
    /// Argument list too long.
    TOOBIG = 1,
    /// Permission denied.
    ACCES = 2,
    /// Resource unavailable, or operation would block.
    AGAIN = 6,
    /// Bad file descriptor.
    BADF = 8,
    /// Device or resource busy.
    BUSY = 10,
    /// Resource deadlock would occur.
    DEADLK = 16,
    /// Disk quota exceeded.
    DQUOT = 19,
    /// File exists.
    EXIST = 20,
    /// Bad address: a pointer outside of the memory.
    FAULT = 21,
    /// File too large.
    FBIG = 22,
    /// Illegal byte sequence: a string that is not UTF-8.
    ILSEQ = 25,
    /// Interrupted function.
    INTR = 27,
    /// Invalid argument.
    INVAL = 28,
    /// I/O error.
    IO = 29,
    /// Is a directory.
    ISDIR = 31,
    /// Too many levels of symbolic links.
    LOOP = 32,
    /// Too many open descriptors.
    MFILE = 33,
    /// Too many links.
    MLINK = 34,
    /// Filename too long.
    NAMETOOLONG = 37,
    /// Too many files open in the system.
    NFILE = 41,
    /// No such device.
    NODEV = 43,
    /// No such file or directory.
    NOENT = 44,
    /// No locks available.
    NOLCK = 46,
    /// Not enough space.
    NOMEM = 48,
    /// No space left on device.
    NOSPC = 51,
    /// Function not supported.
    NOSYS = 52,
    /// Not a directory, or a symbolic link to one.
    NOTDIR = 54,
    /// Directory not empty.
    NOTEMPTY = 55,
    /// Not a socket.
    NOTSOCK = 57,
    /// Not supported.
    NOTSUP = 58,
    /// Inappropriate control operation.
    NOTTY = 59,
    /// No such device or address.
    NXIO = 60,
    /// Value too large to be stored.
    OVERFLOW = 61,
    /// Operation not permitted.
    PERM = 63,
    /// Broken pipe.
    PIPE = 64,
    /// Result too large.
    RANGE = 68,
    /// Read-only file system.
    ROFS = 69,
    /// Invalid seek.
    SPIPE = 70,
    /// Stale file handle.
    STALE = 72,
    /// Connection timed out.
    TIMEDOUT = 73,
    /// Text file busy.
    TXTBSY = 74,
    /// Cross-device link.
    XDEV = 75,
    /// The descriptor lacks a right that the guest gave up.
    NOTCAPABLE = 76,
}

impl Errno {
    /// The number that the guest sees.
    pub const fn raw(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{}", self.name())
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{} ({})", self.name(), self.0)
    }
}

impl std::error::Error for Errno {}

impl From<io::Error> for Errno {
    fn from(e: io::Error) -> Errno {
        #[cfg(unix)]
        if let Some(errno) = e.raw_os_error().and_then(from_posix) {
            return errno;
        }
        from_kind(e.kind())
    }
}

#[cfg(unix)]
impl From<rustix::io::Errno> for Errno {
    fn from(e: rustix::io::Errno) -> Errno {
        from_posix(e.raw_os_error()).unwrap_or(Errno::IO)
    }
}

#[cfg(unix)]
fn from_posix(raw: i32) -> Option<Errno> {
    use rustix::io::Errno as E;
    macro_rules! table {
        ($($name:ident $(=> $as:ident)?,)*) => {
            match E::from_raw_os_error(raw) {
                $(E::$name => table!(@ $name $($as)?),)*
                E::TOOBIG => Errno::TOOBIG,
                // Two numbers on some systems, one on others.
                e if e == E::OPNOTSUPP || e == E::NOTSUP => Errno::NOTSUP,
                e if e == E::AGAIN || e == E::WOULDBLOCK => Errno::AGAIN,
                _ => return None,
            }
        };
        (@ $name:ident) => { Errno::$name };
        (@ $name:ident $as:ident) => { Errno::$as };
    }
    Some(table! {
        ACCESS => ACCES, BADF, BUSY, DEADLK, DQUOT, EXIST, FAULT, FBIG, ILSEQ, INTR, INVAL, IO,
        ISDIR, LOOP, MFILE, MLINK, NAMETOOLONG, NFILE, NODEV, NOENT, NOLCK, NOMEM, NOSPC, NOSYS,
        NOTDIR, NOTEMPTY, NOTSOCK, NOTTY, NXIO, OVERFLOW, PERM, PIPE, RANGE, ROFS, SPIPE, STALE,
        TIMEDOUT, TXTBSY, XDEV,
    })
}

fn from_kind(kind: io::ErrorKind) -> Errno {
    use io::ErrorKind as K;
    match kind {
        K::NotFound => Errno::NOENT,
        K::PermissionDenied => Errno::PERM,
        K::AlreadyExists => Errno::EXIST,
        K::WouldBlock => Errno::AGAIN,
        K::InvalidInput => Errno::INVAL,
        K::InvalidData => Errno::ILSEQ,
        K::TimedOut => Errno::TIMEDOUT,
        K::Interrupted => Errno::INTR,
        K::Unsupported => Errno::NOTSUP,
        K::OutOfMemory => Errno::NOMEM,
        K::BrokenPipe => Errno::PIPE,
        K::NotADirectory => Errno::NOTDIR,
        K::IsADirectory => Errno::ISDIR,
        K::DirectoryNotEmpty => Errno::NOTEMPTY,
        K::ReadOnlyFilesystem => Errno::ROFS,
        K::StaleNetworkFileHandle => Errno::STALE,
        K::StorageFull | K::WriteZero => Errno::NOSPC,
        K::QuotaExceeded => Errno::DQUOT,
        K::NotSeekable => Errno::SPIPE,
        K::FileTooLarge => Errno::FBIG,
        K::ResourceBusy => Errno::BUSY,
        K::ExecutableFileBusy => Errno::TXTBSY,
        K::Deadlock => Errno::DEADLK,
        K::TooManyLinks => Errno::MLINK,
        K::InvalidFilename => Errno::INVAL,
        K::ArgumentListTooLong => Errno::TOOBIG,
        K::CrossesDevices => Errno::XDEV,
        _ => Errno::IO,
    }
}
