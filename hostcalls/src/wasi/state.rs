//! A context as bytes, and made again from them in another process.
//!
//! What the bytes say is what the guest has done: its arguments and
//! environment, what its clocks show, which descriptors are open and where
//! they stand. What it *may* do comes from the new builder alone: streams,
//! preopened directories with their permissions, sources of time and
//! randomness. So made-up bytes give a guest nothing that it was not given.
//!
//! Layout: `docs/snapshot-format.md`.

use super::clocks::{ClockId, Clocks, SystemMonotonicClock};
use super::ctx::{Interrupt, WasiCtx, WasiCtxBuilder};
use super::errno::Errno;
use super::open::{Request, as_dir, as_kind};
use super::pausing::Pausing;
use super::random::{Random, SeededRandom};
use super::table::{Descriptor, Kind, OpenDir, Standard, Table};
use super::types::{FdFlags, FilePerms, OFlags, Rights};
use crate::snapshot::codec::{Reader, Writer};
use core::time::Duration;
use std::fmt;
use std::io::{self, Seek as _, SeekFrom};
use std::sync::Arc;

const VERSION: u32 = 1;

/// What becomes of descriptors that cannot be opened again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LostDescriptors {
    /// There is no context: the error names them all.
    #[default]
    Refuse,
    /// They stay in the table, and are `EBADF` for the guest until it closes
    /// them.
    BadDescriptor,
}

/// A descriptor that cannot be opened again, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct LostDescriptor {
    /// Its number.
    pub fd: u32,
    /// The guest name of the preopen that it comes from; empty for a stream.
    pub preopen: String,
    /// Its path from there.
    pub path: String,
    /// What went wrong.
    pub error: io::Error,
}

impl fmt::Display for LostDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}", self.fd, self.preopen)?;
        if !self.path.is_empty() {
            write!(f, "/{}", self.path)?;
        }
        write!(f, "`: {}", self.error)
    }
}

/// Why a context cannot be made from bytes.
#[derive(Debug)]
#[non_exhaustive]
pub enum WasiStateError {
    /// They are of another version of the format.
    Version(u32),
    /// They are not what [`WasiCtx::state`] writes.
    Damaged,
    /// The random bytes were the embedder's, and the builder has no source.
    Random,
    /// Some descriptors cannot be opened again; never empty.
    Lost(Vec<LostDescriptor>),
}

impl fmt::Display for WasiStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(n) => write!(f, "the WASI state has version {n}, this is {VERSION}"),
            Self::Damaged => f.write_str("damaged WASI state"),
            Self::Random => f.write_str("the source of random bytes must be given again"),
            Self::Lost(all) => {
                f.write_str("cannot be opened again: ")?;
                for (i, lost) in all.iter().enumerate() {
                    write!(f, "{}descriptor {lost}", if i == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
        }
    }
}

impl core::error::Error for WasiStateError {}

/// How a descriptor is written.
mod tag {
    pub(super) const STREAM: u8 = 0;
    pub(super) const FILE: u8 = 1;
    pub(super) const DIRECTORY: u8 = 2;
    pub(super) const LOST: u8 = 3;
}

/// Where random bytes come from, as it is written.
mod random {
    pub(super) const SYSTEM: u8 = 0;
    pub(super) const SEEDED: u8 = 1;
    pub(super) const CUSTOM: u8 = 2;
}

impl WasiCtx {
    /// What the guest has made of this context, as bytes:
    /// [`WasiCtxBuilder::build_from`] makes it again, in another process.
    ///
    /// That is: arguments and environment; the time that the monotonic clock
    /// shows, and how much processor time was used; the state of a seeded
    /// random sequence; each open descriptor with its path, flags, rights and
    /// offset; what is unread in a [`MemoryInputPipe`](super::MemoryInputPipe)
    /// and was written to a [`MemoryOutputPipe`](super::MemoryOutputPipe).
    /// It is not what is in files, nor what lies in the process's own streams.
    pub fn state(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.u32(VERSION);
        w.list(&self.args, |w, arg| w.bytes(arg));
        w.list(&self.env, |w, entry| w.bytes(entry));
        w.u64(self.clocks.monotonic.now());
        for id in [ClockId::ProcessCpu, ClockId::ThreadCpu] {
            w.u64(self.clocks.now(id).unwrap_or(0));
        }
        w.u64(u64::try_from(self.pausing.waited.as_nanos()).unwrap_or(u64::MAX));
        match &self.random {
            Random::System => w.u8(random::SYSTEM),
            Random::Seeded(seeded) => {
                w.u8(random::SEEDED);
                w.u64(seeded.state());
            }
            Random::Custom(_) => w.u8(random::CUSTOM),
        }
        let all: Vec<_> = self.table.all().collect();
        w.list(&all, |w, (fd, d)| {
            w.u32(*fd);
            write_descriptor(w, d);
        });
        w.0
    }
}

