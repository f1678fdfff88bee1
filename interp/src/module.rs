//! The code of one module: a cell a function, filled when the function is first called.
#![allow(
    unsafe_code,
    reason = "writes linked code into its own ranges of the code space"
)]

use core::sync::atomic::{AtomicU64, Ordering};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use sheave_isa::{FuncShape, ModuleShape, Op, verify};

use crate::code_space::CodeSpace;
use crate::executor::Executor;
use crate::gc::RefMaps;
use crate::handlers::{Clause, Handlers};
use crate::layout::Layouts;
use crate::link;

/// A function's canonical bytecode.
#[derive(Clone, Debug)]
pub struct FunctionCode<'a> {
    /// Slots of its frame: locals, temporaries and room for what it calls.
    pub frame_slots: u32,
    /// The ops.
    pub code: Cow<'a, [u16]>,
}

/// Any error of whoever supplies the code.
pub type SourceError = Box<dyn core::error::Error + Send + Sync>;

/// Supplies a module's code and data when they are needed.
pub trait ModuleSource: Send + Sync {
    /// The code of the `func`-th defined function. Asked at its first call, and again for backtraces; must give the
    /// same each time.
    ///
    /// # Errors
    /// If the function is invalid or cannot be translated: the call fails with this.
    fn code(&self, func: u32) -> Result<FunctionCode<'_>, SourceError>;

    /// Where the references of a function's frames are. Asked only when a collection finds one.
    ///
    /// # Errors
    /// If it cannot be said.
    fn ref_maps(&self, func: u32) -> Result<RefMaps, SourceError> {
        Err(format!("nobody knows where function {func} has references").into())
    }

    /// The bytes of a data segment.
    fn data(&self, segment: u32) -> &[u8];
}

/// What the executor must know of a module besides its code.
#[derive(Clone, Debug, Default)]
pub struct ModuleDesc {
    /// By type index: shape (nothing, if it is not a function type) and engine-wide identity.
    pub types: Vec<(FuncShape, u32)>,
    /// By function index (imports first): the type index.
    pub funcs: Vec<u32>,
    /// How many of `funcs` are imported.
    pub imported_funcs: u32,
    /// Number of tables, imports included.
    pub tables: u32,
    /// Number of memories, imports included.
    pub memories: u32,
    /// Number of globals that the module defines.
    pub own_globals: u32,
    /// Which of those, ascending, are of type v128 and so take two cells.
    pub own_vectors: Vec<u32>,
    /// Which of those, ascending, hold references that the collector follows.
    pub traced_globals: Vec<u32>,
    /// Number of imported globals.
    pub imported_globals: u32,
    /// By tag index (imports first): the type index.
    pub tags: Vec<u32>,
    /// How many of `tags` are imported.
    pub imported_tags: u32,
    /// Number of data segments.
    pub data: u32,
    /// Whether its code may name them.
    pub names_data: bool,
    /// Number of element segments.
    pub elems: u32,
}

impl ModuleDesc {
    /// Number of cells of 8 bytes that the globals of the module take.
    pub(crate) fn own_global_cells(&self) -> u32 {
        self.own_globals
            .saturating_add(self.own_vectors.len() as u32)
    }
}

/// A module as the executor has it. Shared by all stores of an engine.
pub struct CodeModule {
    space: Arc<CodeSpace>,
    desc: ModuleDesc,
    type_ids: Box<[u32]>,
    cells: Box<[AtomicU64]>,
    source: Box<dyn ModuleSource>,
    linked: Mutex<Linked>,
    maps: Mutex<Maps>,
    /// By start of each linked function that catches exceptions: its length and its tables.
    handlers: RwLock<BTreeMap<u32, (u32, Handlers)>>,
}

/// In place of a position in [`Maps`].
const TAIL_CALL: u32 = u32::MAX;

/// Where references are, as far as somebody asked.
#[derive(Default)]
struct Maps {
    funcs: HashMap<u32, Arc<RefMaps>>,
    /// By place in the code space: the function's maps, and the op.
    places: HashMap<u32, (Arc<RefMaps>, u32)>,
}

/// The module's ranges of the code space.
#[derive(Default)]
struct Linked {
    ranges: Vec<(u32, u32)>,
    next: u32,
    end: u32,
    /// Start of each linked function: its length and index.
    funcs: BTreeMap<u32, (u32, u32)>,
    positions: Vec<u32>,
}

