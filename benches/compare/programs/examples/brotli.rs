//! Brotli: compression at quality 5, then decompression.
use std::io::{Read, Write};
common::export!(program);

fn program(n: u32) -> u64 {
    let input = common::text(n as usize * 1000);
    let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 18);
    writer.write_all(input.as_bytes()).unwrap();
    let packed = writer.into_inner();
    let mut output = Vec::new();
    brotli::Decompressor::new(&packed[..], 4096).read_to_end(&mut output).unwrap();
    assert_eq!(output, input.as_bytes());
    common::mix_bytes(7, &packed)
}
