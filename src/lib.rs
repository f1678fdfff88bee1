#![doc = include_str!("../README.md")]

pub use sheave_hostcalls::*;
