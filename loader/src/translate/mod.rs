//! WebAssembly functions to canonical bytecode, in one pass.
//!
//! The operand stack of WebAssembly is followed at translation time. An entry of it is a value in
//! its own frame slot, or a local or a constant that nobody has needed in a slot yet, so most of
//! `local.get` and `const` emit nothing. A frame is laid out as
//!
//! ```text
//!   slot 0        n_params       n_locals              n_locals + height of the stack
//!        ┌────────┬──────────────┬─────────────────────┬ ─ ─
//!        │ params │ other locals │ one slot a stack entry
//!        └────────┴──────────────┴─────────────────────┴ ─ ─
//! ```
//!
//! so that arguments of a call are already where the callee wants its parameters, and values that
//! a branch carries only ever move down. A vector takes two slots, and so two entries of the stack
//! or two locals: everything here counts in slots but the operators of WebAssembly.
//!
//! Everything here takes time and memory linear in the size of the function, whatever it looks
//! like; nothing recurses.

mod atomics;
mod branch;
mod call;
mod condition;
mod continuations;
mod control;
pub(crate) mod decode;
mod driver;
mod emit;
mod exceptions;
mod fuse;
mod gc;
mod maps;
mod memory;
mod memory64;
mod ops;
mod plain;
mod refs;
mod repeat;
mod simd;
mod stack;
#[cfg(feature = "simd")]
mod vector;
#[cfg(feature = "simd")]
mod vector_fuse;
mod visit;
mod wide;

use crate::error::LoadErrorKind;
use crate::info::ModuleInfo;
use crate::options::Options;
use crate::types::ValType;
use control::Frame;
use exceptions::Handlers;
use sheave_isa::{Asm, Op};
use stack::Entry;

pub(crate) use driver::{
    Body, Validation, Validators, translate_trusted, translate_validating, validate,
};
pub use maps::RefMaps;

/// No position, no element of a list.
const NONE: u32 = u32::MAX;

/// More slots than this a frame cannot have.
pub(crate) const MAX_SLOTS: u32 = 65_535;

/// What one slot holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Ty {
    I32,
    I64,
    F32,
    F64,
    /// The lower half of a vector.
    V128,
    /// The upper half of the vector below: moved, copied and named with it, never alone.
    Pad,
    /// A reference to a function, which no collector follows.
    Ref,
    /// Any other reference.
    GcRef,
}

/// What is written down on the way, besides the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Nothing,
    /// Where each op came from.
    Positions,
    /// Where references are when a collection can happen.
    RefMaps,
}

/// The options that change code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodeOptions {
    pub(crate) fuel: bool,
    pub(crate) interruption: bool,
}

impl From<&Options> for CodeOptions {
    fn from(options: &Options) -> Self {
        Self {
            fuel: options.fuel,
            interruption: options.interruption,
        }
    }
}

/// Translates functions of one module, one after the other; its memory is used again.
pub(crate) struct Translator<'m> {
    info: &'m ModuleInfo,
    options: CodeOptions,
    /// Whether some memory has 64-bit addresses.
    any_memory64: bool,

    asm: Asm,
    /// Where the last op starts if it writes its first operand and nothing else, in this block.
    last: u32,
    /// The same of the op before `last`, if `last` is one.
    prev: u32,
    /// What `last` was before the op that made it none.
    before: u32,
    /// What the next op must do first, see `emit`.
    pending: u8,
    fuel_pos: u32,
    fuel_count: u32,

    stack: Vec<Entry>,
    max_height: u32,
    /// How many entries of the stack are locals.
    lazy_locals: u32,
    frames: Vec<Frame>,
    reachable: bool,
    /// Blocks that were opened in unreachable code and are still open.
    dead_blocks: u32,

    n_params: u32,
    n_locals: u32,
    local_types: Vec<Ty>,
    /// Whether a local is a vector: only then locals and their slots have different numbers.
    has_vectors: bool,
    /// The slot of each local, if so.
    local_slots: Vec<u32>,
    /// The constants of type v128 on the stack; entries name them.
    vectors: Vec<u128>,
    /// For each local its topmost entry on the stack, plus one. All 0 between functions.
    local_entry: Vec<u32>,
    /// Whether each local was written on all paths to here. All false between functions.
    initialised: Vec<bool>,
    /// Locals to be forgotten by `initialised` when blocks end.
    init_log: Vec<u32>,
    /// First and last local that must start as zero.
    zero: Option<(u32, u32)>,

    /// Counts `br_table`s, to tell old stubs from new.
    table_stamp: u32,
    stubs: Vec<u32>,
    /// Where the last `copy2` or `copy_n` starts.
    copies: u32,
    n_results: u32,
    /// Where the last `br` outside of a table is.
    plain_branch: u32,
    /// Where the last `br_if` that is one op is, and the frame it goes to.
    conditional: (u32, usize),
    /// The frame of the loop that was opened last.
    last_loop: usize,
    failed: Option<LoadErrorKind>,
    /// What catches exceptions.
    handlers: Handlers,

    /// Positions and the offsets of the operators they come from, if `RECORD` is pending.
    marks: Vec<(u32, u32)>,
    /// Offset of the operator that is translated.
    offset: u32,
    /// Where references are, if `MAPS` is pending.
    maps: maps::Recorder,
}

