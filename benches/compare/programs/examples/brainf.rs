//! A Brainf*** interpreter running a program that prints squares.
common::export!(program);

const SQUARES: &[u8] = b"++++[>+++++<-]>[<+++++>-]+<+[>[>+>+<<-]++>>[<<+>>-]>>>[-]++>[-]+>>>+[[-]++++++>>>]<<<[[<++++++++<++>>-]+<.<[>----<-]<]<<[>>>>>[>>>[-]+++++++++<[>-<-]+++++++++>[-[<->-]+[<<<]<+>]<-]<<[<<<]>>>>>>[<<<+++[>+++++<-]>[<+++>-]<.>>>>>]<<-]<<-]";

fn program(n: u32) -> u64 {
    let mut jumps = vec![0usize; SQUARES.len()];
    let mut open = Vec::new();
    for (i, op) in SQUARES.iter().enumerate() {
        match op {
            b'[' => open.push(i),
            b']' => {
                let from = open.pop().unwrap();
                jumps[from] = i;
                jumps[i] = from;
            }
            _ => {}
        }
    }
    let mut sum = 0;
    for _ in 0..n {
        let (mut pc, mut at) = (0, 0usize);
        let mut tape = [0u8; 4096];
        let mut steps = 0u64;
        while pc < SQUARES.len() && steps < 200_000 {
            match SQUARES[pc] {
                b'>' => at = (at + 1) & 4095,
                b'<' => at = at.wrapping_sub(1) & 4095,
                b'+' => tape[at] = tape[at].wrapping_add(1),
                b'-' => tape[at] = tape[at].wrapping_sub(1),
                b'.' => sum = common::mix(sum, u64::from(tape[at])),
                b'[' if tape[at] == 0 => pc = jumps[pc],
                b']' if tape[at] != 0 => pc = jumps[pc],
                _ => {}
            }
            pc += 1;
            steps += 1;
        }
        sum = common::mix(sum, steps);
    }
    sum
}
