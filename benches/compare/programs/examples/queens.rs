//! The n queens problem with bit masks.
common::export!(program);

fn place(all: u32, columns: u32, left: u32, right: u32) -> u64 {
    if columns == all {
        return 1;
    }
    let mut free = all & !(columns | left | right);
    let mut found = 0;
    while free != 0 {
        let bit = free & free.wrapping_neg();
        free ^= bit;
        found += place(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    found
}

fn program(n: u32) -> u64 {
    place((1 << n) - 1, 0, 0, 0)
}
