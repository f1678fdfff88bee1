//! Image processing, f32: resize with Lanczos, blur, rotate the hue.
common::export!(program);

fn program(n: u32) -> u64 {
    let image = image::RgbaImage::from_fn(n, n, |x, y| image::Rgba([x as u8, y as u8, (x * y) as u8, 255]));
    let small = image::imageops::resize(&image, n / 2, n / 3, image::imageops::FilterType::Lanczos3);
    let soft = image::imageops::blur(&small, 1.5);
    let turned = image::imageops::huerotate(&image::imageops::rotate90(&soft), 30);
    common::mix_bytes(0, turned.as_raw())
}
