//! The abstract heap types that `ref_test_kind` and `ref_cast_kind` ask about, as their `kind` operand.
//!
//! Whether a value of a hierarchy other than that of `any` is of an abstract type needs no look at it: all or none are.

/// All that is not null: the top of any hierarchy.
pub const ANY: u16 = 0;
/// Structs, arrays, unboxed integers.
pub const EQ: u16 = 1;
/// Unboxed integers.
pub const I31: u16 = 2;
/// Structs.
pub const STRUCT: u16 = 3;
/// Arrays.
pub const ARRAY: u16 = 4;
/// Nothing that is not null: the bottom of any hierarchy.
pub const NONE: u16 = 5;
