//! How modules are loaded: features, and when functions are validated and translated.

use wasmparser::WasmFeatures;

/// Everything this crate can translate: WebAssembly 2.0 without SIMD, tail calls, multiple
/// memories and extended constant expressions.
pub const SUPPORTED_FEATURES: WasmFeatures = WasmFeatures::WASM2
    .difference(WasmFeatures::SIMD)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::FUNCTION_REFERENCES)
    .union(WasmFeatures::MEMORY64)
    .union(WasmFeatures::CUSTOM_PAGE_SIZES)
    .union(WasmFeatures::WIDE_ARITHMETIC);

/// What is on unless somebody asks otherwise: proposals that are not part of WebAssembly 3.0 yet are
/// to be asked for.
pub const DEFAULT_FEATURES: WasmFeatures = SUPPORTED_FEATURES
    .difference(WasmFeatures::CUSTOM_PAGE_SIZES)
    .difference(WasmFeatures::WIDE_ARITHMETIC);

/// How to load a module.
#[derive(Clone, Debug)]
pub struct Options {
    /// WebAssembly features that modules may use; those outside [`SUPPORTED_FEATURES`] are
    /// ignored.
    pub features: WasmFeatures,
    /// Emit ops that consume fuel.
    pub fuel: bool,
    /// Emit ops that check for an interruption.
    pub interruption: bool,
    /// Translate a function when it is first wanted, rather than while loading.
    pub lazy_translation: bool,
    /// Validate a function when it is first wanted; implies `lazy_translation`.
    pub lazy_validation: bool,
    /// How many threads validate and translate; 0 is as many as the machine has.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            features: DEFAULT_FEATURES,
            fuel: false,
            interruption: false,
            lazy_translation: true,
            lazy_validation: false,
            threads: 0,
        }
    }
}

impl Options {
    pub(crate) fn enabled_features(&self) -> WasmFeatures {
        self.features & SUPPORTED_FEATURES
    }

    #[cfg(feature = "parallel")]
    pub(crate) fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, core::num::NonZero::get),
            n => n,
        }
    }

    #[cfg(not(feature = "parallel"))]
    pub(crate) fn thread_count(&self) -> usize {
        1
    }
}

/// The name of a feature as proposals and command-line flags spell it.
pub(crate) fn feature_name(feature: WasmFeatures) -> Option<&'static str> {
    let (name, _) = FEATURE_NAMES
        .iter()
        .copied()
        .find(|(_, f)| feature.intersects(*f))?;
    Some(name)
}

/// The feature that a message says must be enabled, where the parser says it only there.
pub(crate) fn feature_in_message(message: &str) -> Option<&'static str> {
    let (before, _) = message.split_once(" must be enabled")?;
    let before = before
        .trim_start_matches("the ")
        .trim_end_matches(" proposal")
        .replace(' ', "-");
    FEATURE_NAMES
        .iter()
        .find(|(name, _)| *name == before)
        .map(|(name, _)| *name)
}

/// Names of the features that a core module can ask for.
pub const FEATURE_NAMES: &[(&str, WasmFeatures)] = &[
    ("mutable-global", WasmFeatures::MUTABLE_GLOBAL),
    (
        "saturating-float-to-int",
        WasmFeatures::SATURATING_FLOAT_TO_INT,
    ),
    ("sign-extension", WasmFeatures::SIGN_EXTENSION),
    ("reference-types", WasmFeatures::REFERENCE_TYPES),
    ("multi-value", WasmFeatures::MULTI_VALUE),
    ("bulk-memory", WasmFeatures::BULK_MEMORY),
    ("simd", WasmFeatures::SIMD),
    ("relaxed-simd", WasmFeatures::RELAXED_SIMD),
    ("threads", WasmFeatures::THREADS),
    (
        "shared-everything-threads",
        WasmFeatures::SHARED_EVERYTHING_THREADS,
    ),
    ("tail-call", WasmFeatures::TAIL_CALL),
    ("floats", WasmFeatures::FLOATS),
    ("multi-memory", WasmFeatures::MULTI_MEMORY),
    ("exceptions", WasmFeatures::EXCEPTIONS),
    ("memory64", WasmFeatures::MEMORY64),
    ("extended-const", WasmFeatures::EXTENDED_CONST),
    ("component-model", WasmFeatures::COMPONENT_MODEL),
    ("function-references", WasmFeatures::FUNCTION_REFERENCES),
    ("memory-control", WasmFeatures::MEMORY_CONTROL),
    ("gc", WasmFeatures::GC),
    ("custom-page-sizes", WasmFeatures::CUSTOM_PAGE_SIZES),
    ("legacy-exceptions", WasmFeatures::LEGACY_EXCEPTIONS),
    ("stack-switching", WasmFeatures::STACK_SWITCHING),
    ("wide-arithmetic", WasmFeatures::WIDE_ARITHMETIC),
    ("custom-descriptors", WasmFeatures::CUSTOM_DESCRIPTORS),
    ("compact-imports", WasmFeatures::COMPACT_IMPORTS),
];
