//! WASI preview 1: files, clocks, random bytes, arguments, environment.
//!
//! [`WasiCtx`] is all that a guest can reach; [`WasiCtxBuilder`] makes one.
//! Each function of WASI is an ordinary function over a context and a
//! [`GuestMemory`], in [`calls`]; nothing here knows an engine, but for
//! the glue that registers them in a linker.
//!
//! Who may do what:
//!
//! - The embedder gives directories, each with [`DirPerms`] and [`FilePerms`].
//!   What these do not allow is `EPERM`.
//! - A path is looked up inside of its directory, by cap-std, and can not
//!   leave it: that too is `EPERM`.
//! - The guest may give up rights of a descriptor; using them is `ENOTCAPABLE`.
//! - A pointer that is not in the guest's memory is `EFAULT`. Nothing that a
//!   guest passes makes a panic or an allocation larger than its memory.
//!
//! What `wasmtime-wasi` does otherwise: here `fd_allocate` makes room, the flags
//! for synchronous writes hold, directories can be synced, rights can be given
//! up, `poll_oneoff` reports an error of one descriptor in its event, and a
//! listing is sorted by name.
//!
//! Descriptors can be inspected with [`WasiCtx::descriptors`]. All that a guest
//! has done to its context can be saved ([`WasiCtx::state`]) and goes on in
//! another process ([`WasiCtxBuilder::build_from`]).

mod clocks;
mod ctx;
mod env;
mod errno;
mod exit;
mod fd;
mod link;
mod memory;
mod open;
mod path;
mod pausing;
mod poll;
mod random;
mod readdir;
mod rw;
mod state;
mod stdio;
mod sys;
mod table;
mod types;

// They make links and modes as on Unix.
#[cfg(all(test, unix))]
mod tests;

pub use clocks::{HostMonotonicClock, HostWallClock};
pub use ctx::{WasiCtx, WasiCtxBuilder};
pub use errno::Errno;
pub use exit::I32Exit;
pub use link::add_to_linker;
pub use memory::GuestMemory;
pub use random::{HostRandom, SeededRandom};
pub use state::{LostDescriptor, LostDescriptors, WasiStateError};
pub use stdio::{MemoryInputPipe, MemoryOutputPipe, StdinStream, StdoutStream};
pub use table::{DescriptorInfo, DescriptorKind};
pub use types::{DirPerms, FdFlags, FilePerms, Filetype, OFlags, Rights};

/// The names that `wasmtime-wasi` has for the same things.
pub mod p1 {
    pub use super::{WasiCtx as WasiP1Ctx, add_to_linker as add_to_linker_sync};
}

/// The functions of WASI, by the names that guests import.
///
/// Those that end in `_unstable` differ in `wasi_unstable`, the older module.
pub mod calls {
    pub use super::env::{
        args_get, args_sizes_get, clock_res_get, clock_time_get, environ_get, environ_sizes_get,
        proc_exit, proc_raise, random_get, sched_yield, sock_accept, sock_recv, sock_send,
        sock_shutdown,
    };
    pub use super::fd::{
        fd_advise, fd_allocate, fd_close, fd_datasync, fd_fdstat_get, fd_fdstat_set_flags,
        fd_fdstat_set_rights, fd_filestat_get, fd_filestat_get_unstable, fd_filestat_set_size,
        fd_filestat_set_times, fd_prestat_dir_name, fd_prestat_get, fd_renumber, fd_seek,
        fd_seek_unstable, fd_sync, fd_tell,
    };
    pub use super::open::path_open;
    pub use super::path::{
        path_create_directory, path_filestat_get, path_filestat_get_unstable,
        path_filestat_set_times, path_link, path_readlink, path_remove_directory, path_rename,
        path_symlink, path_unlink_file,
    };
    pub use super::poll::{poll_oneoff, poll_oneoff_unstable};
    pub use super::readdir::fd_readdir;
    pub use super::rw::{fd_pread, fd_pwrite, fd_read, fd_write};
}

/// Calls `$then!` with the table of all functions but the two that end the
/// guest: for each its arguments and, if it differs, its `wasi_unstable` form.
macro_rules! for_each_call {
    ($then:ident) => {
        $then! {
            args_get(argv: u32, buf: u32);
            args_sizes_get(count: u32, bytes: u32);
            environ_get(env: u32, buf: u32);
            environ_sizes_get(count: u32, bytes: u32);
            clock_res_get(id: u32, out: u32);
            clock_time_get(id: u32, precision: u64, out: u32);
            fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
            fd_allocate(fd: u32, offset: u64, len: u64);
            fd_close(fd: u32);
            fd_datasync(fd: u32);
            fd_fdstat_get(fd: u32, out: u32);
            fd_fdstat_set_flags(fd: u32, flags: u32);
            fd_fdstat_set_rights(fd: u32, base: u64, inheriting: u64);
            fd_filestat_get(fd: u32, out: u32) / fd_filestat_get_unstable;
            fd_filestat_set_size(fd: u32, size: u64);
            fd_filestat_set_times(fd: u32, atim: u64, mtim: u64, flags: u32);
            fd_pread(fd: u32, iovs: u32, len: u32, offset: u64, out: u32);
            fd_prestat_get(fd: u32, out: u32);
            fd_prestat_dir_name(fd: u32, buf: u32, len: u32);
            fd_pwrite(fd: u32, iovs: u32, len: u32, offset: u64, out: u32);
            fd_read(fd: u32, iovs: u32, len: u32, out: u32);
            fd_readdir(fd: u32, buf: u32, len: u32, cookie: u64, out: u32);
            fd_renumber(from: u32, to: u32);
            fd_seek(fd: u32, offset: i64, whence: u32, out: u32) / fd_seek_unstable;
            fd_sync(fd: u32);
            fd_tell(fd: u32, out: u32);
            fd_write(fd: u32, iovs: u32, len: u32, out: u32);
            path_create_directory(fd: u32, ptr: u32, len: u32);
            path_filestat_get(fd: u32, flags: u32, ptr: u32, len: u32, out: u32)
                / path_filestat_get_unstable;
            path_filestat_set_times(
                fd: u32, flags: u32, ptr: u32, len: u32, atim: u64, mtim: u64, fst: u32
            );
            path_link(
                old_fd: u32, flags: u32, old: u32, old_len: u32, fd: u32, new: u32, new_len: u32
            );
            path_open(
                fd: u32, lookup: u32, ptr: u32, len: u32, oflags: u32, base: u64,
                inheriting: u64, flags: u32, out: u32
            );
            path_readlink(fd: u32, ptr: u32, len: u32, buf: u32, buf_len: u32, out: u32);
            path_remove_directory(fd: u32, ptr: u32, len: u32);
            path_rename(old_fd: u32, old: u32, old_len: u32, fd: u32, new: u32, new_len: u32);
            path_symlink(old: u32, old_len: u32, fd: u32, new: u32, new_len: u32);
            path_unlink_file(fd: u32, ptr: u32, len: u32);
            poll_oneoff(subs: u32, events: u32, count: u32, out: u32) / poll_oneoff_unstable;
            random_get(buf: u32, len: u32);
            sched_yield();
            sock_accept(fd: u32, flags: u32, out: u32);
            sock_recv(fd: u32, data: u32, len: u32, flags: u32, out: u32, out_flags: u32);
            sock_send(fd: u32, data: u32, len: u32, flags: u32, out: u32);
            sock_shutdown(fd: u32, how: u32);
        }
    };
}
use for_each_call;
