//! A ray tracer, f64: shapes behind trait objects, recursion for reflections.
use std::ops::{Add, Mul, Sub};
common::export!(program);

#[derive(Clone, Copy)]
struct V(f64, f64, f64);
impl Add for V { type Output = V; fn add(self, o: V) -> V { V(self.0 + o.0, self.1 + o.1, self.2 + o.2) } }
impl Sub for V { type Output = V; fn sub(self, o: V) -> V { V(self.0 - o.0, self.1 - o.1, self.2 - o.2) } }
impl Mul<f64> for V { type Output = V; fn mul(self, k: f64) -> V { V(self.0 * k, self.1 * k, self.2 * k) } }
impl V {
    fn dot(self, o: V) -> f64 { self.0 * o.0 + self.1 * o.1 + self.2 * o.2 }
    fn unit(self) -> V { self * (1.0 / self.dot(self).sqrt()) }
}

trait Shape {
    fn hit(&self, from: V, dir: V) -> Option<f64>;
    fn normal(&self, at: V) -> V;
    fn colour(&self, at: V) -> V;
    fn shine(&self) -> f64;
}
struct Sphere { at: V, r: f64, colour: V }
struct Floor;

impl Shape for Sphere {
    fn hit(&self, from: V, dir: V) -> Option<f64> {
        let to = self.at - from;
        let b = to.dot(dir);
        let d = b * b - to.dot(to) + self.r * self.r;
        if d < 0.0 { return None; }
        let s = d.sqrt();
        [b - s, b + s].into_iter().find(|&t| t > 1e-6)
    }
    fn normal(&self, at: V) -> V { (at - self.at).unit() }
    fn colour(&self, _: V) -> V { self.colour }
    fn shine(&self) -> f64 { 0.4 }
}
impl Shape for Floor {
    fn hit(&self, from: V, dir: V) -> Option<f64> {
        let t = -from.1 / dir.1;
        (t > 1e-6).then_some(t)
    }
    fn normal(&self, _: V) -> V { V(0.0, 1.0, 0.0) }
    fn colour(&self, at: V) -> V {
        if (at.0.floor() + at.2.floor()) as i64 & 1 == 0 { V(0.9, 0.9, 0.9) } else { V(0.1, 0.1, 0.1) }
    }
    fn shine(&self) -> f64 { 0.1 }
}

fn trace(scene: &[Box<dyn Shape>], from: V, dir: V, depth: u32) -> V {
    let Some((t, shape)) = scene.iter().filter_map(|s| s.hit(from, dir).map(|t| (t, s))).min_by(|a, b| a.0.total_cmp(&b.0)) else {
        return V(0.3, 0.5, 0.8) * (1.0 - dir.1.max(0.0));
    };
    let at = from + dir * t;
    let normal = shape.normal(at);
    let light = (V(5.0, 8.0, -6.0) - at).unit();
    let shadow = scene.iter().any(|s| s.hit(at, light).is_some());
    let lit = shape.colour(at) * if shadow { 0.15 } else { 0.15 + 0.85 * normal.dot(light).max(0.0) };
    if depth == 0 { return lit; }
    let bounced = trace(scene, at, dir - normal * (2.0 * dir.dot(normal)), depth - 1);
    lit * (1.0 - shape.shine()) + bounced * shape.shine()
}

fn program(n: u32) -> u64 {
    let mut scene: Vec<Box<dyn Shape>> = vec![Box::new(Floor)];
    for i in 0..7 {
        let k = f64::from(i);
        scene.push(Box::new(Sphere { at: V(k - 3.0, 0.6 + (k * 1.3).sin().abs(), 4.0 + (k * 2.1).cos()), r: 0.6, colour: V(k / 7.0, 0.5, 1.0 - k / 7.0) }));
    }
    let mut sum = 0;
    for y in 0..n {
        for x in 0..n {
            let dir = V(f64::from(x) / f64::from(n) - 0.5, 0.5 - f64::from(y) / f64::from(n), 1.0).unit();
            let c = trace(&scene, V(0.0, 1.2, -2.0), dir, 3);
            let byte = |v: f64| (v.clamp(0.0, 1.0) * 255.0) as u64;
            sum = common::mix(sum, byte(c.0) << 16 | byte(c.1) << 8 | byte(c.2));
        }
    }
    sum
}
