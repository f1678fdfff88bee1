//! Structs, arrays and unboxed integers from the host's side, and types of all of them.

use sheave_hostcalls::{
    AnyRef, ArrayRef, ArrayRefPre, ArrayType, Engine, EqRef, FieldType, Finality, Func, FuncType,
    HeapType, I31, Mutability, Ref, RefType, Rooted, StorageType, Store, StructRef, StructRefPre,
    StructType, Table, TableType, V128, Val, ValType,
};

fn field(mutability: Mutability, ty: impl Into<StorageType>) -> FieldType {
    FieldType::new(mutability, ty.into())
}

fn open(engine: &Engine, above: Option<&StructType>, fields: &[FieldType]) -> StructType {
    let fields = fields.iter().cloned();
    StructType::with_finality_and_supertype(engine, Finality::NonFinal, above, fields).unwrap()
}

#[test]
fn fields_hold_values_of_their_types() {
    let mut store = Store::new(&Engine::default(), ());
    let types: [StorageType; 9] = [
        StorageType::I8,
        ValType::I64.into(),
        StorageType::I16,
        ValType::F32.into(),
        ValType::F64.into(),
        ValType::V128.into(),
        ValType::I32.into(),
        ValType::FUNCREF.into(),
        ValType::ANYREF.into(),
    ];
    let ty = StructType::new(store.engine(), types.map(|t| field(Mutability::Var, t))).unwrap();
    let pre = StructRefPre::new(&mut store, ty.clone());
    let f = Func::wrap(&mut store, || 5);
    let i = AnyRef::from_i31(&mut store, I31::wrapping_i32(-3));
    let values = [
        Val::I32(0x1ff),
        Val::I64(-1),
        Val::I32(-2),
        Val::from(1.5_f32),
        Val::from(-2.5_f64),
        Val::V128(V128::from(u128::MAX - 5)),
        Val::I32(i32::MIN),
        Val::from(f),
        Val::from(i),
    ];
    let s = StructRef::new(&mut store, &pre, &values).unwrap();
    assert!(s.ty(&store).unwrap() == ty && s.matches_ty(&store, &ty).unwrap());
    let all: Vec<Val> = s.fields(&mut store).unwrap().collect();
    assert_eq!(all[0].unwrap_i32(), 0xff);
    assert_eq!(all[1].unwrap_i64(), -1);
    assert_eq!(all[2].unwrap_i32(), 0xfffe);
    assert_eq!(all[3].unwrap_f32(), 1.5);
    assert_eq!(all[4].unwrap_f64(), -2.5);
    assert_eq!(all[5].unwrap_v128().as_u128(), u128::MAX - 5);
    assert_eq!(all[6].unwrap_i32(), i32::MIN);
    assert_eq!(all[7].unwrap_funcref(), Some(&f));
    let i = all[8].unwrap_anyref().unwrap();
    assert_eq!(i.unwrap_i31(&store).unwrap().get_i32(), -3);
    s.set_field(&mut store, 5, Val::V128(V128::from(7)))
        .unwrap();
    assert_eq!(s.field(&mut store, 4).unwrap().unwrap_f64(), -2.5);
    assert_eq!(s.field(&mut store, 5).unwrap().unwrap_v128().as_u128(), 7);
    assert_eq!(s.field(&mut store, 6).unwrap().unwrap_i32(), i32::MIN);
}

#[test]
fn a_struct_refuses_what_its_type_does_not_allow() {
    let mut store = Store::new(&Engine::default(), ());
    let fields = [
        field(Mutability::Const, ValType::I32),
        field(Mutability::Var, ValType::EQREF),
    ];
    let ty = StructType::new(store.engine(), fields).unwrap();
    let pre = StructRefPre::new(&mut store, ty);
    let null = Val::AnyRef(None);
    assert!(StructRef::new(&mut store, &pre, &[Val::I32(1)]).is_err());
    assert!(StructRef::new(&mut store, &pre, &[Val::I64(1), null]).is_err());
    let s = StructRef::new(&mut store, &pre, &[Val::I32(1), null]).unwrap();
    assert!(s.field(&mut store, 2).is_err());
    let error = s.set_field(&mut store, 0, Val::I32(2)).unwrap_err();
    assert!(error.to_string().contains("not mutable"), "{error}");
    assert!(s.set_field(&mut store, 1, Val::ExternRef(None)).is_err());
    assert!(s.set_field(&mut store, 2, null).is_err());
    s.set_field(&mut store, 1, Val::from(s)).unwrap();
    let itself = s.field(&mut store, 1).unwrap();
    let itself = itself
        .unwrap_anyref()
        .unwrap()
        .unwrap_eqref(&store)
        .unwrap();
    assert!(Rooted::ref_eq(&store, &itself, &s.to_eqref()).unwrap());
}

