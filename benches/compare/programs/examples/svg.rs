//! resvg: parse an SVG document and render it to pixels.
common::export!(program);

fn program(n: u32) -> u64 {
    let mut svg = String::from("<svg xmlns='http://www.w3.org/2000/svg' width='200' height='200'><defs><linearGradient id='g'><stop offset='0' stop-color='#f80'/><stop offset='1' stop-color='#08f' stop-opacity='.5'/></linearGradient></defs>");
    for i in 0..n {
        let (x, y) = (i * 37 % 180, i * 53 % 180);
        svg.push_str(&format!(
            "<g transform='rotate({i} 100 100)'><path d='M{x} {y} c 20 40 60 -10 40 30 s -30 20 -50 0 z' fill='url(#g)' stroke='#333' stroke-width='1.5'/><circle cx='{y}' cy='{x}' r='12' fill='none' stroke='green' stroke-dasharray='4 2'/></g>"
        ));
    }
    svg.push_str("</svg>");
    let tree = resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default()).unwrap();
    let mut pixels = resvg::tiny_skia::Pixmap::new(200, 200).unwrap();
    resvg::render(&tree, resvg::tiny_skia::Transform::default(), &mut pixels.as_mut());
    common::mix_bytes(0, pixels.data())
}
