//! Vectors through every door: calls, host functions, globals, blocks, tables of functions; and what they calculate.

use super::{instance, on_both};
use sheave_hostcalls::{
    Func, Global, GlobalType, Instance, Module, Mutability, Store, V128, Val, ValType,
};

const A: u128 = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;
const B: u128 = 0xffee_ddcc_bbaa_9988_7766_5544_3322_1100;

fn v(bits: u128) -> V128 {
    V128::from(bits)
}

#[test]
fn vectors_stand_among_other_values_in_calls() {
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module
                (func $swap (param i32 v128 i64 v128) (result v128 i64 v128 i32)
                    (local.get 3) (local.get 2) (local.get 1) (local.get 0))
                (func (export "f") (param i32 v128 i64 v128) (result v128 i64 v128 i32)
                    (call $swap (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
                (func (export "tail") (param i32 v128 i64 v128) (result v128 i64 v128 i32)
                    (return_call $swap (local.get 0) (local.get 3) (local.get 2) (local.get 1))))"#,
        );
        type Params = (i32, V128, i64, V128);
        type Results = (V128, i64, V128, i32);
        let f = i
            .get_typed_func::<Params, Results>(&mut store, "f")
            .unwrap();
        assert_eq!(
            f.call(&mut store, (7, v(A), -1, v(B))).unwrap(),
            (v(B), -1, v(A), 7)
        );
        let f = i
            .get_typed_func::<Params, Results>(&mut store, "tail")
            .unwrap();
        assert_eq!(
            f.call(&mut store, (7, v(A), -1, v(B))).unwrap(),
            (v(A), -1, v(B), 7)
        );
        let f = i.get_func(&mut store, "f").unwrap();
        let mut out = [const { Val::I32(0) }; 4];
        let args = [Val::I32(7), Val::V128(v(A)), Val::I64(-1), Val::V128(v(B))];
        f.call(&mut store, &args, &mut out).unwrap();
        assert_eq!(out[0].unwrap_v128(), v(B));
        assert_eq!(out[1].unwrap_i64(), -1);
        assert_eq!(out[2].unwrap_v128(), v(A));
        assert_eq!(out[3].unwrap_i32(), 7);
    });
}

#[test]
fn host_functions_take_and_give_vectors() {
    on_both(|engine| {
        let module = Module::new(
            engine,
            r#"(module
                (import "" "wrapped" (func $wrapped (param v128 i32 v128) (result i32 v128)))
                (import "" "dynamic" (func $dynamic (param i32 v128) (result v128 i32)))
                (func (export "f") (param v128 v128) (result v128 i32)
                    (local v128)
                    (call $wrapped (local.get 0) (i32.const 3) (local.get 1))
                    (local.set 2)
                    (call $dynamic (local.get 2))))"#,
        )
        .unwrap();
        let mut store = Store::new(engine, ());
        let wrapped = Func::wrap(&mut store, |a: V128, n: i32, b: V128| {
            (n + 1, v(a.as_u128() ^ b.as_u128()))
        });
        let ty = sheave_hostcalls::FuncType::new(
            engine,
            [ValType::I32, ValType::V128],
            [ValType::V128, ValType::I32],
        );
        let dynamic = Func::new(&mut store, ty, |_, args, out| {
            out[0] = Val::V128(v(!args[1].unwrap_v128().as_u128()));
            out[1] = Val::I32(args[0].unwrap_i32() * 2);
            Ok(())
        });
        let i = Instance::new(&mut store, &module, &[wrapped.into(), dynamic.into()]).unwrap();
        let f = i
            .get_typed_func::<(V128, V128), (V128, i32)>(&mut store, "f")
            .unwrap();
        assert_eq!(f.call(&mut store, (v(A), v(B))).unwrap(), (v(!(A ^ B)), 8));
    });
}