fn write_descriptor(w: &mut Writer, d: &Descriptor) {
    w.u8(match d.kind {
        Kind::Input(_) | Kind::Output(_) => tag::STREAM,
        Kind::File(_) => tag::FILE,
        Kind::Dir(_) => tag::DIRECTORY,
        Kind::Lost => tag::LOST,
    });
    w.u64(d.base.bits());
    w.u64(d.inheriting.bits());
    w.u16(d.flags.bits());
    w.u16(d.oflags.bits());
    w.bytes(d.preopen.as_deref().unwrap_or_default().as_bytes());
    w.bytes(d.path.as_bytes());
    match &d.kind {
        Kind::Input(input) => {
            w.u8(Standard::In as u8);
            w.option(input.state().as_deref(), Writer::bytes);
        }
        Kind::Output(output) => {
            w.u8(d.standard as u8);
            w.option(output.state().as_deref(), Writer::bytes);
        }
        Kind::File(file) => {
            w.bool(file.read);
            w.bool(file.write);
            w.u8(file.filetype as u8);
            w.option((&file.file).stream_position().ok(), Writer::u64);
        }
        Kind::Dir(_) | Kind::Lost => {}
    }
}

/// A descriptor as it was written.
struct Saved {
    fd: u32,
    base: Rights,
    inheriting: Rights,
    flags: FdFlags,
    oflags: OFlags,
    preopen: Box<str>,
    path: Box<str>,
    what: What,
}

enum What {
    Stream(Standard, Option<Vec<u8>>),
    File {
        read: bool,
        write: bool,
        filetype: u8,
        offset: Option<u64>,
    },
    Directory,
    Lost,
}

fn read_descriptor(r: &mut Reader<'_>) -> anyhow::Result<Saved> {
    let (fd, kind) = (r.u32()?, r.u8()?);
    let base = Rights::from_bits_truncate(r.u64()?);
    let inheriting = Rights::from_bits_truncate(r.u64()?);
    let flags = FdFlags::from_bits(r.u16()?);
    let oflags = OFlags::from_bits(r.u16()?);
    let (Some(flags), Some(oflags)) = (flags, oflags) else {
        anyhow::bail!("unknown flags");
    };
    let (preopen, path) = (r.text()?, r.text()?);
    let what = match kind {
        tag::STREAM => {
            let Some(standard) = Standard::from_number(r.u8()?) else {
                anyhow::bail!("no such stream");
            };
            What::Stream(standard, r.option(|r| Ok(r.bytes()?.to_vec()))?)
        }
        tag::FILE => What::File {
            read: r.bool()?,
            write: r.bool()?,
            filetype: r.u8()?,
            offset: r.option(Reader::u64)?,
        },
        tag::DIRECTORY => What::Directory,
        tag::LOST => What::Lost,
        _ => anyhow::bail!("a descriptor of no kind"),
    };
    Ok(Saved {
        fd,
        base,
        inheriting,
        flags,
        oflags,
        preopen,
        path,
        what,
    })
}

/// All that bytes say.
struct State {
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    monotonic: u64,
    cpu: [u64; 2],
    waited: u64,
    random: u8,
    seed: u64,
    descriptors: Vec<Saved>,
}

