//! Objects as the host sees them. References it gets are not kept alive by anything: see [`Roots`].

use sheave_types::{HeapType, RefType};

use crate::gc::roots::Roots;
use crate::gc::types::{EXTERN_TYPE, Kind, Width};
use crate::store::{GlobalAddr, TableAddr};
use crate::trap::Trap;
use crate::vm::Vm;

/// What a reference of the `any` or `extern` hierarchy refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjectKind {
    /// An unboxed integer, its 31 bits.
    I31(u32),
    /// A struct of the type with this identity.
    Struct(u32),
    /// An array of the type with this identity.
    Array(u32),
    /// The host's value of this index.
    Extern(u32),
    /// An exception.
    Exn,
}

impl Vm {
    /// Whether there are objects, or were.
    pub fn has_objects(&self) -> bool {
        self.gc.memory.is_some()
    }

    /// What a reference refers to; none if it is null.
    pub fn object_kind(&self, reference: u32) -> Option<ObjectKind> {
        if reference & 1 != 0 {
            return Some(ObjectKind::I31(reference >> 1));
        }
        if let Some((id, ty)) = self.object_type(reference) {
            return Some(match ty.kind {
                Kind::Struct => ObjectKind::Struct(id),
                _ => ObjectKind::Array(id),
            });
        }
        if self.exn_parts(reference).is_some() {
            return Some(ObjectKind::Exn);
        }
        self.extern_index(reference).map(ObjectKind::Extern)
    }

    /// Whether a reference is of a type whose number, if it has one, is an identity.
    pub fn ref_matches(&self, reference: u32, ty: RefType) -> bool {
        if reference == 0 {
            return ty.nullable;
        }
        let kind = || self.object_kind(reference);
        match ty.heap_type {
            HeapType::Any | HeapType::Extern | HeapType::Func => true,
            HeapType::Cont => self.cont_type(reference).is_some(),
            HeapType::Exn => kind() == Some(ObjectKind::Exn),
            HeapType::Eq => matches!(
                kind(),
                Some(ObjectKind::I31(_) | ObjectKind::Struct(_) | ObjectKind::Array(_))
            ),
            HeapType::I31 => reference & 1 != 0,
            HeapType::Struct => matches!(kind(), Some(ObjectKind::Struct(_))),
            HeapType::Array => matches!(kind(), Some(ObjectKind::Array(_))),
            HeapType::Concrete(want) => {
                let have = match self.gc.types.get(want).map(|t| t.kind) {
                    Some(Kind::Func) => self.func_type(crate::FuncAddr(reference - 1)),
                    Some(Kind::Cont) => self.cont_type(reference),
                    _ => self.object_type(reference).map(|(id, _)| id),
                };
                have.is_some_and(|have| have == want || self.gc.types.is_subtype(have, want))
            }
            _ => false,
        }
    }

    /// A struct whose fields have these values, as slots (a v128 two).
    ///
    /// # Errors
    /// If there is no room.
    pub fn alloc_struct(&mut self, ty: u32, fields: &[u64]) -> Result<u32, Trap> {
        self.update_types();
        let scope = self.root_operands(ty, fields);
        let made = self.new_struct(ty);
        self.gc.roots.end_scope(scope);
        let (obj, ty) = made?;
        self.set_fields(obj, &ty, |i| fields[i as usize], fields.len() as u32);
        Ok(obj)
    }

    /// A struct of zeros and nulls.
    ///
    /// # Errors
    /// If there is no room.
    pub fn alloc_struct_default(&mut self, ty: u32) -> Result<u32, Trap> {
        self.alloc_struct(ty, &[])
    }

    /// An array of `len` times the same value, as slots; the second is for v128 only.
    ///
    /// # Errors
    /// If there is no room.
    pub fn alloc_array(&mut self, ty: u32, init: [u64; 2], len: u32) -> Result<u32, Trap> {
        self.update_types();
        let scope = self.root_operands(ty, &init);
        let made = self.new_array(ty, len);
        self.gc.roots.end_scope(scope);
        let (arr, _) = made?;
        if init != [0, 0] {
            self.fill_elements(arr, 0, len, init)?;
        }
        Ok(arr)
    }

    /// An array of these values, as slots (a v128 two).
    ///
    /// # Errors
    /// If there is no room.
    pub fn alloc_array_fixed(&mut self, ty: u32, elements: &[u64]) -> Result<u32, Trap> {
        self.update_types();
        let per = self.gc.types.get(ty).map_or(1, |t| t.width.slots());
        let len = u32::try_from(elements.len() as u64 / u64::from(per))
            .map_err(|_| Trap::AllocationTooLarge)?;
        let scope = self.root_operands(ty, elements);
        let made = self.new_array(ty, len);
        self.gc.roots.end_scope(scope);
        let (arr, _) = made?;
        for i in 0..len {
            let at = (i * per) as usize;
            let high = if per == 2 { elements[at + 1] } else { 0 };
            self.element_set(arr, i, [elements[at], high]);
        }
        Ok(arr)
    }

    /// Keeps those of these slots alive that are references, while an object of type `ty` is made for them.
    fn root_operands(&mut self, ty: u32, slots: &[u64]) -> usize {
        let gc = &mut self.gc;
        let scope = gc.roots.begin_scope();
        let Some(ty) = gc.types.get(ty) else {
            return scope;
        };
        match ty.kind {
            Kind::Struct => {
                let mut slots = slots.iter();
                for (offset, width) in gc.types.fields(ty) {
                    let Some(slot) = slots.next() else {
                        break;
                    };
                    if *width == Width::B16 {
                        slots.next();
                    }
                    if gc.types.traced(ty).binary_search(offset).is_ok() {
                        gc.roots.push(*slot as u32);
                    }
                }
            }
            Kind::Array if ty.traced => {
                for slot in slots {
                    gc.roots.push(*slot as u32);
                }
            }
            Kind::Func => {
                for slot in gc.types.traced(ty) {
                    gc.roots
                        .push(slots.get(*slot as usize).map_or(0, |s| *s as u32));
                }
            }
            _ => {}
        }
        scope
    }