#[test]
fn elements_hold_values_of_their_type() {
    let mut store = Store::new(&Engine::default(), ());
    let ty = ArrayType::new(store.engine(), field(Mutability::Var, ValType::I64));
    let pre = ArrayRefPre::new(&mut store, ty.clone());
    let a = ArrayRef::new_fixed(&mut store, &pre, &[Val::I64(1), Val::I64(2)]).unwrap();
    assert_eq!(a.len(&store).unwrap(), 2);
    assert!(a.ty(&store).unwrap() == ty);
    a.set(&mut store, 0, Val::I64(i64::MIN)).unwrap();
    let all: Vec<i64> = a
        .elems(&mut store)
        .unwrap()
        .map(|v| v.unwrap_i64())
        .collect();
    assert_eq!(all, [i64::MIN, 2]);
    assert!(a.get(&mut store, 2).is_err());
    assert!(a.set(&mut store, 2, Val::I64(0)).is_err());
    assert!(a.set(&mut store, 0, Val::I32(0)).is_err());
    assert!(ArrayRef::new(&mut store, &pre, &Val::F32(0), 3).is_err());
    let empty = ArrayRef::new(&mut store, &pre, &Val::I64(9), 0).unwrap();
    assert_eq!(empty.len(&store).unwrap(), 0);

    let fixed = ArrayType::new(store.engine(), field(Mutability::Const, ValType::I32));
    let pre = ArrayRefPre::new(&mut store, fixed);
    let a = ArrayRef::new(&mut store, &pre, &Val::I32(5), 3).unwrap();
    assert_eq!(a.get(&mut store, 2).unwrap().unwrap_i32(), 5);
    let error = a.set(&mut store, 0, Val::I32(0)).unwrap_err();
    assert!(error.to_string().contains("not mutable"), "{error}");
}

#[test]
fn arrays_of_bytes_are_copied_at_once() {
    let mut store = Store::new(&Engine::default(), ());
    let ty = ArrayType::new(store.engine(), field(Mutability::Var, StorageType::I8));
    let pre = ArrayRefPre::new(&mut store, ty);
    let a = ArrayRef::new_from_i8_slice(&mut store, &pre, b"heap").unwrap();
    let mut bytes = [0; 4];
    a.copy_to_i8_slice(&store, &mut bytes).unwrap();
    assert_eq!(&bytes, b"heap");
    a.copy_to_i8_slice(&store, &mut bytes[..2]).unwrap();
    assert!(a.copy_to_i8_slice(&store, &mut [0; 5]).is_err());
    let ty = ArrayType::new(store.engine(), field(Mutability::Var, StorageType::I16));
    let pre = ArrayRefPre::new(&mut store, ty);
    assert!(ArrayRef::new_from_i8_slice(&mut store, &pre, b"heap").is_err());
}

#[test]
fn an_array_too_long_for_the_heap_is_an_error() {
    let mut store = Store::new(&Engine::default(), ());
    let ty = ArrayType::new(store.engine(), field(Mutability::Var, ValType::I64));
    let pre = ArrayRefPre::new(&mut store, ty);
    assert!(ArrayRef::new(&mut store, &pre, &Val::I64(0), u32::MAX).is_err());
}

#[test]
fn references_are_what_their_objects_are() {
    let mut store = Store::new(&Engine::default(), ());
    let ty = StructType::new(store.engine(), []).unwrap();
    let pre = StructRefPre::new(&mut store, ty.clone());
    let s = StructRef::new(&mut store, &pre, &[]).unwrap().to_anyref();
    let ty_a = ArrayType::new(store.engine(), field(Mutability::Var, StorageType::I8));
    let pre = ArrayRefPre::new(&mut store, ty_a.clone());
    let a = ArrayRef::new(&mut store, &pre, &Val::I32(0), 1)
        .unwrap()
        .to_anyref();
    let i = EqRef::from_i31(&mut store, I31::wrapping_u32(1)).to_anyref();
    let are = |r: Rooted<AnyRef>| {
        let eq = r.as_eqref(&store).unwrap().unwrap();
        assert_eq!(eq.ty(&store).unwrap(), r.ty(&store).unwrap());
        [
            r.is_i31(&store).unwrap(),
            r.is_struct(&store).unwrap(),
            r.is_array(&store).unwrap(),
            r.matches_ty(&store, &HeapType::Eq).unwrap(),
            eq.matches_ty(&store, &HeapType::from(ty.clone())).unwrap(),
        ]
    };
    assert_eq!(are(i), [true, false, false, true, false]);
    assert_eq!(are(s), [false, true, false, true, true]);
    assert_eq!(are(a), [false, false, true, true, false]);
    let concrete = RefType::new(false, ty_a.into());
    assert!(
        Val::from(a)
            .matches_ty(&store, &concrete.clone().into())
            .unwrap()
    );
    assert!(
        !Val::from(s)
            .matches_ty(&store, &concrete.clone().into())
            .unwrap()
    );
    assert!(!Ref::Any(None).matches_ty(&store, &concrete).unwrap());
}

