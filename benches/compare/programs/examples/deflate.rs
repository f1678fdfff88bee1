//! DEFLATE in Rust (miniz_oxide): level 6, then inflation.
common::export!(program);

fn program(n: u32) -> u64 {
    let input = common::text(n as usize * 1000);
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(input.as_bytes(), 6);
    let output = miniz_oxide::inflate::decompress_to_vec_zlib(&packed).unwrap();
    assert_eq!(output, input.as_bytes());
    common::mix_bytes(7, &packed)
}
