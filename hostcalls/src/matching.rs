//! Whether what is given is what is wanted. Spec: match-externtype.

use anyhow::bail;

use sheave_types::TypeRegistry;

use crate::Result;
use crate::types::{ExternType, GlobalType};

fn limits(want_min: u64, want_max: Option<u64>, min: u64, max: Option<u64>) -> bool {
    min >= want_min
        && match (want_max, max) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(want), Some(have)) => have <= want,
        }
}

/// Whether a global can stand where another is wanted: one that can be changed only if the types are the same.
fn global_matches(types: &TypeRegistry, want: &GlobalType, have: &GlobalType) -> bool {
    want == have
        || (!want.0.mutable
            && !have.0.mutable
            && types.val_type_matches(have.0.content, want.0.content))
}

/// Checks an import `module::name` that is to have the type `want`.
///
/// # Errors
/// With what is wrong.
pub(crate) fn check(
    types: &TypeRegistry,
    module: &str,
    name: &str,
    want: &ExternType,
    have: &ExternType,
) -> Result<()> {
    let why = match (want, have) {
        (ExternType::Func(w), ExternType::Func(h)) if h.matches(w) => return Ok(()),
        (ExternType::Func(w), ExternType::Func(h)) => {
            format!("expected type `{w}`, found type `{h}`")
        }
        (ExternType::Global(w), ExternType::Global(h)) if global_matches(types, w, h) => {
            return Ok(());
        }
        (ExternType::Global(w), ExternType::Global(h)) => {
            if w.mutability() != h.mutability() {
                let name = |m| {
                    if m == crate::Mutability::Var {
                        "mutable"
                    } else {
                        "immutable"
                    }
                };
                format!(
                    "expected {} global, found {} global",
                    name(w.mutability()),
                    name(h.mutability())
                )
            } else {
                format!(
                    "expected global of type `{}`, found global of type `{}`",
                    w.content(),
                    h.content()
                )
            }
        }
        (ExternType::Table(w), ExternType::Table(h)) => {
            if w.element() != h.element() {
                format!(
                    "expected table of type `{}`, found table of type `{}`",
                    w.element(),
                    h.element()
                )
            } else if w.is_64() != h.is_64() {
                let bits = |t: &crate::TableType| if t.is_64() { 64 } else { 32 };
                format!(
                    "table types incompatible: expected {}-bit table, found {}-bit table",
                    bits(w),
                    bits(h)
                )
            } else if limits(w.minimum(), w.maximum(), h.minimum(), h.maximum()) {
                return Ok(());
            } else {
                sizes("table", w.minimum(), w.maximum(), h.minimum(), h.maximum())
            }
        }
        (ExternType::Memory(w), ExternType::Memory(h)) => {
            if w.is_64() != h.is_64() || w.is_shared() != h.is_shared() {
                "memory types incompatible".to_string()
            } else if w.page_size() != h.page_size() {
                format!(
                    "memory types incompatible: expected a page size of {}, found a page size of {}",
                    w.page_size(),
                    h.page_size()
                )
            } else if limits(w.minimum(), w.maximum(), h.minimum(), h.maximum()) {
                return Ok(());
            } else {
                sizes("memory", w.minimum(), w.maximum(), h.minimum(), h.maximum())
            }
        }
        (ExternType::Tag(w), ExternType::Tag(h)) if w == h => return Ok(()),
        (ExternType::Tag(w), ExternType::Tag(h)) => {
            format!(
                "expected tag of type `{}`, found tag of type `{}`",
                w.ty(),
                h.ty()
            )
        }
        _ => format!("expected {}, found {}", want.kind(), have.kind()),
    };
    bail!("incompatible import type for `{module}::{name}`: {why}")
}

fn sizes(what: &str, min: u64, max: Option<u64>, have_min: u64, have_max: Option<u64>) -> String {
    let show = |max: Option<u64>| max.map_or("none".to_string(), |m| m.to_string());
    format!(
        "{what} types incompatible: expected limits (min: {min}, max: {}) doesn't match provided limits (min: {have_min}, max: {})",
        show(max),
        show(have_max)
    )
}
