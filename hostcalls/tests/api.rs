//! The embedding API as an embedder uses it, on both executors.

mod api {
    mod calls;
    mod continuations;
    mod exceptions;
    mod failures;
    mod features;
    mod forks;
    mod futures;
    mod futures_elsewhere;
    mod futures_heap;
    mod guests_objects;
    mod heap;
    mod host_frames;
    mod host_frames_ended;
    mod host_stacks;
    mod host_suspensions;
    mod interruption;
    mod limits;
    mod linking;
    mod memories;
    mod modules;
    mod objects;
    mod pausing;
    mod reentry;
    mod resuming;
    mod rooting;
    mod saving;
    mod snapshot_versions;
    mod snapshots;
    mod snapshots_of_stacks;
    mod suspensions;
    mod tails;
    mod targets;
    mod vectors;
    mod yielding;

    use sheave_hostcalls::{Config, Engine, Executor, Instance, Module, Store};

    /// Runs a test on each executor of this build.
    fn on_both(test: impl Fn(&Engine)) {
        on_both_with(|_| {}, test);
    }

    fn on_both_with(settings: impl Fn(&mut Config), test: impl Fn(&Engine)) {
        for executor in [Executor::Threaded, Executor::Portable] {
            if executor.available() {
                let mut config = Config::new();
                config.executor(executor);
                settings(&mut config);
                test(&Engine::new(&config).unwrap());
            }
        }
    }

    /// An engine for each executor of this build.
    fn engines(settings: impl Fn(&mut Config)) -> Vec<Engine> {
        let engines = std::cell::RefCell::new(Vec::new());
        on_both_with(settings, |engine| engines.borrow_mut().push(engine.clone()));
        engines.into_inner()
    }

    /// An instance without imports in a new store.
    fn instance(engine: &Engine, wat: &str) -> (Store<()>, Instance) {
        let module = Module::new(engine, wat).unwrap();
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        (store, instance)
    }
}
