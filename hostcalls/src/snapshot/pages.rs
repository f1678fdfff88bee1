//! The bytes of memories: the pages that hold anything, in runs.

use anyhow::{Result, bail};
use sheave_interp::FilePlace;

use super::blob::{Blob, Pages};
use super::codec::{Reader, Writer};

/// Bytes of a page here: the unit in which zeros are left out.
pub(super) const PAGE: usize = 4096;

/// Whether bytes, a page at most, are all zero. A comparison of memory is quick without an optimiser, too.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; PAGE] = [0; PAGE];
    *bytes == ZEROS[..bytes.len()]
}

/// Runs that a set has at most, so that it is mapped in few calls: beyond, pages of zeros between them are taken in.
const MAX_RUNS: usize = if cfg!(miri) { 8 } else { 256 };

/// Shorter runs are copied, which takes no longer than mapping them.
const LEAST_MAPPED: usize = 4 * PAGE;

/// Pages of a memory that follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) memory: u32,
    pub(super) pages: u32,
    pub(super) first_page: u64,
}

impl Run {
    pub(super) fn end(&self) -> Option<u64> {
        self.first_page.checked_add(self.pages.into())
    }

    fn bytes(&self) -> usize {
        self.pages as usize * PAGE
    }
}

/// Pages of memories.
#[derive(Clone, Default, Debug)]
pub(super) struct PageSet {
    /// Ascending, by memory and page; they do not overlap.
    pub(super) runs: Vec<Run>,
    /// Their pages, one behind the other.
    pub(super) bytes: Blob,
}

impl PageSet {
    /// The pages of `memories` for which `wanted` says so, given number, page and the page's bytes.
    pub(super) fn collect(
        memories: &[&[u8]],
        wanted: impl Fn(u32, u64, &[u8]) -> bool,
    ) -> Result<PageSet> {
        let mut runs: Vec<Run> = Vec::new();
        for (memory, bytes) in (0..).zip(memories) {
            for (page, bytes) in (0..).zip(bytes.chunks(PAGE)) {
                if !wanted(memory, page, bytes) {
                    continue;
                }
                match runs.last_mut() {
                    Some(run)
                        if (run.memory, run.end()) == (memory, Some(page))
                            && run.pages < u32::MAX =>
                    {
                        run.pages += 1;
                    }
                    _ => runs.push(Run {
                        memory,
                        first_page: page,
                        pages: 1,
                    }),
                }
            }
        }
        let mut gap = 1;
        while runs.len() > MAX_RUNS + memories.len() {
            join(&mut runs, gap);
            gap *= 2;
        }
        let mut pages = Pages::new(runs.iter().map(Run::bytes).sum());
        for run in &runs {
            let rest = &memories[run.memory as usize][run.first_page as usize * PAGE..];
            pages.add(&rest[..run.bytes().min(rest.len())])?;
        }
        Ok(PageSet {
            runs,
            bytes: pages.finish()?,
        })
    }

    /// The pages of `memories` that are not all zero.
    pub(super) fn not_zero(memories: &[&[u8]]) -> Result<PageSet> {
        PageSet::collect(memories, |_, _, page| !is_zero(page))
    }

    /// Checks that the runs are what they should be: ascending, apart, with as many pages as there are.
    pub(super) fn checked(self) -> Result<PageSet> {
        let mut pages = 0_u64;
        let mut before: Option<Run> = None;
        for run in &self.runs {
            let behind = before.is_none_or(|b| {
                run.memory > b.memory
                    || run.memory == b.memory && b.end().is_some_and(|e| e <= run.first_page)
            });
            if run.pages == 0 || !behind || run.end().is_none() {
                bail!("damaged snapshot: runs of pages overlap");
            }
            pages += u64::from(run.pages);
            before = Some(*run);
        }
        if pages.checked_mul(PAGE as u64) == Some(self.bytes.len() as u64) {
            Ok(self)
        } else {
            bail!("damaged snapshot: other pages than its runs say")
        }
    }

    /// Hands the pages to `put`, with the memory and where in it they go, and where they are in a file if they should be
    /// mapped. `len` is the length of each memory, beyond which, if the set is of this very state, only zeros may lie.
    pub(super) fn fill(
        &self,
        exact: bool,
        len: impl Fn(u32) -> Option<u64>,
        mut put: impl FnMut(u32, u64, &[u8], Option<FilePlace>) -> Result<()>,
    ) -> Result<()> {
        for (run, start) in self.places() {
            let bytes = &self.bytes[start..start + run.bytes()];
            let at = run.first_page.checked_mul(PAGE as u64);
            let (Some(at), Some(len)) = (at, len(run.memory)) else {
                if exact {
                    bail!("damaged snapshot: pages of no memory");
                }
                continue;
            };
            // The last page may go beyond the end of a memory whose length is no multiple of it.
            let room = len.saturating_sub(at).min(bytes.len() as u64) as usize;
            let (inside, outside) = bytes.split_at(room);
            if exact && (outside.len() >= PAGE || !is_zero(outside)) {
                bail!("damaged snapshot: pages outside of their memory");
            }
            let place = self.bytes.place(start);
            put(
                run.memory,
                at,
                inside,
                place.filter(|_| inside.len() >= LEAST_MAPPED),
            )?;
        }
        Ok(())
    }

    /// The runs, with where the pages of each start.
    pub(super) fn places(&self) -> impl Iterator<Item = (Run, usize)> {
        self.runs.iter().scan(0, |next, run| {
            let start = *next;
            *next += run.bytes();
            Some((*run, start))
        })
    }

    pub(super) fn write_runs(&self, w: &mut Writer) {
        w.list(&self.runs, |w, run| {
            w.u32(run.memory);
            w.u32(run.pages);
            w.u64(run.first_page);
        });
    }

    pub(super) fn read_runs(r: &mut Reader<'_>) -> Result<Vec<Run>> {
        r.list(|r| {
            Ok(Run {
                memory: r.u32()?,
                pages: r.u32()?,
                first_page: r.u64()?,
            })
        })
    }
}

/// Joins runs that are no more than `gap` pages apart.
fn join(runs: &mut Vec<Run>, gap: u64) {
    runs.dedup_by(|next, run| {
        let apart = next
            .first_page
            .wrapping_sub(run.first_page + u64::from(run.pages));
        let joins = run.memory == next.memory && apart <= gap;
        let pages = next.first_page.wrapping_sub(run.first_page) + u64::from(next.pages);
        match u32::try_from(pages) {
            Ok(pages) if joins => {
                run.pages = pages;
                true
            }
            _ => false,
        }
    });
}
