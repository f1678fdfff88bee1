//! How handlers reach into objects. All of it is inlined into them.
//!
//! A reference is checked by ONE compare against the heap's end, null included: `reference - 1` wraps to 2³² - 1, and no
//! heap is that long. So whatever bits code takes for a reference, it reaches the heap's bytes and no others (G1).
#![allow(unsafe_code, reason = "the innermost accessors of objects")]

use sheave_isa::ref_kind;

use crate::gc::types::Kind;
use crate::regs::LittleEndian;
use crate::trap::Trap;
use crate::vm::Vm;

/// Bytes of a header: type word, then an array's length.
const HEADER: u64 = sheave_types::HEADER_BYTES as u64;

/// Where `size` bytes lie at `offset` of an object.
#[inline(always)]
unsafe fn place(vm: *mut Vm, obj: u32, offset: u64, size: u64) -> Option<*mut u8> {
    // SAFETY: I1.
    unsafe {
        if u64::from(obj.wrapping_sub(1)) + offset + size >= (*vm).gc_len {
            return None;
        }
        // SAFETY: G1, just checked.
        Some((*vm).gc_base.add(obj as usize + offset as usize))
    }
}

/// A field.
#[inline(always)]
pub(crate) unsafe fn field_get<T: LittleEndian>(
    vm: *mut Vm,
    obj: u32,
    offset: u32,
) -> Result<T, Trap> {
    // SAFETY: I1; G1 for the checked place.
    unsafe {
        match place(vm, obj, u64::from(offset), size_of::<T>() as u64) {
            Some(p) => Ok(T::from_le(p.cast::<T>().read_unaligned())),
            None => Err(Trap::NullReference),
        }
    }
}

/// Sets a field; false if there is no object.
#[inline(always)]
#[must_use]
pub(crate) unsafe fn field_set<T: LittleEndian>(vm: *mut Vm, obj: u32, offset: u32, v: T) -> bool {
    // SAFETY: I1; G1 for the checked place.
    unsafe {
        match place(vm, obj, u64::from(offset), size_of::<T>() as u64) {
            Some(p) => {
                p.cast::<T>().write_unaligned(v.to_le());
                true
            }
            None => false,
        }
    }
}

/// An array's length. Spec: op-array.len.
#[inline(always)]
pub(crate) unsafe fn array_len(vm: *mut Vm, arr: u32) -> Result<u32, Trap> {
    // SAFETY: the caller's.
    unsafe { field_get::<u32>(vm, arr, 4) }
}

/// Where an element lies. Of an honest array, all elements are in the heap; the end is checked for the others.
#[inline(always)]
unsafe fn element<T>(vm: *mut Vm, arr: u32, index: u32) -> Result<*mut u8, Trap> {
    // SAFETY: the caller's.
    unsafe {
        if index >= array_len(vm, arr)? {
            return Err(Trap::ArrayOutOfBounds);
        }
        let size = size_of::<T>() as u64;
        place(vm, arr, HEADER + u64::from(index) * size, size).ok_or(Trap::ArrayOutOfBounds)
    }
}

/// An element.
#[inline(always)]
pub(crate) unsafe fn element_get<T: LittleEndian>(
    vm: *mut Vm,
    arr: u32,
    index: u32,
) -> Result<T, Trap> {
    // SAFETY: I1; G1 for the checked place.
    unsafe {
        let p = element::<T>(vm, arr, index)?;
        Ok(T::from_le(p.cast::<T>().read_unaligned()))
    }
}

/// Sets an element, or says why not.
#[inline(always)]
#[must_use]
pub(crate) unsafe fn element_set<T: LittleEndian>(
    vm: *mut Vm,
    arr: u32,
    index: u32,
    v: T,
) -> Option<Trap> {
    // SAFETY: I1; G1 for the checked place.
    unsafe {
        match element::<T>(vm, arr, index) {
            Ok(p) => {
                p.cast::<T>().write_unaligned(v.to_le());
                None
            }
            Err(t) => Some(t),
        }
    }
}

/// Whether `a` is of the struct or array type `ty` of the module.
#[inline(always)]
pub(crate) unsafe fn is_of_type(vm: *mut Vm, a: u32, ty: u32, null: u16) -> bool {
    // SAFETY: I1; I2, the type index is in range; I5, `types` is that of the current instance's module.
    unsafe {
        if a == 0 {
            return null != 0;
        }
        if a & 1 != 0 {
            return false;
        }
        let Ok(have) = field_get::<u32>(vm, a, 0) else {
            return false;
        };
        let want = *(*vm).types.add(ty as usize);
        let types = &(*vm).gc.types;
        have == want || types.is_subtype(have, want)
    }
}

/// Whether `a` is of an abstract type.
#[inline(always)]
pub(crate) unsafe fn is_of_kind(vm: *mut Vm, a: u32, kind: u16, null: u16) -> bool {
    if a == 0 {
        return null != 0;
    }
    match kind {
        ref_kind::ANY => true,
        ref_kind::I31 => a & 1 != 0,
        ref_kind::EQ | ref_kind::STRUCT | ref_kind::ARRAY => {
            if a & 1 != 0 {
                return kind == ref_kind::EQ;
            }
            // SAFETY: I1.
            let is = unsafe {
                let id = field_get::<u32>(vm, a, 0).unwrap_or(u32::MAX);
                let types = &(*vm).gc.types;
                types.get(id).map(|t| t.kind)
            };
            match is {
                Some(Kind::Struct) => kind != ref_kind::ARRAY,
                Some(Kind::Array) => kind != ref_kind::STRUCT,
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether `a`, a reference to a function, is of the function type `ty` of the module.
#[inline(always)]
pub(crate) unsafe fn is_of_func_type(vm: *mut Vm, a: u32, ty: u32, null: u16) -> bool {
    // SAFETY: I1; I2, the type index is in range; I5 for the cached pointers.
    unsafe {
        if a == 0 {
            return null != 0;
        }
        let f = a as usize - 1;
        if f >= (*vm).funcs_len {
            return false;
        }
        let have = (*(*vm).funcs_ptr.add(f)).ty;
        let want = *(*vm).types.add(ty as usize);
        let types = &(*vm).gc.types;
        have == want || types.is_subtype(have, want)
    }
}
