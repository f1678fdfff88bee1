//! Numbers, texts and lists as bytes: little-endian, of fixed width, lists with their length before them.

use anyhow::{Result, bail};

/// Appends to bytes.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, x: u8) {
        self.0.push(x);
    }

    pub(crate) fn u16(&mut self, x: u16) {
        self.0.extend_from_slice(&x.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, x: u32) {
        self.0.extend_from_slice(&x.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, x: u64) {
        self.0.extend_from_slice(&x.to_le_bytes());
    }

    pub(crate) fn u128(&mut self, x: u128) {
        self.0.extend_from_slice(&x.to_le_bytes());
    }

    pub(crate) fn bool(&mut self, x: bool) {
        self.u8(x.into());
    }

    pub(crate) fn bytes(&mut self, x: &[u8]) {
        self.u64(x.len() as u64);
        self.0.extend_from_slice(x);
    }

    /// A list; what is in a store is counted in 32 bits.
    pub(crate) fn list<T>(&mut self, all: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.u32(all.len() as u32);
        for x in all {
            each(self, x);
        }
    }

    pub(crate) fn option<T>(&mut self, x: Option<T>, some: impl FnOnce(&mut Self, T)) {
        self.bool(x.is_some());
        if let Some(x) = x {
            some(self, x);
        }
    }
}

/// Takes from bytes.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.0.split_at_checked(n) else {
            bail!("damaged snapshot: a section ends too early");
        };
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[x]| x)
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Result<u128> {
        self.array().map(u128::from_le_bytes)
    }

    pub(crate) fn bool(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => bail!("damaged snapshot: neither yes nor no"),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let n = usize::try_from(self.u64()?)?;
        self.take(n)
    }

    pub(crate) fn text(&mut self) -> Result<Box<str>> {
        Ok(core::str::from_utf8(self.bytes()?)?.into())
    }

    pub(crate) fn list<T>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let n = self.u32()?;
        // Every item takes a byte at least: a length that is a lie reserves no more than there are.
        let mut all = Vec::with_capacity((n as usize).min(self.0.len() / size_of::<T>().max(1)));
        for _ in 0..n {
            all.push(each(self)?);
        }
        Ok(all)
    }

    pub(crate) fn option<T>(
        &mut self,
        some: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.bool()? {
            some(self).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(crate) fn end(&self) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            bail!("damaged snapshot: a section has bytes too many")
        }
    }
}
