//! An operating-system kernel in the manner of Richards: tasks behind trait objects that pass packets.
use std::collections::VecDeque;
common::export!(program);

#[derive(Clone)]
struct Packet { to: usize, kind: u8, data: [u8; 4], hops: u32 }

trait Task {
    fn step(&mut self, packet: Option<Packet>, kernel: &mut Kernel) -> bool;
    fn sum(&self) -> u64;
}

struct Kernel { inbox: Vec<VecDeque<Packet>>, held: Vec<bool>, sent: u64 }

impl Kernel {
    fn send(&mut self, mut packet: Packet, to: usize) {
        packet.to = to;
        packet.hops += 1;
        self.sent += 1;
        self.inbox[to].push_back(packet);
    }
}

struct Idle { control: u32, left: u32 }
struct Worker { target: usize, letter: u8, made: u64 }
struct Handler { work: VecDeque<Packet>, next: usize, seen: u64 }
struct Device { pending: Option<Packet>, served: u64 }

impl Task for Idle {
    fn step(&mut self, _: Option<Packet>, kernel: &mut Kernel) -> bool {
        self.left -= 1;
        let device = if self.control & 1 == 0 {
            self.control >>= 1;
            4
        } else {
            self.control = (self.control >> 1) ^ 0xD008;
            5
        };
        kernel.held[device] = false;
        self.left > 0
    }
    fn sum(&self) -> u64 { u64::from(self.control) }
}

impl Task for Worker {
    fn step(&mut self, packet: Option<Packet>, kernel: &mut Kernel) -> bool {
        if let Some(mut packet) = packet {
            self.target = 5 - self.target;
            for slot in &mut packet.data {
                self.letter = if self.letter == 25 { 0 } else { self.letter + 1 };
                *slot = b'A' + self.letter;
            }
            self.made += u64::from(packet.data[3]);
            let to = self.target;
            kernel.send(packet, to);
        }
        true
    }
    fn sum(&self) -> u64 { self.made }
}

impl Task for Handler {
    fn step(&mut self, packet: Option<Packet>, kernel: &mut Kernel) -> bool {
        if let Some(packet) = packet {
            self.seen = self.seen.wrapping_mul(31).wrapping_add(u64::from(packet.data[0]));
            self.work.push_back(packet);
        }
        if let Some(mut packet) = self.work.pop_front() {
            packet.kind ^= 1;
            let to = if packet.kind == 0 { 1 } else { self.next };
            kernel.send(packet, to);
        }
        true
    }
    fn sum(&self) -> u64 { self.seen }
}

impl Task for Device {
    fn step(&mut self, packet: Option<Packet>, kernel: &mut Kernel) -> bool {
        match (packet, self.pending.take()) {
            (Some(packet), None) => self.pending = Some(packet),
            (Some(packet), Some(old)) => {
                self.served += u64::from(old.hops & 7);
                self.pending = Some(packet);
                kernel.send(old, 2 + (self.served & 1) as usize);
            }
            (None, Some(old)) => {
                self.served += 1;
                kernel.send(old, 2 + (self.served & 1) as usize);
            }
            (None, None) => {}
        }
        true
    }
    fn sum(&self) -> u64 { self.served }
}

fn program(n: u32) -> u64 {
    let mut tasks: Vec<Box<dyn Task>> = vec![
        Box::new(Idle { control: 1, left: n * 100 }),
        Box::new(Worker { target: 2, letter: 0, made: 0 }),
        Box::new(Handler { work: VecDeque::new(), next: 4, seen: 0 }),
        Box::new(Handler { work: VecDeque::new(), next: 5, seen: 0 }),
        Box::new(Device { pending: None, served: 0 }),
        Box::new(Device { pending: None, served: 0 }),
    ];
    let mut kernel = Kernel { inbox: vec![VecDeque::new(); 6], held: vec![false; 6], sent: 0 };
    for i in 0..9 {
        kernel.send(Packet { to: 0, kind: i & 1, data: [i; 4], hops: 0 }, 1 + i as usize % 3);
    }
    let mut running = true;
    while running {
        for id in 0..tasks.len() {
            let packet = kernel.inbox[id].pop_front();
            running &= tasks[id].step(packet, &mut kernel);
        }
    }
    tasks.iter().fold(kernel.sent, |sum, task| common::mix(sum, task.sum()))
}
