//! What the host can make, reach and lose.

use super::*;

fn rig() -> Rig {
    Rig::new(Executor::Portable, vec![])
}

fn live(rig: &mut Rig) -> u64 {
    rig.vm.gc().unwrap();
    rig.vm.gc_stats().live_objects
}

#[test]
fn an_object_is_what_it_was_made_as() {
    let mut r = rig();
    let leaf = r.vm.alloc_struct(LEAF, &[7]).unwrap();
    let node =
        r.vm.alloc_struct(NODE, &[leaf.into(), 3, 0x1ff, 1 << 40])
            .unwrap();
    assert_eq!(r.vm.object_kind(node), Some(ObjectKind::Struct(NODE)));
    assert_eq!(r.vm.object_kind(3), Some(ObjectKind::I31(1)));
    assert_eq!(r.vm.object_kind(0), None);
    let fields: Vec<u64> = (0..4)
        .map(|i| r.vm.field_get(node, i).unwrap()[0])
        .collect();
    assert_eq!(fields, [leaf.into(), 3, 0xff, 1 << 40]);
    assert_eq!(r.vm.field_get(node, 4), None);
    assert!(r.vm.field_set(node, 0, [0, 0]));
    assert_eq!(r.vm.field_get(node, 0), Some([0, 0]));

    let vectors = r.vm.alloc_array_fixed(VECTORS, &[1, 2, 3, 4]).unwrap();
    assert_eq!(r.vm.array_len(vectors), Some(2));
    assert_eq!(r.vm.element_get(vectors, 1), Some([3, 4]));
    assert_eq!(r.vm.element_get(vectors, 2), None);
    assert!(!r.vm.element_set(vectors, 2, [0, 0]));

    let sub = RefType::new(false, HeapType::Concrete(PAIR));
    assert!(r.vm.ref_matches(node, sub) && !r.vm.ref_matches(leaf, sub));
    assert!(!r.vm.ref_matches(0, sub) && !r.vm.ref_matches(5, sub));
    assert!(r.vm.ref_matches(5, RefType::new(false, HeapType::Eq)));
    assert!(
        !r.vm
            .ref_matches(vectors, RefType::new(false, HeapType::Struct))
    );
}

#[test]
fn a_reference_that_is_none_reaches_nothing() {
    let mut r = rig();
    let node = r.vm.alloc_struct_default(NODE).unwrap();
    for forged in [
        16_u32,
        32,
        node + 16,
        node + 2,
        0xffff_fff0,
        0x8000_0000,
        u32::MAX - 1,
    ] {
        if forged != node {
            let _ = r.vm.object_kind(forged);
            let _ = r.vm.field_get(forged, 0);
            let _ = r.vm.array_len(forged);
            r.vm.roots_mut().push(forged);
        }
    }
    // A header that claims to be of an unknown type, or of an array longer than the heap.
    r.vm.gc().unwrap();
}

#[test]
fn cycles_are_reclaimed_once_no_root_leads_to_them() {
    let mut r = rig();
    let scope = r.vm.roots().begin_scope();
    let a = r.vm.alloc_struct_default(PAIR).unwrap();
    let root = r.vm.roots_mut().push(a);
    let b = r.vm.alloc_struct(PAIR, &[a.into(), 0]).unwrap();
    r.vm.field_set(a, 1, [b.into(), 0]);
    // Through a table, a global, an element segment and an exception.
    let refs = r.vm.alloc_array(REFS, [b.into(), 0], 3).unwrap();
    r.vm.table_set(r.table, 5, refs);
    let (t, g) = (r.table, r.global);
    let exn = r.vm.alloc_exn(9, FUNC, &[refs.into(), 77]).unwrap();
    r.vm.global_set(g, exn.into());
    let segment = ElemSegment {
        refs: vec![0, exn],
        traced: true,
    };
    r.vm.set_elem(r.inst, 0, &segment).unwrap();
    assert_eq!(live(&mut r), 4);
    assert_eq!(r.vm.roots().get(root), Some(a));
    r.vm.roots_mut().end_scope(scope);
    assert_eq!(r.vm.roots().get(root), None);
    assert_eq!(live(&mut r), 4);
    assert_eq!(r.vm.exn_tag(exn), Some(9));
    assert_eq!(r.vm.exn_payload(exn), Some(vec![refs.into(), 77]));
    r.vm.elem_drop(r.inst, 0);
    assert_eq!(live(&mut r), 4, "the global and the table remain");
    r.vm.table_set(t, 5, 0);
    assert_eq!(live(&mut r), 4, "the exception holds the array");
    r.vm.global_set(g, 0);
    assert_eq!(live(&mut r), 0);
}

#[test]
fn an_owned_reference_lives_as_long_as_its_handles() {
    let mut r = rig();
    let a = r.vm.alloc_struct(LEAF, &[5]).unwrap();
    let handle = r.vm.roots_mut().own(a);
    let second = handle.clone();
    drop(handle);
    assert_eq!(live(&mut r), 1);
    assert_eq!(r.vm.roots().get(second.root()), Some(a));
    drop(second);
    assert_eq!(live(&mut r), 0);
    r.vm.set_pending_exception(a);
    let b = r.vm.alloc_struct(LEAF, &[6]).unwrap();
    r.vm.set_pending_exception(b);
    assert_eq!(live(&mut r), 1);
    assert_eq!(r.vm.take_pending_exception(), b);
    assert_eq!(live(&mut r), 0);
}

