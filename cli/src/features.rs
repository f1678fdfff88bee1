//! Which features of WebAssembly a module may use.

use clap::Args;
use sheave::{Config, Feature};
use std::str::FromStr;

/// What is not on by default, and what is.
#[derive(Args)]
pub(crate) struct FeatureArgs {
    /// Switches features on besides those that are by default: names such as stack-switching, or `all`; a name behind a
    /// minus sign is switched off
    #[arg(
        long,
        value_name = "all|NAME,…",
        allow_hyphen_values = true,
        value_delimiter = ','
    )]
    features: Vec<Switch>,
}

/// A word of the list.
#[derive(Clone, Copy)]
enum Switch {
    All,
    One(&'static Feature, bool),
}

impl FromStr for Switch {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "all" {
            return Ok(Self::All);
        }
        let (name, on) = match word.strip_prefix('-') {
            Some(name) => (name, false),
            None => (word, true),
        };
        let feature = supported().find(|feature| feature.name == name);
        feature
            .map(|feature| Self::One(feature, on))
            .ok_or_else(|| {
                let names: Vec<_> = supported().map(|feature| feature.name).collect();
                format!("no such feature; there are: {}", names.join(", "))
            })
    }
}

fn supported() -> impl Iterator<Item = &'static Feature> {
    Config::features()
        .iter()
        .filter(|feature| feature.is_supported())
}

/// A configuration in which everything is on that there is: for looking at what others have made.
pub(crate) fn all() -> Config {
    let mut config = Config::new();
    supported().for_each(|feature| {
        config.feature(feature, true);
    });
    config
}

impl FeatureArgs {
    /// A configuration with these features.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new();
        for switch in &self.features {
            match switch {
                Switch::All => supported().for_each(|feature| {
                    config.feature(feature, true);
                }),
                Switch::One(feature, on) => {
                    config.feature(feature, *on);
                }
            }
        }
        config
    }
}
