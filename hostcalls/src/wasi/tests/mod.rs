//! The functions of WASI over a plain vector as memory and a temporary
//! directory as the guest's only one, descriptor 3.

mod dirs;
mod files;
mod misc;
mod pointers;
mod sandbox;
mod state;
mod stdio;
mod streams;

use super::*;
use std::path::PathBuf;
use tempfile::TempDir;

/// The preopen of every test.
const ROOT: u32 = 3;
const MEM_BYTES: usize = 1 << 20;

const READ: u64 = Rights::FD_READ.bits();
const WRITE: u64 = Rights::FD_WRITE.bits();
const CREAT: u32 = 1;
const DIRECTORY: u32 = 2;
const EXCL: u32 = 4;
const TRUNC: u32 = 8;
const FOLLOW: u32 = 1;

type Result<T = (), E = Errno> = core::result::Result<T, E>;

/// A guest that calls functions by hand.
struct Guest {
    cx: WasiCtx,
    mem: Vec<u8>,
    /// Where the next thing is put.
    top: u32,
    tmp: TempDir,
}

/// Calls a function of WASI.
macro_rules! wasi {
    ($guest:expr, $name:ident $(, $arg:expr)*) => {
        calls::$name(&mut $guest.cx, &mut GuestMemory::new(&mut $guest.mem) $(, $arg)*)
    };
}
use wasi;

impl Guest {
    /// With a root that it may do anything in.
    fn new() -> Guest {
        Guest::with(DirPerms::all(), FilePerms::all(), |b| b)
    }

    fn with(
        dir: DirPerms,
        file: FilePerms,
        more: impl FnOnce(&mut WasiCtxBuilder) -> &mut WasiCtxBuilder,
    ) -> Guest {
        let tmp = tempfile::tempdir().unwrap();
        let root = tmp.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let mut builder = WasiCtxBuilder::new();
        builder.preopened_dir(&root, "/sandbox", dir, file).unwrap();
        let cx = more(&mut builder).build();
        Guest {
            cx,
            mem: vec![0; MEM_BYTES],
            top: 1024,
            tmp,
        }
    }

    /// A path of the host below the guest's root.
    fn host(&self, path: &str) -> PathBuf {
        self.tmp.path().join("root").join(path)
    }

    fn alloc(&mut self, len: u32) -> u32 {
        let at = self.top;
        self.top = (at + len).next_multiple_of(8);
        assert!(
            (self.top as usize) < MEM_BYTES,
            "the test needs more memory"
        );
        at
    }

    fn put(&mut self, bytes: impl AsRef<[u8]>) -> (u32, u32) {
        let bytes = bytes.as_ref();
        let at = self.alloc(bytes.len() as u32);
        self.mem[at as usize..][..bytes.len()].copy_from_slice(bytes);
        (at, bytes.len() as u32)
    }

