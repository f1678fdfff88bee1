//! What may be stored in an arena as it is.

use crate::{Offset, U16, U32, U64};
use bytemuck::Pod;

/// Plain data whose bytes mean the same on every target.
///
/// [`Pod`] (checked by its derive) rules out padding, pointers and invalid bit patterns. This trait
/// adds a promise that only the layout of an image rests on, never memory safety: every field is
/// itself `Plain`, so little-endian, and the size is the same on every target.
///
/// ```
/// use bytemuck::{Pod, Zeroable};
/// use sheave_arena::{Offset, Plain, U32, U64};
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Node {
///     next: Option<Offset<Node>>,
///     length: U32,
///     value: U64,
/// }
/// impl Plain for Node {}
/// ```
pub trait Plain: Pod {}

impl Plain for u8 {}
impl Plain for i8 {}
impl Plain for U16 {}
impl Plain for U32 {}
impl Plain for U64 {}
impl<T: 'static> Plain for Option<Offset<T>> {}
impl<T: Plain, const N: usize> Plain for [T; N] {}
