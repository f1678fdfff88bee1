//! Script values: arguments made from them, results matched against them.

use sheave::{AnyRef, AsContextMut, ExternRef, HeapType, RootScope, Rooted, Store, Val};
use wast::core::{
    AbstractHeapType as Abstract, HeapType as Heap, NanPattern, V128Pattern, WastArgCore,
    WastRetCore,
};
use wast::token::{F32, F64};
use wast::{WastArg, WastRet};

/// The value of an argument.
pub(crate) fn argument(store: &mut Store<()>, arg: &WastArg<'_>) -> Result<Val, String> {
    let WastArg::Core(arg) = arg else {
        return Err("component values are not supported".into());
    };
    Ok(match arg {
        WastArgCore::I32(x) => Val::I32(*x),
        WastArgCore::I64(x) => Val::I64(*x),
        WastArgCore::F32(x) => Val::F32(x.bits),
        WastArgCore::F64(x) => Val::F64(x.bits),
        WastArgCore::RefNull(heap) => match top(heap) {
            Some(top) => Val::null_ref(&top),
            None => return Err(format!("a null of type {heap:?} is not supported")),
        },
        WastArgCore::RefExtern(n) => Val::from(host(store, *n)?),
        WastArgCore::RefHost(n) => {
            let host = host(store, *n)?;
            Val::from(AnyRef::convert_extern(store, host).map_err(|e| e.to_string())?)
        }
        WastArgCore::V128(x) => Val::V128(u128::from_le_bytes(x.to_le_bytes()).into()),
    })
}

/// A host value that is known by its number.
fn host(store: &mut Store<()>, n: u32) -> Result<Rooted<ExternRef>, String> {
    ExternRef::new(store, n).map_err(|e| e.to_string())
}

