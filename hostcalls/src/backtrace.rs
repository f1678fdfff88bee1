//! Where in wasm an error happened.

use crate::module::Module;
use crate::store::StoreOpaque;

/// The wasm frames that were active, innermost first. Found by `error.downcast_ref::<WasmBacktrace>()`.
#[derive(Clone, Debug)]
pub struct WasmBacktrace {
    frames: Vec<FrameInfo>,
    more: bool,
}

/// One frame of a [`WasmBacktrace`].
#[derive(Clone, Debug)]
pub struct FrameInfo {
    module: Module,
    func_index: u32,
    func_offset: Option<usize>,
    module_offset: Option<usize>,
}

impl WasmBacktrace {
    /// Most frames that are kept.
    pub(crate) const LIMIT: usize = 64;

    pub(crate) fn new(opaque: &StoreOpaque, frames: &[sheave_interp::FrameInfo]) -> WasmBacktrace {
        let frame = |f: &sheave_interp::FrameInfo| {
            let module = opaque.instances.get(f.inst.0 as usize)?.clone();
            let loaded = module.loaded();
            let module_offset = loaded.wasm_offset(f.func, f.pos).map(|o| o as usize);
            let body = loaded.info().bodies.get(f.func as usize).map(|b| b.start as usize);
            let func_offset = module_offset.zip(body).map(|(o, b)| o.saturating_sub(b));
            Some(FrameInfo { func_index: f.func + loaded.info().n_imported_funcs, func_offset, module_offset, module })
        };
        WasmBacktrace { more: frames.len() >= WasmBacktrace::LIMIT, frames: frames.iter().filter_map(frame).collect() }
    }

    /// The frames, innermost first.
    pub fn frames(&self) -> &[FrameInfo] {
        &self.frames
    }
}

impl FrameInfo {
    /// The function's index in its module, imports included.
    pub fn func_index(&self) -> u32 {
        self.func_index
    }

    /// The function's name, from the name section.
    pub fn func_name(&self) -> Option<&str> {
        self.module.loaded().func_name(self.func_index)
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Bytes from the start of the function's body to the operator.
    pub fn func_offset(&self) -> Option<usize> {
        self.func_offset
    }

    /// Bytes from the start of the module to the operator.
    pub fn module_offset(&self) -> Option<usize> {
        self.module_offset
    }
}

impl core::fmt::Display for WasmBacktrace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("error while executing at wasm backtrace:")?;
        for (i, frame) in self.frames.iter().enumerate() {
            write!(f, "\n  {i:>3}: ")?;
            if let Some(offset) = frame.module_offset {
                write!(f, "{offset:#8x} - ")?;
            }
            write!(f, "{}!", frame.module.name().unwrap_or("<unknown>"))?;
            match frame.func_name() {
                Some(name) => write!(f, "{name}")?,
                None => write!(f, "<wasm function {}>", frame.func_index)?,
            }
        }
        if self.more {
            f.write_str("\n       … more frames")?;
        }
        Ok(())
    }
}

impl core::error::Error for WasmBacktrace {}
