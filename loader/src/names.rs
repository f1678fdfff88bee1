//! Function names of the name section, indexed when the first is wanted.

use core::ops::Range;
use wasmparser::{BinaryReader, Name, NameSectionReader};

/// Where the names are in the module's bytes.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) module: Option<Range<usize>>,
    /// Sorted by function index.
    funcs: Vec<(u32, Range<usize>)>,
}

impl Names {
    /// Reads as much of the section as is well-formed: the specification says that a malformed
    /// custom section is to be ignored, and half of the names are better than none.
    pub(crate) fn read(bytes: &[u8], section: Range<usize>) -> Self {
        let mut names = Self::default();
        let Some(data) = bytes.get(section.clone()) else {
            return names;
        };
        let place = |name: &str| -> Range<usize> {
            // Where `name` lies in `bytes`, of which it is a part.
            let start = section.start + (name.as_ptr().addr() - data.as_ptr().addr());
            start..start + name.len()
        };
        for subsection in NameSectionReader::new(BinaryReader::new(data, section.start as u64)) {
            match subsection {
                Ok(Name::Module { name, .. }) => names.module = Some(place(name)),
                Ok(Name::Function(map)) => {
                    let map = map.into_iter().map_while(Result::ok);
                    names
                        .funcs
                        .extend(map.map(|naming| (naming.index, place(naming.name))));
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        if !names.funcs.is_sorted_by_key(|(index, _)| *index) {
            names.funcs.sort_by_key(|(index, _)| *index);
        }
        names
    }

    pub(crate) fn func(&self, func: u32) -> Option<Range<usize>> {
        let at = self
            .funcs
            .binary_search_by_key(&func, |(index, _)| *index)
            .ok()?;
        Some(self.funcs[at].1.clone())
    }
}
