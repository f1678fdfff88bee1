//! Fannkuch: permutations of small arrays.
common::export!(program);

fn program(n: u32) -> u64 {
    let n = n as usize;
    let mut perm1: Vec<usize> = (0..n).collect();
    let mut count = vec![0; n];
    let (mut r, mut checksum, mut max, mut even) = (n, 0i64, 0i64, true);
    let mut perm = vec![0; n];
    loop {
        while r != 1 {
            count[r - 1] = r;
            r -= 1;
        }
        perm.copy_from_slice(&perm1);
        let mut flips = 0;
        while perm[0] != 0 {
            let k = perm[0];
            perm[..=k].reverse();
            flips += 1;
        }
        max = max.max(flips);
        checksum += if even { flips } else { -flips };
        loop {
            if r == n {
                return common::mix(checksum as u64, max as u64);
            }
            let first = perm1[0];
            perm1.copy_within(1..=r, 0);
            perm1[r] = first;
            count[r] -= 1;
            if count[r] > 0 {
                break;
            }
            r += 1;
        }
        even = !even;
    }
}