/// The bytecode of one function.
pub(crate) struct Translated<'t> {
    pub(crate) code: &'t [u16],
    pub(crate) frame_slots: u32,
    /// Position of each op and the offset of the operator it came from, if asked for.
    pub(crate) marks: &'t [(u32, u32)],
    /// Where references are, if asked for.
    pub(crate) maps: RefMaps,
}

/// Room for the op that zeroes locals, which stands before the code until it is known whether it
/// is needed.
const PREFIX: usize = 4;

impl<'m> Translator<'m> {
    pub(crate) fn new(info: &'m ModuleInfo, options: CodeOptions) -> Self {
        Self {
            info,
            options,
            any_memory64: info.memories.iter().any(|memory| memory.memory64),
            asm: Asm::new(),
            last: NONE,
            prev: NONE,
            before: NONE,
            pending: 0,
            fuel_pos: NONE,
            fuel_count: 0,
            stack: Vec::new(),
            max_height: 0,
            lazy_locals: 0,
            frames: Vec::new(),
            reachable: true,
            dead_blocks: 0,
            n_params: 0,
            n_locals: 0,
            local_types: Vec::new(),
            has_vectors: false,
            local_slots: Vec::new(),
            vectors: Vec::new(),
            local_entry: Vec::new(),
            initialised: Vec::new(),
            init_log: Vec::new(),
            zero: None,
            table_stamp: 0,
            stubs: Vec::new(),
            copies: NONE,
            n_results: 0,
            conditional: (NONE, 0),
            plain_branch: NONE,
            last_loop: 0,
            failed: None,
            handlers: Handlers::default(),
            marks: Vec::new(),
            offset: 0,
            maps: maps::Recorder::default(),
        }
    }

    /// What a slot of a value of this type holds.
    #[inline]
    fn ty(&self, ty: ValType) -> Ty {
        match ty {
            ValType::I32 => Ty::I32,
            ValType::I64 => Ty::I64,
            ValType::F32 => Ty::F32,
            ValType::F64 => Ty::F64,
            ValType::V128 => Ty::V128,
            ValType::Ref(ty) => self.ref_ty(ty.heap_type),
        }
    }

    /// As `ty`, of a type that was read just now.
    #[inline]
    fn ty_read(&self, ty: wasmparser::ValType) -> Ty {
        match ty {
            wasmparser::ValType::I32 => Ty::I32,
            wasmparser::ValType::I64 => Ty::I64,
            wasmparser::ValType::F32 => Ty::F32,
            wasmparser::ValType::F64 => Ty::F64,
            wasmparser::ValType::V128 => Ty::V128,
            wasmparser::ValType::Ref(ty) => self.ref_ty_read(ty.heap_type()),
        }
    }

