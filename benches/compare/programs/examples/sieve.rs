//! The sieve of Eratosthenes on bytes.
common::export!(program);

fn program(n: u32) -> u64 {
    let n = n as usize * 1000;
    let mut composite = vec![false; n];
    let (mut count, mut sum) = (0u64, 0);
    for i in 2..n {
        if !composite[i] {
            count += 1;
            sum = common::mix(sum, i as u64);
            let mut j = i * i;
            while j < n {
                composite[j] = true;
                j += i;
            }
        }
    }
    common::mix(sum, count)
}
