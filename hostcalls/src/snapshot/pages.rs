//! The bytes of memories: pages that are not all zero, in runs.

use anyhow::{Result, bail};
use sheave_interp::MemAddr;

use super::contents::{Contents, PAGE, Run};
use crate::store::StoreOpaque;

/// Puts the pages of a memory that hold anything behind those that are there.
pub(super) fn collect(memory: u32, bytes: &[u8], runs: &mut Vec<Run>, pages: &mut Vec<u8>) {
    let mut open = false;
    for (number, page) in (0..).zip(bytes.chunks(PAGE)) {
        if page.iter().all(|b| *b == 0) {
            open = false;
            continue;
        }
        match runs.last_mut() {
            Some(run) if open && run.pages < u32::MAX => run.pages += 1,
            _ => runs.push(Run {
                memory,
                first_page: number,
                pages: 1,
            }),
        }
        open = true;
        pages.extend_from_slice(page);
        pages.resize(pages.len().next_multiple_of(PAGE), 0);
    }
}

impl StoreOpaque {
    /// Writes pages to memories that are all zero.
    pub(super) fn fill_memories(&mut self, contents: &Contents) -> Result<()> {
        let mut rest = &contents.pages[..];
        for run in &contents.runs {
            let len = run.pages as usize * PAGE;
            let Some((bytes, behind)) = rest.split_at_checked(len) else {
                bail!("damaged snapshot: fewer pages than its runs say");
            };
            rest = behind;
            let at = run.first_page.checked_mul(PAGE as u64);
            let memory = contents.vm.memories.get(run.memory as usize);
            let (Some(at), Some(memory)) = (at, memory) else {
                bail!("damaged snapshot: pages of no memory");
            };
            // The last page may go beyond the end of a memory whose length is no multiple of it.
            let room = memory.bytes.saturating_sub(at).min(len as u64) as usize;
            let (inside, outside) = bytes.split_at(room);
            if outside.len() >= PAGE || outside.iter().any(|b| *b != 0) {
                bail!("damaged snapshot: pages outside of their memory");
            }
            self.vm.memory_write(MemAddr(run.memory), at, inside)?;
        }
        if rest.is_empty() {
            Ok(())
        } else {
            bail!("damaged snapshot: more pages than its runs say")
        }
    }
}
