//! A bytecode interpreter with a dense switch of 32 operations: `br_table` on every step.
common::export!(program);

fn program(n: u32) -> u64 {
    let mut rng = common::Rng::new(8);
    let mut code: Vec<u8> = (0..4096).map(|_| rng.below(30) as u8).collect();
    code[4095] = 31;
    let mut regs = [1u32; 8];
    let (mut pc, mut steps, mut acc) = (0usize, 0u32, 1u32);
    let limit = n * 1000;
    while steps < limit {
        let op = code[pc & 4095];
        let x = (op as usize + pc) & 7;
        match op {
            0 => acc = acc.wrapping_add(regs[x]),
            1 => acc = acc.wrapping_sub(regs[x]),
            2 => acc = acc.wrapping_mul(regs[x] | 1),
            3 => acc ^= regs[x],
            4 => acc |= regs[x] & 0xff,
            5 => acc &= regs[x] | 0xffff,
            6 => regs[x] = acc,
            7 => acc = regs[x],
            8 => acc = acc.rotate_left(x as u32),
            9 => acc = acc.rotate_right(x as u32 + 1),
            10 => acc = acc.swap_bytes(),
            11 => regs[x] = regs[x].wrapping_add(1),
            12 => regs[x] = regs[x].wrapping_sub(acc),
            13 => acc = !acc,
            14 => acc = acc.wrapping_neg(),
            15 => acc = acc.count_ones().wrapping_add(acc << 3),
            16 => acc = acc.leading_zeros() ^ acc,
            17 => std::mem::swap(&mut acc, &mut regs[x]),
            18 => pc += (acc & 3) as usize,
            19 => acc = acc.wrapping_add(pc as u32),
            20 => regs[x] ^= acc >> 3,
            21 => regs[x] = regs[x].wrapping_mul(31),
            22 if acc & 1 == 0 => pc += 2,
            23 if acc & 2 == 0 => pc += 1,
            24 => regs.swap(x, 0),
            25 => acc = acc.wrapping_add(regs[(acc & 7) as usize]),
            26 => regs[(acc & 7) as usize] = acc,
            27 => acc = (acc >> 16) | (acc << 16),
            28 => acc = acc.min(regs[x]).wrapping_add(7),
            29 => acc = acc.max(regs[x]).wrapping_mul(5),
            31 => pc = 0,
            _ => acc = acc.wrapping_add(1),
        }
        pc += 1;
        steps += 1;
    }
    regs.iter().fold(u64::from(acc), |sum, &r| common::mix(sum, u64::from(r)))
}