#[test]
fn globals_hold_vectors_beside_other_values() {
    on_both(|engine| {
        let module = Module::new(
            engine,
            r#"(module
                (import "" "g" (global $in (mut v128)))
                (import "" "c" (global $c v128))
                (global $x (export "x") (mut i32) (i32.const 1))
                (global $v (export "v") (mut v128) (global.get $c))
                (global $y (export "y") (mut i64) (i64.const 2))
                (global $w (export "w") (mut v128) (v128.const i32x4 1 2 3 4))
                (global $z (export "z") (mut i32) (i32.const 3))
                (func (export "f") (result i64)
                    (global.set $v (global.get $w))
                    (global.set $w (global.get $in))
                    (global.set $in (global.get $v))
                    (global.set $z (i32.add (global.get $z) (global.get $x)))
                    (i64.add (global.get $y) (i64.extend_i32_u (global.get $z)))))"#,
        )
        .unwrap();
        let mut store = Store::new(engine, ());
        let global = |store: &mut Store<()>, mutability, bits| {
            let ty = GlobalType::new(ValType::V128, mutability);
            Global::new(store, ty, Val::V128(v(bits))).unwrap()
        };
        let g = global(&mut store, Mutability::Var, A);
        let c = global(&mut store, Mutability::Const, B);
        let i = Instance::new(&mut store, &module, &[g.into(), c.into()]).unwrap();
        let get = |store: &mut Store<()>, name| {
            let global = i.get_global(&mut *store, name).unwrap();
            global.get(&mut *store)
        };
        assert_eq!(get(&mut store, "v").unwrap_v128(), v(B));
        let f = i.get_typed_func::<(), i64>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 6);
        let vector = 4 << 96 | 3 << 64 | 2 << 32 | 1;
        assert_eq!(get(&mut store, "v").unwrap_v128(), v(vector));
        assert_eq!(get(&mut store, "w").unwrap_v128(), v(A));
        assert_eq!(g.get(&mut store).unwrap_v128(), v(vector));
        assert_eq!(get(&mut store, "x").unwrap_i32(), 1);
        assert_eq!(get(&mut store, "y").unwrap_i64(), 2);
        assert_eq!(get(&mut store, "z").unwrap_i32(), 4);
        let w = i.get_global(&mut store, "w").unwrap();
        w.set(&mut store, Val::V128(v(B))).unwrap();
        assert_eq!(get(&mut store, "w").unwrap_v128(), v(B));
        assert_eq!(get(&mut store, "z").unwrap_i32(), 4);
    });
}

#[test]
fn blocks_branches_and_selections_carry_vectors() {
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module
                (func (export "f") (param i32 v128 v128) (result v128)
                    (local v128 i32)
                    (local.set 3 (local.get 1))
                    (block $out (result i32 v128)
                        (i32.const 9)
                        (block $in (result v128)
                            (br_table $in $in $in (local.get 1) (local.get 0)))
                        (drop) (drop)
                        (i32.const 9)
                        (br_if $out (local.get 2) (i32.eq (local.get 0) (i32.const 1)))
                        (drop)
                        (select (local.get 3) (v128.const i64x2 5 6) (i32.eq (local.get 0) (i32.const 2))))
                    (local.set 3)
                    (drop)
                    (loop (result v128)
                        (i32x4.add (local.get 3) (v128.const i32x4 1 0 0 0))
                        (local.tee 3)
                        (local.set 4 (i32.add (local.get 4) (i32.const 1)))
                        (if (param v128) (result v128) (i32.lt_u (local.get 4) (i32.const 3))
                            (then (drop) (br 1)))))
                )"#,
        );
        let f = i
            .get_typed_func::<(i32, V128, V128), V128>(&mut store, "f")
            .unwrap();
        assert_eq!(f.call(&mut store, (1, v(A), v(B))).unwrap(), v(B + 3));
        assert_eq!(f.call(&mut store, (2, v(A), v(B))).unwrap(), v(A + 3));
        assert_eq!(f.call(&mut store, (3, v(A), v(B))).unwrap(), v(6 << 64 | 8));
    });
}

#[test]
fn a_lane_of_64_bits_is_its_own_value() {
    // Lane 0 lies where the vector does: what is done to one must not be done to the other.
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module
                (func (export "f") (param v128 v128) (result i64 i64)
                    (local i64 i64)
                    (local.set 3 (i64.const 7))
                    (local.set 2 (i64x2.extract_lane 0 (i64x2.add (local.get 0) (local.get 1))))
                    (local.get 2) (local.get 3)))"#,
        );
        let f = i
            .get_typed_func::<(V128, V128), (i64, i64)>(&mut store, "f")
            .unwrap();
        assert_eq!(f.call(&mut store, (v(2), v(3))).unwrap(), (5, 7));
    });
}

#[test]
fn vectors_in_memory_are_checked_to_their_last_byte() {
    on_both(|engine| {
        let (mut store, i) = instance(
            engine,
            r#"(module (memory 1)
                (func (export "load") (param i32) (result v128) (v128.load offset=8 (local.get 0)))
                (func (export "sum") (param i32 i32) (result v128)
                    (v128.load8x8_u (i32.add (local.get 0) (local.get 1))))
                (func (export "store") (param i32 v128)
                    (v128.store (i32.add (local.get 0) (i32.const 4)) (local.get 1)))
                (func (export "lane") (param i32 v128) (result v128)
                    (v128.store16_lane 3 (local.get 0) (local.get 1))
                    (v128.load32_lane 1 (local.get 0) (local.get 1))))"#,
        );
        let load = i.get_typed_func::<i32, V128>(&mut store, "load").unwrap();
        let sum = i
            .get_typed_func::<(i32, i32), V128>(&mut store, "sum")
            .unwrap();
        let put = i
            .get_typed_func::<(i32, V128), ()>(&mut store, "store")
            .unwrap();
        let lane = i
            .get_typed_func::<(i32, V128), V128>(&mut store, "lane")
            .unwrap();
        put.call(&mut store, (65_536 - 20, v(A))).unwrap();
        assert!(put.call(&mut store, (65_536 - 19, v(A))).is_err());
        assert_eq!(load.call(&mut store, 65_536 - 24).unwrap(), v(A));
        assert!(load.call(&mut store, 65_536 - 23).is_err());
        let low = 0x0007_0006_0005_0004_0003_0002_0001_0000;
        assert_eq!(sum.call(&mut store, (65_536, -16)).unwrap(), v(low));
        assert!(sum.call(&mut store, (65_536, -7)).is_err());
        let loaded = lane.call(&mut store, (0, v(A))).unwrap();
        assert_eq!(loaded, v(A & !(0xffff_ffff << 32) | 0x0706 << 32));
        assert!(lane.call(&mut store, (65_533, v(A))).is_err());
    });
}

