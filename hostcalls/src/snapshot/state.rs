//! The state section: everything but modules and pages, in the order of `docs/snapshot-format.md`.

use anyhow::{Result, bail};
use sheave_interp::{
    ElemSegment, FrameInfo, FuncAddr, FuncState, GlobalAddr, GlobalState, HeapState, InstAddr,
    InstanceState, MemAddr, MemorySpec, PauseReason, PausedState, StackState, TableAddr,
    TableState, TagAddr, VmState,
};
use sheave_loader::{
    ArrayType, CompositeType, FieldType, FuncType, GlobalType, HeapType, MemoryType, RefType,
    StorageType, StructType, SubType, TableType, ValType,
};

use super::blob::Blob;
use super::codec::{Reader, Writer};
use super::contents::{CodeVersion, Contents, HostName};
use super::handles;
use super::heap::{HeapPages, Words};
use super::pages::PageSet;

/// Abstract heap types by their number in the format.
const HEAP_TYPES: [HeapType; 14] = [
    HeapType::Func,
    HeapType::NoFunc,
    HeapType::Extern,
    HeapType::NoExtern,
    HeapType::Any,
    HeapType::Eq,
    HeapType::I31,
    HeapType::Struct,
    HeapType::Array,
    HeapType::None,
    HeapType::Exn,
    HeapType::NoExn,
    HeapType::Cont,
    HeapType::NoCont,
];

/// The number of a concrete heap type, which its type's number follows.
const CONCRETE: u8 = 255;

pub(super) fn write(w: &mut Writer, c: &Contents) {
    w.u32(c.code.isa_version);
    w.u64(c.code.isa_hash);
    w.bool(c.code.fuel);
    w.bool(c.code.interruption);
    w.list(&c.types, write_sub_type);
    w.list(&c.group_ends, |w, end| w.u32(*end));
    w.list(&c.instances, |w, module| w.u32(*module));
    w.list(&c.memory_types, |w, ty| {
        w.u64(ty.min_pages);
        w.option(ty.max_pages, Writer::u64);
        w.bool(ty.memory64);
        w.bool(ty.shared);
        w.u8(ty.page_size_log2);
    });
    w.list(&c.table_types, |w, ty| {
        write_ref_type(w, ty.element);
        w.u64(ty.min);
        w.option(ty.max, Writer::u64);
        w.bool(ty.table64);
    });
    w.list(&c.global_types, |w, ty| {
        write_val_type(w, ty.content);
        w.bool(ty.mutable);
    });
    w.list(&c.host_funcs, |w, f| {
        w.u32(f.addr.0);
        w.bytes(f.module.as_bytes());
        w.bytes(f.name.as_bytes());
    });
    w.option(c.paused, |w, (func, reason)| {
        w.u32(func.0);
        w.u8(match reason {
            PauseReason::OutOfFuel => 0,
            PauseReason::Interrupted => 1,
            PauseReason::HostCall => 2,
        });
    });
    write_vm(w, &c.vm);
    w.list(&c.externs, |w, bytes| w.bytes(bytes));
    handles::write(w, &c.handles);
    w.option(c.base, |w, id| w.0.extend_from_slice(&id));
}

fn write_vm(w: &mut Writer, vm: &VmState) {
    w.u64(vm.fuel);
    w.list(&vm.memories, |w, m| w.u64(m.bytes));
    w.list(&vm.tables, |w, t| w.list(&t.entries, |w, e| w.u32(*e)));
    w.list(&vm.globals, |w, g| w.u128(g.bits));
    w.list(&vm.tags, |w, ty| w.u32(*ty));
    w.list(&vm.funcs, |w, f| match *f {
        FuncState::Host { ty, slots } => {
            w.u8(0);
            w.u32(ty);
            w.u16(slots);
        }
        FuncState::Wasm { inst, func } => {
            w.u8(1);
            w.u32(inst.0);
            w.u32(func);
        }
    });
    w.list(&vm.instances, |w, i| {
        w.list(&i.imported_funcs, |w, a| w.u32(a.0));
        w.list(&i.tables, |w, a| w.u32(a.0));
        w.list(&i.memories, |w, a| w.u32(a.0));
        w.list(&i.globals, |w, a| w.u32(a.0));
        w.list(&i.tags, |w, a| w.u32(a.0));
        w.list(&i.elems, |w, e| w.list(&e.refs, |w, r| w.u32(*r)));
        w.list(&i.data_dropped, |w, dropped| w.bool(*dropped));
    });
    w.u64(vm.heap.len);
    w.u64(vm.heap.live);
    w.list(&vm.heap.used_blocks, |w, used| w.bool(*used));
    w.list(&vm.heap.externs, |w, object| w.u32(*object));
    w.list(&vm.stacks, |w, s| {
        w.u32(s.number);
        w.option(s.parent, Writer::u32);
        w.bool(s.suspended);
        w.list(&s.frames, write_frame);
        w.bytes(&s.bytes);
        w.u16(s.results);
    });
    w.option(vm.paused.as_ref(), |w, p| {
        w.u32(p.stack);
        w.list(&p.frames, write_frame);
        w.bytes(&p.bytes);
        w.u32(p.results);
    });
}

