//! Generated programs that make objects compute the same whenever the collector runs: the programs and the ways to run
//! them are those of the fuzzer (`fuzz/src/objects`), with seeds from here.
#![cfg(not(miri))]

#[allow(unreachable_pub, dead_code, reason = "shared with the fuzzer")]
#[path = "../fuzz/src/random.rs"]
mod random;

// The fuzzer's feature `wasmtime` is none of this package's.
#[allow(
    unreachable_pub,
    dead_code,
    unexpected_cfgs,
    reason = "shared with the fuzzer"
)]
#[path = "../fuzz/src/objects/mod.rs"]
mod objects;

#[test]
fn objects_are_the_same_whenever_the_collector_runs() {
    let mut ended = 0;
    for seed in 0..60 {
        match objects::check(seed) {
            Ok(to_its_end) => ended += u32::from(to_its_end),
            Err(text) => panic!("seed {seed}: {text}\n{}", objects::module(seed)),
        }
    }
    assert!(ended > 30, "only {ended} programs of 60 ran to their end");
}