#[test]
fn host_values_report_their_death_once() {
    let mut r = rig();
    let kept = r.vm.alloc_extern(1).unwrap();
    r.vm.table_set(r.table, 0, kept);
    r.vm.alloc_extern(2).unwrap();
    r.vm.alloc_extern(3).unwrap();
    assert_eq!(r.vm.extern_index(kept), Some(1));
    assert_eq!(live(&mut r), 1);
    assert_eq!(r.vm.take_dead_externs(), [2, 3]);
    r.vm.table_set(r.table, 0, 0);
    assert_eq!(live(&mut r), 0);
    assert_eq!(r.vm.take_dead_externs(), [1]);
    assert_eq!(live(&mut r), 0);
    assert!(r.vm.take_dead_externs().is_empty());
}

#[test]
fn memory_stays_bounded() {
    let mut r = rig();
    let (rounds, keep) = if cfg!(miri) {
        (3_000, 10)
    } else {
        (10_000_000, 1000)
    };
    let ring = r.vm.alloc_array(REFS, [0, 0], keep).unwrap();
    r.vm.table_set(r.table, 0, ring);
    for i in 0..rounds {
        let node =
            r.vm.alloc_struct(NODE, &[u64::from(i) << 1 & 0xffff | 1, 0, 0, i.into()])
                .unwrap();
        r.vm.element_set(ring, i % keep, [node.into(), 0]);
    }
    let stats = r.vm.gc_stats();
    assert!(stats.heap_bytes <= 6 << 20, "{stats:?}");
    for i in rounds - keep..rounds {
        let node = r.vm.element_get(ring, i % keep).unwrap()[0] as u32;
        assert_eq!(r.vm.field_get(node, 3), Some([i.into(), 0]));
    }
}

#[test]
fn a_long_list_needs_no_long_stack() {
    let mut r = rig();
    let n = if cfg!(miri) { 300 } else { 200_000 };
    for stack in [1, 7, 1 << 18] {
        r.vm.set_gc_mark_stack(stack);
        let mut list = 0_u32;
        for i in 0..n {
            r.vm.table_set(r.table, 0, list);
            // Values that are looked into as well, so that they wait while the list goes on.
            let value = r.vm.alloc_struct(PAIR, &[3, 3]).unwrap();
            list =
                r.vm.alloc_struct(NODE, &[value.into(), list.into(), 0, i])
                    .unwrap();
        }
        r.vm.table_set(r.table, 0, list);
        assert_eq!(live(&mut r), 2 * n);
    }
}

#[test]
fn large_objects_come_and_go() {
    let mut r = rig();
    let big = if cfg!(miri) { 40_000 } else { 3 << 20 };
    for round in 0..if cfg!(miri) { 3 } else { 200 } {
        let a = r.vm.alloc_array(BYTES, [round, 0], big).unwrap();
        r.vm.table_set(r.table, round % 4, a);
        assert_eq!(r.vm.element_get(a, big - 1), Some([round, 0]));
        // Medium ones between them.
        let b = r.vm.alloc_array(BYTES, [1, 0], 5000).unwrap();
        r.vm.table_set(r.table, 4 + round % 4, b);
    }
    assert!(
        r.vm.gc_stats().heap_bytes <= 10 * u64::from(big) + (1 << 20),
        "{:?}",
        r.vm.gc_stats()
    );
    assert_eq!(
        r.vm.alloc_array(BYTES, [1, 0], u32::MAX),
        Err(Trap::AllocationTooLarge)
    );
    assert_eq!(
        r.vm.alloc_array(VECTORS, [1, 0], u32::MAX),
        Err(Trap::AllocationTooLarge)
    );
}

#[test]
fn a_full_heap_traps_and_goes_on() {
    let arena = ArenaConfig {
        budget_bytes: if cfg!(miri) { 200 << 10 } else { 1 << 20 },
        ..ArenaConfig::default()
    };
    let mut r = Rig::with(Executor::Portable, vec![], arena);
    let mut list = 0_u32;
    let mut n = 0_u64;
    let error = loop {
        r.vm.table_set(r.table, 0, list);
        match r.vm.alloc_array(REFS, [list.into(), 0], 20) {
            Ok(next) => list = next,
            Err(error) => break error,
        }
        n += 1;
    };
    assert_eq!(error, Trap::GcHeapOutOfMemory);
    assert!(
        n * 96 > if cfg!(miri) { 60_000 } else { 800_000 },
        "{n} objects"
    );
    assert_eq!(live(&mut r), n);
    r.vm.table_set(r.table, 0, 0);
    for _ in 0..2 * n {
        r.vm.alloc_array(REFS, [0, 0], 20).unwrap();
    }
}

#[test]
fn nobody_notices_when_the_store_moves() {
    let mut r = rig();
    let mut list = 0_u32;
    for i in 0..100 {
        list = r.vm.alloc_struct(NODE, &[0, list.into(), 0, i]).unwrap();
        r.vm.table_set(r.table, 0, list);
        if i % 10 == 0 {
            r.vm.relocate().unwrap();
        }
        if i % 25 == 0 {
            r.vm.gc().unwrap();
        }
    }
    for i in (0..100).rev() {
        assert_eq!(r.vm.field_get(list, 3), Some([i, 0]));
        list = r.vm.field_get(list, 1).unwrap()[0] as u32;
    }
    assert_eq!(list, 0);
}
