//! Objects, as the machine's slow paths and the host reach them: every access is checked against the heap's end (G1).
//!
//! ```text
//!    0   type word    the type's identity in the engine, or 0x8000_0001 of a host value, 0x8000_0002 of an exception
//!    4   length       of an array; slots of the payload of an exception; else 0
//!    8   fields, elements; the index of a host value; tag, function type and payload of an exception
//! ```
#![allow(unsafe_code, reason = "reads and writes objects")]

use crate::gc::types::{EXN_TYPE, EXTERN_TYPE, GRANULE, Kind, ObjectType, Width};
use crate::regs::LittleEndian;
use crate::trap::Trap;
use crate::vm::Vm;

const HEADER: u32 = sheave_types::HEADER_BYTES;

/// Bytes before the payload of an exception.
const EXN_HEADER: u32 = 16;

/// No object is longer.
const MAX_OBJECT: u64 = 0xfff0_0000;

impl Vm {
    /// Where `len` bytes lie at `offset` of an object, if all are in the heap.
    #[inline]
    pub(crate) fn object_bytes(&self, obj: u32, offset: u64, len: u64) -> Option<*mut u8> {
        if obj == 0 || u64::from(obj) + offset + len > self.gc_len {
            return None;
        }
        // SAFETY: G1, just checked.
        Some(unsafe { self.gc_base.add(obj as usize + offset as usize) })
    }

    pub(crate) fn object_read<T: LittleEndian>(&self, obj: u32, offset: u64) -> Option<T> {
        let at = self.object_bytes(obj, offset, size_of::<T>() as u64)?;
        // SAFETY: G1, as checked.
        Some(T::from_le(unsafe { at.cast::<T>().read_unaligned() }))
    }

    pub(crate) fn object_write<T: LittleEndian>(&mut self, obj: u32, offset: u64, v: T) -> bool {
        let Some(at) = self.object_bytes(obj, offset, size_of::<T>() as u64) else {
            return false;
        };
        // SAFETY: G1, as checked.
        unsafe { at.cast::<T>().write_unaligned(v.to_le()) };
        true
    }

    /// A value as slots.
    pub(crate) fn object_get(&self, obj: u32, offset: u64, width: Width) -> Option<[u64; 2]> {
        Some(match width {
            Width::B1 => [self.object_read::<u8>(obj, offset)?.into(), 0],
            Width::B2 => [self.object_read::<u16>(obj, offset)?.into(), 0],
            Width::B4 => [self.object_read::<u32>(obj, offset)?.into(), 0],
            Width::B8 => [self.object_read::<u64>(obj, offset)?, 0],
            Width::B16 => [
                self.object_read::<u64>(obj, offset)?,
                self.object_read::<u64>(obj, offset + 8)?,
            ],
        })
    }

    /// Sets a value from slots; false if it is not in the heap.
    pub(crate) fn object_set(&mut self, obj: u32, offset: u64, width: Width, v: [u64; 2]) -> bool {
        match width {
            Width::B1 => self.object_write(obj, offset, v[0] as u8),
            Width::B2 => self.object_write(obj, offset, v[0] as u16),
            Width::B4 => self.object_write(obj, offset, v[0] as u32),
            Width::B8 => self.object_write(obj, offset, v[0]),
            Width::B16 => {
                self.object_write(obj, offset, v[0]) && self.object_write(obj, offset + 8, v[1])
            }
        }
    }

    /// The type of a struct or array; none for null and for what is neither.
    pub(crate) fn object_type(&self, obj: u32) -> Option<(u32, ObjectType)> {
        if obj & 1 != 0 {
            return None;
        }
        let id = self.object_read::<u32>(obj, 0)?;
        let ty = *self.gc.types.get(id)?;
        matches!(ty.kind, Kind::Struct | Kind::Array).then_some((id, ty))
    }

    /// An object of zeros behind its header.
    fn new_object(&mut self, type_word: u32, length: u32, bytes: u64) -> Result<u32, Trap> {
        if bytes > MAX_OBJECT {
            return Err(Trap::AllocationTooLarge);
        }
        let obj = self.gc_alloc((bytes as u32).next_multiple_of(GRANULE))?;
        self.object_write(obj, 0, type_word);
        self.object_write(obj, 4, length);
        Ok(obj)
    }

    /// A struct of zeros.
    pub(crate) fn new_struct(&mut self, id: u32) -> Result<(u32, ObjectType), Trap> {
        let ty = self.known_type(id, Kind::Struct)?;
        Ok((self.new_object(id, 0, ty.bytes.into())?, ty))
    }

