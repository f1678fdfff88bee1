//! A software synthesiser, f32: oscillators, filters and a delay line.
common::export!(program);

struct Filter { low: f32, band: f32 }

fn program(n: u32) -> u64 {
    let mut phases = [0.0f32; 8];
    let mut filters: Vec<Filter> = (0..8).map(|_| Filter { low: 0.0, band: 0.0 }).collect();
    let mut delay = vec![0.0f32; 4410];
    let mut sum = 0;
    for i in 0..n as usize * 100 {
        let mut out = 0.0f32;
        for (voice, phase) in phases.iter_mut().enumerate() {
            *phase += (voice as f32 + 1.0) * 55.0 / 44_100.0;
            if *phase >= 1.0 {
                *phase -= 1.0;
            }
            let saw = 2.0 * *phase - 1.0;
            let filter = &mut filters[voice];
            filter.low += 0.2 * filter.band;
            let high = saw - filter.low - 0.5 * filter.band;
            filter.band += 0.2 * high;
            out += filter.low * 0.125;
        }
        let slot = i % delay.len();
        let wet = delay[slot];
        delay[slot] = (out + wet * 0.4).clamp(-1.0, 1.0);
        sum = common::mix(sum, ((out + wet).clamp(-1.0, 1.0) * 32_767.0) as i32 as u64);
    }
    sum
}
