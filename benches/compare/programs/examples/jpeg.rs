//! A JPEG image: encode and decode (integer DCT, Huffman codes).
use std::io::Cursor;
common::export!(program);

fn program(n: u32) -> u64 {
    let image = image::RgbImage::from_fn(n, n, |x, y| {
        image::Rgb([(x * y / 97) as u8, ((x + y) / 3) as u8, ((x * x + y * y) / 300) as u8])
    });
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, image::ImageFormat::Jpeg).unwrap();
    let back = image::load_from_memory_with_format(file.get_ref(), image::ImageFormat::Jpeg).unwrap().to_rgb8();
    common::mix_bytes(back.len() as u64, &back.into_raw())
}
