//! Features by the names that proposals have, as in `--features tail-call,multi-memory`.

use crate::Options;
use core::fmt;
use core::str::FromStr;
use sheave::{Config, Feature, FeatureOrigin};

/// Every feature that the engine has.
fn supported() -> impl Iterator<Item = &'static Feature> {
    Config::features().iter().filter(|f| f.is_supported())
}

/// A choice of features, as a list of names. A list starts from WebAssembly 2.0, or from the first version where
/// it names `mvp`; `all` is everything the engine has. A name behind a minus sign is left out.
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
        let chosen = supported().filter(|feature| wanted(feature));
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
        // Scripts of the proposal expect that a module with such a memory can be instantiated.
        config.shared_memory(true);
        if let Some(features) = &self.features {
            for feature in supported() {
                config.feature(feature, features.enabled.contains(&feature.name));
            }
        }
        config.gc_stress(self.gc_stress);
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
        let is_known = |name: &str| supported().any(|feature| feature.name == name);
        let is_name = |name: &str| {
            matches!(name, "all" | "mvp") || is_known(name.strip_prefix('-').unwrap_or(name))
        };
        if let Some(name) = names().find(|name| !is_name(name)) {
            return Err(FeatureError {
                name: name.to_owned(),
            });
        }
        let all = names().any(|name| name == "all");
        let mvp = names().any(|name| name == "mvp");
        let from = if mvp {
            FeatureOrigin::Wasm1
        } else {
            FeatureOrigin::Wasm2
        };
        Ok(Self::where_(|feature| {
            let chosen = all || names().any(|name| name == feature.name);
            let left_out = names().any(|name| name.strip_prefix('-') == Some(feature.name));
            (chosen || feature.origin <= from) && !left_out
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
        supported().try_for_each(|feature| write!(f, ", {}", feature.name))
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
        let list = enabled("");
        assert!(list.contains(&"mutable-global") && list.contains(&"bulk-memory"));
        assert!(!list.contains(&"tail-call"));
        assert!(enabled("tail-call").contains(&"tail-call"));
        assert_eq!(enabled("tail-call").len(), list.len() + 1);
    }

    #[test]
    fn a_list_with_mvp_starts_from_webassembly_1() {
        assert_eq!(enabled("mvp"), ["mutable-global"]);
        assert_eq!(
            enabled("mvp,multi-memory"),
            ["mutable-global", "multi-memory"]
        );
    }

    #[test]
    fn all_is_every_feature() {
        assert_eq!(enabled("all").len(), supported().count());
    }

    #[test]
    fn what_is_behind_a_minus_sign_is_left_out() {
        assert!(enabled("all").contains(&"stack-switching"));
        let list = enabled("all,-stack-switching");
        assert!(!list.contains(&"stack-switching"));
        assert_eq!(list.len() + 1, enabled("all").len());
        assert!("all,-stacks".parse::<Features>().is_err());
        assert!("all,-all".parse::<Features>().is_err());
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = "tail-calls".parse::<Features>().unwrap_err().to_string();
        assert!(error.starts_with("no feature is called `tail-calls`; there are all, mvp, "));
        assert!(error.contains("tail-call"));
    }
}
