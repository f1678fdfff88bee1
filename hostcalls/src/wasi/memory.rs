//! A checked view of the guest's linear memory.
//!
//! Every access names a 32-bit guest address and a length. What does not lie
//! in the memory as a whole is [`Errno::FAULT`]; nothing here can panic,
//! whatever the guest passes. Numbers are little-endian and need no alignment.

use super::errno::Errno;
use std::io::IoSlice;
use std::ops::Range;

/// Size in bytes of an `iovec`/`ciovec`: address and length.
const IOVEC_BYTES: u64 = 8;
/// Buffers handed to the host in one call.
const BATCH: usize = 32;

/// The linear memory of the guest during one call.
pub struct GuestMemory<'a> {
    bytes: &'a mut [u8],
}

impl<'a> GuestMemory<'a> {
    /// A view of `bytes`, whose first byte is guest address 0.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        GuestMemory { bytes }
    }

    fn range(&self, ptr: u32, len: u32) -> Result<Range<usize>, Errno> {
        let end = u64::from(ptr) + u64::from(len);
        if end > self.bytes.len() as u64 {
            return Err(Errno::FAULT);
        }
        // Both fit: they are at most the length of a slice.
        Ok(ptr as usize..end as usize)
    }

    /// The `len` bytes at `ptr`.
    ///
    /// # Errors
    /// [`Errno::FAULT`] if they are not all in the memory.
    pub fn slice(&self, ptr: u32, len: u32) -> Result<&[u8], Errno> {
        let range = self.range(ptr, len)?;
        Ok(&self.bytes[range])
    }

    /// The `len` bytes at `ptr`, to be written.
    ///
    /// # Errors
    /// [`Errno::FAULT`] if they are not all in the memory.
    pub fn slice_mut(&mut self, ptr: u32, len: u32) -> Result<&mut [u8], Errno> {
        let range = self.range(ptr, len)?;
        Ok(&mut self.bytes[range])
    }

    /// Copies `data` to `ptr`.
    ///
    /// # Errors
    /// [`Errno::FAULT`] if it does not fit there.
    pub fn write(&mut self, ptr: u32, data: &[u8]) -> Result<(), Errno> {
        let len = u32::try_from(data.len()).map_err(|_| Errno::FAULT)?;
        self.slice_mut(ptr, len)?.copy_from_slice(data);
        Ok(())
    }

    fn array<const N: usize>(&self, ptr: u32) -> Result<[u8; N], Errno> {
        let mut out = [0; N];
        out.copy_from_slice(self.slice(ptr, N as u32)?);
        Ok(out)
    }

    /// Reads an 8-bit number.
    ///
    /// # Errors
    /// [`Errno::FAULT`] outside of the memory.
    pub fn read_u8(&self, ptr: u32) -> Result<u8, Errno> {
        Ok(self.array::<1>(ptr)?[0])
    }

    /// Reads a 16-bit number.
    ///
    /// # Errors
    /// [`Errno::FAULT`] outside of the memory.
    pub fn read_u16(&self, ptr: u32) -> Result<u16, Errno> {
        Ok(u16::from_le_bytes(self.array(ptr)?))
    }

    /// Reads a 32-bit number.
    ///
    /// # Errors
    /// [`Errno::FAULT`] outside of the memory.
    pub fn read_u32(&self, ptr: u32) -> Result<u32, Errno> {
        Ok(u32::from_le_bytes(self.array(ptr)?))
    }

    /// Reads a 64-bit number.
    ///
    /// # Errors
    /// [`Errno::FAULT`] outside of the memory.
    pub fn read_u64(&self, ptr: u32) -> Result<u64, Errno> {
        Ok(u64::from_le_bytes(self.array(ptr)?))
    }

    /// Writes a 32-bit number.
    ///
    /// # Errors
    /// [`Errno::FAULT`] outside of the memory.
    pub fn write_u32(&mut self, ptr: u32, value: u32) -> Result<(), Errno> {
        self.write(ptr, &value.to_le_bytes())
    }

    /// Writes a 64-bit number.
    ///
    /// # Errors
    /// [`Errno::FAULT`] outside of the memory.
    pub fn write_u64(&mut self, ptr: u32, value: u64) -> Result<(), Errno> {
        self.write(ptr, &value.to_le_bytes())
    }

    /// Fails unless `len` bytes at `ptr` can be written: called before an
    /// effect whose result must not be lost.
    pub(super) fn check(&self, ptr: u32, len: u32) -> Result<(), Errno> {
        self.range(ptr, len).map(drop)
    }

    /// The array of `count` iovecs at `iovs`, checked to lie in the memory, as
    /// is `out`, where the number of bytes moved will go.
    /// The buffers that they name are checked when taken.
    pub(super) fn iovecs(&self, iovs: u32, count: u32, out: u32) -> Result<Iovecs, Errno> {
        let len = u64::from(count) * IOVEC_BYTES;
        let len = u32::try_from(len).map_err(|_| Errno::FAULT)?;
        self.range(iovs, len)?;
        self.check(out, 4)?;
        Ok(Iovecs {
            next: iovs,
            left: count,
        })
    }

    /// Checks every buffer of the array and that their sum fits a result.
    fn check_iovecs(&self, mut iovecs: Iovecs) -> Result<(), Errno> {
        let mut total = 0_u32;
        while let Some((ptr, len)) = iovecs.next(self)? {
            self.range(ptr, len)?;
            total = total.checked_add(len).ok_or(Errno::INVAL)?;
        }
        Ok(())
    }

    /// Writes the buffers of a `ciovec` array through `write`, many at once,
    /// and returns how many bytes it took.
    ///
    /// An error after some progress is left to the next call.
    pub(super) fn gather(
        &self,
        mut iovecs: Iovecs,
        mut write: impl FnMut(&[IoSlice<'_>], u32) -> Result<usize, Errno>,
    ) -> Result<u32, Errno> {
        self.check_iovecs(iovecs)?;
        let mut done = 0_u32;
        loop {
            let mut batch = [IoSlice::new(&[]); BATCH];
            let (mut n, mut bytes) = (0, 0_usize);
            while n < BATCH {
                let Some((ptr, len)) = iovecs.next(self)? else {
                    break;
                };
                if len != 0 {
                    batch[n] = IoSlice::new(self.slice(ptr, len)?);
                    n += 1;
                    bytes += len as usize;
                }
            }
            if n == 0 {
                return Ok(done);
            }
            match write(&batch[..n], done) {
                // At most `bytes`, whose sum over all fits: `check_iovecs`.
                Ok(taken) => {
                    done += taken.min(bytes) as u32;
                    if taken < bytes {
                        return Ok(done);
                    }
                }
                Err(e) => return if done > 0 { Ok(done) } else { Err(e) },
            }
        }
    }

    /// Fills the buffers of an `iovec` array one after the other through
    /// `read`, which gets a buffer and the count so far, until one is not
    /// filled or, with `once`, after the first that is not empty.
    pub(super) fn scatter(
        &mut self,
        mut iovecs: Iovecs,
        once: bool,
        mut read: impl FnMut(&mut [u8], u32) -> Result<usize, Errno>,
    ) -> Result<u32, Errno> {
        self.check_iovecs(iovecs)?;
        let mut done = 0_u32;
        // A buffer may lie over the array itself, so that what follows in it
        // changes: then it is checked again, and the guest fools only itself.
        while let Some((ptr, len)) = iovecs.next(self)? {
            if len == 0 {
                continue;
            }
            let result = match self.slice_mut(ptr, len) {
                Ok(buf) if done.checked_add(len).is_some() => read(buf, done),
                Ok(_) => Err(Errno::INVAL),
                Err(e) => Err(e),
            };
            match result {
                Ok(n) => {
                    done += (n as u32).min(len);
                    if n < len as usize || once {
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

/// A cursor over an array of iovecs.
#[derive(Clone, Copy)]
pub(super) struct Iovecs {
    next: u32,
    left: u32,
}

impl Iovecs {
    fn next(&mut self, mem: &GuestMemory<'_>) -> Result<Option<(u32, u32)>, Errno> {
        if self.left == 0 {
            return Ok(None);
        }
        let ptr = mem.read_u32(self.next)?;
        let len = mem.read_u32(self.next.checked_add(4).ok_or(Errno::FAULT)?)?;
        self.left -= 1;
        // May wrap only past the last one of an array that ends at 4 GiB.
        self.next = self.next.wrapping_add(IOVEC_BYTES as u32);
        Ok(Some((ptr, len)))
    }
}