impl State {
    fn read(bytes: &[u8]) -> Result<State, WasiStateError> {
        let mut r = Reader(bytes);
        let damaged = |_| WasiStateError::Damaged;
        let version = r.u32().map_err(damaged)?;
        if version != VERSION {
            return Err(WasiStateError::Version(version));
        }
        let read = |r: &mut Reader<'_>| -> anyhow::Result<State> {
            let list = |r: &mut Reader<'_>| r.list(|r| Ok(r.bytes()?.to_vec()));
            let (args, env) = (list(r)?, list(r)?);
            let (monotonic, cpu, waited) = (r.u64()?, [r.u64()?, r.u64()?], r.u64()?);
            let random = r.u8()?;
            let seed = match random {
                random::SEEDED => r.u64()?,
                random::SYSTEM | random::CUSTOM => 0,
                _ => anyhow::bail!("random bytes from nowhere"),
            };
            let descriptors = r.list(read_descriptor)?;
            r.end()?;
            if !descriptors.is_sorted_by(|a, b| a.fd < b.fd) {
                anyhow::bail!("descriptors out of order");
            }
            Ok(State {
                args,
                env,
                monotonic,
                cpu,
                waited,
                random,
                seed,
                descriptors,
            })
        };
        read(&mut r).map_err(damaged)
    }
}

/// What the new process gives.
struct Given {
    streams: [Option<Kind>; 3],
    /// The preopens; each is taken once, as itself.
    preopens: Vec<(Arc<str>, OpenDir, bool)>,
}

impl Given {
    /// The preopen that paths begin at.
    fn preopen(&self, name: &str) -> io::Result<(&Arc<str>, &OpenDir)> {
        let found = self.preopens.iter().find(|(n, ..)| **n == *name);
        found.map(|(n, dir, _)| (n, dir)).ok_or_else(not_given)
    }

    fn open(&mut self, saved: &Saved) -> io::Result<(Kind, Option<Arc<str>>)> {
        match &saved.what {
            What::Lost => Ok((Kind::Lost, None)),
            What::Stream(standard, contents) => {
                let stream = self.streams[*standard as usize].take();
                let mut stream =
                    stream.ok_or_else(|| io::Error::other("a stream is open once only"))?;
                if let Some(contents) = contents {
                    match &mut stream {
                        Kind::Input(input) => input.set_state(contents)?,
                        Kind::Output(output) => output.set_state(contents)?,
                        _ => {}
                    }
                }
                Ok((stream, None))
            }
            What::Directory if saved.path.is_empty() => {
                let free = self.preopens.iter_mut();
                let found = { free }.find(|(n, _, taken)| **n == *saved.preopen && !taken);
                let (name, dir, taken) = found.ok_or_else(not_given)?;
                *taken = true;
                let kind = as_dir(dir.dir.try_clone()?, dir);
                Ok((kind, Some(Arc::clone(name))))
            }
            What::Directory => {
                let (name, dir) = self.preopen(&saved.preopen)?;
                let kind = as_dir(dir.dir.open_dir(&*saved.path)?, dir);
                Ok((kind, Some(Arc::clone(name))))
            }
            What::File {
                read,
                write,
                filetype,
                offset,
            } => {
                let (name, dir) = self.preopen(&saved.preopen)?;
                if *write && !dir.file_perms.contains(FilePerms::WRITE) {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                let request = Request {
                    follow: true,
                    read: *read,
                    write: *write,
                    oflags: OFlags::empty(),
                    flags: saved.flags,
                };
                let file = request.open(&dir.dir, &saved.path)?;
                let kind = as_kind(file, dir, &request).map_err(as_io)?;
                match &kind {
                    Kind::File(f) if f.filetype as u8 == *filetype => {
                        if let Some(offset) = offset {
                            (&f.file).seek(SeekFrom::Start(*offset))?;
                        }
                    }
                    _ => return Err(io::Error::other("it is a file of another kind now")),
                }
                Ok((kind, Some(Arc::clone(name))))
            }
        }
    }
}

fn not_given() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        "no directory is given under that name",
    )
}

fn as_io(errno: Errno) -> io::Error {
    match errno {
        Errno::PERM => io::ErrorKind::PermissionDenied.into(),
        other => io::Error::other(other.name()),
    }
}

