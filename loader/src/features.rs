//! The table of features: everything that says which proposals there are, under which names, and what is on.

use wasmparser::WasmFeatures;

/// Which version of the core specification a feature came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FeatureOrigin {
    /// WebAssembly 1.0.
    Wasm1,
    /// WebAssembly 2.0.
    Wasm2,
    /// WebAssembly 3.0.
    Wasm3,
    /// None yet: it is a proposal.
    Proposal,
}

impl core::fmt::Display for FeatureOrigin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Wasm1 => "1.0",
            Self::Wasm2 => "2.0",
            Self::Wasm3 => "3.0",
            Self::Proposal => "proposal",
        })
    }
}

/// A feature of WebAssembly that can be switched on and off.
#[derive(Debug)]
pub struct Feature {
    /// Its name, as proposals and command-line flags spell it.
    pub name: &'static str,
    /// What it is, in a sentence or two of Markdown.
    pub doc: &'static str,
    /// The method of `Config` that switches it.
    pub switch: &'static str,
    /// Where it came from.
    pub origin: FeatureOrigin,
    /// Why it is not there, if it is not.
    pub missing: Option<&'static str>,
    /// Its bit in [`Options::features`](crate::Options::features).
    pub flag: WasmFeatures,
    /// Whether it is to be on unless somebody asks otherwise.
    wanted: bool,
}

impl Feature {
    /// Whether this version has it.
    #[must_use]
    pub const fn is_supported(&self) -> bool {
        self.missing.is_none()
    }

    /// Whether it is on unless somebody asks otherwise.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        self.wanted && self.is_supported()
    }

    /// The feature of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        FEATURES.iter().find(|f| f.name == name)
    }
}

/// Gives the rows of the table to a macro. A row is: what it is; its name; the method of `Config`, with Wasmtime's name
/// where it has one; the flag of `wasmparser`; where it came from; whether it is to be on by default, as in Wasmtime;
/// and, if it is not there yet, why.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_feature {
    ($with:ident) => {
        $with! {
            /// Import and export of mutable globals.
            "mutable-global" wasm_mutable_global MUTABLE_GLOBAL Wasm1 true;
            /// Sign-extension operators.
            "sign-extension" wasm_sign_extension SIGN_EXTENSION Wasm2 true;
            /// Conversions of floats to integers that saturate.
            "saturating-float-to-int" wasm_saturating_float_to_int SATURATING_FLOAT_TO_INT Wasm2 true;
            /// Blocks and functions with several results.
            "multi-value" wasm_multi_value MULTI_VALUE Wasm2 true;
            /// `memory.copy`, `memory.fill`, passive segments.
            "bulk-memory" wasm_bulk_memory BULK_MEMORY Wasm2 true;
            /// `externref`, several tables, table operations.
            "reference-types" wasm_reference_types REFERENCE_TYPES Wasm2 true;
            /// 128-bit vectors.
            "simd" wasm_simd SIMD Wasm2 true;
            /// Vector instructions with results that may differ from machine to machine; here they never do.
            "relaxed-simd" wasm_relaxed_simd RELAXED_SIMD Wasm3 true;
            /// Arithmetic in constant expressions.
            "extended-const" wasm_extended_const EXTENDED_CONST Wasm3 true;
            /// `return_call` and its kin.
            "tail-call" wasm_tail_call TAIL_CALL Wasm3 true;
            /// Several memories in a module.
            "multi-memory" wasm_multi_memory MULTI_MEMORY Wasm3 true;
            /// Memories and tables with 64-bit addresses and indices.
            "memory64" wasm_memory64 MEMORY64 Wasm3 true;
            /// References to functions of a known type, references that are never null, tables with an initial value.
            "function-references" wasm_function_references FUNCTION_REFERENCES Wasm3 true;
            /// Structs, arrays, `i31`, casts, recursive types with supertypes; collected when nobody holds them.
            "gc" wasm_gc GC Wasm3 true;
            /// `try_table`, `throw`, `throw_ref`, `exnref`.
            "exceptions" wasm_exceptions EXCEPTIONS Wasm3 true;
            /// Exceptions as they were before they were standardised.
            "legacy-exceptions" wasm_legacy_exceptions LEGACY_EXCEPTIONS Proposal false = "superseded by exceptions";
            /// Atomic instructions and shared memories, which have to be allowed besides: see `docs/threads.md`.
            "threads" wasm_threads THREADS Proposal true;
            /// Shared functions, tables, globals and objects.
            "shared-everything-threads" wasm_shared_everything_threads SHARED_EVERYTHING_THREADS Proposal false = "an early proposal";
            /// Memories with pages of one byte.
            "custom-page-sizes" wasm_custom_page_sizes CUSTOM_PAGE_SIZES Proposal false;
            /// Addition, subtraction and multiplication of 128-bit integers.
            "wide-arithmetic" wasm_wide_arithmetic WIDE_ARITHMETIC Proposal false;
            /// A shorter encoding of imports that share a module name.
            "compact-imports" wasm_compact_imports COMPACT_IMPORTS Proposal false;
            /// Continuations: `cont.new`, `resume`, `suspend`, `switch`; tags with results.
            "stack-switching" wasm_stack_switching STACK_SWITCHING Proposal false;
            /// `memory.discard`.
            "memory-control" wasm_memory_control MEMORY_CONTROL Proposal false = "an early proposal";
            /// Descriptors of types and exact types.
            "custom-descriptors" wasm_custom_descriptors CUSTOM_DESCRIPTORS Proposal false = "an early proposal";
        }
    };
}