#[test]
fn struct_types_are_subtypes_as_declared() {
    let engine = Engine::default();
    let int = field(Mutability::Const, ValType::I32);
    let a = open(&engine, None, core::slice::from_ref(&int));
    let b = open(&engine, Some(&a), &[int.clone(), int.clone()]);
    assert!(b.matches(&a) && !a.matches(&b));
    assert_eq!(b.supertype(), Some(a.clone()));
    assert!(a.finality().is_non_final());
    // The same declaration is the same type; one without the supertype is another.
    assert_eq!(open(&engine, Some(&a), &[int.clone(), int.clone()]), b);
    assert_ne!(open(&engine, None, &[int.clone(), int.clone()]), b);
    let (ha, hb) = (HeapType::from(a.clone()), HeapType::from(b.clone()));
    assert!(hb.matches(&ha) && ha.matches(&HeapType::Struct) && !HeapType::Struct.matches(&ha));
    assert!(HeapType::None.matches(&hb) && !HeapType::NoFunc.matches(&hb));
    // Narrower fields, fewer fields, final supertypes, other engines.
    let wrong = |above: &StructType, fields: &[FieldType]| {
        let fields = fields.iter().cloned();
        let f = Finality::Final;
        StructType::with_finality_and_supertype(&engine, f, Some(above), fields).is_err()
    };
    assert!(wrong(&a, &[]));
    assert!(wrong(&a, &[field(Mutability::Const, ValType::I64)]));
    assert!(wrong(&a, &[field(Mutability::Var, ValType::I32)]));
    let last = StructType::new(&engine, [int.clone()]).unwrap();
    assert!(wrong(&last, core::slice::from_ref(&int)));
    let other = open(&Engine::default(), None, core::slice::from_ref(&int));
    assert!(wrong(&other, core::slice::from_ref(&int)));
    assert!(!HeapType::from(other.clone()).matches(&ha));
    let of_other = field(Mutability::Const, RefType::new(true, other.into()));
    assert!(StructType::new(&engine, [of_other]).is_err());
}

#[test]
fn abstract_types_form_five_hierarchies() {
    use HeapType::{Any, Array, Eq, Exn, Extern, Func, I31, NoExn, NoExtern, NoFunc, None, Struct};
    for (top, bottom, between) in [
        (Any, None, vec![Eq, I31, Struct, Array]),
        (Func, NoFunc, vec![]),
        (Extern, NoExtern, vec![]),
        (Exn, NoExn, vec![]),
    ] {
        assert!(top.is_top() && bottom.is_bottom());
        for ty in [top.clone(), bottom.clone()].into_iter().chain(between) {
            assert_eq!((ty.top(), ty.bottom()), (top.clone(), bottom.clone()));
            assert!(ty.matches(&top) && bottom.matches(&ty) && ty.matches(&ty));
        }
    }
    assert!(I31.matches(&Eq) && !Eq.matches(&I31) && !Extern.matches(&Any));
    assert!(!ValType::FUNCREF.matches(&RefType::new(false, Func).into()));
    assert_eq!(ValType::NULLREF.to_string(), "nullref");
}

#[test]
fn function_types_match_by_their_declaration() {
    let engine = Engine::default();
    let f = FuncType::new(&engine, [ValType::I32], []);
    assert_eq!(f, FuncType::new(&engine, [ValType::I32], []));
    let open = |above: Option<&FuncType>, result: ValType| {
        let f = Finality::NonFinal;
        FuncType::with_finality_and_supertype(&engine, f, above, [], [result])
    };
    let wide = open(None, ValType::ANYREF).unwrap();
    let narrow = open(Some(&wide), ValType::EQREF).unwrap();
    assert!(narrow.matches(&wide) && !wide.matches(&narrow));
    assert!(open(Some(&narrow), ValType::ANYREF).is_err());
    assert!(open(Some(&f), ValType::I32).is_err());
}

