//! The heap of objects and its collector, from the host and from hand-assembled code, on both executors.
#![allow(unsafe_code, reason = "calls into the machine as a host does")]

mod code;
mod heap;
mod model;

use std::borrow::Cow;
use std::sync::Arc;

use sheave_interp::*;
use sheave_types::*;

/// A function: slots of its frame, its ops, where its references are.
type Function = (u32, Vec<u16>, RefMaps);

struct Code(Vec<Function>, Vec<u8>);

impl ModuleSource for Code {
    fn code(&self, func: u32) -> Result<FunctionCode<'_>, SourceError> {
        let (frame_slots, code, _) = &self.0[func as usize];
        Ok(FunctionCode {
            frame_slots: *frame_slots,
            code: Cow::Borrowed(code),
        })
    }
    fn ref_maps(&self, func: u32) -> Result<RefMaps, SourceError> {
        Ok(self.0[func as usize].2.clone())
    }
    fn data(&self, _segment: u32) -> &[u8] {
        &self.1
    }
}

fn executors() -> Vec<Executor> {
    [Executor::Threaded, Executor::Portable]
        .into_iter()
        .filter(|e| e.available())
        .collect()
}

const fn field(storage: StorageType) -> FieldType {
    FieldType {
        storage,
        mutable: true,
    }
}

const ANY: StorageType = StorageType::Val(ValType::ANYREF);

/// Type indices of the module, and identities at once.
const PAIR: u32 = 0;
const NODE: u32 = 1;
const REFS: u32 = 2;
const BYTES: u32 = 3;
const LEAF: u32 = 4;
const VECTORS: u32 = 5;
const FUNC: u32 = 6;

fn types() -> Vec<SubType> {
    let structure = |fields: &[StorageType], supertype, is_final| SubType {
        is_final,
        supertype,
        composite: CompositeType::Struct(StructType {
            fields: fields.iter().map(|f| field(*f)).collect(),
        }),
    };
    let array = |storage| {
        SubType::plain(CompositeType::Array(ArrayType {
            element: field(storage),
        }))
    };
    vec![
        structure(&[ANY, ANY], None, false),
        structure(
            &[ANY, ANY, StorageType::I8, StorageType::Val(ValType::I64)],
            Some(PAIR),
            false,
        ),
        array(ANY),
        array(StorageType::I8),
        structure(&[StorageType::Val(ValType::I32)], None, true),
        array(StorageType::Val(ValType::V128)),
        SubType::from(FuncType::new(
            [ValType::ANYREF, ValType::I32],
            [ValType::ANYREF],
        )),
    ]
}

/// A store with one instance: a traced table, a traced global, a data segment, a traced element segment.
struct Rig {
    vm: Vm,
    inst: InstAddr,
    table: TableAddr,
    global: GlobalAddr,
}

impl Rig {
    fn new(executor: Executor, functions: Vec<Function>) -> Rig {
        Rig::with(executor, functions, ArenaConfig::default())
    }

    fn with(executor: Executor, functions: Vec<Function>, arena: ArenaConfig) -> Rig {
        let registry = Arc::new(TypeRegistry::default());
        let mut ids = Vec::new();
        for ty in types() {
            let first = ids.len() as u32;
            ids.push(registry.register(&[ty], first, &ids).unwrap());
        }
        assert_eq!(ids, [0, 1, 2, 3, 4, 5, 6]);
        let space = CodeSpace::new(executor, 1 << 20).unwrap();
        let config = VmConfig {
            arena,
            ..VmConfig::default()
        };
        let mut vm = Vm::new(&config, space.clone(), registry).unwrap();
        let n = functions.len();
        let mut shapes = vec![(FuncShape::default(), 0); 7];
        for (id, shape) in shapes.iter_mut().enumerate() {
            shape.1 = id as u32;
        }
        shapes[FUNC as usize].0 = FuncShape {
            params: 2,
            results: 1,
        };
        let desc = ModuleDesc {
            types: shapes,
            funcs: vec![FUNC; n],
            tables: 1,
            own_globals: 1,
            traced_globals: vec![0],
            data: 1,
            elems: 1,
            ..ModuleDesc::default()
        };
        let bytes = (0..64).collect();
        let module = CodeModule::new(space, desc, Box::new(Code(functions, bytes)));
        let table = vm.new_table(8, None, false, 0).unwrap();
        vm.trace_table(table);
        let init = InstanceInit {
            module,
            imported_funcs: vec![],
            tables: vec![table],
            memories: vec![],
            imported_globals: vec![],
            imported_tags: vec![],
        };
        let inst = vm.new_instance(init).unwrap();
        let global = vm.instance_global(inst, 0).unwrap();
        Rig {
            vm,
            inst,
            table,
            global,
        }
    }

    fn call(&mut self, func: u32, reference: u32, number: u32) -> Result<u32, Trap> {
        let f = self.vm.func_addr(self.inst, func).unwrap();
        let a = self.vm.begin(2)?;
        let vm = &raw mut self.vm;
        // SAFETY: the frame has two slots; the machine is ours alone.
        unsafe {
            let frame = (*vm).frame_ptr(a.frame());
            frame.write(u64::from(reference).to_le());
            frame.add(1).write(u64::from(number).to_le());
            let r = Vm::invoke(vm, &a, f);
            let out = u64::from_le((*vm).frame_ptr(a.frame()).read());
            (*vm).finish(a);
            match r {
                Ok(()) => Ok(out as u32),
                Err(Exit::Trap(t)) => Err(t),
                Err(e) => panic!("{e:?}"),
            }
        }
    }
}