macro_rules! table {
    ($($(#[doc = $doc:literal])+ $name:literal $switch:ident $flag:ident $origin:ident $on:literal $(= $why:literal)?;)*) => {
        /// Every feature that a core module can ask for.
        pub const FEATURES: &[Feature] = &[$(Feature {
            name: $name,
            doc: concat!($($doc),+),
            switch: stringify!($switch),
            origin: FeatureOrigin::$origin,
            missing: table!(@missing $flag $($why)?),
            flag: WasmFeatures::$flag,
            wanted: $on,
        }),*];
    };
    (@missing $flag:ident) => { left_out(WasmFeatures::$flag) };
    (@missing $flag:ident $why:literal) => { Some($why) };
}

for_each_feature!(table);

/// What a build can leave out, by cargo features: whether it has it, and what is said if not.
const OPTIONAL: &[(WasmFeatures, bool, &str)] = &[
    (
        WasmFeatures::SIMD.union(WasmFeatures::RELAXED_SIMD),
        cfg!(feature = "simd"),
        "this build is without the cargo feature `simd`",
    ),
    (
        WasmFeatures::GC,
        cfg!(feature = "gc"),
        "this build is without the cargo feature `gc`",
    ),
    (
        WasmFeatures::THREADS,
        cfg!(feature = "threads"),
        "this build is without the cargo feature `threads`",
    ),
    (
        WasmFeatures::STACK_SWITCHING,
        cfg!(feature = "stack-switching"),
        "this build is without the cargo feature `stack-switching`",
    ),
];

/// Why a feature is not in this build, if it could be.
const fn left_out(flag: WasmFeatures) -> Option<&'static str> {
    let mut i = 0;
    while i < OPTIONAL.len() {
        let (flags, is_there, why) = OPTIONAL[i];
        if flags.contains(flag) && !is_there {
            return Some(why);
        }
        i += 1;
    }
    None
}

/// What is always there: the parser has flags also for what nobody can do without.
const ALWAYS: WasmFeatures = WasmFeatures::MVP;

const fn union(supported_only: bool) -> WasmFeatures {
    let (mut all, mut i) = (ALWAYS, 0);
    while i < FEATURES.len() {
        let feature = &FEATURES[i];
        if feature.is_supported() && (supported_only || feature.is_default()) {
            all = all.union(feature.flag);
        }
        i += 1;
    }
    all
}

/// Everything this crate can translate.
pub const SUPPORTED_FEATURES: WasmFeatures = union(true);

/// What is on unless somebody asks otherwise.
pub const DEFAULT_FEATURES: WasmFeatures = union(false);

/// Names of what the parser knows beside the features of core modules.
const OTHER_NAMES: &[(&str, WasmFeatures)] = &[
    ("floats", WasmFeatures::FLOATS),
    ("component-model", WasmFeatures::COMPONENT_MODEL),
];

fn names() -> impl Iterator<Item = (&'static str, WasmFeatures)> {
    let features = FEATURES.iter().map(|f| (f.name, f.flag));
    features.chain(OTHER_NAMES.iter().copied())
}

/// The name of a feature as proposals and command-line flags spell it.
pub(crate) fn feature_name(feature: WasmFeatures) -> Option<&'static str> {
    let (name, _) = names().find(|(_, f)| feature.intersects(*f))?;
    Some(name)
}

/// The feature that a message says must be enabled, where the parser says it only there.
pub(crate) fn feature_in_message(message: &str) -> Option<&'static str> {
    if message.starts_with("unexpected SIMD opcode") {
        return Some("simd");
    }
    let (before, _) = message.split_once(" must be enabled")?;
    let before = before
        .trim_start_matches("the ")
        .trim_end_matches(" proposal")
        .replace(' ', "-");
    let (name, _) = names().find(|(name, _)| *name == before)?;
    Some(name)
}
