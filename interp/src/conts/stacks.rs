//! Stacks: which there are, and going from one to another.

use sheave_arena::Offset;

use crate::code_space::CONT_END_AT;
use crate::conts::clause::clause_bytes;
use crate::conts::landing::Landing;
use crate::regs::{get_u64, put_u64};
use crate::stack::RED_ZONE;
use crate::trap::Trap;
use crate::vm::{NO_INSTANCE, Vm};

/// No stack: the parent of what is suspended, and of the first.
pub(crate) const NONE: u32 = u32::MAX;

/// The least bytes of a continuation's chunk, a size class of the arena.
const LEAST_CHUNK: u32 = 256;

/// Chunks of that size that are kept at hand.
const MAX_SPARE: usize = 64;

/// What a stack is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub(crate) enum State {
    /// It is the current one, or waits for what it resumed.
    Active = 0,
    /// It is a suspended continuation of its own.
    Suspended,
    /// It is the innermost of the stacks of a suspended continuation.
    Chained,
    /// As either of them, of one in which host functions sleep.
    WithHost,
    /// As `WithHost`, of one that nothing refers to any more, and that is to be ended.
    Dropped,
    /// There is none.
    #[default]
    Free,
}

/// An instance, and what a stack does in it: side by side, so that both are looked at together.
#[derive(Clone, Copy, Eq, Debug, Default)]
#[repr(C, align(8))]
pub(crate) struct Standing {
    pub(crate) inst: u32,
    pub(crate) state: State,
}

impl Standing {
    pub(crate) const fn new(inst: u32, state: State) -> Standing {
        Standing { inst, state }
    }

    #[inline(always)]
    const fn word(self) -> u64 {
        self.inst as u64 | (self.state as u64) << 32
    }
}

impl PartialEq for Standing {
    #[inline(always)]
    fn eq(&self, other: &Standing) -> bool {
        self.word() == other.word()
    }
}

/// A stack: its chunk, and its registers while it is not the current one. All positions are offsets, in bytes.
/// As long as a line of the cache: it is in one, and found by a shift.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
pub(crate) struct Stack {
    /// The chunk, in the arena. Also of the current stack.
    pub(crate) off: u32,
    pub(crate) len: u32,
    /// The innermost frame, in the arena.
    pub(crate) fp: u32,
    /// The innermost record, in the arena.
    pub(crate) csp: u32,
    /// The op that it waits at, in the code space.
    pub(crate) at: u32,
    /// What follows that op: where it goes on, or clauses and then that.
    pub(crate) next: u32,
    /// The instance that it is in. Also of the current stack.
    pub(crate) standing: Standing,
    /// What goes on when this one ends or suspends. Also of the current stack; [`NONE`] of the first one, and of the
    /// outermost of a suspended continuation.
    pub(crate) parent: u32,
    /// Of the innermost of a suspended continuation, unless it is [`State::Suspended`]: the outermost, and the bytes of all
    /// their chunks.
    pub(crate) outer: u32,
    pub(crate) bytes: u32,
    /// Where what it waits for comes.
    pub(crate) landing: Landing,
    /// Slots of what its outermost function returns. Also of the current stack.
    pub(crate) results: u16,
    /// The collector has been here.
    pub(crate) marked: bool,
}

/// All stacks of a store. Number 0 is the one that calls of the host begin on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stacks {
    all: Vec<Stack>,
    /// The first of those that are free; each leads to the next by its parent.
    free: u32,
    /// Chunks of [`LEAST_CHUNK`] bytes that nobody uses.
    spare: Vec<u32>,
}

/// Where a stack waits, for who walks it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) stack: u32,
    pub(crate) at: u32,
    pub(crate) fp: u32,
    /// Offset of the innermost record in the chunk.
    pub(crate) csp: u32,
    pub(crate) inst: u32,
    /// Bytes of the chunk.
    pub(crate) len: u32,
}

impl Stacks {
    /// With the first stack, whose chunk this is.
    pub(crate) fn new(off: u32, len: u32) -> Stacks {
        let first = Stack {
            off,
            len,
            fp: off,
            parent: NONE,
            standing: Standing::new(NO_INSTANCE, State::Active),
            ..Stack::default()
        };
        Stacks {
            all: vec![first],
            free: NONE,
            spare: Vec::new(),
        }
    }

    /// Where they all are, the first one first.
    #[inline(always)]
    pub(crate) fn as_mut_ptr(&mut self) -> *mut Stack {
        self.all.as_mut_ptr()
    }

    /// Numbers are below this.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether a stack is the innermost of a suspended continuation that collections and snapshots may see the end of.
    pub(crate) fn is_suspended(&self, stack: u32) -> bool {
        let stack = self.all.get(stack as usize);
        stack.is_some_and(|s| matches!(s.standing.state, State::Suspended | State::Chained))
    }

    /// Whether a continuation that leads to a stack can be used.
    pub(crate) fn can_be_used(&self, stack: u32) -> bool {
        let with_host = |s: &Stack| s.standing.state == State::WithHost;
        self.is_suspended(stack) || self.all.get(stack as usize).is_some_and(with_host)
    }

