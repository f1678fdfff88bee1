//! Matrix multiplication, i32, blocked.
common::export!(program);

fn program(n: u32) -> u64 {
    const B: usize = 16;
    let n = n as usize * B;
    let mut rng = common::Rng::new(4);
    let a: Vec<i32> = (0..n * n).map(|_| rng.next() as i32).collect();
    let b: Vec<i32> = (0..n * n).map(|_| rng.next() as i32).collect();
    let mut c = vec![0i32; n * n];
    for ii in (0..n).step_by(B) {
        for kk in (0..n).step_by(B) {
            for jj in (0..n).step_by(B) {
                for i in ii..ii + B {
                    for k in kk..kk + B {
                        let x = a[i * n + k];
                        for j in jj..jj + B {
                            c[i * n + j] = c[i * n + j].wrapping_add(x.wrapping_mul(b[k * n + j]));
                        }
                    }
                }
            }
        }
    }
    c.iter().fold(0, |sum, &x| common::mix(sum, x as u64))
}
