//! A PNG image: encode, decode, compare.
use std::io::Cursor;
common::export!(program);

fn program(n: u32) -> u64 {
    let image = image::RgbImage::from_fn(n, n, |x, y| {
        image::Rgb([(x * y / 7) as u8, (x ^ y) as u8, ((x * x + y * y) / 50) as u8])
    });
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, image::ImageFormat::Png).unwrap();
    let back = image::load_from_memory_with_format(file.get_ref(), image::ImageFormat::Png).unwrap().to_rgb8();
    assert_eq!(back, image);
    common::mix_bytes(0, file.get_ref())
}
