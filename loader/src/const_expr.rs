//! Reads constant expressions, which wasmparser has validated. Spec: valid-constant.
//!
//! By opcode: reading them as wasmparser's `Operator`s would take a decoder for all operators.

use crate::error::LoadError;
use crate::parse::{heap_type, unsupported};
use crate::types::{ConstExpr, ConstOp};
use wasmparser::BinaryReader;

/// The operators of an expression but for the last `end`.
pub(crate) fn const_expr(expr: &wasmparser::ConstExpr<'_>) -> Result<ConstExpr, LoadError> {
    let mut ops = ConstExpr::new();
    let mut reader = expr.get_binary_reader();
    while !reader.eof() {
        ops.push(match reader.read_u8()? {
            0x0b => break,
            0x23 => ConstOp::GlobalGet(reader.read_var_u32()?),
            0x41 => ConstOp::I32Const(reader.read_var_i32()?),
            0x42 => ConstOp::I64Const(reader.read_var_i64()?),
            0x43 => ConstOp::F32Const(reader.read_f32()?.bits()),
            0x44 => ConstOp::F64Const(reader.read_f64()?.bits()),
            0x6a => ConstOp::I32Add,
            0x6b => ConstOp::I32Sub,
            0x6c => ConstOp::I32Mul,
            0x7c => ConstOp::I64Add,
            0x7d => ConstOp::I64Sub,
            0x7e => ConstOp::I64Mul,
            0xd0 => ConstOp::RefNull(heap_type(reader.read()?)?),
            0xd2 => ConstOp::RefFunc(reader.read_var_u32()?),
            0xfb => object(&mut reader)?,
            0xfd if reader.read_var_u32()? == 0x0c => {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(reader.read_bytes(16)?);
                ConstOp::V128Const(bytes)
            }
            _ => return unsupported("constant expression is not supported"),
        });
    }
    Ok(ops)
}

/// What makes or converts a reference. Spec: binary-instr-ref.
fn object(reader: &mut BinaryReader<'_>) -> Result<ConstOp, LoadError> {
    Ok(match reader.read_var_u32()? {
        0x00 => ConstOp::StructNew(reader.read_var_u32()?),
        0x01 => ConstOp::StructNewDefault(reader.read_var_u32()?),
        0x06 => ConstOp::ArrayNew(reader.read_var_u32()?),
        0x07 => ConstOp::ArrayNewDefault(reader.read_var_u32()?),
        0x08 => ConstOp::ArrayNewFixed(reader.read_var_u32()?, reader.read_var_u32()?),
        0x1a => ConstOp::AnyConvertExtern,
        0x1b => ConstOp::ExternConvertAny,
        0x1c => ConstOp::RefI31,
        _ => return unsupported("constant expression is not supported"),
    })
}
