//! LZ4: block compression and decompression.
common::export!(program);

fn program(n: u32) -> u64 {
    let input = common::text(60_000);
    let mut sum = 0;
    for i in 0..n {
        let packed = lz4_flex::block::compress_prepend_size(&input.as_bytes()[i as usize % 100..]);
        let output = lz4_flex::block::decompress_size_prepended(&packed).unwrap();
        sum = common::mix_bytes(sum, &packed[..packed.len().min(256)]) ^ output.len() as u64;
    }
    sum
}
