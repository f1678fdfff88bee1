//! The ops that leave the loop to work on objects. Registers are saved while these run, operands still in the frame.
#![allow(
    unsafe_code,
    reason = "gets the machine as a raw pointer, as handlers have it"
)]

use crate::gc::types::{Kind, Width};
use crate::regs::get_u64;
use crate::simd::V128;
use crate::trap::Trap;
use crate::vm::Vm;

/// The machine for the length of one op.
unsafe fn machine<'a>(vm: *mut Vm) -> &'a mut Vm {
    // SAFETY: I1: alive, and nobody else uses it while an op runs.
    unsafe { &mut *vm }
}

/// The identity of a type of the current module.
unsafe fn identity(vm: &Vm, ty: u32) -> u32 {
    // SAFETY: I2, the index is in range; I5, `types` is that of the current instance's module.
    unsafe { *vm.types.add(ty as usize) }
}

fn slots_of(v: V128) -> [u64; 2] {
    // SAFETY: a vector is 16 bytes and nothing else.
    let bits = u128::from_le_bytes(unsafe { core::mem::transmute::<V128, [u8; 16]>(v) });
    [bits as u64, (bits >> 64) as u64]
}

pub(crate) unsafe fn struct_new(vm: *mut Vm, base: u16, n: u16, ty: u32) -> Result<u64, Trap> {
    // SAFETY: I1; I2, the `n` slots from `base` up are in the frame.
    unsafe {
        let vm = machine(vm);
        let id = identity(vm, ty);
        let (words, bytes) = match vm.gc.types.get(id) {
            Some(ty) if ty.kind == Kind::Struct => (ty.words && ty.n_fields <= n.into(), ty.bytes),
            _ => return Err(Trap::CastFailure),
        };
        if !words {
            let (obj, ty) = vm.new_struct(id)?;
            let fp = vm.fp;
            vm.set_fields(obj, &ty, |i| get_u64(fp, base + i as u16), n.into());
            return Ok(obj.into());
        }
        // The most frequent case without ceremony: references, i32, f32. There are no more than fit in the object.
        let obj = vm.gc_alloc(bytes)?;
        // SAFETY: G2, the object has `bytes` from here on: a header and a multiple of 4 for each field.
        let at = vm.gc_base.add(obj as usize);
        at.cast::<u64>().write(u64::from(id).to_le());
        let room = (bytes - sheave_types::HEADER_BYTES) / 4;
        for i in 0..u32::from(n).min(room) as u16 {
            let field = at.add(8 + 4 * usize::from(i)).cast::<u32>();
            field.write((get_u64(vm.fp, base + i) as u32).to_le());
        }
        Ok(obj.into())
    }
}

pub(crate) unsafe fn struct_new_default(vm: *mut Vm, ty: u32) -> Result<u64, Trap> {
    // SAFETY: I1.
    unsafe {
        let vm = machine(vm);
        Ok(vm.new_struct(identity(vm, ty))?.0.into())
    }
}

pub(crate) unsafe fn array_new(vm: *mut Vm, init: u64, len: u32, ty: u32) -> Result<u64, Trap> {
    // SAFETY: the caller's.
    unsafe { filled(vm, [init, 0], len, ty) }
}

pub(crate) unsafe fn array_new_v128(
    vm: *mut Vm,
    init: V128,
    len: u32,
    ty: u32,
) -> Result<u64, Trap> {
    // SAFETY: the caller's.
    unsafe { filled(vm, slots_of(init), len, ty) }
}

unsafe fn filled(vm: *mut Vm, init: [u64; 2], len: u32, ty: u32) -> Result<u64, Trap> {
    // SAFETY: I1.
    unsafe {
        let vm = machine(vm);
        let (arr, _) = vm.new_array(identity(vm, ty), len)?;
        if init != [0, 0] {
            vm.fill_elements(arr, 0, len, init)?;
        }
        Ok(arr.into())
    }
}

pub(crate) unsafe fn array_new_default(vm: *mut Vm, len: u32, ty: u32) -> Result<u64, Trap> {
    // SAFETY: I1.
    unsafe {
        let vm = machine(vm);
        Ok(vm.new_array(identity(vm, ty), len)?.0.into())
    }
}

pub(crate) unsafe fn array_new_fixed(vm: *mut Vm, base: u16, n: u16, ty: u32) -> Result<u64, Trap> {
    // SAFETY: I1; I2, the `n` slots from `base` up are in the frame.
    unsafe {
        let vm = machine(vm);
        let id = identity(vm, ty);
        let width = vm.gc.types.get(id).map_or(Width::B8, |t| t.width);
        let len = u32::from(n) / width.slots();
        let (arr, _) = vm.new_array(id, len)?;
        for i in 0..len {
            let slot = base + (i * width.slots()) as u16;
            let low = get_u64(vm.fp, slot);
            let high = if width == Width::B16 {
                get_u64(vm.fp, slot + 1)
            } else {
                0
            };
            let offset = u64::from(sheave_types::HEADER_BYTES) + u64::from(i * width.bytes());
            vm.object_set(arr, offset, width, [low, high]);
        }
        Ok(arr.into())
    }
}

