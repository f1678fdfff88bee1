//! What the benchmark programs share: the export, a generator of numbers, a checksum, and text to chew on.

/// Exports `fn(u32) -> u64` under the name the runner calls.
#[macro_export]
macro_rules! export {
    ($function:path) => {
        /// Runs the program with `n` units of work; the result is its checksum.
        #[unsafe(no_mangle)]
        pub extern "C" fn run(n: u32) -> u64 {
            $function(n)
        }
    };
}

/// A small deterministic generator (xorshift64*).
pub struct Rng(u64);

impl Rng {
    /// A generator that always yields the same sequence for a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u32) -> u32 {
        ((self.next() >> 32) * u64::from(bound) >> 32) as u32
    }

    /// A number in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Mixes `value` into a running checksum.
pub fn mix(sum: u64, value: u64) -> u64 {
    (sum ^ value).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(17)
}

/// Mixes bytes into a running checksum, eight at a time.
pub fn mix_bytes(mut sum: u64, bytes: &[u8]) -> u64 {
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum = mix(sum, u64::from_le_bytes(word));
    }
    sum
}

const WORDS: &[&str] = &[
    "the", "of", "and", "store", "memory", "value", "engine", "function", "a", "to", "in", "is", "that", "table",
    "module", "instance", "frame", "slot", "stack", "call", "return", "branch", "loop", "number", "type", "import",
    "export", "start", "segment", "offset", "limit", "page", "trap", "for", "with", "as", "was", "on", "be", "by",
    "Interpreter", "Zürich", "naïve", "snapshot", "relocatable", "continuation",
];

/// About `len` bytes of English-like text, always the same.
pub fn text(len: usize) -> String {
    let mut rng = Rng::new(42);
    let mut out = String::with_capacity(len + 32);
    let mut sentence = 0;
    while out.len() < len {
        let r = rng.below(WORDS.len() as u32);
        let skewed = r * rng.below(WORDS.len() as u32) / WORDS.len() as u32;
        out.push_str(WORDS[skewed as usize]);
        sentence += 1;
        if sentence > 7 + rng.below(9) {
            out.push_str(if rng.below(5) == 0 { ".\n\n" } else { ". " });
            sentence = 0;
        } else {
            out.push_str(if rng.below(11) == 0 { ", " } else { " " });
        }
    }
    out
}
