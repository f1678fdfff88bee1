//! One small adapter for each engine, so that everything else treats them alike.

#[cfg(feature = "sheave")]
mod sheave;
#[cfg(wasm3)]
mod wasm3;
mod wasmi;
#[cfg(feature = "wasmtime")]
mod wasmtime;

/// Errors are only ever shown.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// An engine that runs modules.
pub trait Engine {
    /// Its name in tables, and for `--engines`.
    fn name(&self) -> &'static str;
    /// Version and configuration, for the report.
    fn about(&self) -> String;
    /// Whether it is to be tried in a process of its own first.
    fn may_crash(&self) -> bool {
        false
    }
    /// Compiles and instantiates a module without imports that exports `run`.
    fn load(&self, wasm: &[u8]) -> Result<Box<dyn Guest>>;
    /// Instantiates the module of the call benches (`calls::MODULE`).
    fn calls(&self, wasm: &[u8]) -> Result<Box<dyn Calls>>;
    /// Ways to go from a file of bytes to an instance, for the startup benches; their imports are all stubs.
    fn startup(&self, wasm: &[u8]) -> Result<Vec<Startup>>;
}

/// An instance of a benchmark program.
pub trait Guest {
    /// Calls `run(n)`; the result is the program's checksum.
    fn run(&mut self, n: u32) -> Result<u64>;
}

/// An instance of the module of the call benches.
pub trait Calls {
    /// Calls the guest's `add` this often from the host, typed; the last result.
    fn into_guest(&mut self, times: u32) -> Result<u32>;
    /// Lets the guest call the host's `add` this often; the last result.
    fn out_of_guest(&mut self, times: u32) -> Result<u32>;
}

/// One way to start: a name, and what compiles and instantiates.
pub struct Startup {
    /// The mode's name.
    pub mode: &'static str,
    /// Does it once.
    pub start: Box<dyn FnMut() -> Result<()>>,
}

impl Startup {
    /// A named mode.
    pub fn new(mode: &'static str, start: impl FnMut() -> Result<()> + 'static) -> Self {
        Self { mode, start: Box::new(start) }
    }
}

/// Every engine that this build has, sheave first, then what it is measured against.
pub fn all() -> Vec<Box<dyn Engine>> {
    vec![
        #[cfg(feature = "sheave")]
        Box::new(sheave::Sheave),
        Box::new(wasmi::Wasmi),
        #[cfg(wasm3)]
        Box::new(wasm3::Wasm3),
        #[cfg(feature = "wasmtime")]
        Box::new(wasmtime::Wasmtime { pulley: true }),
        #[cfg(feature = "wasmtime")]
        Box::new(wasmtime::Wasmtime { pulley: false }),
    ]
}