fn write_frame(w: &mut Writer, frame: &FrameInfo) {
    w.u32(frame.inst.0);
    w.u32(frame.func);
    w.u32(frame.pos);
}

fn read_frame(r: &mut Reader<'_>) -> Result<FrameInfo> {
    Ok(FrameInfo {
        inst: InstAddr(r.u32()?),
        func: r.u32()?,
        pos: r.u32()?,
    })
}

/// Reads the section into contents that have no modules and pages yet.
pub(super) fn read(r: &mut Reader<'_>) -> Result<Contents> {
    let code = CodeVersion {
        isa_version: r.u32()?,
        isa_hash: r.u64()?,
        fuel: r.bool()?,
        interruption: r.bool()?,
    };
    let types = r.list(read_sub_type)?;
    let group_ends = r.list(Reader::u32)?;
    let instances = r.list(Reader::u32)?;
    let memory_types = r.list(|r| {
        Ok(MemoryType {
            min_pages: r.u64()?,
            max_pages: r.option(Reader::u64)?,
            memory64: r.bool()?,
            shared: r.bool()?,
            page_size_log2: match r.u8()? {
                log2 @ (0 | 16) => log2,
                _ => bail!("damaged snapshot: page size"),
            },
        })
    })?;
    let table_types = r.list(|r| {
        Ok(TableType {
            element: read_ref_type(r)?,
            min: r.u64()?,
            max: r.option(Reader::u64)?,
            table64: r.bool()?,
        })
    })?;
    let global_types = r.list(|r| {
        Ok(GlobalType {
            content: read_val_type(r)?,
            mutable: r.bool()?,
        })
    })?;
    let host_funcs = r.list(|r| {
        Ok(HostName {
            addr: FuncAddr(r.u32()?),
            module: r.text()?,
            name: r.text()?,
        })
    })?;
    let paused = r.option(|r| {
        let func = FuncAddr(r.u32()?);
        let reason = match r.u8()? {
            0 => PauseReason::OutOfFuel,
            1 => PauseReason::Interrupted,
            2 => PauseReason::HostCall,
            _ => bail!("damaged snapshot: reason of a pause"),
        };
        Ok((func, reason))
    })?;
    let vm = read_vm(r, &memory_types, &table_types)?;
    let externs = r.list(|r| Ok(r.bytes()?.to_vec()))?;
    let handles = handles::read(r)?;
    let base = r.option(Reader::array)?;
    Ok(Contents {
        code,
        types,
        group_ends,
        modules: Vec::new(),
        instances,
        memory_types,
        table_types,
        global_types,
        host_funcs,
        vm,
        paused,
        memories: PageSet::default(),
        heap: HeapPages {
            objects: Blob::default(),
            pages: PageSet::default(),
            words: Words::Numbers,
        },
        externs,
        handles,
        base,
    })
}

/// What the types of memories and tables say is not written a second time.
fn read_vm(r: &mut Reader<'_>, memories: &[MemoryType], tables: &[TableType]) -> Result<VmState> {
    let missing = || anyhow::anyhow!("damaged snapshot: number of types");
    let fuel = r.u64()?;
    let mut types = memories.iter();
    let memories = r.list(|r| {
        let ty = crate::MemoryType(*types.next().ok_or_else(missing)?);
        Ok::<MemorySpec, _>(ty.spec(r.u64()?))
    })?;
    let mut types = tables.iter();
    let tables = r.list(|r| {
        let ty = types.next().ok_or_else(missing)?;
        Ok(TableState {
            entries: r.list(Reader::u32)?,
            max: ty.max,
            table64: ty.table64,
            traced: false,
        })
    })?;
    Ok(VmState {
        fuel,
        memories,
        tables,
        globals: r.list(|r| {
            Ok(GlobalState {
                bits: r.u128()?,
                traced: false,
            })
        })?,
        tags: r.list(Reader::u32)?,
        funcs: r.list(|r| {
            Ok(match r.u8()? {
                0 => FuncState::Host {
                    ty: r.u32()?,
                    slots: r.u16()?,
                },
                1 => FuncState::Wasm {
                    inst: InstAddr(r.u32()?),
                    func: r.u32()?,
                },
                _ => bail!("damaged snapshot: kind of a function"),
            })
        })?,
        instances: r.list(|r| {
            Ok(InstanceState {
                imported_funcs: r.list(|r| r.u32().map(FuncAddr))?,
                tables: r.list(|r| r.u32().map(TableAddr))?,
                memories: r.list(|r| r.u32().map(MemAddr))?,
                globals: r.list(|r| r.u32().map(GlobalAddr))?,
                tags: r.list(|r| r.u32().map(TagAddr))?,
                elems: r.list(|r| {
                    Ok(ElemSegment {
                        refs: r.list(Reader::u32)?,
                        traced: false,
                    })
                })?,
                data_dropped: r.list(Reader::bool)?,
            })
        })?,
        heap: HeapState {
            len: r.u64()?,
            live: r.u64()?,
            used_blocks: r.list(Reader::bool)?,
            externs: r.list(Reader::u32)?,
        },
        stacks: r.list(|r| {
            Ok(StackState {
                number: r.u32()?,
                parent: r.option(Reader::u32)?,
                suspended: r.bool()?,
                frames: r.list(read_frame)?,
                bytes: r.bytes()?.to_vec(),
                results: r.u16()?,
            })
        })?,
        paused: r.option(|r| {
            Ok(PausedState {
                stack: r.u32()?,
                frames: r.list(read_frame)?,
                bytes: r.bytes()?.to_vec(),
                results: r.u32()?,
            })
        })?,
    })
}