#[test]
fn a_range_of_operators_gives_what_they_are_said_to() {
    let cases: &[(&str, u128)] = &[
        (
            "(i8x16.add (local.get 0) (local.get 0))",
            0x1e1c_1a18_1614_1210_0e0c_0a08_0604_0200,
        ),
        (
            "(i8x16.swizzle (local.get 1) (i8x16.add (local.get 0) (v128.const i64x2 0 8)))",
            0xffee_ddcc_bbaa_9900_7766_5544_3322_1100,
        ),
        (
            "(i8x16.shuffle 16 1 18 3 4 5 6 7 8 9 10 11 12 13 14 31 (local.get 0) (local.get 1))",
            0xff0e_0d0c_0b0a_0908_0706_0504_0322_0100,
        ),
        (
            "(i16x8.extmul_low_i8x16_u (local.get 0) (local.get 0))",
            0x0031_0024_0019_0010_0009_0004_0001_0000,
        ),
        (
            "(i32x4.dot_i16x8_s (local.get 0) (local.get 0))",
            0x018c_dd54_00cb_6ca4_004a_7c34_000a_0c04,
        ),
        (
            "(v128.or (i32x4.shl (local.get 1) (i32.const 8)) (i32x4.shr_u (local.get 1) (i32.const 24)))",
            0xeedd_ccff_aa99_88bb_6655_4477_2211_0033,
        ),
        (
            "(i8x16.popcnt (local.get 1))",
            0x0806_0604_0604_0402_0604_0402_0402_0200,
        ),
        (
            "(i16x8.narrow_i32x4_u (local.get 0) (local.get 1))",
            0x0000_0000_ffff_ffff_ffff_ffff_ffff_ffff,
        ),
        (
            "(v128.bitselect (local.get 0) (local.get 1) (v128.const i64x2 -1 0))",
            0xffee_ddcc_bbaa_9988_0706_0504_0302_0100,
        ),
        (
            "(f32x4.nearest (f32x4.convert_i32x4_s (v128.const i32x4 1 -2 3 -4)))",
            0xc080_0000_4040_0000_c000_0000_3f80_0000,
        ),
        (
            "(i32x4.trunc_sat_f32x4_u (v128.const f32x4 -1 nan 4294967296 2147483904))",
            0x8000_0100_ffff_ffff_0000_0000_0000_0000,
        ),
        ("(i8x16.splat (i8x16.bitmask (local.get 1)))", 0),
        (
            "(f64x2.min (v128.const f64x2 0 1) (v128.const f64x2 -0 2))",
            0x3ff0_0000_0000_0000_8000_0000_0000_0000,
        ),
        (
            "(i64x2.replace_lane 1 (local.get 0) (i64.const 5))",
            0x0000_0000_0000_0005_0706_0504_0302_0100,
        ),
        (
            "(i16x8.replace_lane 7 (local.get 0) (i32.const -1))",
            0xffff_0d0c_0b0a_0908_0706_0504_0302_0100,
        ),
        (
            "(f32x4.relaxed_madd (v128.const f32x4 2 2 2 2) (v128.const f32x4 3 3 3 3) (v128.const f32x4 1 1 1 1))",
            0x40e0_0000_40e0_0000_40e0_0000_40e0_0000,
        ),
        (
            "(i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get 0) (local.get 0) (v128.const i32x4 1 1 1 1))",
            0x0000_02df_0000_016f_0000_007f_0000_000f,
        ),
    ];
    on_both(|engine| {
        let cases = if cfg!(miri) { &cases[..8] } else { cases };
        for (body, want) in cases {
            let text =
                format!(r#"(module (func (export "f") (param v128 v128) (result v128) {body}))"#);
            let (mut store, i) = instance(engine, &text);
            let f = i
                .get_typed_func::<(V128, V128), V128>(&mut store, "f")
                .unwrap();
            let got = f.call(&mut store, (v(A), v(B))).unwrap();
            assert_eq!(got, v(*want), "{body}");
        }
    });
}
