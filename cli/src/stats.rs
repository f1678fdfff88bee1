//! `--stats`: what a run took.

use std::time::{Duration, Instant};

/// Times of the parts of a run, taken as it goes.
pub(crate) struct Stats {
    last: Instant,
    load: Duration,
    instantiate: Duration,
    execute: Duration,
}

impl Stats {
    pub(crate) fn start() -> Self {
        let zero = Duration::ZERO;
        Self {
            last: Instant::now(),
            load: zero,
            instantiate: zero,
            execute: zero,
        }
    }

    /// The time since the last part ended.
    fn lap(&mut self) -> Duration {
        let last = core::mem::replace(&mut self.last, Instant::now());
        self.last - last
    }

    pub(crate) fn loaded(&mut self) {
        self.load = self.lap();
    }

    pub(crate) fn instantiated(&mut self) {
        self.instantiate = self.lap();
    }

    pub(crate) fn called(&mut self) {
        self.execute = self.lap();
    }

    /// Prints all of it on standard error.
    pub(crate) fn print(&self, fuel: Option<u64>, store_bytes: u64) {
        let times = [
            ("load", self.load),
            ("instantiate", self.instantiate),
            ("execute", self.execute),
        ];
        for (part, time) in times {
            eprintln!("{part:<12} {:>12.3} ms", time.as_secs_f64() * 1e3);
        }
        if let Some(fuel) = fuel {
            eprintln!("fuel used    {fuel:>12}");
        }
        eprintln!("memory       {:>12} KiB", store_bytes >> 10);
    }
}
