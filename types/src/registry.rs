//! Canonical types of an engine. Spec: section "Type equivalence" and "Subtyping".
//!
//! Recursion groups are equal if they are equal after their references to themselves are written as positions in the
//! group and all others as identities; equal groups get equal identities. So equality of types is equality of numbers,
//! and a subtype test is one look into the list of supertypes.

use core::fmt;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::composite::{CompositeType, FuncType, SubType};
use crate::layout::Layout;
use crate::value::{HeapType, RefType, ValType};

/// In the key of a group, a reference to its own member `x` is `OWN | x`.
const OWN: u32 = 1 << 31;

/// Identities stay below this, so that what stores them has numbers to spare.
const MAX_TYPES: usize = 1 << 30;

/// How deep supertypes may nest. Spec: the JS API's implementation limits.
const MAX_DEPTH: usize = 63;

/// A type of an engine. All numbers in it are identities.
#[derive(Debug)]
pub struct TypeDef {
    /// Its identity.
    pub id: u32,
    /// Identities of its recursion group: the first, and how many.
    pub group: (u32, u32),
    /// What was declared.
    pub ty: SubType,
    /// Its supertypes, from the topmost to the type itself.
    pub supertypes: Box<[u32]>,
    /// How its objects lie in memory.
    pub layout: Layout,
}

impl TypeDef {
    /// Whether it is `other` or one of its declared subtypes.
    #[must_use]
    pub fn is_subtype_of(&self, other: &Self) -> bool {
        self.supertypes.get(other.supertypes.len() - 1) == Some(&other.id)
    }
}

/// Why types cannot be registered. A validated module's always can, but for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypeError {
    /// A number leads to no type.
    Unknown(u32),
    /// A supertype is of another kind, comes later, or is too far up.
    Supertype(u32),
    /// A continuation type is of a type that is no function's.
    Continuation(u32),
    /// The engine has too many types.
    TooMany,
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(x) => write!(f, "there is no type {x}"),
            Self::Supertype(x) => write!(f, "type {x} cannot be a supertype here"),
            Self::Continuation(x) => write!(f, "type {x} is not a function's"),
            Self::TooMany => f.write_str("too many types in this engine"),
        }
    }
}

impl core::error::Error for TypeError {}

/// All types of an engine, by identity. They are kept as long as the engine is.
#[derive(Default)]
pub struct TypeRegistry(RwLock<Types>);

#[derive(Default)]
struct Types {
    groups: HashMap<Arc<[SubType]>, u32>,
    defs: Vec<Arc<TypeDef>>,
}

impl TypeRegistry {
    /// Registers a recursion group and gives the identity of its first type; the others follow.
    ///
    /// In `group`, number `first + i` is its own type `i`, and any other number `x` the identity `ids[x]`. For a module,
    /// that is: `ids` are the identities of its types before the group, `first` is how many they are.
    ///
    /// # Errors
    /// If a number leads nowhere or a supertype cannot be one.
    pub fn register(&self, group: &[SubType], first: u32, ids: &[u32]) -> Result<u32, TypeError> {
        let len = group.len() as u32;
        let mut unknown = None;
        let mut key_of = |x: u32| {
            let own = x.wrapping_sub(first);
            let id = if own < len {
                Some(OWN | own)
            } else {
                ids.get(x as usize).copied()
            };
            if id.is_none() {
                unknown = Some(x);
            }
            id
        };
        let key: Option<Vec<SubType>> = group.iter().map(|ty| ty.map(&mut key_of)).collect();
        let Some(key) = key else {
            return Err(TypeError::Unknown(unknown.unwrap_or(0)));
        };
        if let Some(id) = self.read().groups.get(&*key) {
            return Ok(*id);
        }
        let mut types = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = types.groups.get(&*key) {
            return Ok(*id);
        }
        types.add(key)
    }

