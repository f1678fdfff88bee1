//! Calls in both directions: typed, untyped, of many types.

use super::{instance, on_both};
use sheave_hostcalls::{
    Caller, Engine, Func, FuncType, Instance, Linker, Module, Store, Val, ValType,
};

#[test]
fn typed_calls_pass_every_number_type() {
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module (func (export "f") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
                (local.get 3) (local.get 2) (local.get 1) (local.get 0)))"#,
        );
        let f = i
            .get_typed_func::<(i32, i64, f32, f64), (f64, f32, i64, i32)>(&mut store, "f")
            .unwrap();
        assert_eq!(
            f.call(&mut store, (-1, i64::MIN, 0.5, -2.0)).unwrap(),
            (-2.0, 0.5, i64::MIN, -1)
        );
        let f = i
            .get_typed_func::<(u32, u64, f32, f64), (f64, f32, u64, u32)>(&mut store, "f")
            .unwrap();
        assert_eq!(
            f.call(&mut store, (u32::MAX, u64::MAX, 0.0, 0.0)).unwrap(),
            (0.0, 0.0, u64::MAX, u32::MAX)
        );
    });
}

#[test]
fn nan_payloads_pass_untouched() {
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module (func (export "f") (param f32 f64) (result f32 f64) (local.get 0) (local.get 1)))"#,
        );
        let f = i.get_func(&mut store, "f").unwrap();
        let mut out = [Val::I32(0), Val::I32(0)];
        f.call(
            &mut store,
            &[Val::F32(0x7fa0_0001), Val::F64(0xfff4_0000_0000_0001)],
            &mut out,
        )
        .unwrap();
        assert!(matches!(
            out,
            [Val::F32(0x7fa0_0001), Val::F64(0xfff4_0000_0000_0001)]
        ));
    });
}

#[test]
fn sixteen_parameters_and_results_pass_both_ways() {
    on_both(|engine| {
        let types = "i64 ".repeat(16);
        let gets: String = (0..16).map(|i| format!("(local.get {i})")).collect();
        let module = Module::new(
            engine,
            format!(
                r#"(module (import "" "rotate" (func $r (param {types}) (result {types})))
                    (func (export "f") (param {types}) (result {types}) {gets} (call $r)))"#
            ),
        )
        .unwrap();
        type Many = (
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
            i64,
        );
        let mut store = Store::new(engine, ());
        #[rustfmt::skip]
        let rotate = Func::wrap(&mut store, |a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64, i: i64, j: i64, k: i64, l: i64, m: i64, n: i64, o: i64, p: i64| -> Many {
            (p, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o)
        });
        let i = Instance::new(&mut store, &module, &[rotate.into()]).unwrap();
        let f = i.get_typed_func::<Many, Many>(&mut store, "f").unwrap();
        let r = f
            .call(
                &mut store,
                (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16),
            )
            .unwrap();
        let (p, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o) = r;
        assert_eq!(
            [p, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o],
            [16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
        );
    });
}

#[test]
fn more_results_than_parameters_and_more_parameters_than_results() {
    on_both(|engine| {
        let module = Module::new(
            engine,
            r#"(module
                (import "" "few" (func $few (param i32 i32 i32) (result i32)))
                (import "" "many" (func $many (param i32) (result i32 i32 i32)))
                (func (export "f") (param i32) (result i32 i32) (local i32)
                    (local.set 1 (i32.const 100))
                    (call $few (call $many (local.get 0)))
                    (local.get 1)))"#,
        )
        .unwrap();
        let mut linker = Linker::new(engine);
        linker
            .func_wrap("", "few", |a: i32, b: i32, c: i32| a + b * 10 + c * 100)
            .unwrap();
        linker
            .func_wrap("", "many", |a: i32| (a, a + 1, a + 2))
            .unwrap();
        let mut store = Store::new(engine, ());
        let i = linker.instantiate(&mut store, &module).unwrap();
        let f = i
            .get_typed_func::<i32, (i32, i32)>(&mut store, "f")
            .unwrap();
        assert_eq!(f.call(&mut store, 1).unwrap(), (321, 100));
    });
}

#[test]
fn tail_calls_of_host_functions_return_to_the_caller() {
    on_both(|engine| {
        let module = Module::new(
            engine,
            r#"(module
                (import "" "three" (func $three (param i32) (result i32 i32 i32)))
                (func $tail (param i32) (result i32 i32 i32) (return_call $three (local.get 0)))
                (func (export "f") (param i32) (result i32)
                    (call $tail (local.get 0)) (i32.add) (i32.add)))"#,
        )
        .unwrap();
        let mut linker = Linker::new(engine);
        linker.func_wrap("", "three", |a: i32| (a, a, a)).unwrap();
        let mut store = Store::new(engine, ());
        let i = linker.instantiate(&mut store, &module).unwrap();
        assert_eq!(
            i.get_typed_func::<i32, i32>(&mut store, "f")
                .unwrap()
                .call(&mut store, 5)
                .unwrap(),
            15
        );
    });
}

