//! What can be imported and exported.

use crate::Result;
use crate::func::Func;
use crate::global::Global;
use crate::memory::{Memory, SharedMemoryError};
use crate::store::{AsContext, StoreOpaque};
use crate::table::Table;
use crate::tag::Tag;
use crate::types::ExternType;

/// A function, global, table, memory or tag. Spec: syntax-externaddr.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A global.
    Global(Global),
    /// A table.
    Table(Table),
    /// A memory.
    Memory(Memory),
    /// A tag.
    Tag(Tag),
}

macro_rules! kinds {
    ($($into:ident $variant:ident $what:literal;)*) => {
        impl Extern { $(
            #[doc = concat!("The ", $what, ", if it is one.")]
            pub fn $into(self) -> Option<$variant> {
                if let Extern::$variant(x) = self { Some(x) } else { None }
            }
        )* }
        $( impl From<$variant> for Extern {
            fn from(x: $variant) -> Extern {
                Extern::$variant(x)
            }
        } )*
    };
}

kinds! {
    into_func Func "function";
    into_global Global "global";
    into_table Table "table";
    into_memory Memory "memory";
    into_tag Tag "tag";
}

impl Extern {
    /// Its type.
    pub fn ty(&self, store: impl AsContext) -> ExternType {
        match self {
            Extern::Func(f) => f.ty(store).into(),
            Extern::Global(g) => g.ty(store).into(),
            Extern::Table(t) => t.ty(store).into(),
            Extern::Memory(m) => m.ty(store).into(),
            Extern::Tag(t) => t.ty(store).into(),
        }
    }

    pub(crate) fn store(&self) -> u64 {
        match self {
            Extern::Func(f) => f.store,
            Extern::Global(g) => g.store,
            Extern::Table(t) => t.store,
            Extern::Memory(m) => m.store,
            Extern::Tag(t) => t.store,
        }
    }

    /// Panics if it is of another store; but a shared memory is an error.
    pub(crate) fn check(&self, opaque: &StoreOpaque) -> Result<()> {
        if let Extern::Memory(m) = self
            && m.shared
            && m.store != opaque.id
        {
            return Err(SharedMemoryError::OtherStore.into());
        }
        opaque.check(self.store());
        Ok(())
    }

    pub(crate) fn ty_in(&self, opaque: &StoreOpaque) -> ExternType {
        match self {
            Extern::Func(f) => opaque.func_type(f.addr).into(),
            Extern::Global(g) => opaque.global_types[g.addr.0 as usize].clone().into(),
            Extern::Table(t) => opaque.table_type(t.addr).into(),
            Extern::Memory(m) => opaque.memory_type(m.addr).into(),
            Extern::Tag(t) => opaque.tag_type(t.addr).into(),
        }
    }
}

/// An export of an instance, with its name.
#[derive(Clone, Debug)]
pub struct Export<'i> {
    pub(crate) name: &'i str,
    pub(crate) definition: Extern,
}

impl<'i> Export<'i> {
    /// Its name.
    pub fn name(&self) -> &'i str {
        self.name
    }

    /// What it is.
    pub fn into_extern(self) -> Extern {
        self.definition
    }

    /// The function, if it is one.
    pub fn into_func(self) -> Option<Func> {
        self.definition.into_func()
    }

    /// The memory, if it is one.
    pub fn into_memory(self) -> Option<Memory> {
        self.definition.into_memory()
    }

    /// The table, if it is one.
    pub fn into_table(self) -> Option<Table> {
        self.definition.into_table()
    }

    /// The tag, if it is one.
    pub fn into_tag(self) -> Option<Tag> {
        self.definition.into_tag()
    }

    /// The global, if it is one.
    pub fn into_global(self) -> Option<Global> {
        self.definition.into_global()
    }
}
