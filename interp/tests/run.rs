//! Hand-assembled functions on both executors.
#![allow(unsafe_code, reason = "calls into the machine as a host does")]

use std::borrow::Cow;
use std::sync::Arc;

use sheave_interp::*;
use sheave_isa::Asm;

struct Code(Vec<(u32, Vec<u16>)>, Vec<u8>);

impl ModuleSource for Code {
    fn code(&self, func: u32) -> Result<FunctionCode<'_>, SourceError> {
        let (frame_slots, code) = &self.0[func as usize];
        Ok(FunctionCode {
            frame_slots: *frame_slots,
            code: Cow::Borrowed(code),
        })
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

const ONE_TO_ONE: FuncShape = FuncShape {
    params: 1,
    results: 1,
};

struct Rig {
    vm: Vm,
    inst: InstAddr,
}

impl Rig {
    fn new(executor: Executor, max_stack_bytes: u32, functions: Vec<(u32, Vec<u16>)>) -> Rig {
        let space = CodeSpace::new(executor, 1 << 20).unwrap();
        let mut vm = Vm::new(
            &VmConfig {
                max_stack_bytes,
                ..VmConfig::default()
            },
            space.clone(),
            Default::default(),
        )
        .unwrap();
        let n = functions.len();
        let desc = ModuleDesc {
            types: vec![(ONE_TO_ONE, 7)],
            funcs: vec![0; n],
            tables: 1,
            memories: 1,
            own_globals: 1,
            own_vectors: vec![],
            ..ModuleDesc::default()
        };
        let module = CodeModule::new(space, desc, Box::new(Code(functions, vec![])));
        let memory = vm
            .new_memory(&MemorySpec {
                bytes: 65536,
                max_bytes: Some(1 << 20),
                ..MemorySpec::default()
            })
            .unwrap();
        let table = vm.new_table(4, None, false, 0).unwrap();
        let init = InstanceInit {
            module,
            imported_funcs: vec![],
            tables: vec![table],
            memories: vec![memory],
            imported_globals: vec![],
            imported_tags: vec![],
        };
        let inst = vm.new_instance(init).unwrap();
        Rig { vm, inst }
    }

    fn call(&mut self, func: u32, arg: u64) -> Result<u64, Trap> {
        let f = self.vm.func_addr(self.inst, func).unwrap();
        let a = self.vm.begin(1)?;
        let vm = &raw mut self.vm;
        // SAFETY: the frame has one slot; the machine is ours alone.
        unsafe {
            (*vm).frame_ptr(a.frame()).write(arg.to_le());
            let r = Vm::invoke(vm, &a, f);
            let out = u64::from_le((*vm).frame_ptr(a.frame()).read());
            (*vm).finish(a);
            match r {
                Ok(()) => Ok(out),
                Err(Exit::Trap(t)) => Err(t),
                Err(e) => panic!("{e:?}"),
            }
        }
    }
}

/// fib(n) = n < 2 ? n : fib(n - 1) + fib(n - 2)
fn fib() -> (u32, Vec<u16>) {
    let mut a = Asm::new();
    let b = a.br_i32_ge_s_imm(0, 2, 0);
    a.ret_1(0);
    let l = a.i32_add_imm(1, 0, -1);
    a.mark_label(l);
    a.patch_u32(b + 4, l - b);
    a.call(0, 1);
    a.i32_add_imm(2, 0, -2);
    a.call(0, 2);
    a.i32_add(1, 1, 2);
    a.ret_1(1);
    (4, a.code)
}

/// Counts down from its argument in a loop and gives 42.
fn count_down() -> (u32, Vec<u16>) {
    let mut a = Asm::new();
    let l = a.i32_inc_br_nez(0, -1, 0);
    a.mark_label(l);
    a.const32(0, 42);
    a.ret_1(0);
    (1, a.code)
}

/// Calls itself for ever.
fn forever() -> (u32, Vec<u16>) {
    let mut a = Asm::new();
    a.copy(1, 0);
    a.call(2, 1);
    a.ret_1(1);
    (10, a.code)
}

/// Loads the i32 at its argument.
fn load() -> (u32, Vec<u16>) {
    let mut a = Asm::new();
    a.i32_load(0, 0, 4);
    a.ret_1(0);
    (1, a.code)
}

#[test]
fn recursion_gives_the_fibonacci_numbers() {
    for e in executors() {
        let mut rig = Rig::new(e, 1 << 20, vec![fib()]);
        let (n, want) = if cfg!(miri) { (7, 13) } else { (25, 75_025) };
        assert_eq!(rig.call(0, n), Ok(want), "{e:?}");
        assert_eq!(rig.call(0, 1), Ok(1), "{e:?}");
    }
}

#[test]
fn a_long_loop_needs_no_native_stack() {
    for e in executors() {
        let mut rig = Rig::new(e, 1 << 20, vec![count_down()]);
        let n = if cfg!(miri) { 1000 } else { 50_000_000 };
        assert_eq!(rig.call(0, n), Ok(42), "{e:?}");
    }
}

#[test]
fn endless_recursion_ends_at_the_stack_limit_and_the_store_stays_usable() {
    for e in executors() {
        let limit = if cfg!(miri) { 1 << 14 } else { 1 << 20 };
        let mut rig = Rig::new(e, limit, vec![fib(), count_down(), forever()]);
        assert_eq!(rig.call(2, 1), Err(Trap::StackOverflow), "{e:?}");
        assert_eq!(rig.call(2, 1), Err(Trap::StackOverflow), "{e:?}");
        assert_eq!(rig.call(0, 5), Ok(5), "{e:?}");
    }
}

#[test]
fn a_load_past_the_end_traps_and_says_where() {
    for e in executors() {
        let mut rig = Rig::new(e, 1 << 20, vec![load()]);
        assert_eq!(rig.call(0, 65_528), Ok(0), "{e:?}");
        assert_eq!(rig.call(0, 65_529), Err(Trap::MemoryOutOfBounds), "{e:?}");
        assert_eq!(
            rig.call(0, 0xffff_ffff),
            Err(Trap::MemoryOutOfBounds),
            "{e:?}"
        );
    }
}

#[test]
fn a_moved_store_goes_on() {
    for e in executors() {
        let mut rig = Rig::new(e, 1 << 20, vec![fib()]);
        rig.vm.relocate().unwrap();
        assert_eq!(rig.call(0, 6), Ok(8), "{e:?}");
    }
}

#[test]
fn a_code_space_is_shared_by_threads() {
    let space = CodeSpace::new(Executor::best(), 1 << 20).unwrap();
    let desc = ModuleDesc {
        types: vec![(ONE_TO_ONE, 7)],
        funcs: vec![0],
        ..ModuleDesc::default()
    };
    let module = CodeModule::new(space.clone(), desc, Box::new(Code(vec![fib()], vec![])));
    std::thread::scope(|s| {
        for _ in 0..3 {
            s.spawn(|| {
                let mut vm =
                    Vm::new(&VmConfig::default(), space.clone(), Default::default()).unwrap();
                let init = InstanceInit {
                    module: Arc::clone(&module),
                    imported_funcs: vec![],
                    tables: vec![],
                    memories: vec![],
                    imported_globals: vec![],
                    imported_tags: vec![],
                };
                let inst = vm.new_instance(init).unwrap();
                assert_eq!(Rig { vm, inst }.call(0, 7), Ok(13));
            });
        }
    });
}
