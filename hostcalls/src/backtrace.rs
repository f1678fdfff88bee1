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
    /// The function, counted without imports.
    defined: u32,
    /// The op, in units from the start of the function's bytecode.
    position: u32,
}

impl WasmBacktrace {
    /// Most frames that are kept.
    pub(crate) const LIMIT: usize = 64;

    pub(crate) fn new(opaque: &StoreOpaque, frames: &[sheave_interp::FrameInfo]) -> WasmBacktrace {
        let mut backtrace = WasmBacktrace {
            frames: Vec::with_capacity(frames.len()),
            more: false,
        };
        backtrace.extend(opaque, frames);
        backtrace
    }

    /// Of these frames, innermost first.
    pub(crate) fn of_frames(frames: Vec<FrameInfo>) -> WasmBacktrace {
        WasmBacktrace {
            frames,
            more: false,
        }
    }

    /// Adds the frames of an outer activation.
    pub(crate) fn extend(&mut self, opaque: &StoreOpaque, frames: &[sheave_interp::FrameInfo]) {
        let frame = |f: &sheave_interp::FrameInfo| {
            let module = opaque.instances.get(f.inst.0 as usize)?.clone();
            Some(FrameInfo {
                module,
                defined: f.func,
                position: f.pos,
            })
        };
        self.frames.extend(frames.iter().filter_map(frame));
        self.more = self.frames.len() >= WasmBacktrace::LIMIT;
    }

    /// The frames, innermost first.
    pub fn frames(&self) -> &[FrameInfo] {
        &self.frames
    }
}

impl FrameInfo {
    /// A frame of an instance of this module, if it has the function.
    pub(crate) fn new(module: Module, frame: &sheave_interp::FrameInfo) -> Option<FrameInfo> {
        module.loaded().info().bodies.get(frame.func as usize)?;
        Some(FrameInfo {
            module,
            defined: frame.func,
            position: frame.pos,
        })
    }

    /// The function's index in its module, imports included.
    pub fn func_index(&self) -> u32 {
        self.defined + self.module.loaded().info().n_imported_funcs
    }

    /// The function's name, from the name section.
    pub fn func_name(&self) -> Option<&str> {
        self.module.loaded().func_name(self.func_index())
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Bytes from the start of the function's body to the operator; found as [`FrameInfo::module_offset`] is.
    pub fn func_offset(&self) -> Option<usize> {
        let body = self
            .module
            .loaded()
            .info()
            .bodies
            .get(self.defined as usize)?;
        self.module_offset()?.checked_sub(body.start as usize)
    }

    /// Bytes from the start of the module to the operator. It is found by translating the function again, when it is
    /// asked for.
    pub fn module_offset(&self) -> Option<usize> {
        self.module
            .loaded()
            .wasm_offset(self.defined, self.position)
    }
}

impl core::fmt::Display for WasmBacktrace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("error while executing at wasm backtrace:")?;
        for (i, frame) in self.frames.iter().enumerate() {
            write!(f, "\n  {i:>3}: ")?;
            if let Some(offset) = frame.module_offset() {
                write!(f, "{offset:#8x} - ")?;
            }
            write!(f, "{}!", frame.module.name().unwrap_or("<unknown>"))?;
            match frame.func_name() {
                Some(name) => write!(f, "{name}")?,
                None => write!(f, "<wasm function {}>", frame.func_index())?,
            }
        }
        if self.more {
            f.write_str("\n       … more frames")?;
        }
        Ok(())
    }
}

impl core::error::Error for WasmBacktrace {}
