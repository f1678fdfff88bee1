//! Hand-assembled functions that allocate.

use sheave_isa::{Asm, ref_kind};

use super::*;

/// A binary tree: `f(_, depth) = depth == 0 ? PAIR(null, null) : PAIR(f(depth - 1), f(depth - 1))`.
fn tree() -> Function {
    let (mut a, mut maps) = (Asm::new(), RefMaps::new());
    let b = a.br_i32_ne_imm(1, 0, 0);
    maps.push(a.struct_new_default(0, PAIR), []);
    a.ret_1(0);
    let l = a.i32_add_imm(4, 1, -1);
    a.mark_label(l);
    a.patch_u32(b + 4, l - b);
    a.const32(3, 0);
    maps.push(a.call(0, 3), []);
    // The left one stays in slot 3.
    a.copy(2, 3);
    a.i32_add_imm(5, 1, -1);
    a.const32(4, 0);
    maps.push(a.call(0, 4), [2]);
    a.copy(3, 4);
    maps.push(a.struct_new(0, 2, 2, PAIR), [2, 3]);
    a.ret_1(0);
    (8, a.code, maps)
}

fn count(vm: &Vm, node: u32) -> u32 {
    let child = |i| vm.field_get(node, i).unwrap()[0] as u32;
    if child(0) == 0 {
        return 1;
    }
    1 + count(vm, child(0)) + count(vm, child(1))
}

#[test]
fn a_tree_is_whole_however_often_it_is_collected() {
    for e in executors() {
        for stress in [false, true] {
            let mut r = Rig::new(e, vec![tree()]);
            r.vm.set_gc_stress(stress);
            let depth = if cfg!(miri) { 3 } else { 7 };
            let root = r.call(0, 0, depth).unwrap();
            assert_eq!(count(&r.vm, root), (2 << depth) - 1);
            assert!(r.vm.take_gc_error().is_none());
            let scope = r.vm.roots().begin_scope();
            r.vm.roots_mut().push(root);
            r.vm.gc().unwrap();
            assert_eq!(count(&r.vm, root), (2 << depth) - 1);
            r.vm.roots_mut().end_scope(scope);
            r.vm.gc().unwrap();
            assert_eq!(r.vm.gc_stats().live_objects, 0);
        }
    }
}

#[test]
fn trees_in_a_row_stay_within_bounds() {
    for e in executors() {
        let mut r = Rig::new(e, vec![tree()]);
        let (depth, times) = if cfg!(miri) { (4, 3) } else { (12, 300) };
        for _ in 0..times {
            r.call(0, 0, depth).unwrap();
        }
        assert!(
            r.vm.gc_stats().heap_bytes < 8 << 20,
            "{:?}",
            r.vm.gc_stats()
        );
        assert!(r.vm.take_gc_error().is_none());
    }
}

/// A function of one op whose result it gives.
fn one(slots: u32, op: impl FnOnce(&mut Asm) -> u32) -> Function {
    let (mut a, mut maps) = (Asm::new(), RefMaps::new());
    let at = op(&mut a);
    maps.push(at, [0]);
    a.ret_1(2);
    (slots, a.code, maps)
}