impl WasiCtxBuilder {
    /// Makes the context that [`WasiCtx::state`] has written, out of what this
    /// builder gives, and leaves the builder as new.
    ///
    /// - Arguments are those of the builder if it has any. Its environment
    ///   variables replace and extend those of the guest. (A guest that has
    ///   looked at either before keeps what it saw.)
    /// - The system's monotonic clock, and the clocks of processor time, go on
    ///   from what they showed. A clock of the embedder's is taken as it is.
    /// - Random bytes come from the builder's source if one was chosen,
    ///   otherwise as before; a seeded sequence goes on.
    /// - Standard streams are the builder's. One in memory gets what was in
    ///   the old one, before anything else.
    /// - Directories and files are opened again by their paths, below the
    ///   builder's preopen of the same guest name and with its permissions.
    ///   Files are neither created nor cut; they are read and written as they
    ///   are now, from the old offset on. A listing that was being read is
    ///   made again.
    ///
    /// # Errors
    /// If the bytes are damaged, or of another version, or, with
    /// [`LostDescriptors::Refuse`], if something cannot be opened again.
    pub fn build_from(
        &mut self,
        state: &[u8],
        lost: LostDescriptors,
    ) -> Result<WasiCtx, WasiStateError> {
        let b = core::mem::take(self);
        let state = State::read(state)?;
        let mut given = Given {
            streams: [
                Some(Kind::Input(b.stdin)),
                Some(Kind::Output(b.stdout)),
                Some(Kind::Output(b.stderr)),
            ],
            preopens: Vec::new(),
        };
        let first_free = 3 + b.preopens.len();
        for preopen in b.preopens {
            if let (Some(name), Kind::Dir(dir)) = (preopen.preopen, preopen.kind) {
                given.preopens.push((name, dir, false));
            }
        }
        let mut table = Table::default();
        table.limit = b.max_open;
        let mut failures = Vec::new();
        for saved in state.descriptors {
            let opened = if saved.fd as usize >= b.max_open.max(first_free) {
                Err(io::Error::other("more descriptors than may be open"))
            } else {
                given.open(&saved)
            };
            let (kind, preopen) = opened.unwrap_or_else(|error| {
                failures.push(LostDescriptor {
                    fd: saved.fd,
                    preopen: saved.preopen.into(),
                    path: saved.path.to_string(),
                    error,
                });
                (Kind::Lost, None)
            });
            let standard = match saved.what {
                What::Stream(standard, _) => standard,
                _ => Standard::In,
            };
            // Of a number that is too high nothing can be kept.
            if (saved.fd as usize) < b.max_open.max(first_free) {
                table.put(
                    saved.fd,
                    Descriptor {
                        kind,
                        standard,
                        base: saved.base,
                        inheriting: saved.inheriting,
                        flags: saved.flags,
                        oflags: saved.oflags,
                        preopen,
                        path: saved.path.into(),
                    },
                );
            }
        }
        if !failures.is_empty() && lost == LostDescriptors::Refuse {
            return Err(WasiStateError::Lost(failures));
        }
        let random = match (b.random, state.random) {
            (Some(given), _) => given,
            (None, random::SEEDED) => Random::Seeded(SeededRandom::new(state.seed)),
            (None, random::CUSTOM) => return Err(WasiStateError::Random),
            (None, _) => Random::System,
        };
        Ok(WasiCtx {
            args: if b.args.is_empty() {
                state.args
            } else {
                b.args
            },
            env: merged(state.env, b.env),
            clocks: Clocks {
                wall: b.wall,
                simulated: b.monotonic.is_some(),
                monotonic: b
                    .monotonic
                    .unwrap_or_else(|| Box::new(SystemMonotonicClock::from(state.monotonic))),
                cpu_before: state.cpu,
            },
            random,
            table,
            interrupt: Interrupt {
                asked: b.interrupted,
                flag: None,
            },
            pausing: Pausing {
                waited: Duration::from_nanos(state.waited),
                ..Pausing::default()
            },
        })
    }
}

/// An environment with some variables replaced or added.
fn merged(mut env: Vec<Vec<u8>>, with: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let key = |entry: &[u8]| entry.split(|b| *b == b'=').next().map(<[u8]>::to_vec);
    for entry in with {
        match env.iter_mut().find(|e| key(e) == key(&entry)) {
            Some(old) => *old = entry,
            None => env.push(entry),
        }
    }
    env
}