    /// Starts a function; its locals are to be declared next.
    fn begin(&mut self, type_index: u32, record: Record) {
        self.asm.code.clear();
        self.asm.code.resize(PREFIX, 0);
        self.last = NONE;
        self.prev = NONE;
        self.pending = match record {
            Record::Nothing => 0,
            Record::Positions => emit::RECORD,
            Record::RefMaps => emit::MAPS,
        };
        self.marks.clear();
        self.maps.clear();
        self.fuel_pos = NONE;
        self.fuel_count = 0;
        self.max_height = 0;
        self.reachable = true;
        self.dead_blocks = 0;
        self.zero = None;
        self.table_stamp = 0;
        self.copies = NONE;
        self.conditional = (NONE, 0);
        self.plain_branch = NONE;
        self.last_loop = 0;
        self.failed = None;
        self.handlers.clear();
        self.frames.clear();
        self.clear_locals();

        let info = self.info;
        let ty = info.type_as_func(type_index);
        let params = ty.map_or(&[][..], |ty| ty.params());
        let (n_params, n_results) = self.shape(type_index);
        self.local_types.clear();
        self.has_vectors = n_params as usize > params.len();
        if self.has_vectors {
            self.declare_vectors(params);
        } else {
            for ty in params {
                self.local_types.push(self.ty(*ty));
            }
        }
        self.vectors.clear();
        self.n_params = n_params;
        self.n_locals = n_params;
        self.n_results = n_results;
        self.frames
            .push(Frame::function(type_index, self.n_results));
    }

    /// Declares `count` locals.
    fn locals(&mut self, count: u32, ty: wasmparser::ValType) {
        let first = self.n_locals;
        if self.has_vectors || ty == wasmparser::ValType::V128 {
            self.vector_locals(count, self.ty_read(ty));
            return;
        }
        self.n_locals = first.saturating_add(count);
        if self.n_locals > MAX_SLOTS {
            self.failed = Some(LoadErrorKind::TooManySlots);
            return;
        }
        let ty = self.ty_read(ty);
        self.local_types.resize(self.n_locals as usize, ty);
    }

    /// Ends the declarations; operators follow.
    fn begin_body(&mut self) -> Result<(), LoadErrorKind> {
        if let Some(kind) = self.failed.take() {
            return Err(kind);
        }
        let n = self.n_locals as usize;
        if self.local_entry.len() < n {
            self.local_entry.resize(n, 0);
            self.initialised.resize(n, false);
        }
        if self.pending & emit::MAPS != 0 {
            self.find_traced_locals();
        }
        self.begin_fuel_block();
        if self.options.interruption {
            let pos = self.put(&mut [Op::Check as u16]);
            self.safepoint(pos);
        }
        Ok(())
    }

    /// Ends the function after its last `end`.
    fn finish(&mut self) -> Result<Translated<'_>, LoadErrorKind> {
        self.clear_locals();
        let slots = (self.n_locals + self.max_height).max(self.n_results);
        if slots > MAX_SLOTS {
            return Err(LoadErrorKind::TooManySlots);
        }
        if let Some(kind) = self.failed.take() {
            return Err(kind);
        }
        if self.asm.code.len() > (i32::MAX / 2) as usize {
            return Err(LoadErrorKind::CodeTooLarge);
        }
        let start = match self.zero {
            Some((first, last)) if first == last => {
                self.asm.code[..PREFIX].copy_from_slice(&[Op::Const32 as u16, first as u16, 0, 0]);
                0
            }
            Some((first, last)) => {
                let n = (last - first + 1) as u16;
                self.asm.code[1..PREFIX].copy_from_slice(&[Op::Zero as u16, first as u16, n]);
                1
            }
            None => PREFIX,
        };
        for (pos, _) in &mut self.marks {
            *pos -= start as u32;
        }
        let maps = self.maps.finish(start as u32, self.zero);
        self.put_handlers(start as u32);
        Ok(Translated {
            code: &self.asm.code[start..],
            frame_slots: slots,
            marks: &self.marks,
            maps,
        })
    }

    /// Whether to give up: going on would only use memory.
    #[inline]
    fn is_hopeless(&self) -> bool {
        self.max_height > MAX_SLOTS
    }
}
