//! The n-body problem: f64 with square roots.
common::export!(program);

const SUN: f64 = 39.478_417_604_357_43;
const DAY: f64 = 365.24;

#[derive(Clone, Copy)]
struct Body {
    at: [f64; 3],
    speed: [f64; 3],
    mass: f64,
}

fn energy(bodies: &[Body]) -> f64 {
    let mut e = 0.0;
    for (i, a) in bodies.iter().enumerate() {
        e += 0.5 * a.mass * a.speed.iter().map(|v| v * v).sum::<f64>();
        for b in &bodies[i + 1..] {
            let d2: f64 = (0..3).map(|k| (a.at[k] - b.at[k]).powi(2)).sum();
            e -= a.mass * b.mass / d2.sqrt();
        }
    }
    e
}

fn program(n: u32) -> u64 {
    let mut bodies = [
        Body { at: [0.0; 3], speed: [0.0; 3], mass: SUN },
        Body {
            at: [4.841_431_442_464_72, -1.160_320_044_027_428_4, -0.103_622_044_471_123_11],
            speed: [0.001_660_076_642_744_037 * DAY, 0.007_699_011_184_197_404 * DAY, -0.000_069_046_001_697_206_3 * DAY],
            mass: 0.000_954_791_938_424_326_6 * SUN,
        },
        Body {
            at: [8.343_366_718_244_58, 4.124_798_564_124_305, -0.403_523_417_114_321],
            speed: [-0.002_767_425_107_268_624 * DAY, 0.004_998_528_012_349_172 * DAY, 0.000_023_041_729_757_376_39 * DAY],
            mass: 0.000_285_885_980_666_130_8 * SUN,
        },
        Body {
            at: [12.894_369_562_139_13, -15.111_151_401_698_631, -0.223_307_578_892_655_73],
            speed: [0.002_964_601_375_647_616 * DAY, 0.002_378_471_739_594_809_6 * DAY, -0.000_029_658_956_854_023_756 * DAY],
            mass: 0.000_043_662_440_433_515_63 * SUN,
        },
        Body {
            at: [15.379_697_114_850_917, -25.919_314_609_987_964, 0.179_258_772_950_371_18],
            speed: [0.002_680_677_724_903_893_2 * DAY, 0.001_628_241_700_382_422_8 * DAY, -0.000_095_159_225_451_971_59 * DAY],
            mass: 0.000_051_513_890_204_661_14 * SUN,
        },
    ];
    for k in 0..3 {
        bodies[0].speed[k] = -bodies[1..].iter().map(|b| b.speed[k] * b.mass).sum::<f64>() / SUN;
    }
    for _ in 0..n * 100 {
        for i in 0..5 {
            for j in i + 1..5 {
                let d: [f64; 3] = std::array::from_fn(|k| bodies[i].at[k] - bodies[j].at[k]);
                let d2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
                let mag = 0.01 / (d2 * d2.sqrt());
                let (mi, mj) = (bodies[i].mass, bodies[j].mass);
                for k in 0..3 {
                    bodies[i].speed[k] -= d[k] * mj * mag;
                    bodies[j].speed[k] += d[k] * mi * mag;
                }
            }
        }
        for b in &mut bodies {
            for k in 0..3 {
                b.at[k] += 0.01 * b.speed[k];
            }
        }
    }
    energy(&bodies).to_bits()
}
