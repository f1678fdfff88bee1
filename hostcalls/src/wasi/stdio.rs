//! Standard streams: the process's own, none, or buffers in memory.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a guest's standard input comes from.
pub trait StdinStream: Send {
    /// Reads some bytes into `buf`, which is not empty; 0 is the end.
    ///
    /// # Errors
    /// What the source says. [`io::ErrorKind::WouldBlock`] becomes `EAGAIN`.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// How many bytes can be read without waiting, or `None` if a read would
    /// wait. At the end it is `Some(0)`: a read returns at once.
    fn ready(&self) -> Option<u64> {
        Some(1)
    }

    /// Whether the guest shall take it for a terminal.
    fn is_terminal(&self) -> bool {
        false
    }

    /// What has not been read yet, to be part of
    /// [`WasiCtx::state`](super::WasiCtx::state). `None` if it cannot be known.
    fn state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes what [`state`](StdinStream::state) gave for the stream that this
    /// one goes on for.
    ///
    /// # Errors
    /// If there is no room for it.
    fn set_state(&mut self, _state: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Where a guest's standard output goes to.
pub trait StdoutStream: Send {
    /// Writes some of `buf`, which is not empty, and returns how much. It must
    /// not be kept back: the guest may end at any time without notice.
    ///
    /// # Errors
    /// What the sink says.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize>;

    /// Whether the guest shall take it for a terminal.
    fn is_terminal(&self) -> bool {
        false
    }

    /// What has been written, to be part of
    /// [`WasiCtx::state`](super::WasiCtx::state). `None` if it is elsewhere.
    fn state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes what [`state`](StdoutStream::state) gave for the stream that this
    /// one goes on for.
    ///
    /// # Errors
    /// If there is no room for it.
    fn set_state(&mut self, _state: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    // The data is whole between any two statements.
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Standard input from bytes in memory. Clones share the bytes.
#[derive(Clone, Debug, Default)]
pub struct MemoryInputPipe {
    data: Arc<Mutex<VecDeque<u8>>>,
}

impl MemoryInputPipe {
    /// Input of just these bytes, then the end.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        MemoryInputPipe {
            data: Arc::new(Mutex::new(bytes.into().into())),
        }
    }

    /// Adds bytes at the end. A guest that has seen the end can go on.
    pub fn push(&self, bytes: &[u8]) {
        lock(&self.data).extend(bytes);
    }
}

impl StdinStream for MemoryInputPipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut *lock(&self.data), buf)
    }

    fn ready(&self) -> Option<u64> {
        Some(lock(&self.data).len() as u64)
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(lock(&self.data).iter().copied().collect())
    }

    fn set_state(&mut self, state: &[u8]) -> io::Result<()> {
        let mut data = lock(&self.data);
        let later = core::mem::take(&mut *data);
        data.extend(state);
        data.extend(later);
        Ok(())
    }
}

/// Standard output to memory. Clones share the bytes.
///
/// ```
/// use sheave_hostcalls::wasi::{MemoryOutputPipe, WasiCtxBuilder};
///
/// let out = MemoryOutputPipe::new(4096);
/// let ctx = WasiCtxBuilder::new().stdout(out.clone()).build();
/// // … run a guest with it …
/// # drop(ctx);
/// assert_eq!(out.contents(), b"");
/// ```
#[derive(Clone, Debug)]
pub struct MemoryOutputPipe {
    data: Arc<Mutex<Vec<u8>>>,
    capacity: usize,
}

impl MemoryOutputPipe {
    /// A buffer that takes up to `capacity_bytes`; more is `ENOSPC` for the
    /// guest.
    pub fn new(capacity_bytes: usize) -> Self {
        MemoryOutputPipe {
            data: Arc::default(),
            capacity: capacity_bytes,
        }
    }

    /// A copy of what was written so far.
    pub fn contents(&self) -> Vec<u8> {
        lock(&self.data).clone()
    }

    /// What was written so far, if this is the last clone.
    pub fn try_into_inner(self) -> Option<Vec<u8>> {
        Some(
            Arc::try_unwrap(self.data)
                .ok()?
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl StdoutStream for MemoryOutputPipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut data = lock(&self.data);
        let n = buf.len().min(self.capacity.saturating_sub(data.len()));
        if n == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        data.extend_from_slice(&buf[..n]);
        Ok(n)
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.contents())
    }

    fn set_state(&mut self, state: &[u8]) -> io::Result<()> {
        let mut data = lock(&self.data);
        if state.len() > self.capacity.saturating_sub(data.len()) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        data.splice(0..0, state.iter().copied());
        Ok(())
    }
}

/// A standard input as a descriptor holds it.
pub(super) enum Input {
    /// Always at its end.
    Null,
    /// That of the process.
    Inherit,
    Custom(Box<dyn StdinStream>),
}

/// A standard output or error as a descriptor holds it.
pub(super) enum Output {
    /// Swallows everything.
    Null,
    /// Standard output of the process.
    InheritOut,
    /// Standard error of the process.
    InheritErr,
    Custom(Box<dyn StdoutStream>),
}

impl Input {
    pub(super) fn is_terminal(&self) -> bool {
        match self {
            Input::Null => false,
            Input::Inherit => io::IsTerminal::is_terminal(&io::stdin()),
            Input::Custom(s) => s.is_terminal(),
        }
    }

    pub(super) fn state(&self) -> Option<Vec<u8>> {
        match self {
            Input::Null | Input::Inherit => None,
            Input::Custom(s) => s.state(),
        }
    }

    pub(super) fn set_state(&mut self, state: &[u8]) -> io::Result<()> {
        match self {
            Input::Null | Input::Inherit => Ok(()),
            Input::Custom(s) => s.set_state(state),
        }
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Input::Null => Ok(0),
            Input::Inherit => super::sys::read_stdin(buf),
            Input::Custom(s) => s.read(buf),
        }
    }
}

impl Output {
    pub(super) fn is_terminal(&self) -> bool {
        match self {
            Output::Null => false,
            Output::InheritOut => io::IsTerminal::is_terminal(&io::stdout()),
            Output::InheritErr => io::IsTerminal::is_terminal(&io::stderr()),
            Output::Custom(s) => s.is_terminal(),
        }
    }

    pub(super) fn state(&self) -> Option<Vec<u8>> {
        match self {
            Output::Custom(s) => s.state(),
            _ => None,
        }
    }

    pub(super) fn set_state(&mut self, state: &[u8]) -> io::Result<()> {
        match self {
            Output::Custom(s) => s.set_state(state),
            _ => Ok(()),
        }
    }

    pub(super) fn write(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Output::Null => Ok(bufs.iter().map(|b| b.len()).sum()),
            Output::InheritOut => super::sys::write_stdout(bufs),
            Output::InheritErr => super::sys::write_stderr(bufs),
            Output::Custom(s) => {
                let mut done = 0;
                for buf in bufs {
                    match s.write(buf) {
                        Ok(n) => {
                            done += n.min(buf.len());
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
        }
    }
}
