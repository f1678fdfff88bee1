//! The state of WASI for one guest, and how an embedder makes it.

use super::clocks::{
    Clocks, HostMonotonicClock, HostWallClock, SystemMonotonicClock, SystemWallClock,
};
use super::pausing::Pausing;
use super::random::{HostRandom, Random, SeededRandom};
use super::stdio::{Input, Output, StdinStream, StdoutStream};
use super::table::{Descriptor, DescriptorInfo, Kind, OpenDir, Standard, Table};
use super::types::{DirPerms, FdFlags, FilePerms, OFlags, Rights};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Who may end a wait of the guest.
#[derive(Default)]
pub(super) struct Interrupt {
    /// The embedder's word.
    pub asked: Option<Box<dyn Fn() -> bool + Send>>,
    /// The flag of the store that calls, if its engine can be interrupted.
    pub flag: Option<Arc<AtomicU32>>,
}

impl Interrupt {
    /// Whether there is anybody.
    pub(super) fn is_possible(&self) -> bool {
        self.asked.is_some() || self.flag.is_some()
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.asked.as_ref().is_some_and(|f| f())
            || self
                .flag
                .as_ref()
                .is_some_and(|f| f.load(Ordering::Relaxed) != 0)
    }
}

/// How many descriptors a guest may have open, unless told otherwise.
const DEFAULT_MAX_OPEN: usize = 1024;

/// All that a guest can reach through WASI.
///
/// Made by [`WasiCtxBuilder`]. One context serves one guest.
pub struct WasiCtx {
    pub(super) args: Vec<Vec<u8>>,
    /// Each is `KEY=VALUE`.
    pub(super) env: Vec<Vec<u8>>,
    pub(super) clocks: Clocks,
    pub(super) random: Random,
    pub(super) table: Table,
    pub(super) interrupt: Interrupt,
    pub(super) pausing: Pausing,
}

impl WasiCtx {
    /// What is open now, in the order of the numbers.
    pub fn descriptors(&self) -> Vec<DescriptorInfo> {
        self.table
            .iter()
            .map(|(fd, d)| DescriptorInfo::new(fd, d))
            .collect()
    }

    /// The arguments, the program's name first.
    pub fn args(&self) -> &[Vec<u8>] {
        &self.args
    }

    /// The environment, each entry as `KEY=VALUE`.
    pub fn env(&self) -> &[Vec<u8>] {
        &self.env
    }

    /// The state of the seeded random sequence, if [`WasiCtxBuilder::random_seed`]
    /// chose one.
    pub fn random_state(&self) -> Option<u64> {
        match &self.random {
            Random::Seeded(r) => Some(r.state()),
            _ => None,
        }
    }
}

impl core::fmt::Debug for WasiCtx {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WasiCtx")
            .field("descriptors", &self.descriptors())
            .finish_non_exhaustive()
    }
}

/// Makes a [`WasiCtx`].
///
/// To begin with a guest has nothing: no arguments, no environment, no files,
/// an empty standard input, and outputs that go nowhere. It does see the
/// system's clocks and random bytes.
///
/// ```
/// use sheave_hostcalls::wasi::{DirPerms, FilePerms, WasiCtxBuilder};
///
/// let ctx = WasiCtxBuilder::new()
///     .arg("program")
///     .env("LANG", "C")
///     .inherit_stdio()
///     .preopened_dir(".", "/", DirPerms::READ, FilePerms::READ)?
///     .build();
/// assert_eq!(ctx.descriptors().len(), 4);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct WasiCtxBuilder {
    pub(super) args: Vec<Vec<u8>>,
    pub(super) env: Vec<Vec<u8>>,
    pub(super) stdin: Input,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    pub(super) preopens: Vec<Descriptor>,
    pub(super) wall: Box<dyn HostWallClock>,
    pub(super) monotonic: Option<Box<dyn HostMonotonicClock>>,
    /// The system's, unless one was chosen.
    pub(super) random: Option<Random>,
    pub(super) max_open: usize,
    pub(super) interrupted: Option<Box<dyn Fn() -> bool + Send>>,
}

