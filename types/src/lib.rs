//! WebAssembly types of the sheave runtime: of values, functions, structs and arrays; their canonical form for a whole
//! engine; and how structs and arrays lie in memory.
//!
//! A [`HeapType::Concrete`] holds a number whose meaning is the context's: in what a module declares it is a type index
//! of the module; in what [`TypeRegistry`] gives, and in the embedding API, it is a type's identity in the engine.
//! [`TypeRegistry::register`] and [`ValType::map`] go from the first to the second.

mod composite;
mod layout;
mod registry;
mod value;

pub use composite::{
    ArrayType, CompositeType, FieldType, FuncType, StorageType, StructType, SubType,
};
pub use layout::{ArrayLayout, FieldLayout, HEADER_BYTES, Layout, StructLayout};
pub use registry::{TypeDef, TypeError, TypeRegistry};
pub use value::{HeapType, RefType, ValType};
