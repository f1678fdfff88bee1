//! Random graphs of objects against a model of them in host memory.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// A struct whose children are the objects in two table entries.
    Struct {
        a: u8,
        b: u8,
        to: u8,
    },
    /// An array of one entry's object.
    Array {
        a: u8,
        len: u16,
        to: u8,
    },
    /// Bytes.
    Bytes {
        len: u16,
        to: u8,
    },
    /// A child of an entry's object becomes another entry's object.
    Set {
        of: u8,
        child: u8,
        a: u8,
    },
    /// An entry becomes a child of another's object.
    Follow {
        of: u8,
        child: u8,
        to: u8,
    },
    Drop {
        at: u8,
    },
    Collect,
    Move,
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0..8_u8;
    let at = move || at.clone();
    prop_oneof![
        6 => (at(), at(), at()).prop_map(|(a, b, to)| Step::Struct { a, b, to }),
        2 => (at(), 0..40_u16, at()).prop_map(|(a, len, to)| Step::Array { a, len, to }),
        1 => (at(), 0..9000_u16, at()).prop_map(|(a, len, to)| Step::Array { a, len, to }),
        1 => (0..40_000_u16, at()).prop_map(|(len, to)| Step::Bytes { len, to }),
        4 => (at(), 0..4_u8, at()).prop_map(|(of, child, a)| Step::Set { of, child, a }),
        4 => (at(), 0..4_u8, at()).prop_map(|(of, child, to)| Step::Follow { of, child, to }),
        3 => at().prop_map(|at| Step::Drop { at }),
        1 => Just(Step::Collect),
        1 => Just(Step::Move),
    ]
}

/// What an object is to hold.
struct Object {
    reference: u32,
    children: Vec<Option<usize>>,
    array: bool,
    stamp: u64,
}

struct Model {
    rig: Rig,
    objects: Vec<Object>,
    roots: [Option<usize>; 8],
}

impl Model {
    fn reference(&self, o: Option<usize>) -> u32 {
        o.map_or(0, |i| self.objects[i].reference)
    }

    fn root(&mut self, at: u8, o: Option<usize>) {
        self.roots[usize::from(at)] = o;
        let r = self.reference(o);
        assert!(self.rig.vm.table_set(self.rig.table, at.into(), r));
    }

    fn add(&mut self, reference: u32, children: Vec<Option<usize>>, array: bool, to: u8) {
        let stamp = self.objects.len() as u64;
        self.objects.push(Object {
            reference,
            children,
            array,
            stamp,
        });
        self.root(to, Some(stamp as usize));
    }

    fn take(&mut self, s: &Step) {
        let root = |m: &Model, at: u8| m.roots[usize::from(at)];
        match *s {
            Step::Struct { a, b, to } => {
                let children = vec![root(self, a), root(self, b)];
                let stamp = self.objects.len() as u64;
                let fields = [
                    self.reference(children[0]).into(),
                    self.reference(children[1]).into(),
                    stamp & 0xff,
                    stamp,
                ];
                let r = self.rig.vm.alloc_struct(NODE, &fields).unwrap();
                self.add(r, children, false, to);
            }
            Step::Array { a, len, to } => {
                let child = root(self, a);
                let init = [self.reference(child).into(), 0];
                let r = self.rig.vm.alloc_array(REFS, init, len.into()).unwrap();
                self.add(r, vec![child; len.into()], true, to);
            }
            Step::Bytes { len, to } => {
                let stamp = self.objects.len() as u64;
                let init = [stamp & 0xff, 0];
                let r = self.rig.vm.alloc_array(BYTES, init, len.into()).unwrap();
                self.add(r, vec![], false, to);
            }
            Step::Set { of, child, a } => {
                let (Some(of), a) = (root(self, of), root(self, a)) else {
                    return;
                };
                let value = [self.reference(a).into(), 0];
                let object = &mut self.objects[of];
                if let Some(slot) = object.children.get_mut(usize::from(child)) {
                    *slot = a;
                    let (r, child) = (object.reference, child.into());
                    assert!(if object.array {
                        self.rig.vm.element_set(r, child, value)
                    } else {
                        self.rig.vm.field_set(r, child, value)
                    });
                }
            }
            Step::Follow { of, child, to } => {
                let of = root(self, of);
                let child = of.and_then(|of| self.objects[of].children.get(usize::from(child)));
                if let Some(child) = child.copied() {
                    self.root(to, child);
                }
            }
            Step::Drop { at } => self.root(at, None),
            Step::Collect => self.check(),
            Step::Move => self.rig.vm.relocate().unwrap(),
        }
    }

    /// What can be reached is what it was made; nothing else is left.
    fn check(&mut self) {
        self.rig.vm.gc().unwrap();
        let mut seen = vec![false; self.objects.len()];
        let mut left: Vec<usize> = self.roots.iter().flatten().copied().collect();
        let mut n = 0;
        while let Some(i) = left.pop() {
            if core::mem::replace(&mut seen[i], true) {
                continue;
            }
            n += 1;
            let o = &self.objects[i];
            let (vm, r) = (&self.rig.vm, o.reference);
            match vm.object_kind(r) {
                Some(ObjectKind::Struct(NODE)) => {
                    assert_eq!(vm.field_get(r, 2), Some([o.stamp & 0xff, 0]));
                    assert_eq!(vm.field_get(r, 3), Some([o.stamp, 0]));
                }
                Some(ObjectKind::Array(REFS)) => {
                    assert_eq!(vm.array_len(r), Some(o.children.len() as u32))
                }
                Some(ObjectKind::Array(BYTES)) => {
                    for k in [0, vm.array_len(r).unwrap().wrapping_sub(1)] {
                        if let Some(byte) = vm.element_get(r, k) {
                            assert_eq!(byte, [o.stamp & 0xff, 0]);
                        }
                    }
                }
                kind => panic!("object {i} is {kind:?}"),
            }
            for (k, child) in o.children.iter().enumerate() {
                let is = if o.array {
                    vm.element_get(r, k as u32)
                } else {
                    vm.field_get(r, k as u32)
                };
                assert_eq!(is, Some([self.reference(*child).into(), 0]));
                left.extend(child);
            }
        }
        assert_eq!(self.rig.vm.gc_stats().live_objects, n);
    }
}

fn play(steps: &[Step], stress: bool, mark_stack: usize) {
    let mut model = Model {
        rig: Rig::new(Executor::Portable, vec![]),
        objects: Vec::new(),
        roots: [None; 8],
    };
    model.rig.vm.set_gc_stress(stress);
    model.rig.vm.set_gc_mark_stack(mark_stack);
    for s in steps {
        model.take(s);
    }
    model.check();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 48 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_can_be_reached_stays_and_all_else_goes(
        steps in proptest::collection::vec(step(), 1..if cfg!(miri) { 20 } else { 600 }),
        mark_stack in prop_oneof![Just(1_usize), Just(3), Just(1 << 18)],
    ) {
        play(&steps, false, mark_stack);
    }

    #[test]
    fn so_it_is_if_every_allocation_collects(
        steps in proptest::collection::vec(step(), 1..if cfg!(miri) { 12 } else { 120 }),
    ) {
        play(&steps, true, 5);
    }
}
