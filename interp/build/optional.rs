//! What a build can do without.

use std::env;

use sheave_isa::OpDef;

/// Which ops a build without a feature leaves out: those of sections that begin with these words, which code can only have where
/// the loader has the feature. They keep their numbers, and trap.
const OPTIONAL: &[(&str, &str)] = &[
    ("Vectors", "CARGO_FEATURE_SIMD"),
    ("Structs", "CARGO_FEATURE_GC"),
    ("Arrays", "CARGO_FEATURE_GC"),
    ("Unboxed integers and casts", "CARGO_FEATURE_GC"),
    ("Atomics", "CARGO_FEATURE_THREADS"),
    ("Continuations", "CARGO_FEATURE_STACK_SWITCHING"),
];

/// Whether this build leaves an op out.
pub(crate) fn is_left_out(op: &OpDef) -> bool {
    OPTIONAL
        .iter()
        .any(|(section, feature)| op.section.starts_with(section) && env::var_os(feature).is_none())
}