/// Whether these results are the expected ones; if not, says how they differ.
pub(crate) fn match_results(
    store: &mut Store<()>,
    actual: &[Val],
    expected: &[WastRet<'_>],
) -> Result<(), String> {
    if actual.len() != expected.len() {
        let (got, want) = (actual.len(), expected.len());
        return Err(format!("got {got} results, expected {want}"));
    }
    for (index, (actual, expected)) in actual.iter().zip(expected).enumerate() {
        let WastRet::Core(expected) = expected else {
            return Err("component values are not supported".into());
        };
        if !matches(store, actual, expected)? {
            let actual = show(actual);
            return Err(format!("result {index} is {actual}, expected {expected:?}"));
        }
    }
    Ok(())
}

fn matches(
    store: &mut Store<()>,
    actual: &Val,
    expected: &WastRetCore<'_>,
) -> Result<bool, String> {
    Ok(match (expected, actual) {
        (WastRetCore::Either(cases), actual) => {
            for case in cases {
                if matches(store, actual, case)? {
                    return Ok(true);
                }
            }
            false
        }
        (WastRetCore::I32(want), Val::I32(got)) => want == got,
        (WastRetCore::I64(want), Val::I64(got)) => want == got,
        (WastRetCore::F32(want), Val::F32(got)) => matches_f32(*got, want),
        (WastRetCore::F64(want), Val::F64(got)) => matches_f64(*got, want),
        (WastRetCore::V128(want), Val::V128(got)) => matches_v128(got.as_u128(), want),
        (WastRetCore::RefNull(heap), got) => match got.ref_() {
            Some(got) => {
                let null_of = |top| sheave::Ref::null(&top);
                let same =
                    |a: sheave::Ref| core::mem::discriminant(&a) == core::mem::discriminant(&got);
                let heap = heap.as_ref().map(|heap| top(heap).map(null_of));
                got.is_null() && heap.is_none_or(|null| null.is_some_and(same))
            }
            None => false,
        },
        (WastRetCore::RefFunc(_), Val::FuncRef(Some(_))) => true,
        (WastRetCore::RefExtern(None), Val::ExternRef(Some(_))) => true,
        (WastRetCore::RefExtern(Some(want)), Val::ExternRef(Some(got))) => {
            is_host(store, *got, *want).map_err(|e| e.to_string())?
        }
        (pattern, Val::AnyRef(Some(got))) => {
            is_any(store, *got, pattern).map_err(|e| e.to_string())?
        }
        _ => false,
    })
}

fn is_host(
    mut store: impl AsContextMut<Data = ()>,
    got: Rooted<ExternRef>,
    want: u32,
) -> Result<bool, sheave::Error> {
    let data = got.data(store.as_context_mut())?;
    Ok(data.and_then(|data| data.downcast_ref::<u32>()) == Some(&want))
}

fn is_any(
    store: &mut Store<()>,
    got: Rooted<AnyRef>,
    pattern: &WastRetCore<'_>,
) -> Result<bool, sheave::Error> {
    Ok(match pattern {
        WastRetCore::RefAny => true,
        WastRetCore::RefEq => got.is_eqref(store)?,
        WastRetCore::RefI31 => got.is_i31(store)?,
        WastRetCore::RefStruct => got.is_struct(store)?,
        WastRetCore::RefArray => got.is_array(store)?,
        WastRetCore::RefHost(want) => {
            let mut scope = RootScope::new(store);
            let host = ExternRef::convert_any(&mut scope, got)?;
            is_host(&mut scope, host, *want)?
        }
        _ => false,
    })
}

/// The canonical NaN has only the top bit of its payload set; an arithmetic NaN has at least that bit.
/// Spec: canonical-nan.
fn matches_f32(got: u32, want: &NanPattern<F32>) -> bool {
    const CANONICAL: u32 = 0x7fc0_0000;
    match want {
        NanPattern::CanonicalNan => got & 0x7fff_ffff == CANONICAL,
        NanPattern::ArithmeticNan => got & CANONICAL == CANONICAL,
        NanPattern::Value(want) => got == want.bits,
    }
}

fn matches_f64(got: u64, want: &NanPattern<F64>) -> bool {
    const CANONICAL: u64 = 0x7ff8_0000_0000_0000;
    match want {
        NanPattern::CanonicalNan => got & 0x7fff_ffff_ffff_ffff == CANONICAL,
        NanPattern::ArithmeticNan => got & CANONICAL == CANONICAL,
        NanPattern::Value(want) => got == want.bits,
    }
}

/// Lane by lane, as each kind of pattern has them.
fn matches_v128(got: u128, want: &V128Pattern) -> bool {
    let bytes = got.to_le_bytes();
    match want {
        V128Pattern::I8x16(want) => lanes(bytes, i8::from_le_bytes) == *want,
        V128Pattern::I16x8(want) => lanes(bytes, i16::from_le_bytes) == *want,
        V128Pattern::I32x4(want) => lanes(bytes, i32::from_le_bytes) == *want,
        V128Pattern::I64x2(want) => lanes(bytes, i64::from_le_bytes) == *want,
        V128Pattern::F32x4(want) => lanes::<_, 4, 4>(bytes, u32::from_le_bytes)
            .into_iter()
            .zip(want)
            .all(|(got, want)| matches_f32(got, want)),
        V128Pattern::F64x2(want) => lanes::<_, 8, 2>(bytes, u64::from_le_bytes)
            .into_iter()
            .zip(want)
            .all(|(got, want)| matches_f64(got, want)),
    }
}

/// The `N` lanes of `W` bytes.
fn lanes<T, const W: usize, const N: usize>(bytes: [u8; 16], lane: fn([u8; W]) -> T) -> [T; N] {
    core::array::from_fn(|i| lane(core::array::from_fn(|k| bytes[i * W + k])))
}

/// The top of the hierarchy of an abstract type.
fn top(heap: &Heap<'_>) -> Option<HeapType> {
    let Heap::Abstract { ty, .. } = heap else {
        return None;
    };
    Some(match ty {
        Abstract::Func | Abstract::NoFunc => HeapType::Func,
        Abstract::Extern | Abstract::NoExtern => HeapType::Extern,
        Abstract::Exn | Abstract::NoExn => HeapType::Exn,
        Abstract::Cont | Abstract::NoCont => HeapType::Cont,
        Abstract::Any
        | Abstract::Eq
        | Abstract::Struct
        | Abstract::Array
        | Abstract::I31
        | Abstract::None => HeapType::Any,
    })
}

fn show(value: &Val) -> String {
    match value {
        Val::I32(x) => format!("i32 {x} ({x:#x})"),
        Val::I64(x) => format!("i64 {x} ({x:#x})"),
        Val::F32(bits) => format!("f32 {} ({bits:#010x})", f32::from_bits(*bits)),
        Val::F64(bits) => format!("f64 {} ({bits:#018x})", f64::from_bits(*bits)),
        Val::V128(bits) => format!("v128 {bits}"),
        Val::FuncRef(None) => "a null funcref".into(),
        Val::FuncRef(Some(_)) => "a funcref".into(),
        Val::ExternRef(None) => "a null externref".into(),
        Val::ExternRef(Some(_)) => "an externref".into(),
        Val::AnyRef(None) => "a null anyref".into(),
        Val::AnyRef(Some(_)) => "an anyref".into(),
        Val::ExnRef(None) => "a null exnref".into(),
        Val::ExnRef(Some(_)) => "an exnref".into(),
        Val::ContRef(None) => "a null contref".into(),
        Val::ContRef(Some(_)) => "a contref".into(),
    }
}
