//! What is in a snapshot, for people: without making a store.

use anyhow::{Result, anyhow, bail};
use sheave_interp::{FrameInfo as Frame, FuncState, HeapTypes, PauseReason};
use sheave_types::CompositeType;

use super::heap::Words;
use super::pages::PAGE;
use super::types;
use super::{ModuleHash, Snapshot};
use crate::backtrace::{FrameInfo, WasmBacktrace};
use crate::module::Module;
use crate::{Config, Engine};

/// What is in a snapshot; see [`Snapshot::describe`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Description {
    /// Its modules: their hashes, and, if they are there, they themselves.
    pub modules: Vec<(ModuleHash, Option<Module>)>,
    /// Its instances, in the order in which they were made.
    pub instances: Vec<InstanceDescription>,
    /// Its memories, by their number in the store.
    pub memories: Vec<MemoryDescription>,
    /// Its tables, by their number in the store.
    pub tables: Vec<TableDescription>,
    /// How many globals there are.
    pub globals: usize,
    /// The names by which host functions are imported: module and item.
    pub host_functions: Vec<(String, String)>,
    /// The heap of objects.
    pub heap: HeapDescription,
    /// The call that waits.
    pub paused: Option<PausedDescription>,
    /// Stacks of continuations, those that the waiting call is on included; the first stack is not among them.
    pub stacks: Vec<StackDescription>,
    /// The fuel that is left, if fuel is counted.
    pub fuel: Option<u64>,
    /// Bytes of the file, by section; nothing if it comes from no file.
    pub sections: Vec<(&'static str, u64)>,
}

/// An instance.
#[derive(Debug)]
#[non_exhaustive]
pub struct InstanceDescription {
    /// Its module, by position in [`Description::modules`].
    pub module: usize,
    /// Its memories, by position.
    pub memories: Vec<usize>,
    /// Its tables, by position.
    pub tables: Vec<usize>,
}

/// A linear memory.
#[derive(Debug)]
#[non_exhaustive]
pub struct MemoryDescription {
    /// Its length in bytes.
    pub bytes: u64,
    /// The bytes that it may grow to, if there is a limit.
    pub max_bytes: Option<u64>,
    /// Whether its addresses have 64 bits.
    pub memory64: bool,
    /// Bytes of the pages that are in the snapshot; the others are zero, or in the snapshot that it is relative to.
    pub stored_bytes: u64,
}

/// A table.
#[derive(Debug)]
#[non_exhaustive]
pub struct TableDescription {
    /// What its elements are.
    pub element: String,
    /// How many it has.
    pub size: usize,
    /// How many of them are not null.
    pub filled: usize,
}

/// The heap of objects.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct HeapDescription {
    /// Its length in bytes.
    pub bytes: u64,
    /// How many objects there are.
    pub objects: usize,
    /// The bytes that they take.
    pub object_bytes: u64,
    /// Objects by type: how many, and their bytes; those that take most first.
    pub types: Vec<(String, usize, u64)>,
    /// The biggest objects: type, place in the heap, bytes.
    pub biggest: Vec<(String, u32, u32)>,
}

/// A call that waits.
#[derive(Debug)]
#[non_exhaustive]
pub struct PausedDescription {
    /// Why.
    pub reason: PauseReason,
    /// Where it is; nothing if a module is not there.
    pub backtrace: Option<WasmBacktrace>,
    /// How many frames there are.
    pub frames: usize,
    /// Their bytes.
    pub stack_bytes: u64,
}

