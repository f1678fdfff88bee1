//! What makes types equal, and what makes one a subtype of another.

use sheave_types::{
    ArrayType, CompositeType, FieldType, FuncType, HeapType, Layout, RefType, StorageType,
    StructType, SubType, TypeError, TypeRegistry, ValType,
};

fn field(storage: StorageType) -> FieldType {
    FieldType {
        storage,
        mutable: true,
    }
}

fn reference(x: u32) -> StorageType {
    StorageType::Val(ValType::Ref(RefType::new(true, HeapType::Concrete(x))))
}

fn structure(is_final: bool, supertype: Option<u32>, fields: &[StorageType]) -> SubType {
    let fields = fields.iter().map(|s| field(*s)).collect();
    SubType {
        is_final,
        supertype,
        composite: CompositeType::Struct(StructType { fields }),
    }
}

const I32: StorageType = StorageType::Val(ValType::I32);

#[test]
fn equal_groups_of_two_modules_have_one_identity() {
    let types = TypeRegistry::default();
    // (rec (type $a (struct (ref null $b))) (type $b (struct (ref null $a) i32)))
    let group = |first: u32| {
        [
            structure(true, None, &[reference(first + 1)]),
            structure(true, None, &[reference(first), I32]),
        ]
    };
    let one = types.register(&group(0), 0, &[]).unwrap();
    let other = types.register_func(FuncType::new([], [])).unwrap();
    let two = types.register(&group(1), 1, &[other]).unwrap();
    assert_eq!(one, two);
    assert_ne!(one, other);
    assert_eq!(types.get(one + 1).unwrap().group, (one, 2));
}

#[test]
fn a_type_alone_differs_from_the_same_type_in_a_group() {
    let types = TypeRegistry::default();
    let alone = structure(true, None, &[I32]);
    let a = types
        .register(std::slice::from_ref(&alone), 0, &[])
        .unwrap();
    let b = types
        .register(&[alone.clone(), alone.clone()], 0, &[])
        .unwrap();
    assert_ne!(a, b);
    assert_eq!(types.register_alone(alone).unwrap(), a);
}

#[test]
fn finality_and_supertypes_are_part_of_a_type() {
    let types = TypeRegistry::default();
    let open = types
        .register_alone(structure(false, None, &[I32]))
        .unwrap();
    let closed = types.register_alone(structure(true, None, &[I32])).unwrap();
    let below = types
        .register_alone(structure(true, Some(open), &[I32]))
        .unwrap();
    assert!(open != closed && closed != below && open != below);
    assert!(types.is_subtype(below, open));
    assert!(!types.is_subtype(open, below));
    assert!(!types.is_subtype(closed, open));
}

#[test]
fn a_chain_of_subtypes_matches_upwards_only() {
    let types = TypeRegistry::default();
    let mut chain = vec![types.register_alone(structure(false, None, &[])).unwrap()];
    for _ in 0..10 {
        let above = chain.last().copied();
        let ty = structure(false, above, &[I32]);
        chain.push(types.register_alone(ty).unwrap());
    }
    for (i, a) in chain.iter().enumerate() {
        for (j, b) in chain.iter().enumerate() {
            assert_eq!(types.is_subtype(*a, *b), i >= j, "{i} below {j}");
        }
    }
}

#[test]
fn abstract_types_form_their_hierarchies() {
    use HeapType as H;
    let types = TypeRegistry::default();
    let func = H::Concrete(types.register_func(FuncType::new([], [])).unwrap());
    let array = ArrayType {
        element: field(StorageType::I8),
    };
    let array = SubType::plain(CompositeType::Array(array));
    let array = H::Concrete(types.register_alone(array).unwrap());
    let yes = [
        (array, H::Array),
        (array, H::Eq),
        (array, H::Any),
        (H::None, array),
        (func, H::Func),
        (H::NoFunc, func),
        (H::I31, H::Eq),
        (H::NoExn, H::Exn),
    ];
    let no = [
        (array, H::Struct),
        (array, H::Func),
        (H::None, func),
        (H::NoFunc, array),
        (H::Any, H::Extern),
        (H::Eq, H::I31),
        (func, array),
    ];
    assert!(yes.iter().all(|(a, b)| types.heap_type_matches(*a, *b)));
    assert!(!no.iter().any(|(a, b)| types.heap_type_matches(*a, *b)));
    assert_eq!((types.top(func), types.top(array)), (H::Func, H::Any));
}

