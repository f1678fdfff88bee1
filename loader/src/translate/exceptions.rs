//! Exceptions. A `try_table` is a block that emits nothing by itself: what catches stands behind the function's code, as
//! ops that are never run (`try_range`, `catch`, `catch_all`), and is looked at when something is thrown.
//!
//! A range reaches from the first to the last op of the body that can throw. Such ops are never taken back once they are
//! written, so the range stays right whatever becomes of their neighbours.
//!
//! When something is thrown, every local is in its slot, and so is everything below the height of the block that a
//! clause leads to: it was settled when that block was opened. What lies above is dropped.

use super::control::{Frame, FrameKind};
use super::emit::{hi, lo};
use super::{NONE, Translator};
use sheave_isa::Op;
use wasmparser::{Catch, TryTable};

/// Set in a link of a list of branches to the same block that is not the position of a branch but a clause's number.
/// Positions are never that large.
pub(super) const CLAUSE: u32 = 1 << 31;

/// The tables of one function.
#[derive(Debug, Default)]
pub(super) struct Handlers {
    clauses: Vec<Clause>,
    /// Those whose bodies are open, innermost last.
    open: Vec<Open>,
    /// Those that are done, inner ones first.
    ranges: Vec<Range>,
    /// Where the ops are that can throw, in bodies that are still open or have been within one.
    throwing: Vec<u32>,
}

/// A clause of a `try_table`.
#[derive(Clone, Copy, Debug)]
struct Clause {
    tag: Option<u32>,
    with_ref: bool,
    /// Slots that the payload and the reference go to.
    base: u16,
    n: u16,
    /// Where it leads; until that is known, the next of the list.
    target: u32,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    clauses: (u32, u32),
    /// Length of `throwing` at its start.
    throwing: u32,
}

/// Positions of the first op that is covered and of the first that is not any more.
#[derive(Clone, Copy, Debug)]
struct Range {
    start: u32,
    end: u32,
    clauses: (u32, u32),
}

impl Handlers {
    pub(super) fn clear(&mut self) {
        self.clauses.clear();
        self.open.clear();
        self.ranges.clear();
        self.throwing.clear();
    }

    /// Gives a clause its target, and the next of the list.
    pub(super) fn place(&mut self, link: u32, target: u32) -> u32 {
        match self.clauses.get_mut((link & !CLAUSE) as usize) {
            Some(clause) => core::mem::replace(&mut clause.target, target),
            None => NONE,
        }
    }
}

impl Translator<'_> {
    pub(super) fn visit_try_table(&mut self, table: TryTable) {
        if !self.reachable {
            self.dead_blocks += 1;
            return;
        }
        self.settle_locals();
        let first = self.handlers.clauses.len() as u32;
        for catch in &table.catches {
            self.add_clause(*catch);
        }
        self.open(FrameKind::Try, table.ty);
        self.handlers.open.push(Open {
            clauses: (first, self.handlers.clauses.len() as u32),
            throwing: self.handlers.throwing.len() as u32,
        });
    }

    /// Adds a clause whose label is seen from outside of its `try_table`.
    fn add_clause(&mut self, catch: Catch) {
        let (tag, with_ref, label) = match catch {
            Catch::One { tag, label } => (Some(tag), false, label),
            Catch::OneRef { tag, label } => (Some(tag), true, label),
            Catch::All { label } => (None, false, label),
            Catch::AllRef { label } => (None, true, label),
        };
        let target = self.target(label);
        let link = CLAUSE | self.handlers.clauses.len() as u32;
        let frame = &mut self.frames[target];
        let (height, n) = (frame.height, frame.arity());
        let position = if frame.kind == FrameKind::Loop {
            frame.start
        } else {
            core::mem::replace(&mut frame.to_end, link)
        };
        self.max_height = self.max_height.max(height + n);
        self.handlers.clauses.push(Clause {
            tag,
            with_ref,
            base: self.temp(height),
            n: n as u16,
            target: position,
        });
    }

    /// The body of the innermost open `try_table` ends here.
    pub(super) fn end_try(&mut self) {
        let Some(Open { clauses, throwing }) = self.handlers.open.pop() else {
            return;
        };
        if let [start, ..] = self.handlers.throwing[throwing as usize..]
            && let Some(last) = self.handlers.throwing.last()
            && clauses.0 < clauses.1
        {
            let end = last + self.len_at(*last);
            self.handlers.ranges.push(Range {
                start,
                end,
                clauses,
            });
        }
        if self.handlers.open.is_empty() {
            self.handlers.throwing.clear();
        }
    }

    /// The op at `pos` can throw.
    #[inline]
    pub(super) fn can_throw(&mut self, pos: u32) {
        if !self.handlers.open.is_empty() {
            self.handlers.throwing.push(pos);
        }
    }

    pub(super) fn visit_throw(&mut self, tag: u32) {
        if !self.reachable {
            return;
        }
        let ty = self.tag_type(tag);
        let n = self.shape(ty).0;
        self.settle_top(n);
        // The exception is allocated while its payload is still in the frame.
        let live = self.live();
        let base = self.arguments(ty);
        let pos = self.put(&mut [Op::Throw as u16, lo(tag), hi(tag), base, n as u16]);
        self.safepoint_with(pos, live);
        self.after_throw(pos);
    }

    pub(super) fn visit_throw_ref(&mut self) {
        if !self.reachable {
            return;
        }
        let (exn, at) = self.pop();
        let exn = self.slot(exn, at);
        let pos = self.put(&mut [Op::ThrowRef as u16, exn]);
        self.after_throw(pos);
    }

    fn after_throw(&mut self, pos: u32) {
        self.can_throw(pos);
        self.begin_fuel_block();
        self.reachable = false;
    }

    /// Where clauses lead that catch for the function's own label: what they caught is returned.
    pub(super) fn return_caught(&mut self, function: &Frame) {
        self.place(function.to_end);
        self.truncate(0);
        self.push_results(function.signature);
        self.begin_fuel_block();
        self.put_return(true);
    }

    /// Writes the tables behind the function, whose code is to start at `start`.
    pub(super) fn put_handlers(&mut self, start: u32) {
        for range in &self.handlers.ranges {
            let [from, to] = [range.start - start, range.end - start];
            let n = range.clauses.1 - range.clauses.0;
            let op = Op::TryRange as u16;
            self.asm
                .push(&[op, lo(from), hi(from), lo(to), hi(to), lo(n), hi(n)]);
            let clauses = range.clauses.0 as usize..range.clauses.1 as usize;
            for clause in &self.handlers.clauses[clauses] {
                let to = clause.target.wrapping_sub(self.asm.pos());
                let Clause {
                    base, n, with_ref, ..
                } = *clause;
                let with_ref = u16::from(with_ref);
                match clause.tag {
                    Some(tag) => {
                        let op = Op::Catch as u16;
                        let (tag, high) = (lo(tag), hi(tag));
                        self.asm
                            .push(&[op, tag, high, with_ref, base, n, lo(to), hi(to)]);
                    }
                    None => {
                        let op = Op::CatchAll as u16;
                        self.asm.push(&[op, with_ref, base, n, lo(to), hi(to)]);
                    }
                }
            }
        }
    }
}
