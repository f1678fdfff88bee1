//! Arguments of an invoked function read from the command line, and its results as text.

use sheave::{Val, ValType};

/// Reads an argument of this type: integers in decimal or hexadecimal, signed or not; floats as Rust writes them;
/// a v128 as an integer of 128 bits, lane 0 in the lowest; `null` for a reference.
pub(crate) fn parse(text: &str, ty: &ValType) -> Result<Val, String> {
    let value = match ty {
        ValType::I32 => integer(text, 32).map(|bits| Val::I32(bits as i32)),
        ValType::I64 => integer(text, 64).map(|bits| Val::I64(bits as i64)),
        ValType::V128 => integer(text, 128).map(|bits| Val::V128(bits.into())),
        ValType::F32 => text.parse::<f32>().ok().map(|x| Val::F32(x.to_bits())),
        ValType::F64 => text.parse::<f64>().ok().map(|x| Val::F64(x.to_bits())),
        ValType::Ref(ty) if text == "null" => Some(Val::null_ref(ty.heap_type())),
        _ => {
            return Err(format!(
                "an argument of type {ty} cannot be given on the command line"
            ));
        }
    };
    value.ok_or_else(|| format!("`{text}` is no {ty}"))
}

/// The bits of an integer between -2^(bits-1) and 2^bits - 1.
fn integer(text: &str, bits: u32) -> Option<u128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"));
    let magnitude = match hex {
        Some(hex) if !hex.starts_with(['+', '-']) => u128::from_str_radix(hex, 16).ok()?,
        None if !digits.starts_with(['+', '-']) => digits.parse::<u128>().ok()?,
        _ => return None,
    };
    let limit = if negative {
        1 << (bits - 1)
    } else {
        u128::MAX >> (128 - bits)
    };
    let value = if negative {
        magnitude.wrapping_neg()
    } else {
        magnitude
    };
    (magnitude <= limit).then_some(value)
}

/// A result as text; what [`parse`] reads, where it can.
pub(crate) fn show(value: &Val) -> String {
    match value {
        Val::I32(x) => x.to_string(),
        Val::I64(x) => x.to_string(),
        Val::F32(bits) => f32::from_bits(*bits).to_string(),
        Val::F64(bits) => f64::from_bits(*bits).to_string(),
        Val::V128(bits) => bits.to_string(),
        Val::FuncRef(None)
        | Val::ExternRef(None)
        | Val::AnyRef(None)
        | Val::ExnRef(None)
        | Val::ContRef(None) => "null".into(),
        Val::FuncRef(Some(_)) => "funcref".into(),
        Val::ExternRef(Some(_)) => "externref".into(),
        Val::AnyRef(Some(_)) => "anyref".into(),
        Val::ExnRef(Some(_)) => "exnref".into(),
        Val::ContRef(Some(_)) => "contref".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_signed_or_unsigned_decimal_or_hexadecimal() {
        assert_eq!(integer("-1", 32), Some(u128::MAX));
        assert_eq!(integer("4294967295", 32), Some(0xffff_ffff));
        assert_eq!(integer("4294967296", 32), None);
        assert_eq!(
            integer("-2147483648", 32),
            Some((-2_147_483_648_i128) as u128)
        );
        assert_eq!(integer("-2147483649", 32), None);
        assert_eq!(integer("0xff", 32), Some(255));
        assert_eq!(integer("18446744073709551615", 64), Some(u64::MAX.into()));
        assert_eq!(integer("-9223372036854775808", 64), Some(u128::MAX << 63));
        let all = "0xffffffffffffffffffffffffffffffff";
        assert_eq!(integer(all, 128), Some(u128::MAX));
        assert_eq!(integer("-1", 128), Some(u128::MAX));
        assert_eq!(integer("--1", 32), None);
        assert_eq!(integer("-+1", 32), None);
        assert_eq!(integer("", 32), None);
    }
}