    fn u32_at(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.mem[at as usize..][..4].try_into().unwrap())
    }

    fn u64_at(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.mem[at as usize..][..8].try_into().unwrap())
    }

    fn bytes(&self, at: u32, len: u32) -> &[u8] {
        &self.mem[at as usize..][..len as usize]
    }

    fn open(&mut self, path: &str, oflags: u32, rights: u64) -> Result<u32> {
        self.open_at(ROOT, path, FOLLOW, oflags, rights, 0)
    }

    fn open_at(
        &mut self,
        fd: u32,
        path: &str,
        lookup: u32,
        oflags: u32,
        rights: u64,
        flags: u32,
    ) -> Result<u32> {
        let ((ptr, len), out) = (self.put(path), self.alloc(4));
        wasi!(
            self, path_open, fd, lookup, ptr, len, oflags, rights, 0, flags, out
        )?;
        Ok(self.u32_at(out))
    }

    fn iovecs(&mut self, list: &[(u32, u32)]) -> u32 {
        let bytes: Vec<u8> = list
            .iter()
            .flat_map(|(p, n)| [p.to_le_bytes(), n.to_le_bytes()].concat())
            .collect();
        self.put(bytes).0
    }

    fn write(&mut self, fd: u32, data: impl AsRef<[u8]>) -> Result<u32> {
        let buf = self.put(data);
        let (iovs, out) = (self.iovecs(&[buf]), self.alloc(4));
        wasi!(self, fd_write, fd, iovs, 1, out)?;
        Ok(self.u32_at(out))
    }

    fn read(&mut self, fd: u32, len: u32) -> Result<Vec<u8>> {
        let buf = self.alloc(len);
        let (iovs, out) = (self.iovecs(&[(buf, len)]), self.alloc(4));
        wasi!(self, fd_read, fd, iovs, 1, out)?;
        Ok(self.bytes(buf, self.u32_at(out)).to_vec())
    }

    fn seek(&mut self, fd: u32, offset: i64, whence: u32) -> Result<u64> {
        let out = self.alloc(8);
        wasi!(self, fd_seek, fd, offset, whence, out)?;
        Ok(self.u64_at(out))
    }

    /// Device, inode, type, links, size and times of a path.
    fn stat(&mut self, path: &str, lookup: u32) -> Result<[u64; 8]> {
        let ((ptr, len), out) = (self.put(path), self.alloc(64));
        wasi!(self, path_filestat_get, ROOT, lookup, ptr, len, out)?;
        Ok(self.record(out))
    }

    fn record(&self, out: u32) -> [u64; 8] {
        core::array::from_fn(|i| match i {
            2 => u64::from(self.mem[out as usize + 16]),
            i => self.u64_at(out + 8 * i as u32),
        })
    }

    fn mkdir(&mut self, path: &str) -> Result {
        let (ptr, len) = self.put(path);
        wasi!(self, path_create_directory, ROOT, ptr, len)
    }

    fn rmdir(&mut self, path: &str) -> Result {
        let (ptr, len) = self.put(path);
        wasi!(self, path_remove_directory, ROOT, ptr, len)
    }

    fn unlink(&mut self, path: &str) -> Result {
        let (ptr, len) = self.put(path);
        wasi!(self, path_unlink_file, ROOT, ptr, len)
    }

    fn symlink(&mut self, target: &str, path: &str) -> Result {
        let (old, new) = (self.put(target), self.put(path));
        wasi!(self, path_symlink, old.0, old.1, ROOT, new.0, new.1)
    }

    fn link(&mut self, old: &str, new: &str) -> Result {
        let (old, new) = (self.put(old), self.put(new));
        wasi!(self, path_link, ROOT, 0, old.0, old.1, ROOT, new.0, new.1)
    }

    fn rename(&mut self, old: &str, new: &str) -> Result {
        let (old, new) = (self.put(old), self.put(new));
        wasi!(self, path_rename, ROOT, old.0, old.1, ROOT, new.0, new.1)
    }

    fn readlink(&mut self, path: &str, len: u32) -> Result<Vec<u8>> {
        let (p, buf, out) = (self.put(path), self.alloc(len), self.alloc(4));
        wasi!(self, path_readlink, ROOT, p.0, p.1, buf, len, out)?;
        Ok(self.bytes(buf, self.u32_at(out)).to_vec())
    }

    fn fdstat(&mut self, fd: u32) -> Result<(u8, u16, Rights, Rights)> {
        let out = self.alloc(24);
        wasi!(self, fd_fdstat_get, fd, out)?;
        let at = out as usize;
        Ok((
            self.mem[at],
            u16::from_le_bytes([self.mem[at + 2], self.mem[at + 3]]),
            Rights::from_bits_retain(self.u64_at(out + 8)),
            Rights::from_bits_retain(self.u64_at(out + 16)),
        ))
    }

    fn close(&mut self, fd: u32) -> Result {
        wasi!(self, fd_close, fd)
    }
}

macro_rules! by_name {
    ($($name:ident($($arg:ident: $ty:ident),*) $(/ $unstable:ident)?;)*) => {
        /// All functions in the table, with the number of their arguments.
        const NAMES: &[(&str, usize)] =
            &[$((stringify!($name), <[&str]>::len(&[$(stringify!($arg)),*])),)*];

        /// Calls a function by its name, in the form of either module.
        fn call(guest: &mut Guest, name: &str, unstable: bool, args: &[u64]) -> Result {
            let (cx, mem) = (&mut guest.cx, &mut GuestMemory::new(&mut guest.mem));
            match name {
                $(stringify!($name) => {
                    #[allow(unused, reason = "one has no arguments")]
                    let mut args = args.iter().copied();
                    $(let $arg = args.next().unwrap() as $ty;)*
                    let _ = unstable;
                    let f: fn(&mut WasiCtx, &mut GuestMemory<'_>, $($ty),*) -> Result =
                        calls::$name;
                    $(let f = if unstable { calls::$unstable } else { f };)?
                    f(cx, mem, $($arg),*)
                })*
                _ => panic!("no function {name}"),
            }
        }
    };
}
for_each_call!(by_name);
