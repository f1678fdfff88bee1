//! Features by the names that proposals have, as in `--features tail-call,multi-memory`.

use crate::Options;
use core::fmt;
use core::str::FromStr;
use sheave::Config;

/// A feature that can be switched.
struct Feature {
    name: &'static str,
    /// Whether WebAssembly 2.0 has it.
    in_wasm2: bool,
    switch: fn(&mut Config, bool) -> &mut Config,
}

/// Every feature that the engine can switch on and off.
const FEATURES: &[Feature] = &[
    Feature {
        name: "bulk-memory",
        in_wasm2: true,
        switch: Config::wasm_bulk_memory,
    },
    Feature {
        name: "multi-value",
        in_wasm2: true,
        switch: Config::wasm_multi_value,
    },
    Feature {
        name: "reference-types",
        in_wasm2: true,
        switch: Config::wasm_reference_types,
    },
    Feature {
        name: "custom-page-sizes",
        in_wasm2: false,
        switch: Config::wasm_custom_page_sizes,
    },
    Feature {
        name: "extended-const",
        in_wasm2: false,
        switch: Config::wasm_extended_const,
    },
    Feature {
        name: "memory64",
        in_wasm2: false,
        switch: Config::wasm_memory64,
    },
    Feature {
        name: "function-references",
        in_wasm2: false,
        switch: Config::wasm_function_references,
    },
    Feature {
        name: "multi-memory",
        in_wasm2: false,
        switch: Config::wasm_multi_memory,
    },
    Feature {
        name: "tail-call",
        in_wasm2: false,
        switch: Config::wasm_tail_call,
    },
    Feature {
        name: "wide-arithmetic",
        in_wasm2: false,
        switch: Config::wasm_wide_arithmetic,
    },
];

/// A choice of features, as a list of names. A list starts from WebAssembly 2.0, or from the first version where
/// it names `mvp`; `all` is everything the engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    enabled: Vec<&'static str>,
}

/// A name in a list of features that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureError {
    name: String,
}

impl Features {
    fn where_(wanted: impl Fn(&Feature) -> bool) -> Self {
        let chosen = FEATURES.iter().filter(|feature| wanted(feature));
        Self {
            enabled: chosen.map(|feature| feature.name).collect(),
        }
    }
}

impl Options {
    /// The configuration of an engine with these options.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::new();
        if let Some(features) = &self.features {
            for Feature { name, switch, .. } in FEATURES {
                switch(&mut config, features.enabled.contains(name));
            }
        }
        if let Some(executor) = self.executor {
            config.executor(executor);
        }
        config
    }
}

impl FromStr for Features {
    type Err = FeatureError;

    fn from_str(list: &str) -> Result<Self, FeatureError> {
        let names = || {
            list.split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty())
        };
        let is_known = |name: &str| FEATURES.iter().any(|feature| feature.name == name);
        if let Some(name) = names().find(|name| !matches!(*name, "all" | "mvp") && !is_known(name))
        {
            return Err(FeatureError {
                name: name.to_owned(),
            });
        }
        let all = names().any(|name| name == "all");
        let mvp = names().any(|name| name == "mvp");
        Ok(Self::where_(|feature| {
            all || names().any(|name| name == feature.name) || (feature.in_wasm2 && !mvp)
        }))
    }
}

impl fmt::Display for FeatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no feature is called `{}`; there are all, mvp",
            self.name
        )?;
        FEATURES
            .iter()
            .try_for_each(|feature| write!(f, ", {}", feature.name))
    }
}

impl core::error::Error for FeatureError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn enabled(list: &str) -> Vec<&'static str> {
        list.parse::<Features>().unwrap().enabled
    }

    #[test]
    fn a_list_starts_from_webassembly_2() {
        let wasm2 = ["bulk-memory", "multi-value", "reference-types"];
        assert_eq!(enabled("")[..], wasm2);
        assert_eq!(
            enabled("tail-call")[..],
            [wasm2.as_slice(), &["tail-call"]].concat()
        );
    }

    #[test]
    fn a_list_with_mvp_starts_from_nothing() {
        assert_eq!(enabled("mvp"), [""; 0]);
        assert_eq!(enabled("mvp,multi-memory"), ["multi-memory"]);
    }

    #[test]
    fn all_is_every_feature() {
        assert_eq!(enabled("all").len(), FEATURES.len());
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = "tail-calls".parse::<Features>().unwrap_err().to_string();
        assert!(error.starts_with("no feature is called `tail-calls`; there are all, mvp, "));
        assert!(error.contains("tail-call"));
    }
}
