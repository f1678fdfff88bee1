//! Where the references of frames are said to be.

use sheave_isa::{Instrs, Op};
use sheave_loader::{Module, Options, WasmFeatures};

fn wat(source: &str) -> Vec<u8> {
    wat::parse_str(source).expect("the module is well-formed")
}

/// Whether a collection can happen at this op.
fn can_collect(op: Op) -> bool {
    let name = op.def().name;
    let calls = [
        "call",
        "return_call",
        "struct_new",
        "array_new",
        "cont_",
        "resume",
    ];
    calls.iter().any(|call| name.starts_with(call))
        || matches!(
            op,
            Op::Fuel | Op::Check | Op::Throw | Op::Suspend | Op::Switch
        )
}

/// Checks the maps of all functions: they are those of exactly the ops at which a collection can happen, in the code
/// that is run, and name slots of the frame.
pub(crate) fn check_all(bytes: &[u8], options: &Options) {
    let module = Module::new(bytes, options).expect("a valid module");
    for func in 0..module.info().n_defined_funcs() {
        let code = module.code(func).expect("it is valid");
        let maps = module.ref_maps(func).expect("it is valid");
        let points: Vec<u32> = maps.iter().map(|(pos, _)| pos).collect();
        let ops = Instrs::new(&code.code).map(|i| i.expect("whole ops"));
        let wanted: Vec<u32> = ops.filter(|i| can_collect(i.op)).map(|i| i.pos).collect();
        assert_eq!(
            points,
            wanted,
            "function {func}\n{}",
            sheave_isa::disassemble(&code.code)
        );
        for (_, slots) in maps.iter() {
            assert!(slots.iter().all(|slot| u32::from(*slot) < code.frame_slots));
        }
    }
}

/// The maps of function 0, each with the op it is of.
fn maps(source: &str) -> Vec<(&'static str, Vec<u16>)> {
    maps_with(source, &Options::default())
}

fn maps_with(source: &str, options: &Options) -> Vec<(&'static str, Vec<u16>)> {
    let module = Module::new(wat(source), options).expect("the module is valid");
    let code = module.code(0).expect("it is valid");
    let op_at = |pos: u32| {
        Op::from_unit(code.code[pos as usize])
            .expect("an op")
            .def()
            .name
    };
    let maps = module.ref_maps(0).expect("it is valid");
    maps.iter()
        .map(|(pos, slots)| (op_at(pos), slots.to_vec()))
        .collect()
}

#[test]
fn operands_of_an_allocation_are_named_and_arguments_of_a_call_are_not() {
    let found = maps(
        "(module
           (type $s (struct (field (ref null $s)) (field i32)))
           (func (param (ref $s) i32 funcref) (result (ref $s))
             (struct.new $s (struct.new $s (local.get 0) (i32.const 1)) (i32.const 2))
             (call $f (struct.new $s (local.get 0) (i32.const 3))))
           (func $f (param (ref $s) (ref $s)) (result (ref $s)) (local.get 0)))",
    );
    // Temporaries begin at slot 3.
    let wanted = [
        ("struct_new", vec![0]),
        ("struct_new", vec![0, 3]),
        ("struct_new", vec![0, 3]),
        ("call", vec![0]),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_local_is_named_once_it_is_written_or_if_it_starts_as_null() {
    let found = maps(
        "(module
           (type $s (struct))
           (func (param i32) (local (ref $s) (ref null $s) (ref null $s) i64)
             (if (local.get 0)
               (then (local.set 1 (struct.new $s)) (call $f (local.get 1))))
             (call $f (local.get 2))
             (local.set 3 (struct.new $s))
             (call $f (local.get 3)))
           (func $f (param (ref null $s))))",
    );
    let wanted = [
        // Slot 2 starts as null, as it may be read before it is written.
        ("struct_new", vec![2]),
        ("call", vec![1, 2]),
        ("call", vec![2]),
        ("struct_new", vec![2]),
        ("call", vec![2, 3]),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn an_allocation_that_is_moved_behind_a_copy_keeps_its_map() {
    let source = "(module
         (type $s (struct))
         (func (param (ref null $s)) (result (ref null $s) (ref null $s))
           (local.get 0)
           (local.set 0 (struct.new $s))
           (local.get 0)))";
    check_all(&wat(source), &Options::default());
    assert_eq!(maps(source), [("struct_new", vec![0])]);
}

#[test]
fn operands_of_a_suspension_are_named_and_its_results_are_not() {
    let source = "(module
       (type $s (struct))
       (type $f (func (param (ref $s) i32) (result (ref $s))))
       (type $k (cont $f))
       (type $one (func (param i32) (result (ref $s))))
       (type $k1 (cont $one))
       (tag $t (param (ref $s)) (result (ref $s)))
       (func (param (ref $s) (ref $k)) (result (ref $s))
         (local.get 0)
         (suspend $t (struct.new $s))
         (drop) (drop)
         (i32.const 1)
         (struct.new $s)
         (local.get 1)
         (cont.bind $k $k1 (struct.new $s) (local.get 1))
         (drop) (drop) (drop) (drop)
         (resume $k (struct.new $s) (i32.const 2) (local.get 1))))";
    let mut options = Options::default();
    options.features.insert(WasmFeatures::STACK_SWITCHING);
    check_all(&wat(source), &options);
    // Temporaries begin at slot 2. A local on the stack is in no slot but its own.
    let wanted = [
        ("struct_new", vec![0, 1]),
        ("suspend", vec![0, 1, 3]),
        ("struct_new", vec![0, 1]),
        ("struct_new", vec![0, 1, 3]),
        ("cont_bind", vec![0, 1, 3, 5]),
        ("struct_new", vec![0, 1]),
        ("resume", vec![0, 1, 2]),
    ];
    assert_eq!(maps_with(source, &options), wanted);
}

#[test]
fn references_to_functions_and_small_integers_are_not_named() {
    let found = maps(
        "(module
           (type $f (func (result (ref null $f)) (result i31ref) (result i32)))
           (func (param (ref null $f) funcref nullfuncref externref i31ref)
             (call_ref $f (local.get 0)) (drop) (drop) (drop)))",
    );
    // An i31ref may be anything that is stored as one: null or an integer, which no collector follows.
    assert_eq!(found, [("call_ref", vec![3, 4])]);
}