/// A cell before its function is linked: a frame that fits nowhere, so that every call takes the slow path.
pub(crate) const UNLINKED: u64 = (u32::MAX as u64) << 32;

/// How much of the code space a module takes at a time.
const CHUNK: usize = 64 << 10;

/// One frame of a backtrace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameInfo {
    /// The instance.
    pub inst: crate::InstAddr,
    /// The defined function, counted from 0 without imports.
    pub func: u32,
    /// The op, in units from the function's start.
    pub pos: u32,
}

impl CodeModule {
    /// A module none of whose functions is linked yet.
    pub fn new(
        space: Arc<CodeSpace>,
        desc: ModuleDesc,
        source: Box<dyn ModuleSource>,
    ) -> Arc<CodeModule> {
        let defined = desc.funcs.len() - desc.imported_funcs as usize;
        Arc::new(CodeModule {
            space,
            type_ids: desc.types.iter().map(|(_, id)| *id).collect(),
            cells: (0..defined).map(|_| AtomicU64::new(UNLINKED)).collect(),
            desc,
            source,
            linked: Mutex::default(),
            maps: Mutex::default(),
            handlers: RwLock::default(),
        })
    }

    /// What it was made from.
    pub fn desc(&self) -> &ModuleDesc {
        &self.desc
    }

    /// The supplier of its code.
    pub fn source(&self) -> &dyn ModuleSource {
        &*self.source
    }

    pub(crate) fn cells(&self) -> *const AtomicU64 {
        self.cells.as_ptr()
    }

    pub(crate) fn type_ids(&self) -> *const u32 {
        self.type_ids.as_ptr()
    }

    /// The shape of a function by its index (imports first).
    pub(crate) fn shape(&self, func: u32) -> Option<(FuncShape, u32)> {
        self.desc
            .types
            .get(*self.desc.funcs.get(func as usize)? as usize)
            .copied()
    }

    /// The shape of a defined function, counted from 0 without imports.
    pub(crate) fn defined_shape(&self, func: u32) -> Option<(FuncShape, u32)> {
        self.shape(func.checked_add(self.desc.imported_funcs)?)
    }

    /// What its code is linked for.
    pub(crate) fn executor(&self) -> Executor {
        self.space.executor()
    }

    /// The cell of a defined function, which is linked first if need be.
    pub(crate) fn link(&self, func: u32) -> Result<u64, SourceError> {
        let cell = &self.cells[func as usize];
        let mut linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = cell.load(Ordering::Acquire);
        if now != UNLINKED {
            return Ok(now);
        }
        let code = self.source.code(func)?;
        let (shape, _) = self
            .shape(func + self.desc.imported_funcs)
            .unwrap_or_default();
        let tables = verify(&code.code, code.frame_slots, shape, self)?;
        let executor = self.space.executor();
        let mut positions = std::mem::take(&mut linked.positions);
        if tables.is_some() {
            // Ranges need not begin and end at ops in an image that somebody made up.
            positions.clear();
        }
        let bytes = link::place(executor, &code.code, &mut positions).next_multiple_of(8);
        let at = self.room(&mut linked, bytes)?;
        // SAFETY: I6, the range is this module's and not yet published; the code is verified.
        unsafe {
            link::write(
                executor,
                &code.code,
                &positions,
                self.space.base().add(at as usize),
            )
        };
        if let Some(unit) = tables {
            let handlers = Handlers::read(&code.code, unit, &positions);
            let mut all = self
                .handlers
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            all.insert(at, (bytes as u32, handlers));
        }
        linked.positions = positions;
        linked.funcs.insert(at, (bytes as u32, func));
        let value = u64::from(code.frame_slots * 8) << 32 | u64::from(at);
        cell.store(value, Ordering::Release);
        Ok(value)
    }

    fn room(&self, linked: &mut Linked, bytes: usize) -> Result<u32, SourceError> {
        if ((linked.end - linked.next) as usize) < bytes {
            // The first chunk of a small module is small.
            let want = if linked.ranges.is_empty() {
                bytes.max(4096)
            } else {
                bytes.max(CHUNK)
            };
            let (start, len) = self.space.take(want)?;
            linked.ranges.push((start, len));
            (linked.next, linked.end) = (start, start + len);
        }
        let at = linked.next;
        linked.next += bytes as u32;
        Ok(at)
    }