impl Default for WasiCtxBuilder {
    fn default() -> Self {
        WasiCtxBuilder::new()
    }
}

impl WasiCtxBuilder {
    /// A guest that is given nothing.
    pub fn new() -> Self {
        WasiCtxBuilder {
            args: Vec::new(),
            env: Vec::new(),
            stdin: Input::Null,
            stdout: Output::Null,
            stderr: Output::Null,
            preopens: Vec::new(),
            wall: Box::new(SystemWallClock),
            monotonic: None,
            random: None,
            max_open: DEFAULT_MAX_OPEN,
            interrupted: None,
        }
    }

    /// Adds an argument. The first is the program's name.
    pub fn arg(&mut self, arg: impl AsRef<str>) -> &mut Self {
        self.args.push(arg.as_ref().as_bytes().to_vec());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: &[impl AsRef<str>]) -> &mut Self {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Adds the arguments of this process, its name included.
    pub fn inherit_args(&mut self) -> &mut Self {
        self.args
            .extend(std::env::args_os().map(|a| a.into_encoded_bytes()));
        self
    }

    /// Adds an environment variable.
    pub fn env(&mut self, key: impl AsRef<str>, value: impl AsRef<str>) -> &mut Self {
        self.push_env(key.as_ref().as_bytes(), value.as_ref().as_bytes());
        self
    }

    /// Adds environment variables.
    pub fn envs(&mut self, env: &[(impl AsRef<str>, impl AsRef<str>)]) -> &mut Self {
        for (key, value) in env {
            self.env(key, value);
        }
        self
    }

    /// Adds the environment of this process.
    pub fn inherit_env(&mut self) -> &mut Self {
        for (key, value) in std::env::vars_os() {
            self.push_env(key.as_encoded_bytes(), value.as_encoded_bytes());
        }
        self
    }

    fn push_env(&mut self, key: &[u8], value: &[u8]) {
        self.env.push([key, b"=", value].concat());
    }

    /// Standard input from the embedder's stream.
    pub fn stdin(&mut self, stdin: impl StdinStream + 'static) -> &mut Self {
        self.stdin = Input::Custom(Box::new(stdin));
        self
    }

    /// Standard output to the embedder's stream.
    pub fn stdout(&mut self, stdout: impl StdoutStream + 'static) -> &mut Self {
        self.stdout = Output::Custom(Box::new(stdout));
        self
    }

    /// Standard error to the embedder's stream.
    pub fn stderr(&mut self, stderr: impl StdoutStream + 'static) -> &mut Self {
        self.stderr = Output::Custom(Box::new(stderr));
        self
    }

    /// Standard input of this process. On Unix it is read past the buffer of
    /// [`std::io::stdin`]: what the embedder has left in there is not seen.
    pub fn inherit_stdin(&mut self) -> &mut Self {
        self.stdin = Input::Inherit;
        self
    }

    /// Standard output of this process. Nothing is kept back in a buffer, and
    /// what the embedder has printed before comes out before.
    pub fn inherit_stdout(&mut self) -> &mut Self {
        self.stdout = Output::InheritOut;
        self
    }

    /// Standard error of this process.
    pub fn inherit_stderr(&mut self) -> &mut Self {
        self.stderr = Output::InheritErr;
        self
    }

    /// All three standard streams of this process.
    pub fn inherit_stdio(&mut self) -> &mut Self {
        self.inherit_stdin().inherit_stdout().inherit_stderr()
    }

    /// Gives the guest the host directory `host_path` under the name
    /// `guest_path`.
    ///
    /// # Errors
    /// If the directory can't be opened.
    pub fn preopened_dir(
        &mut self,
        host_path: impl AsRef<Path>,
        guest_path: impl AsRef<str>,
        dir_perms: DirPerms,
        file_perms: FilePerms,
    ) -> io::Result<&mut Self> {
        let dir = Dir::open_ambient_dir(host_path, ambient_authority())?;
        Ok(self.preopened_cap_dir(dir, guest_path, dir_perms, file_perms))
    }

    /// Gives the guest an open directory under the name `guest_path`.
    pub fn preopened_cap_dir(
        &mut self,
        dir: Dir,
        guest_path: impl AsRef<str>,
        dir_perms: DirPerms,
        file_perms: FilePerms,
    ) -> &mut Self {
        self.preopens.push(Descriptor {
            kind: Kind::Dir(OpenDir {
                dir,
                dir_perms,
                file_perms,
                listing: None,
            }),
            standard: Standard::In,
            base: Rights::DIRECTORY,
            inheriting: Rights::DIRECTORY | Rights::FILE,
            flags: FdFlags::empty(),
            oflags: OFlags::DIRECTORY,
            preopen: Some(guest_path.as_ref().into()),
            path: String::new(),
        });
        self
    }

    /// Shows the guest this time of day.
    pub fn wall_clock(&mut self, clock: impl HostWallClock + 'static) -> &mut Self {
        self.wall = Box::new(clock);
        self
    }

    /// Shows the guest this clock for all of its clocks but the time of day,
    /// and lets it do the waiting. A wait for time and for input at once does
    /// then not end early when input comes.
    pub fn monotonic_clock(&mut self, clock: impl HostMonotonicClock + 'static) -> &mut Self {
        self.monotonic = Some(Box::new(clock));
        self
    }

    /// Takes random bytes from this source.
    pub fn random(&mut self, random: impl HostRandom + 'static) -> &mut Self {
        self.random = Some(Random::Custom(Box::new(random)));
        self
    }

    /// Takes random bytes from a reproducible sequence: see [`SeededRandom`].
    pub fn random_seed(&mut self, seed: u64) -> &mut Self {
        self.random = Some(Random::Seeded(SeededRandom::new(seed)));
        self
    }

    /// How many descriptors the guest may have open at once.
    pub fn max_open_descriptors(&mut self, count: usize) -> &mut Self {
        self.max_open = count;
        self
    }

    /// Asks `interrupted` every few milliseconds while the guest waits in
    /// `poll_oneoff` or for standard input; when it says true the wait ends
    /// with `EINTR`. Not needed for interruption through a store's
    /// [`InterruptHandle`](crate::InterruptHandle), which ends a wait too.
    pub fn interrupt_waits(
        &mut self,
        interrupted: impl Fn() -> bool + Send + 'static,
    ) -> &mut Self {
        self.interrupted = Some(Box::new(interrupted));
        self
    }

    /// [`Self::build`], as `wasmtime-wasi` calls it.
    pub fn build_p1(&mut self) -> WasiCtx {
        self.build()
    }

    /// Makes the context and leaves the builder as new.
    pub fn build(&mut self) -> WasiCtx {
        let b = core::mem::take(self);
        let mut table = Table::default();
        let streams = [
            (Kind::Input(b.stdin), Standard::In, Rights::FD_READ),
            (Kind::Output(b.stdout), Standard::Out, Rights::FD_WRITE),
            (Kind::Output(b.stderr), Standard::Err, Rights::FD_WRITE),
        ];
        for (kind, standard, right) in streams {
            table.push_stdio(Descriptor {
                kind,
                standard,
                base: Rights::STREAM | right,
                inheriting: Rights::empty(),
                flags: FdFlags::empty(),
                oflags: OFlags::empty(),
                preopen: None,
                path: String::new(),
            });
        }
        for preopen in b.preopens {
            table.push_stdio(preopen);
        }
        table.limit = b.max_open;
        WasiCtx {
            args: b.args,
            env: b.env,
            random: b.random.unwrap_or(Random::System),
            clocks: Clocks {
                wall: b.wall,
                simulated: b.monotonic.is_some(),
                monotonic: b
                    .monotonic
                    .unwrap_or_else(|| Box::new(SystemMonotonicClock::new())),
                cpu_before: [0; 2],
            },
            table,
            interrupt: Interrupt {
                asked: b.interrupted,
                flag: None,
            },
            pausing: Pausing::default(),
        }
    }
}
