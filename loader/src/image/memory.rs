//! What the memories of an instance hold at first, ready to be mapped.
//!
//! A module can have its data in many thousands of small segments. An image of such a module holds
//! the memories as they are after all of them were copied, in units that can be mapped.

use crate::info::ModuleInfo;
use crate::types::{ConstOp, DataMode, MemoryType};
use std::collections::BTreeMap;

/// What can be mapped lies at multiples of this, in memories and in the image.
pub(super) const UNIT: usize = 64 << 10;

/// With less data than this, copying is as quick.
const WORTH_BYTES: usize = UNIT;

/// Bytes of a memory.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) memory: u32,
    pub(super) at: u64,
    pub(super) bytes: Vec<u8>,
}

/// How many bytes a memory that the module defines, and nobody else has, has at first.
pub(super) fn first_bytes(info: &ModuleInfo, memory: u32) -> Option<u64> {
    let own = |ty: &&MemoryType| memory >= info.n_imported_memories && !ty.shared;
    let ty = info.memories.get(memory as usize).filter(own)?;
    let page = 1_u64.checked_shl(ty.page_size_log2.into())?;
    ty.min_pages.checked_mul(page)
}

/// The contents of the memories of each instance of a module, if they are always the same and it
/// is worth it: none otherwise.
pub(super) fn pieces(info: &ModuleInfo, wasm: &[u8]) -> Vec<Piece> {
    let mut units = BTreeMap::new();
    if copy_segments(info, wasm, &mut units).is_none() {
        return Vec::new();
    }
    let mut pieces: Vec<Piece> = Vec::new();
    for ((memory, unit), bytes) in units {
        let at = unit * UNIT as u64;
        match pieces.last_mut() {
            Some(last) if last.memory == memory && last.at + last.bytes.len() as u64 == at => {
                last.bytes.extend_from_slice(&bytes);
            }
            _ => pieces.push(Piece { memory, at, bytes }),
        }
    }
    pieces
}

/// Memory and number of a unit to its bytes.
type Units = BTreeMap<(u32, u64), Vec<u8>>;

/// None if a segment may lie elsewhere in another instance, or outside, or if it is not worth it.
fn copy_segments(info: &ModuleInfo, wasm: &[u8], units: &mut Units) -> Option<()> {
    let mut total = 0;
    for segment in &info.data {
        let DataMode::Active { memory, offset } = &segment.mode else {
            continue;
        };
        let mut at = match offset[..] {
            [ConstOp::I32Const(at)] => u64::from(at as u32),
            [ConstOp::I64Const(at)] => at as u64,
            _ => return None,
        };
        let mut bytes = wasm.get(segment.range.clone())?;
        total += bytes.len();
        let len = first_bytes(info, *memory)?;
        if at.checked_add(bytes.len() as u64)? > len {
            return None;
        }
        while !bytes.is_empty() {
            let (unit, within) = (at / UNIT as u64, (at % UNIT as u64) as usize);
            let (now, later) = bytes.split_at(bytes.len().min(UNIT - within));
            let whole = (len - unit * UNIT as u64).min(UNIT as u64) as usize;
            let unit = units
                .entry((*memory, unit))
                .or_insert_with(|| vec![0; whole]);
            unit[within..within + now.len()].copy_from_slice(now);
            at += now.len() as u64;
            bytes = later;
        }
        // Data that is scattered would take much more room than it has bytes.
        if units.len() * UNIT > 8 * total.max(UNIT) {
            return None;
        }
    }
    (total >= WORTH_BYTES).then_some(())
}