#[test]
fn each_op_gives_what_it_should_or_its_trap() {
    for e in executors() {
        let mut r = Rig::new(
            e,
            vec![
                one(4, |a| a.struct_get_8s(2, 0, 16)),
                one(4, |a| a.struct_get_8u(2, 0, 16)),
                one(4, |a| a.struct_get_32(2, 0, 8)),
                one(4, |a| a.array_get_8s(2, 0, 1)),
                one(4, |a| a.array_get_32(2, 0, 1)),
                one(4, |a| a.array_len(2, 0)),
                one(4, |a| a.ref_test_type(2, 0, PAIR, 0)),
                one(4, |a| a.ref_test_kind(2, 0, ref_kind::ARRAY, 1)),
                one(4, |a| a.ref_cast_type(2, 0, NODE, 1)),
                one(4, |a| a.i31_get_s(2, 0)),
                one(4, |a| a.array_new_default(2, 1, VECTORS)),
                one(4, |a| a.array_new_data(2, 1, 1, BYTES, 0)),
                one(4, |a| a.array_new_elem(2, 1, 1, REFS, 0)),
                one(4, |a| a.array_new(2, 0, 1, REFS)),
                one(4, |a| a.struct_get_v128(2, 0, 8)),
            ],
        );
        let node = r.vm.alloc_struct(NODE, &[5, 7, 0x80, 9]).unwrap();
        let bytes = r.vm.alloc_array_fixed(BYTES, &[1, 0xff, 3]).unwrap();
        let refs = r.vm.alloc_array_fixed(REFS, &[5, node.into()]).unwrap();
        let scope = [node, bytes, refs];
        for x in scope {
            r.vm.roots_mut().push(x);
        }
        let null = Err(Trap::NullReference);
        assert_eq!(r.call(0, node, 0), Ok(0xffff_ff80));
        assert_eq!(r.call(1, node, 0), Ok(0x80));
        assert_eq!(r.call(2, node, 0), Ok(5));
        for f in [0, 1, 2, 3, 4, 5, 9, 14] {
            assert_eq!(r.call(f, 0, 0), null, "{f}");
        }
        assert_eq!(r.call(14, 0xffff_0000, 0), null);
        assert_eq!(r.call(3, bytes, 1), Ok(u32::MAX));
        assert_eq!(r.call(3, bytes, 3), Err(Trap::ArrayOutOfBounds));
        assert_eq!(r.call(4, refs, 1), Ok(node));
        assert_eq!(r.call(4, refs, u32::MAX), Err(Trap::ArrayOutOfBounds));
        assert_eq!(r.call(5, refs, 0), Ok(2));
        for (x, is) in [(node, 1), (refs, 0), (0, 0), (5, 0)] {
            assert_eq!(r.call(6, x, 0), Ok(is));
        }
        for (x, is) in [(node, 0), (refs, 1), (0, 1), (5, 0)] {
            assert_eq!(r.call(7, x, 0), Ok(is));
        }
        assert_eq!(r.call(8, node, 0), Ok(node));
        assert_eq!(r.call(8, 0, 0), Ok(0));
        assert_eq!(r.call(8, bytes, 0), Err(Trap::CastFailure));
        assert_eq!(r.call(9, 0x8000_0001, 0), Ok(0xc000_0000));
        assert_eq!(r.call(10, 0, u32::MAX), Err(Trap::AllocationTooLarge));
        let made = r.call(11, 0, 10).unwrap();
        assert_eq!(r.vm.array_len(made), Some(10));
        assert_eq!(r.vm.element_get(made, 9), Some([19, 0]));
        assert_eq!(r.call(11, 0, 33), Err(Trap::MemoryOutOfBounds));
        assert_eq!(r.call(12, 0, 1), Err(Trap::TableOutOfBounds));
        let made = r.call(13, node, 3).unwrap();
        assert_eq!(r.vm.element_get(made, 2), Some([node.into(), 0]));
    }
}

