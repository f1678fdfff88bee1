//! The stack chunk: frames grow up from its base, return records down from its end. It grows by moving.
#![allow(
    unsafe_code,
    reason = "copies the chunk and derives the registers anew"
)]

use crate::trap::Trap;
use crate::vm::Vm;

/// Bytes kept free between frames and records for what an op may push besides its own record: the three records of a
/// call into another instance.
pub(crate) const RED_ZONE: u64 = 32;

impl Vm {
    /// Where the current stack's chunk lies.
    #[inline]
    pub(crate) fn stack_base(&self) -> *mut u8 {
        self.chunk(self.current, 0)
    }

    /// Byte of the current stack's chunk that a pointer leads to. By addresses alone: the chunk may just have moved away.
    #[inline]
    fn in_chunk(&self, at: *mut u8) -> u32 {
        let in_arena = at.addr() - self.arena_base.addr();
        in_arena as u32 - self.stacks[self.current].off
    }

    /// Bytes of the current stack's chunk.
    #[inline]
    pub(crate) fn stack_len(&self) -> u32 {
        self.stacks[self.current].len
    }

    pub(crate) fn stack_end(&self) -> *mut u8 {
        // SAFETY: I3, the chunk has this length.
        unsafe { self.stack_base().add(self.stack_len() as usize) }
    }

    /// Byte of the chunk at which the innermost record starts.
    pub(crate) fn records_at(&self) -> u32 {
        self.in_chunk(self.csp)
    }

    /// Bytes from the chunk's end down to there.
    pub(crate) fn records_bytes(&self) -> u32 {
        self.stack_len() - self.records_at()
    }

    /// Makes room for `frame_bytes` from byte `at` of the chunk up, and for records; gives the bytes of those that there are.
    #[inline]
    pub(crate) fn reserve_stack(&mut self, at: u32, frame_bytes: u64) -> Result<u32, Trap> {
        let len = self.stack_len();
        let records = len - self.records_at();
        let need = u64::from(at) + frame_bytes + u64::from(records) + RED_ZONE;
        if need > u64::from(len) {
            self.grow_stack(need, records)?;
        }
        Ok(records)
    }

    /// Gives the current stack a chunk of at least `need` bytes.
    #[cold]
    fn grow_stack(&mut self, need: u64, records: u32) -> Result<(), Trap> {
        let old_len = self.stack_len();
        // What is around it counts as well.
        let around = self.chain_bytes - old_len;
        let most = self.max_stack.saturating_sub(around);
        if need > u64::from(most) {
            return Err(Trap::StackOverflow);
        }
        let new_len = u64::from(old_len)
            .saturating_mul(2)
            .max(need.next_multiple_of(16))
            .min(u64::from(most)) as u32;
        let new_off = self
            .arena
            .alloc(new_len)
            .map_err(|_| Trap::StackOverflow)?
            .get();
        let old_off = self.stacks[self.current].off;
        let fp = self.frame_at() as usize;
        let base = self.arena.base();
        let values = (old_len - records) as usize;
        // SAFETY: both objects are alive and disjoint; values lie below the records in either.
        unsafe {
            let (old, new) = (base.add(old_off as usize), base.add(new_off as usize));
            new.copy_from_nonoverlapping(old, values);
            let records = records as usize;
            new.add(new_len as usize - records)
                .copy_from_nonoverlapping(old.add(old_len as usize - records), records);
        }
        self.free_chunk(old_off, old_len);
        self.charge(new_len);
        self.chain_bytes = around + new_len;
        let stack = &mut self.stacks[self.current];
        (stack.off, stack.len) = (new_off, new_len);
        self.generation = self.arena.generation();
        self.arena_base = base;
        self.place_heap();
        // SAFETY: I3, both positions are inside the longer chunk.
        unsafe {
            self.fp = self.stack_base().add(fp);
            self.csp = self.stack_end().sub(records as usize);
        }
        self.install(self.inst);
        Ok(())
    }

    /// Pushes a return record.
    ///
    /// # Safety
    /// - There is room (`reserve_stack`, or `fits`).
    pub(crate) unsafe fn push_record(&mut self, code: u32, second: u32) {
        // SAFETY: the caller's promise.
        unsafe {
            self.csp = self.csp.sub(8);
            crate::regs::put_u64(self.csp, 0, u64::from(second) << 32 | u64::from(code));
        }
    }

    /// Pops a return record: {code offset, frame delta}.
    ///
    /// # Safety
    /// - A record is there.
    pub(crate) unsafe fn pop_record(&mut self) -> (u32, u32) {
        // SAFETY: the caller's promise.
        let record = unsafe {
            let record = crate::regs::get_u64(self.csp, 0);
            self.csp = self.csp.add(8);
            record
        };
        (record as u32, (record >> 32) as u32)
    }

    /// Byte of the chunk at which the current frame starts.
    pub(crate) fn frame_at(&self) -> u32 {
        self.in_chunk(self.fp)
    }
}
