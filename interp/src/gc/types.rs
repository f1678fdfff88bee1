//! What handlers and the collector ask about an object's type, by identity: one flat table in host memory.

use std::sync::Arc;

use sheave_types::{Layout, StorageType, TypeDef, ValType};

/// Type words of objects that no module defines.
pub(crate) const EXTERN_TYPE: u32 = 0x8000_0001;
/// An exception.
pub(crate) const EXN_TYPE: u32 = 0x8000_0002;
/// A continuation.
pub(crate) const CONT_TYPE: u32 = 0x8000_0003;

/// What a type's objects are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Kind {
    /// It has none here.
    None,
    Struct,
    Array,
    Func,
    Cont,
}

/// How a struct's fields, or an array's elements, are spread from slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Width {
    B1,
    B2,
    B4,
    B8,
    B16,
}

impl Width {
    pub(crate) const fn bytes(self) -> u32 {
        1 << self as u32
    }

    /// Slots that a value takes.
    pub(crate) const fn slots(self) -> u32 {
        if matches!(self, Width::B16) { 2 } else { 1 }
    }

    const fn of(storage: StorageType) -> Width {
        match storage {
            StorageType::I8 => Width::B1,
            StorageType::I16 => Width::B2,
            StorageType::Val(ValType::I32 | ValType::F32 | ValType::Ref(_)) => Width::B4,
            StorageType::Val(ValType::I64 | ValType::F64) => Width::B8,
            StorageType::Val(ValType::V128) => Width::B16,
        }
    }
}

/// A type in few bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectType {
    pub(crate) kind: Kind,
    /// Of an array's elements.
    pub(crate) width: Width,
    /// Of a struct: all its fields have 4 bytes, so that they follow each other.
    pub(crate) words: bool,
    /// Whether the collector looks into objects at all.
    pub(crate) traced: bool,
    /// Bytes of a struct, header included, rounded up to a granule; of an array, those of its header.
    pub(crate) bytes: u32,
    /// Where its supertypes start in `supers`, and how many there are, itself included.
    pub(crate) supers: u32,
    pub(crate) depth: u32,
    /// Where its fields start in `fields`, and how many there are.
    pub(crate) fields: u32,
    pub(crate) n_fields: u32,
    /// Where the traced offsets of a struct (or traced parameter slots of a function) start in `traced`, and how many.
    pub(crate) trace: u32,
    pub(crate) n_trace: u32,
    /// Slots of the parameters and results of a function type, or of a continuation type's; and which function type that
    /// is.
    pub(crate) params: u16,
    pub(crate) results: u16,
    pub(crate) func: u32,
}

/// All types that a store can meet, by identity.
#[derive(Clone, Default, Debug)]
pub(crate) struct ObjectTypes {
    pub(crate) types: Vec<ObjectType>,
    pub(crate) supers: Vec<u32>,
    pub(crate) fields: Vec<(u32, Width)>,
    pub(crate) trace: Vec<u32>,
}

/// Objects are multiples of this, and start at multiples of it.
pub(crate) const GRANULE: u32 = 16;

/// Slots of a list of values. Validation keeps them few.
fn slots(types: &[ValType]) -> u16 {
    let slots: u32 = types.iter().map(|ty| ty.slots()).sum();
    slots.try_into().unwrap_or(u16::MAX)
}

impl ObjectTypes {
    /// Adds the types of `defs` that are not there yet.
    pub(crate) fn update(&mut self, defs: &[Arc<TypeDef>]) {
        for def in &defs[self.types.len().min(defs.len())..] {
            let entry = self.entry(def, defs);
            self.types.push(entry);
        }
    }

    fn entry(&mut self, def: &TypeDef, defs: &[Arc<TypeDef>]) -> ObjectType {
        let (supers, fields, trace) = (self.supers.len(), self.fields.len(), self.trace.len());
        self.supers.extend_from_slice(&def.supertypes);
        let (kind, width, bytes, mut traced) = match &def.layout {
            Layout::None if def.ty.as_func().is_some() => (Kind::Func, Width::B8, 0, false),
            Layout::None if def.ty.as_cont().is_some() => (Kind::Cont, Width::B8, 0, false),
            Layout::None => (Kind::None, Width::B8, 0, false),
            Layout::Struct(s) => {
                self.fields
                    .extend(s.fields.iter().map(|f| (f.offset, Width::of(f.storage))));
                self.trace.extend_from_slice(&s.traced);
                let bytes = s.bytes.next_multiple_of(GRANULE);
                (Kind::Struct, Width::B8, bytes, !s.traced.is_empty())
            }
            Layout::Array(a) => (
                Kind::Array,
                Width::of(a.storage),
                sheave_types::HEADER_BYTES,
                a.traced,
            ),
        };
        let (mut params, mut results, mut func_id) = (0, 0, 0);
        if let Some(of) = def.ty.as_cont() {
            func_id = of;
            (params, results) = match defs.get(of as usize).and_then(|d| d.ty.as_func()) {
                Some(func) => (slots(func.params()), slots(func.results())),
                None => (0, 0),
            };
        }
        if let Some(func) = def.ty.as_func() {
            (params, results) = (slots(func.params()), slots(func.results()));
            let is_func = |x: u32| {
                defs.get(x as usize)
                    .is_some_and(|d| d.ty.as_func().is_some())
            };
            let mut slot = 0;
            for ty in func.params() {
                if ty.is_traced(is_func) {
                    self.trace.push(slot);
                }
                slot += ty.slots();
            }
            traced = self.trace.len() > trace;
        }
        let words = self.fields[fields..].iter().all(|f| f.1 == Width::B4);
        ObjectType {
            words,
            kind,
            width,
            traced,
            bytes,
            supers: supers as u32,
            depth: def.supertypes.len() as u32,
            fields: fields as u32,
            n_fields: (self.fields.len() - fields) as u32,
            trace: trace as u32,
            n_trace: (self.trace.len() - trace) as u32,
            params,
            results,
            func: func_id,
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<&ObjectType> {
        self.types.get(id as usize)
    }

    /// Offsets and widths of a struct's fields.
    #[inline]
    pub(crate) fn fields(&self, ty: &ObjectType) -> &[(u32, Width)] {
        &self.fields[ty.fields as usize..][..ty.n_fields as usize]
    }

    /// Traced offsets of a struct, or traced slots of a function's parameters.
    #[inline]
    pub(crate) fn traced(&self, ty: &ObjectType) -> &[u32] {
        &self.trace[ty.trace as usize..][..ty.n_trace as usize]
    }

    /// Whether type `a` is `b` or a subtype of it.
    #[inline]
    pub(crate) fn is_subtype(&self, a: u32, b: u32) -> bool {
        let (Some(sub), Some(sup)) = (self.get(a), self.get(b)) else {
            return false;
        };
        sub.depth >= sup.depth && self.supers[(sub.supers + sup.depth - 1) as usize] == b
    }
}