    /// `inner` is the innermost stack of a suspended continuation, whose outermost is `outer`, with chunks of so many bytes.
    #[inline]
    pub(crate) fn suspend(&mut self, inner: u32, outer: u32, bytes: u32) {
        let stack = &mut self[inner];
        (stack.outer, stack.bytes) = (outer, bytes);
        stack.standing.state = if outer == inner {
            State::Suspended
        } else {
            State::Chained
        };
    }

    /// Of the innermost stack of a suspended continuation: the outermost, and the bytes of the chunks of all.
    #[inline]
    pub(crate) fn extent(&self, inner: u32) -> (u32, u32) {
        let stack = &self[inner];
        match stack.standing.state {
            State::Suspended => (inner, stack.len),
            _ => (stack.outer, stack.bytes),
        }
    }

    /// Marks the innermost stack of a suspended continuation; false if it was, or is none.
    pub(crate) fn mark(&mut self, stack: u32) -> bool {
        self.can_be_used(stack) && !core::mem::replace(&mut self[stack].marked, true)
    }

    /// The numbers of all but the first, ascending.
    pub(crate) fn numbers(&self) -> impl DoubleEndedIterator<Item = u32> {
        let used = (0..).zip(&self.all).skip(1);
        let used = used.filter(|(_, s)| s.standing.state != State::Free);
        used.map(|(number, _)| number)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Takes all marks away.
    pub(crate) fn unmark(&mut self) {
        for stack in &mut self.all {
            stack.marked = false;
        }
    }

    fn add(&mut self, stack: Stack) -> Option<u32> {
        if self.free != NONE {
            let number = self.free;
            self.free = self[number].parent;
            self[number] = stack;
            return Some(number);
        }
        let number = u32::try_from(self.all.len()).ok()?;
        if number >= crate::conts::object::FRESH {
            return None;
        }
        self.all.push(stack);
        Some(number)
    }

    /// As `add`, with a number above all that there are. Those between are free.
    fn add_at(&mut self, number: u32, stack: Stack) {
        while self.all.len() < number as usize {
            let free = self.all.len() as u32;
            self.all.push(Stack {
                parent: self.free,
                ..Stack::default()
            });
            self.free = free;
        }
        self.all.push(stack);
    }

    fn remove(&mut self, number: u32) {
        self[number] = Stack {
            parent: self.free,
            ..Stack::default()
        };
        self.free = number;
    }
}

impl core::ops::Index<u32> for Stacks {
    type Output = Stack;

    #[inline]
    fn index(&self, stack: u32) -> &Stack {
        &self.all[stack as usize]
    }
}

impl core::ops::IndexMut<u32> for Stacks {
    #[inline]
    fn index_mut(&mut self, stack: u32) -> &mut Stack {
        &mut self.all[stack as usize]
    }
}

impl Vm {
    /// Where byte `at` of a stack's chunk lies.
    #[inline]
    pub(crate) fn chunk(&self, stack: u32, at: u32) -> *mut u8 {
        let off = self.stacks[stack].off as usize + at as usize;
        // SAFETY: I3: chunks are objects of the arena, and `at` lies in this one.
        unsafe { self.arena_base.add(off) }
    }

    /// A stack for a function with frames of `frame_bytes`, that returns `results` slots. Nothing is on it but the record
    /// below its outermost frame.
    pub(crate) fn new_stack(&mut self, frame_bytes: u64, results: u16) -> Result<u32, Trap> {
        let stack = self.make_stack(frame_bytes, results, self.chain_bytes)?;
        self.stacks.add(stack).ok_or_else(|| {
            self.free_chunk(stack.off, stack.len);
            Trap::StackOverflow
        })
    }

    /// As `new_stack`, with a number above those of all others.
    pub(crate) fn new_stack_with_number(
        &mut self,
        frame_bytes: u64,
        results: u16,
        number: u32,
    ) -> Result<u32, Trap> {
        let stack = self.make_stack(frame_bytes, results, 0)?;
        self.stacks.add_at(number, stack);
        Ok(number)
    }

    /// A stack that is in no list; `around` bytes of others count against the limit.
    fn make_stack(&mut self, frame_bytes: u64, results: u16, around: u32) -> Result<Stack, Trap> {
        let need = (frame_bytes + 8 + RED_ZONE).max(LEAST_CHUNK.into());
        let len = u32::try_from(need.next_multiple_of(16)).map_err(|_| Trap::StackOverflow)?;
        if u64::from(around) + u64::from(len) > u64::from(self.max_stack) {
            return Err(Trap::StackOverflow);
        }
        let off = match self.stacks.spare.pop() {
            Some(off) if len == LEAST_CHUNK => off,
            spare => {
                self.stacks.spare.extend(spare);
                self.new_chunk(len)?
            }
        };
        // SAFETY: I3, the last slot of the new chunk, which is a multiple of 16 bytes long.
        unsafe {
            let last = self.arena_base.add((off + len - 8) as usize);
            put_u64(last, 0, CONT_END_AT.into());
        }
        Ok(Stack {
            off,
            len,
            fp: off,
            csp: off + len - 8,
            at: CONT_END_AT,
            next: CONT_END_AT,
            standing: Standing::new(self.inst, State::Active),
            parent: NONE,
            results,
            ..Stack::default()
        })
    }