    /// A field's value as slots, by the field's number; none if there is no such field.
    pub fn field_get(&self, obj: u32, field: u32) -> Option<[u64; 2]> {
        let (_, ty) = self.object_type(obj).filter(|t| t.1.kind == Kind::Struct)?;
        let (offset, width) = *self.gc.types.fields(&ty).get(field as usize)?;
        self.object_get(obj, offset.into(), width)
    }

    /// Sets a field; false if there is none.
    pub fn field_set(&mut self, obj: u32, field: u32, value: [u64; 2]) -> bool {
        let ty = self.object_type(obj).filter(|t| t.1.kind == Kind::Struct);
        let place = ty.and_then(|t| self.gc.types.fields(&t.1).get(field as usize).copied());
        place.is_some_and(|(offset, width)| self.object_set(obj, offset.into(), width, value))
    }

    /// An array's length; none if it is no array.
    pub fn array_len(&self, arr: u32) -> Option<u32> {
        self.object_type(arr).filter(|t| t.1.kind == Kind::Array)?;
        self.object_read(arr, 4)
    }

    fn element_place(&self, arr: u32, index: u32) -> Option<(u64, Width)> {
        let (_, width) = self.elements(arr, index, 1).ok()?;
        let at = u64::from(index) * u64::from(width.bytes());
        Some((u64::from(sheave_types::HEADER_BYTES) + at, width))
    }

    /// An element as slots; none if there is no such element.
    pub fn element_get(&self, arr: u32, index: u32) -> Option<[u64; 2]> {
        let (offset, width) = self.element_place(arr, index)?;
        self.object_get(arr, offset, width)
    }

    /// Sets an element; false if there is none.
    pub fn element_set(&mut self, arr: u32, index: u32, value: [u64; 2]) -> bool {
        let place = self.element_place(arr, index);
        place.is_some_and(|(offset, width)| self.object_set(arr, offset, width, value))
    }

    /// An object that stands for the host's value `index`. Once nothing refers to it, [`Vm::take_dead_externs`] says so.
    ///
    /// # Errors
    /// If there is no room.
    pub fn alloc_extern(&mut self, index: u32) -> Result<u32, Trap> {
        self.new_extern(index)
    }

    /// The index of a host value; none if the reference is to something else.
    pub fn extern_index(&self, reference: u32) -> Option<u32> {
        if reference & 1 != 0 || self.object_read::<u32>(reference, 0)? != EXTERN_TYPE {
            return None;
        }
        self.object_read(reference, sheave_types::HEADER_BYTES.into())
    }

    /// The host values whose objects have died since this was asked last. Each comes once.
    pub fn take_dead_externs(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.gc.dead_externs)
    }

    /// An exception of `tag`, whose function type has the identity `ty`, with the tag's parameters as slots.
    ///
    /// # Errors
    /// If there is no room.
    pub fn alloc_exn(&mut self, tag: u32, ty: u32, payload: &[u64]) -> Result<u32, Trap> {
        self.update_types();
        let scope = self.root_operands(ty, payload);
        let made = self.new_exn(tag, ty, payload);
        self.gc.roots.end_scope(scope);
        made
    }

    /// The tag of an exception; none if it is no exception.
    pub fn exn_tag(&self, reference: u32) -> Option<u32> {
        self.exn_parts(reference).map(|p| p.0)
    }

    /// The payload of an exception, as slots; none if it is no exception.
    pub fn exn_payload(&self, reference: u32) -> Option<Vec<u64>> {
        let (_, _, n) = self.exn_parts(reference)?;
        (0..n).map(|i| self.exn_slot(reference, i)).collect()
    }

    /// Keeps an exception alive while it is on its way to who takes it; 0 for none.
    pub fn set_pending_exception(&mut self, exception: u32) {
        self.gc.pending_exception = exception;
    }

    /// The exception on its way, which is none from now on.
    pub fn take_pending_exception(&mut self) -> u32 {
        core::mem::take(&mut self.gc.pending_exception)
    }

    /// The host's references.
    pub fn roots(&self) -> &Roots {
        &self.gc.roots
    }

    /// The host's references, to add some or end a scope.
    pub fn roots_mut(&mut self) -> &mut Roots {
        &mut self.gc.roots
    }

    /// From now on the global's value is a traced reference.
    pub fn trace_global(&mut self, global: GlobalAddr) {
        let cell = self.global_cells[global.0 as usize];
        if !self.gc.traced_globals.contains(&cell) {
            self.gc.traced_globals.push(cell);
        }
    }

    /// From now on the table's entries are traced references.
    pub fn trace_table(&mut self, table: TableAddr) {
        self.tables[table.0 as usize].traced = true;
    }

    /// Whether to collect at every allocation, and overwrite what is free: finds references that nobody told of.
    pub fn set_gc_stress(&mut self, stress: bool) {
        self.gc.stress = stress;
        if stress {
            // The rest of the current run is left to the next collection.
            self.gc_limit = self.gc_bump;
        }
    }

    /// How many objects may wait for the marker at a time: 2¹⁸, if nothing is said. With fewer it takes longer.
    pub fn set_gc_mark_stack(&mut self, objects: usize) {
        self.gc.mark_stack = objects.max(1);
    }
}