#[test]
fn functions_match_with_wider_parameters_and_narrower_results() {
    let types = TypeRegistry::default();
    let a = FuncType::new([ValType::ANYREF], [ValType::I31REF]);
    let b = FuncType::new([ValType::EQREF], [ValType::EQREF]);
    assert!(types.func_type_matches(&a, &b));
    assert!(!types.func_type_matches(&b, &a));
}

#[test]
fn the_fields_of_a_subtype_start_with_those_of_its_supertype() {
    let types = TypeRegistry::default();
    let v128 = StorageType::Val(ValType::V128);
    let fields = [
        StorageType::I8,
        StorageType::I16,
        I32,
        v128,
        StorageType::I8,
    ];
    let above = types
        .register_alone(structure(false, None, &fields[..3]))
        .unwrap();
    let below = types
        .register_alone(structure(true, Some(above), &fields))
        .unwrap();
    let offsets = |id: u32| match &types.get(id).unwrap().layout {
        Layout::Struct(layout) => {
            let offsets: Vec<u32> = layout.fields.iter().map(|f| f.offset).collect();
            (offsets, layout.bytes)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(offsets(above), (vec![8, 10, 12], 16));
    assert_eq!(offsets(below), (vec![8, 10, 12, 16, 32], 40));
}

#[test]
fn references_to_functions_are_not_traced() {
    let types = TypeRegistry::default();
    let func = types.register_func(FuncType::new([], [])).unwrap();
    let fields = [
        reference(func),
        reference(1),
        StorageType::Val(ValType::EXTERNREF),
    ];
    let ty = types
        .register(&[structure(true, None, &fields)], 1, &[func])
        .unwrap();
    let def = types.get(ty).unwrap();
    assert!(matches!(&def.layout, Layout::Struct(l) if *l.traced == [12, 16]));
}

#[test]
fn numbers_that_lead_nowhere_are_errors() {
    let types = TypeRegistry::default();
    let bad = [structure(true, None, &[reference(7)])];
    assert_eq!(types.register(&bad, 0, &[]), Err(TypeError::Unknown(7)));
    assert_eq!(
        types.register_alone(bad[0].clone()),
        Err(TypeError::Unknown(7))
    );
    let own = [structure(false, Some(0), &[])];
    assert!(matches!(
        types.register(&own, 0, &[]),
        Err(TypeError::Supertype(_))
    ));
    let func = types.register_func(FuncType::new([], [])).unwrap();
    let wrong = [structure(true, Some(0), &[])];
    let outcome = types.register(&wrong, 1, &[func]);
    assert!(matches!(outcome, Err(TypeError::Supertype(_))));
}

fn continuation(func: u32) -> SubType {
    SubType::plain(CompositeType::Cont(func))
}

#[test]
fn continuation_types_are_a_hierarchy_of_their_own_and_traced() {
    let types = TypeRegistry::default();
    let func = types.register_func(FuncType::new([], [])).unwrap();
    let cont = types.register_alone(continuation(func)).unwrap();
    // A type that names itself by way of its group: (rec (type $f (func (param (ref null $k)))) (type $k (cont $f))).
    let of = |x| ValType::Ref(RefType::new(true, HeapType::Concrete(x)));
    let group = [FuncType::new([of(1)], []).into(), continuation(0)];
    let first = types.register(&group, 0, &[]).unwrap();
    let group = [FuncType::new([of(8)], []).into(), continuation(7)];
    assert_eq!(types.register(&group, 7, &[func; 7]), Ok(first));

    let concrete = HeapType::Concrete(cont);
    let matches = |a, b| types.heap_type_matches(a, b);
    assert!(matches(HeapType::NoCont, concrete) && matches(concrete, HeapType::Cont));
    assert!(matches(HeapType::NoCont, HeapType::Cont));
    assert!(!matches(concrete, HeapType::Concrete(first + 1)));
    for other in [HeapType::Any, HeapType::Eq, HeapType::Func, HeapType::Exn] {
        assert!(!matches(concrete, other) && !matches(HeapType::NoCont, other));
    }
    assert!(!matches(HeapType::None, concrete) && !matches(HeapType::NoFunc, concrete));
    assert_eq!(types.top(concrete), HeapType::Cont);
    assert!(types.is_traced(of(cont)));
    assert_eq!(types.get(cont).unwrap().layout, Layout::None);
}

#[test]
fn a_continuation_is_of_a_function() {
    let types = TypeRegistry::default();
    let of_struct = [structure(true, None, &[I32]), continuation(0)];
    let outcome = types.register(&of_struct, 0, &[]);
    assert!(matches!(outcome, Err(TypeError::Continuation(_))));
    let of_itself = types.register(&[continuation(0)], 0, &[]);
    assert!(matches!(of_itself, Err(TypeError::Continuation(_))));
}