    /// Bytes for a chunk. If there are none, continuations that nothing refers to are looked for first.
    fn new_chunk(&mut self, len: u32) -> Result<u32, Trap> {
        let off = match self.arena.alloc(len) {
            Ok(off) => off,
            Err(_) => {
                self.collect_if_possible();
                self.arena.alloc(len).map_err(|_| Trap::StackOverflow)?
            }
        };
        self.charge(len);
        if self.generation != self.arena.generation() {
            self.refresh();
        }
        Ok(off.get())
    }

    pub(crate) fn free_chunk(&mut self, off: u32, len: u32) {
        if len == LEAST_CHUNK && self.stacks.spare.len() < MAX_SPARE {
            self.stacks.spare.push(off);
        } else if let Some(off) = Offset::new(off) {
            self.arena.free(off, len);
        }
    }

    /// Ends a stack that is not the current one.
    pub(crate) fn free_stack(&mut self, stack: u32) {
        let Stack { off, len, .. } = self.stacks[stack];
        self.stacks.remove(stack);
        self.free_chunk(off, len);
    }

    /// Ends the stacks of the continuations that the collector did not meet; gives the bytes of those that it did.
    pub(crate) fn end_unreached_stacks(&mut self) -> u64 {
        let mut live = 0;
        for innermost in 0..self.stacks.all.len() as u32 {
            if !self.stacks.can_be_used(innermost) {
                continue;
            }
            let (_, bytes) = self.stacks.extent(innermost);
            let stack = &mut self.stacks[innermost];
            let marked = core::mem::take(&mut stack.marked);
            if marked || stack.standing.state == State::WithHost {
                live += u64::from(bytes);
                continue;
            }
            let mut next = innermost;
            while next != NONE {
                let ended = next;
                next = self.stacks[ended].parent;
                self.free_stack(ended);
            }
        }
        live
    }

    /// Notes where the current stack waits: at the op at `ip`, for `want` slots from `dst` up.
    #[inline]
    pub(crate) fn save_stack(&mut self, next: u32, dst: u16, want: u16, clauses: u16) {
        let base = self.arena_base.addr();
        let (fp, csp) = (self.fp.addr() - base, self.csp.addr() - base);
        let at = self.code_position();
        let stack = &mut self.stacks[self.current];
        (stack.fp, stack.csp, stack.at) = (fp as u32, csp as u32, at);
        (stack.next, stack.landing) = (next, Landing::new(dst, want, clauses));
    }

    /// Makes a stack that waits the current one. `ip` is then at the op it waits at.
    #[inline]
    pub(crate) fn install_stack(&mut self, number: u32) {
        let stack = self.stacks[number];
        self.current = number;
        // SAFETY: I3: what the stack holds are offsets in its chunk, an object of the arena, and `at` is where an
        // op stands (I6).
        unsafe {
            self.fp = self.arena_base.add(stack.fp as usize);
            self.csp = self.arena_base.add(stack.csp as usize);
            self.ip = self.code_base.add(stack.at as usize);
        }
        if stack.standing.inst != self.inst {
            self.install(stack.standing.inst);
        }
    }

    /// Ends the current stack and all around it up to `stack`, which is made the current one.
    #[cold]
    pub(crate) fn end_stacks_up_to(&mut self, stack: u32) {
        let mut ended = self.current;
        self.install_stack(stack);
        while ended != stack {
            let parent = self.stacks[ended].parent;
            self.chain_bytes -= self.stacks[ended].len;
            self.free_stack(ended);
            ended = parent;
        }
    }

    /// The current stack, which waited, has what it waited for: goes on behind the op, and its clauses.
    ///
    /// # Safety
    /// - The stack was just installed.
    #[inline]
    pub(crate) unsafe fn go_on_behind(&mut self, has_clauses: bool) {
        let stack = &self.stacks[self.current];
        let (landing, mut next) = (stack.landing, stack.next);
        if has_clauses {
            next += u32::from(landing.clauses()) * clause_bytes(self.space.executor());
        }
        // SAFETY: `next` is where an op stands, and so is what is behind the clauses (I2, I6). The frame may end before
        // the slot; the chunk does not (I3).
        unsafe {
            self.acc = get_u64(self.fp, landing.dst());
            self.ip = self.code_base.add(next as usize);
        }
    }
}

/// Moves `n` slots to another chunk, and leaves zeros. Volatile, as `move_slots` is: LLVM shall make nothing larger of it.
///
/// # Safety
/// - Both are there, 8-aligned, and do not overlap.
#[inline(always)]
pub(crate) unsafe fn move_out(to: *mut u8, from: *mut u8, n: u16) {
    let (to, from) = (to.cast::<u64>(), from.cast::<u64>());
    let mut i = 0;
    while i < usize::from(n) {
        // SAFETY: the caller's promise.
        unsafe {
            to.add(i).write_volatile(from.add(i).read());
            from.add(i).write_volatile(0);
        }
        i += 1;
    }
}