#[test]
fn functions_take_and_give_narrower_references() {
    let mut store = Store::new(&Engine::default(), ());
    let ty = StructType::new(store.engine(), [field(Mutability::Var, ValType::I32)]).unwrap();
    let pre = StructRefPre::new(&mut store, ty.clone());
    let s = StructRef::new(&mut store, &pre, &[Val::I32(5)]).unwrap();
    let concrete = ValType::from(RefType::new(false, ty.into()));
    let ty = FuncType::new(store.engine(), [concrete], [ValType::EQREF]);
    let f = Func::new(&mut store, ty, |mut caller, params, results| {
        let s = params[0].unwrap_anyref().unwrap().unwrap_struct(&caller)?;
        s.set_field(&mut caller, 0, Val::I32(6))?;
        results[0] = params[0];
        Ok(())
    });
    // A type that is too wide is looked at at each call; results must be wide enough.
    let typed = f
        .typed::<Option<Rooted<AnyRef>>, Option<Rooted<AnyRef>>>(&store)
        .unwrap();
    let same = typed
        .call(&mut store, Some(s.to_anyref()))
        .unwrap()
        .unwrap();
    assert!(Rooted::ref_eq(&store, &same, &s.to_anyref()).unwrap());
    assert_eq!(s.field(&mut store, 0).unwrap().unwrap_i32(), 6);
    assert!(typed.call(&mut store, None).is_err());
    let i = AnyRef::from_i31(&mut store, I31::wrapping_u32(5));
    assert!(typed.call(&mut store, Some(i)).is_err());
    assert!(
        f.typed::<Rooted<StructRef>, Option<Rooted<StructRef>>>(&store)
            .is_err()
    );
    assert!(
        f.typed::<Option<Func>, Option<Rooted<EqRef>>>(&store)
            .is_err()
    );
    let owned = s.to_owned_rooted(&mut store).unwrap();
    let typed = f.typed::<_, Option<Rooted<EqRef>>>(&store).unwrap();
    assert!(typed.call(&mut store, owned).unwrap().is_some());
}

#[test]
fn tables_hold_internal_references() {
    let mut store = Store::new(&Engine::default(), ());
    let ty = TableType::new(RefType::I31REF, 2, None);
    let table = Table::new(&mut store, ty, Ref::Any(None)).unwrap();
    let i = AnyRef::from_i31(&mut store, I31::wrapping_u32(5));
    table.set(&mut store, 1, Ref::from(i)).unwrap();
    let back = table.get(&mut store, 1).unwrap();
    assert_eq!(
        back.unwrap_any()
            .unwrap()
            .unwrap_i31(&store)
            .unwrap()
            .get_u32(),
        5
    );
    let ty = StructType::new(store.engine(), []).unwrap();
    let pre = StructRefPre::new(&mut store, ty);
    let s = StructRef::new(&mut store, &pre, &[]).unwrap();
    assert!(table.set(&mut store, 0, Ref::from(s)).is_err());
    assert!(table.set(&mut store, 0, Ref::Extern(None)).is_err());
    let wide = TableType::new(RefType::ANYREF, 2, None);
    let wide = Table::new(&mut store, wide, Ref::from(s)).unwrap();
    Table::copy(&mut store, &wide, 0, &table, 1, 1).unwrap();
    assert!(Table::copy(&mut store, &table, 0, &wide, 1, 1).is_err());
}

#[test]
fn null_references_have_types_of_their_own() {
    use sheave_hostcalls::{ExternRef, NoExtern, NoFunc, NoneRef};
    let mut store = Store::new(&Engine::default(), ());
    let f = Func::wrap(&mut store, |a: Option<NoneRef>, b: Option<NoFunc>| {
        assert!(a.is_none() && b.is_none());
        None::<NoExtern>
    });
    assert_eq!(f.ty(&store).param(0), Some(ValType::NULLREF));
    type Args = (Option<NoneRef>, Option<NoFunc>);
    let f = f.typed::<Args, Option<Rooted<ExternRef>>>(&store).unwrap();
    assert!(f.call(&mut store, (None, None)).unwrap().is_none());
    let wide = f
        .func()
        .typed::<(Option<I31>, Option<Func>), Option<NoExtern>>(&store)
        .unwrap();
    assert!(wide.call(&mut store, (None, None)).unwrap().is_none());
    let i = Some(I31::wrapping_u32(1));
    assert!(wide.call(&mut store, (i, None)).is_err());
}
