//! How modules are loaded: features, and when functions are validated and translated.

use wasmparser::WasmFeatures;

use crate::features::{DEFAULT_FEATURES, SUPPORTED_FEATURES};

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
