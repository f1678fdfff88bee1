//! Tables of what catches exceptions, made up by hand: the verifier stands before them.
#![allow(unsafe_code, reason = "calls into the machine as a host does")]

use std::borrow::Cow;
use std::sync::Arc;

use sheave_interp::*;
use sheave_isa::Asm;
use sheave_types::{FuncType, TypeRegistry, ValType};

struct Code(Vec<(u32, Vec<u16>)>);

impl ModuleSource for Code {
    fn code(&self, func: u32) -> Result<FunctionCode<'_>, SourceError> {
        let (frame_slots, code) = &self.0[func as usize];
        Ok(FunctionCode {
            frame_slots: *frame_slots,
            code: Cow::Borrowed(code),
        })
    }
    fn data(&self, _segment: u32) -> &[u8] {
        &[]
    }
}

/// Calls the last function with `arg`.
fn run(executor: Executor, functions: Vec<(u32, Vec<u16>)>, arg: u64) -> Result<u64, Exit> {
    let types = Arc::new(TypeRegistry::default());
    let ty = types
        .register_func(FuncType::new([ValType::I32], [ValType::I32]))
        .unwrap();
    let tag = types
        .register_func(FuncType::new([ValType::I32], []))
        .unwrap();
    let space = CodeSpace::new(executor, 1 << 20).unwrap();
    let mut vm = Vm::new(&VmConfig::default(), space.clone(), types).unwrap();
    let shape = |results| FuncShape { params: 1, results };
    let last = functions.len() as u32 - 1;
    let desc = ModuleDesc {
        types: vec![(shape(1), ty), (shape(0), tag)],
        funcs: vec![0; functions.len()],
        tags: vec![1],
        ..ModuleDesc::default()
    };
    let init = InstanceInit {
        module: CodeModule::new(space, desc, Box::new(Code(functions))),
        imported_funcs: vec![],
        tables: vec![],
        memories: vec![],
        imported_globals: vec![],
        imported_tags: vec![],
    };
    let inst = vm.new_instance(init).unwrap();
    let f = vm.func_addr(inst, last).unwrap();
    vm.set_fuel(20);
    let a = vm.begin(1).unwrap();
    let vm = &raw mut vm;
    // SAFETY: the frame has one slot; the machine is ours alone.
    unsafe {
        (*vm).frame_ptr(a.frame()).write(arg.to_le());
        let r = Vm::invoke(vm, &a, f);
        let v = u64::from_le((*vm).frame_ptr(a.frame()).read());
        (*vm).finish(a);
        r.map(|()| v)
    }
}

fn executors() -> impl Iterator<Item = Executor> {
    let all = [Executor::Threaded, Executor::Portable];
    all.into_iter().filter(|e| e.available())
}

/// Throws its argument.
fn thrower() -> (u32, Vec<u16>) {
    let mut a = Asm::new();
    a.throw(0, 0, 1);
    (1, a.code)
}

#[test]
fn a_table_leads_to_its_target() {
    let mut a = Asm::new();
    a.copy(2, 0);
    let call = a.call(0, 2);
    let end = a.ret_1(2);
    let target = a.i32_add_imm(0, 3, 100);
    a.mark_label(target);
    a.ret_1(0);
    a.try_range(call, end, 1);
    let at = a.pos();
    a.catch(0, 1, 3, 2, target as i32 - at as i32);
    for e in executors() {
        let caught = run(e, vec![thrower(), (5, a.code.clone())], 7);
        assert_eq!(caught.unwrap(), 107);
        // Without a table, nothing catches.
        let uncaught = run(
            e,
            vec![thrower(), (5, a.code[..at as usize - 7].to_vec())],
            7,
        );
        assert!(matches!(uncaught, Err(Exit::Thrown)));
    }
}

#[test]
fn what_the_verifier_refuses_is_not_run() {
    let with = |write: &dyn Fn(&mut Asm)| {
        let mut a = Asm::new();
        let start = a.ret_1(0);
        a.mark_label(start);
        write(&mut a);
        run(Executor::best(), vec![(2, a.code)], 0)
    };
    assert_eq!(with(&|a| _ = a.catch(0, 0, 1, 1, -2)).unwrap(), 0);
    let wrong: [&dyn Fn(&mut Asm); 7] = [
        // The slots, the number of them, the tag, the target.
        &|a| _ = a.catch(0, 0, 2, 1, -2),
        &|a| _ = a.catch(0, 1, 1, 2, -2),
        &|a| _ = a.catch(0, 0, 0, 2, -2),
        &|a| _ = a.catch(1, 0, 0, 1, -2),
        &|a| _ = a.catch(0, 0, 0, 1, -1),
        &|a| _ = a.catch_all(2, 0, 2, -2),
        &|a| _ = a.throw(0, 0, 2),
    ];
    for write in wrong {
        assert!(matches!(with(write), Err(Exit::Load(_))));
    }
}

#[test]
fn tables_that_make_no_sense_do_no_harm() {
    let mut seed = 1_u32;
    let mut random = move |n: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % n
    };
    let mut outcomes = [0; 3];
    for _ in 0..if cfg!(miri) { 10 } else { 400 } {
        let mut a = Asm::new();
        let labels = [
            a.fuel(1),
            a.copy(2, 0),
            a.call(0, 2),
            a.ret_1(2),
            a.i32_add(0, 3, 4),
            a.ret_1(0),
        ];
        // Back to the start only: there fuel bounds the rounds.
        let labels = [labels[0], labels[3], labels[4], labels[5]];
        for label in labels {
            a.mark_label(label);
        }
        for _ in 0..random(5) {
            let positions = a.pos() + 9;
            let n = random(4);
            a.try_range(random(positions), random(positions), n);
            // Not always as many clauses as the range says.
            for _ in 0..random(4) {
                let to = labels[random(4) as usize] as i32 - a.pos() as i32;
                let with_ref = random(2) as u16;
                if random(2) == 0 {
                    a.catch(
                        0,
                        with_ref,
                        random(6 - u32::from(with_ref)) as u16,
                        1 + with_ref,
                        to,
                    );
                } else {
                    a.catch_all(with_ref, random(6) as u16, with_ref, to);
                }
            }
        }
        if random(2) == 0 {
            // One may also be run.
            let to = labels[1] as i32 - a.pos() as i32;
            a.catch_all(0, 0, 0, to);
        }
        let all: Vec<_> = executors()
            .map(|e| run(e, vec![thrower(), (6, a.code.clone())], 7).map_err(|e| format!("{e:?}")))
            .collect();
        assert!(all.iter().all(|r| *r == all[0]), "{all:?}");
        outcomes[match &all[0] {
            Ok(_) => 0,
            Err(e) if e == "Thrown" => 1,
            Err(_) => 2,
        }] += 1;
    }
    assert!(
        cfg!(miri) || outcomes.iter().all(|n| *n > 0),
        "{outcomes:?}"
    );
}
