//! CoreMark 1.0, the performance run: linked lists, matrices and a state machine.
use coremark::{list::core_list_init, matrix::core_init_matrix, state::core_init_state, types::*, util::crcu16};
common::export!(program);

fn program(n: u32) -> u64 {
    let mut res = CoreResults { seed3: 0x66, size: TOTAL_DATA_SIZE / 3, execs: ALL_ALGORITHMS_MASK, ..Default::default() };
    res.list = Some(core_list_init(res.size, res.seed1));
    core_init_matrix(res.size, 0, &mut res.mat);
    res.state_mem = core_init_state(res.size, res.seed1);
    for i in 0..n {
        let mut list = res.list.take().unwrap();
        for finder in [1, -1] {
            let crc = list.bench(&mut res, finder);
            res.crc = crcu16(crc, res.crc);
        }
        res.list = Some(list);
        if i == 0 {
            res.crclist = res.crc;
        }
    }
    assert_eq!((res.crclist, res.crcmatrix, res.crcstate), (0xe714, 0x1fd7, 0x8e3a));
    u64::from(res.crc)
}