/// A stack of a continuation.
#[derive(Debug)]
#[non_exhaustive]
pub struct StackDescription {
    /// Its number. The first stack is 0.
    pub number: u32,
    /// The stack that goes on when this one ends; none if it is the outermost of a suspended continuation.
    pub parent: Option<u32>,
    /// Whether it is the innermost of a suspended continuation.
    pub suspended: bool,
    /// Where it is; nothing if a module is not there.
    pub backtrace: Option<WasmBacktrace>,
    /// How many frames there are.
    pub frames: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// How many of the biggest objects are named.
const BIGGEST: usize = 20;

impl Snapshot {
    /// The settings that an engine must have for a store to be restored in it, over the others of `config`.
    pub fn configure<'c>(&self, config: &'c mut Config) -> &'c mut Config {
        let code = self.contents().code;
        config
            .consume_fuel(code.fuel)
            .interruption(code.interruption)
    }

    /// What is in it. `engine` has the settings of [`Snapshot::configure`]; `lookup` finds modules that are not in the
    /// snapshot, and may give none.
    ///
    /// Of a snapshot that is relative to another, it is what is in this one.
    ///
    /// # Errors
    /// If it contradicts itself.
    pub fn describe(
        &self,
        engine: &Engine,
        mut lookup: impl FnMut(&ModuleHash) -> Result<Option<Module>>,
    ) -> Result<Description> {
        let contents = self.contents();
        let mut modules = Vec::with_capacity(contents.modules.len());
        for source in &contents.modules {
            let hash = source.hash();
            let module = match source.is_elsewhere() {
                true => lookup(&hash)?,
                false => Some(source.load(engine, &mut lookup)?),
            };
            modules.push((hash, module));
        }
        let position = |n: u32, len: usize| {
            let n = n as usize;
            if n < len { Ok(n) } else { Err(lost()) }
        };
        let vm = &contents.vm;
        if contents.instances.len() != vm.instances.len() {
            return Err(lost());
        }
        let instances = contents.instances.iter().zip(&vm.instances);
        let instances = instances.map(|(module, instance)| {
            Ok(InstanceDescription {
                module: position(*module, modules.len())?,
                memories: instance.memories.iter().map(|m| m.0 as usize).collect(),
                tables: instance.tables.iter().map(|t| t.0 as usize).collect(),
            })
        });
        let instances = instances.collect::<Result<_>>()?;
        let memories = (0..).zip(&vm.memories).map(|(number, memory)| {
            let stored = contents
                .memories
                .places()
                .filter(|(run, _)| run.memory == number);
            MemoryDescription {
                bytes: memory.bytes,
                max_bytes: memory.max_bytes,
                memory64: memory.memory64,
                stored_bytes: stored
                    .map(|(run, _)| u64::from(run.pages) * PAGE as u64)
                    .sum(),
            }
        });
        let tables = vm.tables.iter().zip(&contents.table_types);
        let tables = tables.map(|(table, ty)| TableDescription {
            element: ty.element.to_string(),
            size: table.entries.len(),
            filled: table.entries.iter().filter(|e| **e != 0).count(),
        });
        let names = contents.host_funcs.iter();
        Ok(Description {
            instances,
            memories: memories.collect(),
            tables: tables.collect(),
            globals: vm.globals.len(),
            host_functions: names
                .map(|n| (n.module.to_string(), n.name.to_string()))
                .collect(),
            heap: self.describe_heap(engine)?,
            paused: self.describe_paused(&modules)?,
            stacks: self.describe_stacks(&modules),
            fuel: contents.code.fuel.then_some(vm.fuel),
            sections: self
                .0
                .sections
                .iter()
                .map(|s| (s.name(), s.len()))
                .collect(),
            modules,
        })
    }

    /// The pages of a memory that are in the snapshot: the number of each in the memory, and its 4096 bytes.
    pub fn memory_pages(&self, memory: usize) -> impl Iterator<Item = (u64, &[u8])> {
        let pages = &self.contents().memories;
        let runs = pages
            .places()
            .filter(move |(run, _)| run.memory as usize == memory);
        runs.flat_map(|(run, start)| {
            let bytes = &pages.bytes[start..start + run.pages as usize * PAGE];
            (run.first_page..).zip(bytes.chunks_exact(PAGE))
        })
    }

    /// The pages of the heap of objects, likewise.
    pub fn heap_pages(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let pages = &self.contents().heap.pages;
        pages.places().flat_map(|(run, start)| {
            let bytes = &pages.bytes[start..start + run.pages as usize * PAGE];
            (run.first_page..).zip(bytes.chunks_exact(PAGE))
        })
    }

    fn describe_heap(&self, engine: &Engine) -> Result<HeapDescription> {
        let contents = self.contents();
        let heap = &contents.heap;
        let len = contents.vm.heap.len;
        let mut description = HeapDescription {
            bytes: len,
            ..HeapDescription::default()
        };
        let runs = heap.runs()?;
        if runs.is_empty() {
            return Ok(description);
        }
        if len > u64::from(u32::MAX) {
            bail!("damaged snapshot: the heap is too long");
        }
        // Of what lies behind its last page nothing is wanted.
        let end = heap
            .pages
            .places()
            .map(|(run, _)| run.end())
            .max()
            .flatten();
        let end = end.unwrap_or(0).saturating_mul(PAGE as u64).min(len);
        let mut bytes = vec![0; usize::try_from(end)?];
        for (page, content) in self.heap_pages() {
            let at = page as usize * PAGE;
            let room = PAGE.min(bytes.len().saturating_sub(at));
            if let Some(place) = bytes.get_mut(at..at + room) {
                place.copy_from_slice(&content[..room]);
            }
        }
        let ids = types::register(engine.types(), &contents.types, &contents.group_ends)?;
        let number = |word: u32| match &heap.words {
            Words::Numbers => Some(word),
            Words::Identities(numbers) => numbers.get(&word).copied(),
        };
        let identity = |word: u32| ids.get(number(word)? as usize).copied();
        // By number of the type; the last are values of the host.
        let mut sums = vec![(0, 0); ids.len() + 1];
        let mut biggest: Vec<(u32, u32, usize)> = Vec::new();
        let whole =
            HeapTypes::new(engine.types()).visit(&bytes, &runs, identity, |at, size, ty| {
                let ty = ty.and_then(number).map_or(ids.len(), |n| n as usize);
                if let Some((count, sum)) = sums.get_mut(ty) {
                    *count += 1;
                    *sum += u64::from(size);
                }
                if biggest.len() < BIGGEST
                    || biggest.last().is_some_and(|(least, ..)| size > *least)
                {
                    let place = biggest.partition_point(|(other, ..)| *other >= size);
                    biggest.insert(place, (size, at, ty));
                    biggest.truncate(BIGGEST);
                }
            });
        if !whole {
            bail!("damaged snapshot: objects do not lie as it says");
        }
        let name = |ty: usize| match contents.types.get(ty) {
            // An object that holds values as a function takes them.
            Some(ty) => match &ty.composite {
                CompositeType::Func(func) => format!("exception or bound arguments, {func}"),
                other => other.to_string(),
            },
            None => "value of the host".to_owned(),
        };
        let types = sums.iter().enumerate().filter(|(_, (count, _))| *count > 0);
        description.types = types
            .map(|(ty, (count, sum))| (name(ty), *count, *sum))
            .collect();
        description
            .types
            .sort_by_key(|(_, _, sum)| core::cmp::Reverse(*sum));
        description.objects = sums.iter().map(|(count, _)| count).sum();
        description.object_bytes = sums.iter().map(|(_, sum)| sum).sum();
        let biggest = biggest.into_iter();
        description.biggest = biggest.map(|(size, at, ty)| (name(ty), at, size)).collect();
        Ok(description)
    }

    fn describe_paused(
        &self,
        modules: &[(ModuleHash, Option<Module>)],
    ) -> Result<Option<PausedDescription>> {
        let contents = self.contents();
        let (Some((func, reason)), Some(state)) = (contents.paused, &contents.vm.paused) else {
            return Ok(None);
        };
        if !matches!(
            contents.vm.funcs.get(func.0 as usize),
            Some(FuncState::Wasm { .. })
        ) {
            return Err(lost());
        }
        Ok(Some(PausedDescription {
            reason,
            backtrace: self.backtrace(modules, &state.frames),
            frames: state.frames.len(),
            stack_bytes: state.bytes.len() as u64,
        }))
    }

    fn describe_stacks(&self, modules: &[(ModuleHash, Option<Module>)]) -> Vec<StackDescription> {
        let stacks = self.contents().vm.stacks.iter();
        let stacks = stacks.map(|stack| StackDescription {
            number: stack.number,
            parent: stack.parent,
            suspended: stack.suspended,
            backtrace: self.backtrace(modules, &stack.frames),
            frames: stack.frames.len(),
            bytes: stack.bytes.len() as u64,
        });
        stacks.collect()
    }

    /// Where frames are, if their modules are there.
    fn backtrace(
        &self,
        modules: &[(ModuleHash, Option<Module>)],
        frames: &[Frame],
    ) -> Option<WasmBacktrace> {
        let frame = |frame: &Frame| {
            let module = self.contents().instances.get(frame.inst.0 as usize)?;
            let module = modules.get(*module as usize)?.1.clone()?;
            FrameInfo::new(module, frame)
        };
        let frames: Option<Vec<FrameInfo>> = frames.iter().map(frame).collect();
        frames.map(WasmBacktrace::of_frames)
    }
}

fn lost() -> anyhow::Error {
    anyhow!("inconsistent snapshot: a number leads nowhere")
}