/// Every op that can be run again and again, in a loop on a small native stack: no handler may keep a frame of it.
#[test]
fn no_op_grows_the_native_stack() {
    type Put = fn(&mut Asm) -> u32;
    let ops: &[Put] = &[
        |a| a.struct_new(2, 0, 1, LEAF),
        |a| a.struct_new(2, 0, 4, NODE),
        |a| a.struct_new_default(2, NODE),
        |a| a.struct_get_8s(2, 0, 16),
        |a| a.struct_get_64(2, 0, 16),
        |a| a.struct_get_v128(2, 0, 8),
        |a| a.struct_set_16(0, 16, 1),
        |a| a.struct_set_v128(0, 8, 4),
        |a| a.array_new(2, 0, 4, REFS),
        |a| a.array_new_v128(2, 4, 4, VECTORS),
        |a| a.array_new_default(2, 4, BYTES),
        |a| a.array_new_fixed(2, 0, 1, REFS),
        |a| a.array_new_data(2, 4, 4, BYTES, 0),
        |a| a.array_new_elem(2, 4, 4, REFS, 0),
        |a| a.ref_test_type(2, 0, PAIR, 0),
        |a| a.ref_test_kind(2, 0, ref_kind::ARRAY, 1),
        |a| a.ref_cast_type(2, 0, PAIR, 1),
        |a| a.ref_cast_kind(2, 0, ref_kind::EQ, 1),
        |a| a.ref_i31(2, 0),
    ];
    let arrays: &[Put] = &[
        |a| a.array_get_8s(2, 0, 4),
        |a| a.array_set_8(0, 4, 1),
        |a| a.array_len(2, 0),
        |a| a.array_fill(0, 4, 1, 4),
        |a| a.array_copy(0, 4, 0, 4, 4),
        |a| a.array_init_data(0, 4, 4, 4, 0),
        |a| a.ref_test_kind(2, 0, ref_kind::ARRAY, 1),
    ];
    let in_loop = |op: &Put| {
        let (mut a, mut maps) = (Asm::new(), RefMaps::new());
        a.zero(4, 2);
        let at = op(&mut a);
        a.mark_label(at);
        maps.push(at, [0]);
        let b = a.i32_inc_br_nez(1, -1, 0);
        a.patch_u32(b + 3, at.wrapping_sub(b));
        a.ret_1(0);
        (8, a.code, maps)
    };
    let functions: Vec<Function> = ops.iter().chain(arrays).map(in_loop).collect();
    let n = ops.len();
    let times = if cfg!(miri) { 3 } else { 20_000 };
    let body = move || {
        for e in executors() {
            let mut r = Rig::new(e, functions.clone());
            let node = r.vm.alloc_struct(NODE, &[5, 7, 0x80, 9]).unwrap();
            let bytes = r.vm.alloc_array_fixed(BYTES, &[1, 0xff, 3]).unwrap();
            for x in [node, bytes] {
                r.vm.roots_mut().push(x);
            }
            for f in 0..functions.len() {
                let object = if f < n { node } else { bytes };
                assert_eq!(r.call(f as u32, object, times), Ok(object), "function {f}");
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    thread.spawn(body).unwrap().join().unwrap();
}

#[test]
fn a_copy_within_an_array_is_as_if_at_once() {
    for e in executors() {
        let copy = one(8, |a| {
            a.const32(2, 1);
            a.const32(3, 0);
            a.array_copy(0, 2, 0, 3, 1)
        });
        let fill = one(8, |a| a.array_fill(0, 1, 1, 1));
        let mut r = Rig::new(e, vec![copy, fill]);
        let bytes = r.vm.alloc_array_fixed(BYTES, &[1, 2, 3, 4]).unwrap();
        r.vm.roots_mut().push(bytes);
        r.call(0, bytes, 3).unwrap();
        let all = |r: &Rig| -> Vec<u64> {
            (0..4)
                .map(|i| r.vm.element_get(bytes, i).unwrap()[0])
                .collect()
        };
        assert_eq!(all(&r), [1, 1, 2, 3]);
        assert_eq!(r.call(0, bytes, 4), Err(Trap::ArrayOutOfBounds));
        assert_eq!(r.call(0, 0, 0), Err(Trap::NullReference));
        r.call(1, bytes, 2).unwrap();
        assert_eq!(all(&r), [1, 1, 2, 2]);
        assert_eq!(r.call(1, bytes, 3), Err(Trap::ArrayOutOfBounds));
    }
}

#[test]
fn a_host_function_can_collect_while_frames_wait() {
    // Not with a missing map: the collection fails, and the guest is none the wiser.
    for e in executors() {
        let (slots, code, _) = tree();
        let mut r = Rig::new(e, vec![(slots, code, RefMaps::new())]);
        r.vm.set_gc_stress(true);
        let root = r.call(0, 0, 3).unwrap();
        assert_eq!(count(&r.vm, root), 15);
        assert!(r.vm.take_gc_error().is_some());
    }
}