// ---- types -------------------------------------------------------------------------------------

fn write_val_type(w: &mut Writer, ty: ValType) {
    match ty {
        ValType::I32 => w.u8(0),
        ValType::I64 => w.u8(1),
        ValType::F32 => w.u8(2),
        ValType::F64 => w.u8(3),
        ValType::V128 => w.u8(4),
        ValType::Ref(ty) => {
            w.u8(5);
            write_ref_type(w, ty);
        }
    }
}

fn read_val_type(r: &mut Reader<'_>) -> Result<ValType> {
    Ok(match r.u8()? {
        0 => ValType::I32,
        1 => ValType::I64,
        2 => ValType::F32,
        3 => ValType::F64,
        4 => ValType::V128,
        5 => ValType::Ref(read_ref_type(r)?),
        _ => bail!("damaged snapshot: value type"),
    })
}

fn write_ref_type(w: &mut Writer, ty: RefType) {
    w.bool(ty.nullable);
    if let HeapType::Concrete(x) = ty.heap_type {
        w.u8(CONCRETE);
        w.u32(x);
    } else {
        let number = HEAP_TYPES.iter().position(|t| *t == ty.heap_type);
        w.u8(number.unwrap_or(0) as u8);
    }
}

fn read_ref_type(r: &mut Reader<'_>) -> Result<RefType> {
    let nullable = r.bool()?;
    let heap_type = match r.u8()? {
        CONCRETE => HeapType::Concrete(r.u32()?),
        number => match HEAP_TYPES.get(usize::from(number)) {
            Some(ty) => *ty,
            None => bail!("damaged snapshot: heap type"),
        },
    };
    Ok(RefType::new(nullable, heap_type))
}

fn write_field(w: &mut Writer, field: &FieldType) {
    match field.storage {
        StorageType::I8 => w.u8(6),
        StorageType::I16 => w.u8(7),
        StorageType::Val(ty) => write_val_type(w, ty),
    }
    w.bool(field.mutable);
}

fn read_field(r: &mut Reader<'_>) -> Result<FieldType> {
    let storage = match r.0.first() {
        Some(6) => r.u8().map(|_| StorageType::I8)?,
        Some(7) => r.u8().map(|_| StorageType::I16)?,
        _ => StorageType::Val(read_val_type(r)?),
    };
    Ok(FieldType {
        storage,
        mutable: r.bool()?,
    })
}

fn write_sub_type(w: &mut Writer, ty: &SubType) {
    w.bool(ty.is_final);
    w.option(ty.supertype, Writer::u32);
    match &ty.composite {
        CompositeType::Func(ty) => {
            w.u8(0);
            w.list(ty.params(), |w, ty| write_val_type(w, *ty));
            w.list(ty.results(), |w, ty| write_val_type(w, *ty));
        }
        CompositeType::Struct(ty) => {
            w.u8(1);
            w.list(&ty.fields, write_field);
        }
        CompositeType::Array(ty) => {
            w.u8(2);
            write_field(w, &ty.element);
        }
        CompositeType::Cont(x) => {
            w.u8(3);
            w.u32(*x);
        }
    }
}

fn read_sub_type(r: &mut Reader<'_>) -> Result<SubType> {
    Ok(SubType {
        is_final: r.bool()?,
        supertype: r.option(Reader::u32)?,
        composite: match r.u8()? {
            0 => {
                let params = r.list(read_val_type)?;
                CompositeType::Func(FuncType::new(params, r.list(read_val_type)?))
            }
            1 => CompositeType::Struct(StructType {
                fields: r.list(read_field)?.into(),
            }),
            2 => CompositeType::Array(ArrayType {
                element: read_field(r)?,
            }),
            3 => CompositeType::Cont(r.u32()?),
            _ => bail!("damaged snapshot: kind of a type"),
        },
    })
}