    /// The identity of a function type that is final, has no supertype, and stands alone. All numbers are identities.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn register_func(&self, ty: FuncType) -> Result<u32, TypeError> {
        self.register_alone(SubType::from(ty))
    }

    /// The identity of a type that stands alone in its group. All numbers are identities.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub fn register_alone(&self, ty: SubType) -> Result<u32, TypeError> {
        let key = vec![ty];
        if let Some(id) = self.read().groups.get(&*key) {
            return Ok(*id);
        }
        let mut types = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = types.groups.get(&*key) {
            return Ok(*id);
        }
        types.add(key)
    }

    /// The type of an identity.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<Arc<TypeDef>> {
        self.read().defs.get(id as usize).cloned()
    }

    /// Adds to `known`, which holds the first types of this registry, those that it has since got.
    pub fn update(&self, known: &mut Vec<Arc<TypeDef>>) {
        let types = self.read();
        known.extend_from_slice(types.defs.get(known.len()..).unwrap_or_default());
    }

    /// Whether defined type `a` is `b` or a subtype of it. Spec: match-deftype.
    #[must_use]
    pub fn is_subtype(&self, a: u32, b: u32) -> bool {
        a == b || self.read().is_subtype(a, b)
    }

    /// Whether heap type `a` matches `b`. Spec: match-heaptype.
    #[must_use]
    pub fn heap_type_matches(&self, a: HeapType, b: HeapType) -> bool {
        a == b || self.read().heap_type_matches(a, b)
    }

    /// Whether reference type `a` matches `b`. Spec: match-reftype.
    #[must_use]
    pub fn ref_type_matches(&self, a: RefType, b: RefType) -> bool {
        (b.nullable || !a.nullable) && self.heap_type_matches(a.heap_type, b.heap_type)
    }

    /// Whether value type `a` matches `b`. Spec: match-valtype.
    #[must_use]
    pub fn val_type_matches(&self, a: ValType, b: ValType) -> bool {
        match (a, b) {
            (ValType::Ref(a), ValType::Ref(b)) => self.ref_type_matches(a, b),
            _ => a == b,
        }
    }

    /// Whether function type `a` matches `b`: its parameters are wider and its results narrower. Spec: match-functype.
    #[must_use]
    pub fn func_type_matches(&self, a: &FuncType, b: &FuncType) -> bool {
        let all = |narrow: &[ValType], wide: &[ValType]| {
            let mut pairs = narrow.iter().zip(wide);
            narrow.len() == wide.len() && pairs.all(|(n, w)| self.val_type_matches(*n, *w))
        };
        all(b.params(), a.params()) && all(a.results(), b.results())
    }

    /// The top of the hierarchy that a heap type is in: `any`, `func`, `extern`, `exn` or `cont`.
    #[must_use]
    pub fn top(&self, ty: HeapType) -> HeapType {
        match ty {
            HeapType::Func | HeapType::NoFunc => HeapType::Func,
            HeapType::Extern | HeapType::NoExtern => HeapType::Extern,
            HeapType::Exn | HeapType::NoExn => HeapType::Exn,
            HeapType::Cont | HeapType::NoCont => HeapType::Cont,
            HeapType::Concrete(x) => match self.get(x).map(|def| def.ty.composite.abstract_super())
            {
                Some(above @ (HeapType::Func | HeapType::Cont)) => above,
                _ => HeapType::Any,
            },
            _ => HeapType::Any,
        }
    }

    /// Whether a collector follows values of this type.
    #[must_use]
    pub fn is_traced(&self, ty: ValType) -> bool {
        ty.is_traced(|x| self.get(x).is_some_and(|def| def.ty.as_func().is_some()))
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Types> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Types {
    fn add(&mut self, key: Vec<SubType>) -> Result<u32, TypeError> {
        let (first, len) = (self.defs.len() as u32, key.len() as u32);
        if self.defs.len() + key.len() > MAX_TYPES {
            return Err(TypeError::TooMany);
        }
        let own_is_func: Vec<bool> = key.iter().map(|ty| ty.as_func().is_some()).collect();
        let mut defs: Vec<Arc<TypeDef>> = Vec::with_capacity(key.len());
        for (id, ty) in (first..).zip(&key) {
            let mut unknown = None;
            let ty = ty.map(|x| {
                let id = if x & OWN != 0 { first + (x & !OWN) } else { x };
                let found = id < first + len;
                unknown = (!found).then_some(x).or(unknown);
                found.then_some(id)
            });
            let ty = ty.ok_or(TypeError::Unknown(unknown.unwrap_or(0)))?;
            let mut supertypes = Vec::new();
            if let Some(above) = ty.supertype {
                let def = match above.checked_sub(first) {
                    Some(own) => defs.get(own as usize),
                    None => self.defs.get(above as usize),
                };
                let def = def
                    .filter(|def| def.supertypes.len() <= MAX_DEPTH)
                    .filter(|def| {
                        core::mem::discriminant(&def.ty.composite)
                            == core::mem::discriminant(&ty.composite)
                    })
                    .ok_or(TypeError::Supertype(above))?;
                supertypes.extend_from_slice(&def.supertypes);
            }
            supertypes.push(id);
            let is_func = |x: u32| match x.checked_sub(first) {
                Some(own) => own_is_func[own as usize],
                None => self.defs[x as usize].ty.as_func().is_some(),
            };
            if let Some(func) = ty.as_cont().filter(|func| !is_func(*func)) {
                return Err(TypeError::Continuation(func));
            }
            defs.push(Arc::new(TypeDef {
                id,
                group: (first, len),
                layout: Layout::new(&ty.composite, is_func),
                ty,
                supertypes: supertypes.into(),
            }));
        }
        self.defs.append(&mut defs);
        self.groups.insert(key.into(), first);
        Ok(first)
    }

    fn is_subtype(&self, a: u32, b: u32) -> bool {
        let def = |x: u32| self.defs.get(x as usize);
        matches!((def(a), def(b)), (Some(a), Some(b)) if a.is_subtype_of(b))
    }

    fn abstract_super(&self, x: u32) -> Option<HeapType> {
        let def = self.defs.get(x as usize)?;
        Some(def.ty.composite.abstract_super())
    }

    fn heap_type_matches(&self, a: HeapType, b: HeapType) -> bool {
        use HeapType as H;
        match (a, b) {
            _ if a == b => true,
            (H::Concrete(a), H::Concrete(b)) => self.is_subtype(a, b),
            (H::Concrete(a), b) => {
                let above = self.abstract_super(a);
                above.is_some_and(|above| self.heap_type_matches(above, b))
            }
            (H::None, H::Concrete(b)) => {
                matches!(self.abstract_super(b), Some(H::Struct | H::Array))
            }
            (H::NoFunc, H::Concrete(b)) => self.abstract_super(b) == Some(H::Func),
            (H::NoCont, H::Concrete(b)) => self.abstract_super(b) == Some(H::Cont),
            (H::None, H::I31 | H::Struct | H::Array | H::Eq | H::Any)
            | (H::I31 | H::Struct | H::Array, H::Eq | H::Any)
            | (H::Eq, H::Any)
            | (H::NoFunc, H::Func)
            | (H::NoExtern, H::Extern)
            | (H::NoExn, H::Exn)
            | (H::NoCont, H::Cont) => true,
            _ => false,
        }
    }
}

impl fmt::Debug for TypeRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypeRegistry")
            .field("types", &self.read().defs.len())
            .finish_non_exhaustive()
    }
}

impl CompositeType {
    /// The function type, if it is one.
    #[must_use]
    pub const fn as_func(&self) -> Option<&FuncType> {
        match self {
            Self::Func(ty) => Some(ty),
            _ => None,
        }
    }
}