    /// Bytes of the frame of the function whose linked form contains byte `at` of the code space.
    pub(crate) fn frame_bytes(&self, at: u32) -> Option<u32> {
        let linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, (len, func)) = linked.funcs.range(..=at).next_back()?;
        let cell = self.cells.get(*func as usize)?;
        (at - start < *len).then(|| (cell.load(Ordering::Acquire) >> 32) as u32)
    }

    /// Where the linked function begins that contains byte `at` of the code space, and which that is.
    pub(crate) fn func_at(&self, at: u32) -> Option<(u32, u32)> {
        let linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, (len, func)) = linked.funcs.range(..=at).next_back()?;
        (at - start < *len).then_some((*start, *func))
    }

    /// The defined function and the op (in units) that contains byte `at` of the code space.
    fn find(&self, at: u32) -> Option<(u32, u32)> {
        let (start, func) = self.func_at(at)?;
        let layout = Layouts::default().of(self, 0, func).ok()?;
        Some((func, layout.unit_at(at - start)))
    }
}

impl CodeModule {
    /// Tells `f` the slots that hold traced references at the op that contains byte `at` of the code space.
    pub(crate) fn with_ref_slots(
        &self,
        at: u32,
        f: impl FnOnce(&[u16]),
    ) -> Result<(), SourceError> {
        let mut maps = self.maps.lock().unwrap_or_else(PoisonError::into_inner);
        if !maps.places.contains_key(&at) {
            let (func, pos) = self.find(at).ok_or("no function is there")?;
            let map = match maps.funcs.get(&func) {
                Some(map) => Arc::clone(map),
                None => Arc::new(self.source.ref_maps(func)?),
            };
            maps.funcs.insert(func, Arc::clone(&map));
            // Of a frame that a tail call replaced by the host function's, nothing is left.
            let unit = self.source.code(func)?.code.get(pos as usize).copied();
            let tail = matches!(
                unit.and_then(Op::from_unit),
                Some(
                    Op::ReturnCall
                        | Op::ReturnCallImport
                        | Op::ReturnCallIndirect
                        | Op::ReturnCallRef
                )
            );
            maps.places
                .insert(at, (map, if tail { TAIL_CALL } else { pos }));
        }
        let (map, pos) = &maps.places[&at];
        if *pos == TAIL_CALL {
            return Ok(());
        }
        let slots = map
            .at(*pos)
            .ok_or_else(|| format!("nobody said which slots hold references at op {pos}"))?;
        f(slots);
        Ok(())
    }
}

/// What catches exceptions in a module's functions.
pub(crate) struct ModuleHandlers<'m>(RwLockReadGuard<'m, BTreeMap<u32, (u32, Handlers)>>);

impl CodeModule {
    pub(crate) fn handlers(&self) -> ModuleHandlers<'_> {
        ModuleHandlers(self.handlers.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ModuleHandlers<'_> {
    /// The clause that catches what the op at byte `at` of the code space throws, and where it leads.
    pub(crate) fn find(&self, at: u32, catches: impl Fn(&Clause) -> bool) -> Option<(Clause, u32)> {
        let (start, (len, handlers)) = self.0.range(..=at).next_back()?;
        if at - start >= *len {
            return None;
        }
        let clause = handlers.find(at - start, catches)?;
        Some((clause, start + clause.target))
    }
}

impl ModuleShape for CodeModule {
    fn func(&self, i: u32) -> Option<FuncShape> {
        Some(self.shape(i.checked_add(self.desc.imported_funcs)?)?.0)
    }

    fn import(&self, i: u32) -> Option<FuncShape> {
        if i < self.desc.imported_funcs {
            Some(self.shape(i)?.0)
        } else {
            None
        }
    }

    fn ty(&self, i: u32) -> Option<FuncShape> {
        Some(self.desc.types.get(i as usize)?.0)
    }

    fn tag(&self, i: u32) -> Option<FuncShape> {
        self.ty(*self.desc.tags.get(i as usize)?)
    }

    fn counts(&self) -> [u32; 6] {
        let d = &self.desc;
        [
            d.tables,
            d.memories,
            d.own_global_cells(),
            d.imported_globals,
            d.data,
            d.elems,
        ]
    }
}

impl Drop for CodeModule {
    fn drop(&mut self) {
        let linked = self
            .linked
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        self.space.give_back(linked.ranges.drain(..));
    }
}

impl core::fmt::Debug for CodeModule {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CodeModule")
            .field("functions", &self.cells.len())
            .finish_non_exhaustive()
    }
}
