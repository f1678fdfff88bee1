//! How an engine is made.

use sheave_interp::{ArenaConfig, Backend, Executor};
use sheave_loader::{FEATURES, Feature, Options, WasmFeatures};

/// Settings of an [`Engine`](crate::Engine), under Wasmtime's names where Wasmtime has them.
///
/// ```
/// use sheave_hostcalls::{Config, Engine};
/// let mut config = Config::new();
/// config.consume_fuel(true).max_wasm_stack(1 << 20);
/// let engine = Engine::new(&config)?;
/// # Ok::<(), sheave_hostcalls::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) options: Options,
    pub(crate) epochs: bool,
    pub(crate) shared_memory: bool,
    pub(crate) executor: Executor,
    pub(crate) arena: ArenaConfig,
    pub(crate) max_wasm_stack: usize,
    pub(crate) code_bytes: usize,
    pub(crate) backtraces: bool,
    pub(crate) gc_stress: bool,
    pub(crate) host_stacks: crate::host_stacks::Settings,
}

impl Default for Config {
    fn default() -> Config {
        Config::new()
    }
}

macro_rules! switches {
    ($($(#[doc = $doc:literal])+ $name:literal $switch:ident $flag:ident $origin:ident $on:literal $(= $why:literal)?;)*) => {
        /// Switches for features of WebAssembly; `docs/features.md` says which are on by default.
        impl Config { $(
            $(#[doc = $doc])+
            $(#[doc = concat!("\n\nNot there yet: ", $why, ".")])?
            pub fn $switch(&mut self, enable: bool) -> &mut Config {
                self.options.features.set(WasmFeatures::$flag, enable);
                self
            }
        )* }
    };
}

sheave_loader::for_each_feature!(switches);

impl Config {
    /// The features of WebAssembly 3.0 on; translation on demand; no fuel, no interruption.
    pub fn new() -> Config {
        Config {
            options: Options::default(),
            epochs: false,
            shared_memory: false,
            executor: Executor::best(),
            arena: ArenaConfig::default(),
            max_wasm_stack: 1 << 20,
            code_bytes: if cfg!(target_pointer_width = "64") {
                2 << 30
            } else {
                64 << 20
            },
            backtraces: true,
            gc_stress: false,
            host_stacks: crate::host_stacks::Settings::default(),
        }
    }

    /// Every feature that can be switched, whether this version has it or not.
    pub fn features() -> &'static [Feature] {
        FEATURES
    }

    /// Switches a feature, as the method that is named in [`Feature::switch`] does.
    pub fn feature(&mut self, feature: &Feature, enable: bool) -> &mut Config {
        self.options.features.set(feature.flag, enable);
        self
    }

    /// Whether memories whose type says that threads share them can be made. Off by default. Such a memory belongs to one
    /// store, as every other: [`SharedMemoryError`](crate::SharedMemoryError).
    pub fn shared_memory(&mut self, enable: bool) -> &mut Config {
        self.shared_memory = enable;
        self
    }

    /// Branch hints change no code: the section `metadata.code.branch_hint` is read by nobody, on or off.
    pub fn wasm_branch_hinting(&mut self, _enable: bool) -> &mut Config {
        self
    }

    /// Whether relaxed vector operators give what the specification's deterministic profile says. They always do
    /// here, on every machine, whatever is asked for.
    pub fn relaxed_simd_deterministic(&mut self, _enable: bool) -> &mut Config {
        self
    }

    /// Whether this version can run modules that use `feature`, named as in `--features` of the command-line tool.
    pub fn supports(feature: &str) -> bool {
        Feature::find(feature).is_some_and(Feature::is_supported)
    }

    /// Whether there are continuations.
    pub(crate) fn has_stack_switching(&self) -> bool {
        self.options
            .features
            .contains(WasmFeatures::STACK_SWITCHING)
    }

    /// The first feature that is on and that this version does not have.
    pub(crate) fn missing(&self) -> Option<&'static Feature> {
        let mut missing = FEATURES.iter().filter(|f| !f.is_supported());
        missing.find(|f| self.options.features.contains(f.flag))
    }

    /// Counts fuel: one unit for each operator of a basic block, taken when the block is entered. The count is the
    /// same on both executors and every machine. Off by default; off costs nothing.
    pub fn consume_fuel(&mut self, enable: bool) -> &mut Config {
        self.options.fuel = enable;
        self
    }

    /// Makes running code look for interruptions at each function's entry and each loop's head, so that
    /// [`Store::interrupt_handle`](crate::Store::interrupt_handle) works. Off by default; off costs nothing.
    pub fn interruption(&mut self, enable: bool) -> &mut Config {
        self.options.interruption = enable || self.epochs;
        self
    }

    /// Interruption by epochs, as Wasmtime has it: [`Engine::increment_epoch`](crate::Engine::increment_epoch) and
    /// [`Store::set_epoch_deadline`](crate::Store::set_epoch_deadline). Off by default; off costs nothing.
    pub fn epoch_interruption(&mut self, enable: bool) -> &mut Config {
        self.epochs = enable;
        self.options.interruption |= enable;
        self
    }

    /// Most bytes that a store's wasm stack may have; more is the trap "call stack exhausted". 1 MiB by default.
    /// Wasm never uses the native stack.
    pub fn max_wasm_stack(&mut self, bytes: usize) -> &mut Config {
        self.max_wasm_stack = bytes;
        self
    }

    /// Changes nothing: every store can call and be called asynchronously. Here for the sake of code written for Wasmtime, where
    /// it changes nothing any more either.
    pub fn async_support(&mut self, _enable: bool) -> &mut Config {
        self
    }

    /// Translates a function when it is first called (the default), or all of them when a module is made.
    pub fn lazy_translation(&mut self, enable: bool) -> &mut Config {
        self.options.lazy_translation = enable;
        self
    }

    /// Also *validates* a function when it is first called. A module with an invalid function is then accepted, and
    /// the call of that function fails. Off by default. Spec: the embedding may defer validation of functions.
    pub fn lazy_validation(&mut self, enable: bool) -> &mut Config {
        self.options.lazy_validation = enable;
        self
    }

    /// Validates and translates on all cores (the default), or on one.
    pub fn parallel_compilation(&mut self, enable: bool) -> &mut Config {
        self.options.threads = usize::from(!enable);
        self
    }

    /// Which executor runs the code: the best this build has, by default.
    pub fn executor(&mut self, executor: Executor) -> &mut Config {
        self.executor = executor;
        self
    }

    /// How stores get their memory: reserved address space (grows without moving) or the heap.
    pub fn arena_backend(&mut self, backend: Backend) -> &mut Config {
        self.arena.backend = backend;
        self
    }

    /// Bytes of address space reserved for linear memories of a store; memories that need more are moved.
    pub fn memory_reservation(&mut self, bytes: u64) -> &mut Config {
        self.arena.memory_reserve_bytes = bytes;
        self
    }

    /// Most bytes that a store may use for everything the guest can touch: memories, tables, globals, stacks.
    pub fn max_store_bytes(&mut self, bytes: u64) -> &mut Config {
        self.arena.budget_bytes = bytes;
        self
    }

    /// Whether every allocation of a garbage-collected object collects first, and what is free is overwritten. Very slow;
    /// finds references that the collector was not told of.
    pub fn gc_stress(&mut self, enable: bool) -> &mut Config {
        self.gc_stress = enable;
        self
    }

    /// Bytes of address space for the translated code of all modules of the engine. Memory is taken as it is used.
    pub fn code_reservation(&mut self, bytes: usize) -> &mut Config {
        self.code_bytes = bytes;
        self
    }

    /// Whether errors carry a [`WasmBacktrace`](crate::WasmBacktrace). On by default; costs nothing until an error.
    pub fn wasm_backtrace(&mut self, enable: bool) -> &mut Config {
        self.backtraces = enable;
        self
    }
}
