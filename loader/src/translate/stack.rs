//! The operand stack at translation time.

use super::{Translator, Ty};

/// What an entry of the stack is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    /// A value in the slot of its place on the stack.
    Temp,
    /// What local `x` holds now. `bits` is the next lower entry of the same local, plus one.
    Local,
    /// The constant `bits`; of a vector, its place among the function's `vectors`.
    Const,
}

/// An entry of the stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) ty: Ty,
    pub(super) x: u32,
    pub(super) bits: u64,
}

impl Entry {
    pub(super) fn is_const(&self) -> bool {
        self.kind == Kind::Const
    }
}

impl Translator<'_> {
    /// Height of the stack.
    #[inline]
    pub(super) fn height(&self) -> u32 {
        self.stack.len() as u32
    }

    /// The slot of the stack entry at `height`.
    #[inline]
    pub(super) fn temp(&self, height: u32) -> u16 {
        // Beyond the last slot this wraps: then `max_height` says that there are too many.
        (self.n_locals + height) as u16
    }

    #[inline]
    pub(super) fn push(&mut self, entry: Entry) {
        self.stack.push(entry);
        self.max_height = self.max_height.max(self.stack.len() as u32);
    }

    #[inline]
    pub(super) fn push_temp(&mut self, ty: Ty) {
        self.push(Entry {
            kind: Kind::Temp,
            ty,
            x: 0,
            bits: 0,
        });
    }

    #[inline]
    pub(super) fn push_const(&mut self, ty: Ty, bits: u64) {
        self.push(Entry {
            kind: Kind::Const,
            ty,
            x: 0,
            bits,
        });
    }

    #[inline]
    pub(super) fn push_local(&mut self, x: u32) {
        let at = x as usize;
        let next = self.local_entry[at];
        self.lazy_locals += 1;
        let ty = self.local_types[at];
        self.push(Entry {
            kind: Kind::Local,
            ty,
            x,
            bits: u64::from(next),
        });
        self.local_entry[at] = self.stack.len() as u32;
    }

    /// Takes the top entry and gives it with its height.
    #[inline]
    pub(super) fn pop(&mut self) -> (Entry, u32) {
        // Code is valid and reachable here, so there is an entry.
        let none = Entry {
            kind: Kind::Const,
            ty: Ty::I32,
            x: 0,
            bits: 0,
        };
        let entry = self.stack.pop().unwrap_or(none);
        if entry.kind == Kind::Local {
            self.local_entry[entry.x as usize] = entry.bits as u32;
            self.lazy_locals -= 1;
        }
        (entry, self.stack.len() as u32)
    }

    /// Takes all entries from `height` up.
    pub(super) fn truncate(&mut self, height: u32) {
        if self.lazy_locals == 0 {
            self.stack.truncate(height as usize);
        } else {
            while self.height() > height {
                self.pop();
            }
        }
    }

    /// Empties the stack and what is known of locals, at the end of a function.
    pub(super) fn clear_locals(&mut self) {
        self.truncate(0);
        self.forget_initialised(0);
    }

    /// The slot that holds an entry taken from `height`. Constants are written to their slot.
    #[inline]
    pub(super) fn slot(&mut self, entry: Entry, height: u32) -> u16 {
        match entry.kind {
            Kind::Temp => self.temp(height),
            Kind::Local => entry.x as u16,
            Kind::Const => {
                let slot = self.temp(height);
                self.put_const(slot, entry);
                slot
            }
        }
    }

    /// Copies an entry that is at `height` (and stays there) to a slot.
    pub(super) fn copy_entry(&mut self, dst: u16, entry: Entry, height: u32) {
        match entry.kind {
            Kind::Temp => {
                let src = self.temp(height);
                self.put_copy_of(entry.ty, dst, src);
            }
            Kind::Local => self.put_copy_of(entry.ty, dst, entry.x as u16),
            Kind::Const => self.put_const(dst, entry),
        }
    }

    /// Puts the top `n` entries into their slots.
    pub(super) fn settle_top(&mut self, n: u32) {
        let height = self.height();
        let from = height.saturating_sub(n);
        if self.lazy_locals > 0 {
            // Downwards, so that each is the first of its local's list when it leaves it.
            for at in (from..height).rev() {
                let entry = self.stack[at as usize];
                if entry.kind == Kind::Local {
                    self.local_entry[entry.x as usize] = entry.bits as u32;
                    self.lazy_locals -= 1;
                }
            }
        }
        for at in from..height {
            let entry = self.stack[at as usize];
            if entry.kind != Kind::Temp {
                let slot = self.temp(at);
                self.copy_entry(slot, entry, at);
                self.stack[at as usize].kind = Kind::Temp;
            }
        }
    }

    /// Whether one of the top `n` entries is not in its slot.
    pub(super) fn is_top_unsettled(&self, n: u32) -> bool {
        let from = self.stack.len().saturating_sub(n as usize);
        self.stack[from..]
            .iter()
            .any(|entry| entry.kind != Kind::Temp)
    }

    /// Puts all entries that are locals into their slots, since control flow begins that could
    /// change the locals on one of several paths.
    pub(super) fn settle_locals(&mut self) {
        if self.lazy_locals == 0 {
            return;
        }
        // Everything below the lowest local was settled before: each entry is seen once.
        let mut left = self.lazy_locals;
        let mut at = self.stack.len();
        while left > 0 {
            at -= 1;
            left -= u32::from(self.stack[at].kind == Kind::Local);
        }
        for at in at..self.stack.len() {
            let entry = self.stack[at];
            if entry.kind == Kind::Local {
                let slot = self.temp(at as u32);
                self.put_copy_of(entry.ty, slot, entry.x as u16);
                self.stack[at].kind = Kind::Temp;
                self.local_entry[entry.x as usize] = 0;
            }
        }
        self.lazy_locals = 0;
    }

    /// Puts the entries that are local `x` into their slots, since it is about to change.
    pub(super) fn settle_local(&mut self, x: u32) {
        let mut next = core::mem::take(&mut self.local_entry[x as usize]);
        while next != 0 {
            let at = next - 1;
            let entry = &mut self.stack[at as usize];
            next = entry.bits as u32;
            entry.kind = Kind::Temp;
            self.lazy_locals -= 1;
            let ty = entry.ty;
            let slot = self.temp(at);
            self.put_copy_of(ty, slot, x as u16);
        }
    }

    // ---- which locals must start as zero --------------------------------------------------------

    /// Local `x` is read.
    #[inline]
    pub(super) fn reads_local(&mut self, x: u32) {
        if x >= self.n_params && !self.initialised[x as usize] {
            self.needs_zero(x);
        }
    }

    pub(super) fn needs_zero(&mut self, x: u32) {
        let (first, last) = self.zero.unwrap_or((x, x));
        self.zero = Some((first.min(x), last.max(x)));
    }

    /// Local `x` is written.
    #[inline]
    pub(super) fn writes_local(&mut self, x: u32) {
        if x >= self.n_params && !self.initialised[x as usize] {
            self.initialised[x as usize] = true;
            self.init_log.push(x);
        }
    }

    /// Forgets the writes after the first `kept`: they are not on all paths.
    pub(super) fn forget_initialised(&mut self, kept: u32) {
        for x in self.init_log.drain(kept as usize..) {
            self.initialised[x as usize] = false;
        }
    }
}