    /// An array of zeros.
    pub(crate) fn new_array(&mut self, id: u32, len: u32) -> Result<(u32, ObjectType), Trap> {
        let ty = self.known_type(id, Kind::Array)?;
        let bytes = u64::from(HEADER) + u64::from(len) * u64::from(ty.width.bytes());
        Ok((self.new_object(id, len, bytes)?, ty))
    }

    /// An object that stands for the host's value `index`.
    pub(crate) fn new_extern(&mut self, index: u32) -> Result<u32, Trap> {
        let obj = self.new_object(EXTERN_TYPE, 0, 16)?;
        self.object_write(obj, HEADER.into(), index);
        self.gc.externs.push(obj);
        Ok(obj)
    }

    /// An exception of `tag`, whose function type is `ty`, with a payload of slots.
    pub(crate) fn new_exn(&mut self, tag: u32, ty: u32, payload: &[u64]) -> Result<u32, Trap> {
        let bytes = u64::from(EXN_HEADER) + payload.len() as u64 * 8;
        let obj = self.new_object(EXN_TYPE, payload.len() as u32, bytes)?;
        self.object_write(obj, 8, tag);
        self.object_write(obj, 12, ty);
        for (i, v) in payload.iter().enumerate() {
            self.object_write(obj, u64::from(EXN_HEADER) + i as u64 * 8, *v);
        }
        Ok(obj)
    }

    /// Tag, function type and length of the payload of an exception.
    pub(crate) fn exn_parts(&self, obj: u32) -> Option<(u32, u32, u32)> {
        if obj & 1 != 0 || self.object_read::<u32>(obj, 0)? != EXN_TYPE {
            return None;
        }
        Some((
            self.object_read(obj, 8)?,
            self.object_read(obj, 12)?,
            self.object_read(obj, 4)?,
        ))
    }

    /// A slot of the payload of an exception.
    pub(crate) fn exn_slot(&self, obj: u32, slot: u32) -> Option<u64> {
        self.object_read(obj, u64::from(EXN_HEADER) + u64::from(slot) * 8)
    }

    /// A type of that kind. Of verified code of an honest module it always is.
    fn known_type(&self, id: u32, kind: Kind) -> Result<ObjectType, Trap> {
        match self.gc.types.get(id) {
            Some(ty) if ty.kind == kind => Ok(*ty),
            _ => Err(Trap::CastFailure),
        }
    }

    /// Sets a struct's fields from slots.
    pub(crate) fn set_fields(
        &mut self,
        obj: u32,
        ty: &ObjectType,
        mut slot: impl FnMut(u32) -> u64,
        n: u32,
    ) {
        let mut from = 0;
        for i in 0..ty.n_fields {
            let (offset, width) = self.gc.types.fields[(ty.fields + i) as usize];
            if from + width.slots() > n {
                return;
            }
            let high = if width == Width::B16 {
                slot(from + 1)
            } else {
                0
            };
            self.object_set(obj, offset.into(), width, [slot(from), high]);
            from += width.slots();
        }
    }

    /// Where `len` elements from `index` up lie, and how wide each is.
    pub(crate) fn elements(
        &self,
        arr: u32,
        index: u32,
        len: u32,
    ) -> Result<(*mut u8, Width), Trap> {
        let (_, ty) = self.object_type(arr).ok_or(Trap::NullReference)?;
        let length = self.object_read::<u32>(arr, 4).unwrap_or(0);
        if ty.kind != Kind::Array || u64::from(index) + u64::from(len) > length.into() {
            return Err(Trap::ArrayOutOfBounds);
        }
        let size = u64::from(ty.width.bytes());
        let offset = u64::from(HEADER) + u64::from(index) * size;
        self.object_bytes(arr, offset, u64::from(len) * size)
            .map(|at| (at, ty.width))
            .ok_or(Trap::ArrayOutOfBounds)
    }

    /// Sets `len` elements from `index` up to a value of slots.
    pub(crate) fn fill_elements(
        &mut self,
        arr: u32,
        index: u32,
        len: u32,
        v: [u64; 2],
    ) -> Result<(), Trap> {
        let (at, width) = self.elements(arr, index, len)?;
        let len = len as usize;
        let bits = u128::from(v[1]) << 64 | u128::from(v[0]);
        let pattern = bits.to_le_bytes();
        let size = width.bytes() as usize;
        // SAFETY: G1, the whole range was checked.
        unsafe {
            if pattern[..size].iter().all(|b| *b == pattern[0]) {
                at.write_bytes(pattern[0], len * size);
            } else {
                for i in 0..len {
                    at.add(i * size)
                        .copy_from_nonoverlapping(pattern.as_ptr(), size);
                }
            }
        }
        Ok(())
    }
}