/// The bytes of a data segment that `len` elements of `width` from byte `at` up are made of.
fn segment(
    vm: &Vm,
    data: u32,
    at: u32,
    len: u32,
    width: Width,
) -> Result<(*const u8, usize), Trap> {
    let i = &vm.instances[vm.inst as usize];
    let bytes: &[u8] = if i.data_dropped[data as usize] {
        &[]
    } else {
        i.module.source().data(data)
    };
    let n = u64::from(len) * u64::from(width.bytes());
    if u64::from(at) + n > bytes.len() as u64 {
        return Err(Trap::MemoryOutOfBounds);
    }
    Ok((bytes[at as usize..].as_ptr(), n as usize))
}

pub(crate) unsafe fn array_new_data(
    vm: *mut Vm,
    at: u32,
    len: u32,
    ty: u32,
    data: u32,
) -> Result<u64, Trap> {
    // SAFETY: I1; the segment lies in host memory, the elements in the heap (G1).
    unsafe {
        let vm = machine(vm);
        let id = identity(vm, ty);
        let width = vm.gc.types.get(id).map_or(Width::B1, |t| t.width);
        let (from, n) = segment(vm, data, at, len, width)?;
        let (arr, _) = vm.new_array(id, len)?;
        let (to, _) = vm.elements(arr, 0, len)?;
        to.copy_from_nonoverlapping(from, n);
        Ok(arr.into())
    }
}

/// Copies references of an element segment to elements of an array.
unsafe fn copy_elems(
    vm: &mut Vm,
    arr: u32,
    d: u32,
    elem: u32,
    s: u32,
    len: u32,
) -> Result<(), Trap> {
    let (to, width) = vm.elements(arr, d, len)?;
    let (off, have) = vm.instances[vm.inst as usize].elems[elem as usize];
    if u64::from(s) + u64::from(len) > have.into() {
        return Err(Trap::TableOutOfBounds);
    }
    if width != Width::B4 {
        return Err(Trap::CastFailure);
    }
    // SAFETY: G1 for the elements; the segment's entries are an object of the arena's heap (I5), 4 bytes each as here.
    unsafe {
        let from = vm.arena_base.add(off as usize + s as usize * 4);
        to.copy_from_nonoverlapping(from, len as usize * 4);
    }
    Ok(())
}

pub(crate) unsafe fn array_new_elem(
    vm: *mut Vm,
    at: u32,
    len: u32,
    ty: u32,
    elem: u32,
) -> Result<u64, Trap> {
    // SAFETY: I1.
    unsafe {
        let vm = machine(vm);
        let have = vm.instances[vm.inst as usize].elems[elem as usize].1;
        if u64::from(at) + u64::from(len) > have.into() {
            return Err(Trap::TableOutOfBounds);
        }
        let (arr, _) = vm.new_array(identity(vm, ty), len)?;
        copy_elems(vm, arr, 0, elem, at, len)?;
        Ok(arr.into())
    }
}

pub(crate) unsafe fn array_fill(
    vm: *mut Vm,
    arr: u32,
    index: u32,
    v: u64,
    len: u32,
) -> Result<(), Trap> {
    // SAFETY: I1.
    unsafe { machine(vm).fill_elements(arr, index, len, [v, 0]) }
}

pub(crate) unsafe fn array_fill_v128(
    vm: *mut Vm,
    arr: u32,
    index: u32,
    v: V128,
    len: u32,
) -> Result<(), Trap> {
    // SAFETY: I1.
    unsafe { machine(vm).fill_elements(arr, index, len, slots_of(v)) }
}

pub(crate) unsafe fn array_copy(
    vm: *mut Vm,
    dst_arr: u32,
    d: u32,
    src_arr: u32,
    s: u32,
    len: u32,
) -> Result<(), Trap> {
    // SAFETY: I1; G1 for the checked ranges, which may overlap.
    unsafe {
        let vm = machine(vm);
        if src_arr == 0 {
            return Err(Trap::NullReference);
        }
        let (to, width) = vm.elements(dst_arr, d, len)?;
        let (from, other) = vm.elements(src_arr, s, len)?;
        if width != other {
            return Err(Trap::CastFailure);
        }
        to.copy_from(from, len as usize * width.bytes() as usize);
        Ok(())
    }
}

pub(crate) unsafe fn array_init_data(
    vm: *mut Vm,
    arr: u32,
    d: u32,
    s: u32,
    len: u32,
    data: u32,
) -> Result<(), Trap> {
    // SAFETY: I1; the segment lies in host memory, the elements in the heap (G1).
    unsafe {
        let vm = machine(vm);
        let (to, width) = vm.elements(arr, d, len)?;
        let (from, n) = segment(vm, data, s, len, width)?;
        to.copy_from_nonoverlapping(from, n);
        Ok(())
    }
}

pub(crate) unsafe fn array_init_elem(
    vm: *mut Vm,
    arr: u32,
    d: u32,
    s: u32,
    len: u32,
    elem: u32,
) -> Result<(), Trap> {
    // SAFETY: I1.
    unsafe { copy_elems(machine(vm), arr, d, elem, s, len) }
}
