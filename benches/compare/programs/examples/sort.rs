//! Sorting: the standard library's stable and unstable sorts, and a heap sort, on numbers and strings.
common::export!(program);

fn program(n: u32) -> u64 {
    let mut rng = common::Rng::new(3);
    let size = n as usize * 1000;
    let numbers: Vec<u32> = (0..size).map(|_| rng.next() as u32).collect();
    let mut stable: Vec<(u32, u32)> = numbers.iter().map(|&x| (x & 0xfff, x)).collect();
    stable.sort_by_key(|pair| pair.0);
    let mut unstable = numbers.clone();
    unstable.sort_unstable();
    let mut floats: Vec<f64> = numbers.iter().map(|&x| f64::from(x).sqrt()).collect();
    floats.sort_by(f64::total_cmp);
    let mut strings: Vec<String> = numbers.iter().take(size / 4).map(u32::to_string).collect();
    strings.sort();
    let mut heap = numbers;
    heap_sort(&mut heap);
    assert_eq!(heap, unstable);
    let pick = size / 3;
    common::mix_bytes(u64::from(stable[pick].1) ^ floats[pick].to_bits(), strings[pick / 4].as_bytes())
}

fn heap_sort(data: &mut [u32]) {
    let sift = |data: &mut [u32], mut root: usize| {
        loop {
            let mut child = 2 * root + 1;
            if child >= data.len() {
                return;
            }
            if child + 1 < data.len() && data[child] < data[child + 1] {
                child += 1;
            }
            if data[root] >= data[child] {
                return;
            }
            data.swap(root, child);
            root = child;
        }
    };
    for root in (0..data.len() / 2).rev() {
        sift(data, root);
    }
    for end in (1..data.len()).rev() {
        data.swap(0, end);
        sift(&mut data[..end], 0);
    }
}
