//! What catches exceptions in a function: read from behind its code when it is linked, searched when something is thrown.

use sheave_isa::{Instrs, Op};

/// The ranges of one function, and the clauses of each.
pub(crate) struct Handlers {
    ranges: Box<[Range]>,
    clauses: Box<[Clause]>,
}

/// Ops that are covered. Positions are bytes of the linked form, from the function's start.
struct Range {
    start: u32,
    end: u32,
    /// The range around this one; it stands before it.
    outer: u32,
    /// First and last + 1.
    clauses: (u32, u32),
}

/// What is caught, and what happens then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Clause {
    /// Index of the tag in the module; `None` is every tag.
    pub(crate) tag: Option<u32>,
    /// Whether the reference is wanted, behind the payload.
    pub(crate) with_ref: bool,
    /// The slots that are written.
    pub(crate) base: u16,
    pub(crate) n: u16,
    /// Where to go on.
    pub(crate) target: u32,
}

const NONE: u32 = u32::MAX;

impl Handlers {
    /// Reads the tables that start at unit `at` of verified code, whose ops come to lie at `positions`.
    pub(crate) fn read(code: &[u16], at: u32, positions: &[u32]) -> Handlers {
        let place = |unit: u32| positions.get(unit as usize).copied().unwrap_or(0);
        let (mut ranges, mut clauses) = (Vec::new(), Vec::new());
        for i in Instrs::at(code, at).flatten() {
            let get = |name| i.get(name).unwrap_or(0);
            let end = clauses.len() as u32;
            match i.op {
                Op::TryRange => ranges.push(Range {
                    start: place(get("start") as u32),
                    end: place(get("end") as u32),
                    outer: NONE,
                    clauses: (end, end),
                }),
                Op::Catch | Op::CatchAll => {
                    let Some(range) = ranges.last_mut() else {
                        continue;
                    };
                    range.clauses.1 = end + 1;
                    clauses.push(Clause {
                        tag: i.get("tag").map(|tag| tag as u32),
                        with_ref: get("with_ref") != 0,
                        base: get("base") as u16,
                        n: get("n") as u16,
                        target: place(i.target().unwrap_or(0)),
                    });
                }
                _ => {}
            }
        }
        // Outer ranges first: of those that are equal, the one that stands last in the table.
        ranges.reverse();
        ranges.sort_by_key(|range| (range.start, core::cmp::Reverse(range.end)));
        let mut open: Vec<u32> = Vec::new();
        for k in 0..ranges.len() {
            let start = ranges[k].start;
            while open
                .last()
                .is_some_and(|outer| ranges[*outer as usize].end <= start)
            {
                open.pop();
            }
            ranges[k].outer = open.last().copied().unwrap_or(NONE);
            open.push(k as u32);
        }
        Handlers {
            ranges: ranges.into(),
            clauses: clauses.into(),
        }
    }

    /// The first clause that catches what the op at byte `at` throws, from the innermost range outward.
    pub(crate) fn find(&self, at: u32, catches: impl Fn(&Clause) -> bool) -> Option<Clause> {
        let before = self.ranges.partition_point(|range| range.start <= at);
        let mut next = before.checked_sub(1)?;
        // Each step leads to a lower number.
        while let Some(range) = self.ranges.get(next) {
            if at < range.end {
                let clauses = range.clauses.0 as usize..range.clauses.1 as usize;
                let found = self.clauses[clauses].iter().find(|clause| catches(clause));
                if found.is_some() {
                    return found.copied();
                }
            }
            next = range.outer as usize;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sheave_isa::Asm;

    /// Ranges with one clause each, whose base is the number given; positions are units.
    fn handlers(ranges: &[(u32, u32, u16)]) -> Handlers {
        let mut asm = Asm::new();
        for (start, end, base) in ranges {
            asm.try_range(*start, *end, 1);
            asm.catch_all(0, *base, 0, 0);
        }
        let positions: Vec<u32> = (0..100).collect();
        Handlers::read(&asm.code, 0, &positions)
    }

    #[test]
    fn the_innermost_range_is_found_first() {
        // Inner ranges stand first in the table.
        let h = handlers(&[
            (20, 30, 1),
            (40, 50, 2),
            (10, 60, 3),
            (70, 80, 4),
            (0, 90, 5),
        ]);
        let find = |at| h.find(at, |_| true).map(|clause| clause.base);
        let found: Vec<_> = [0, 10, 20, 29, 30, 45, 59, 60, 75, 89, 90].map(find).into();
        let want = [5, 3, 1, 1, 3, 2, 3, 5, 4, 5].map(Some);
        assert_eq!(found[..10], want);
        assert_eq!(found[10], None);
        // A clause that does not fit is passed by.
        assert_eq!(h.find(25, |c| c.base > 1).unwrap().base, 3);
        assert_eq!(h.find(25, |c| c.base > 3).unwrap().base, 5);
        assert_eq!(h.find(25, |c| c.base > 5), None);
    }

    #[test]
    fn of_equal_ranges_the_first_in_the_table_is_the_inner_one() {
        let h = handlers(&[(10, 20, 1), (10, 20, 2), (10, 20, 3)]);
        assert_eq!(h.find(10, |_| true).unwrap().base, 1);
        assert_eq!(h.find(10, |c| c.base > 1).unwrap().base, 2);
        assert_eq!(h.find(10, |c| c.base > 2).unwrap().base, 3);
    }

    #[test]
    fn tables_that_make_no_sense_are_searched_in_bounded_time() {
        let h = handlers(&[(50, 10, 1), (5, 40, 2), (20, 60, 3), (99, 1000, 4)]);
        for at in 0..100 {
            let _ = h.find(at, |_| false);
        }
        let h = handlers(&[]);
        assert_eq!(h.find(0, |_| true), None);
    }
}