#[test]
fn a_typed_view_of_another_type_is_refused() {
    let engine = Engine::default();
    let (mut store, i) = instance(
        &engine,
        r#"(module (func (export "f") (param i32) (result i64) (i64.const 0)))"#,
    );
    assert!(i.get_typed_func::<i32, i64>(&mut store, "f").is_ok());
    assert!(i.get_typed_func::<(i32,), (i64,)>(&mut store, "f").is_ok());
    for error in [
        i.get_typed_func::<(), i64>(&mut store, "f").unwrap_err(),
        i.get_typed_func::<i64, i64>(&mut store, "f").unwrap_err(),
        i.get_typed_func::<i32, ()>(&mut store, "f").unwrap_err(),
        i.get_typed_func::<i32, f64>(&mut store, "f").unwrap_err(),
    ] {
        assert!(format!("{error:#}").contains("type mismatch"), "{error:#}");
    }
    let error = i.get_typed_func::<(), ()>(&mut store, "g").unwrap_err();
    assert_eq!(error.to_string(), "failed to find function export `g`");
}

#[test]
fn untyped_calls_check_number_and_types() {
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module (func (export "f") (param i32) (result i32) (local.get 0)))"#,
        );
        let f = i.get_func(&mut store, "f").unwrap();
        let mut out = [Val::F64(0)];
        assert!(f.call(&mut store, &[], &mut out).is_err());
        assert!(f.call(&mut store, &[Val::I64(1)], &mut out).is_err());
        assert!(f.call(&mut store, &[Val::I32(1)], &mut []).is_err());
        f.call(&mut store, &[Val::I32(7)], &mut out).unwrap();
        assert_eq!(out[0].i32(), Some(7));
    });
}

#[test]
fn untyped_host_functions_see_arguments_and_set_results() {
    on_both(|engine| {
        let module = Module::new(
            engine,
            r#"(module (import "" "f" (func $f (param i32 f64) (result f64 i32)))
                (func (export "f") (result f64 i32) (call $f (i32.const 3) (f64.const 0.5))))"#,
        )
        .unwrap();
        let mut store = Store::new(engine, 0);
        let ty = FuncType::new(
            engine,
            [ValType::I32, ValType::F64],
            [ValType::F64, ValType::I32],
        );
        let f = Func::new(&mut store, ty, |mut caller: Caller<'_, i32>, args, out| {
            *caller.data_mut() += 1;
            assert!(matches!(out, [Val::F64(0), Val::I32(0)]));
            out[0] = args[1];
            out[1] = args[0];
            Ok(())
        });
        let i = Instance::new(&mut store, &module, &[f.into()]).unwrap();
        let f = i.get_typed_func::<(), (f64, i32)>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), (0.5, 3));
        assert_eq!(*store.data(), 1);
    });
}

#[test]
fn an_untyped_host_function_with_results_of_another_type_fails() {
    on_both(|engine| {
        let mut store = Store::new(engine, ());
        let ty = FuncType::new(engine, [], [ValType::I32]);
        let f = Func::new(&mut store, ty, |_, _, out| {
            out[0] = Val::I64(1);
            Ok(())
        });
        let error = f.call(&mut store, &[], &mut [Val::I32(0)]).unwrap_err();
        assert!(error.to_string().contains("incompatible value"), "{error}");
    });
}

#[test]
fn a_call_through_a_table_finds_host_functions_and_other_instances() {
    on_both(|engine| {
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        let owner = Module::new(engine, r#"(module (table (export "t") 4 funcref) (func $seven (result i32) (i32.const 7)) (elem (i32.const 0) func $seven))"#).unwrap();
        linker.module(&mut store, "owner", &owner).unwrap();
        let host = Func::wrap(&mut store, || 8);
        let wrong = Func::wrap(&mut store, || 8_i64);
        let table = linker
            .get(&mut store, "owner", "t")
            .unwrap()
            .into_table()
            .unwrap();
        table.set(&mut store, 1, host.into()).unwrap();
        table.set(&mut store, 2, wrong.into()).unwrap();
        let user = Module::new(
            engine,
            r#"(module (import "owner" "t" (table 4 funcref)) (type $t (func (result i32)))
                (func (export "f") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))"#,
        )
        .unwrap();
        let i = linker.instantiate(&mut store, &user).unwrap();
        let f = i.get_typed_func::<i32, i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, 0).unwrap(), 7);
        assert_eq!(f.call(&mut store, 1).unwrap(), 8);
        use sheave_hostcalls::Trap;
        for (index, trap) in [
            (2, Trap::BadSignature),
            (3, Trap::IndirectCallToNull),
            (4, Trap::TableOutOfBounds),
        ] {
            assert_eq!(
                f.call(&mut store, index).unwrap_err().downcast_ref(),
                Some(&trap)
            );
        }
    });
}
