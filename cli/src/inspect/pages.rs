//! What pages look like: a letter for each, which the drawing makes a colour of.

/// Cells in one drawing; of a memory with more pages, a cell is several.
const MOST_CELLS: u64 = 1 << 15;

/// What is in a page, roughly. Of several pages in a cell, the one that counts is the last in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Look {
    /// Not in the snapshot, or all zero.
    Zero,
    /// Three quarters of it are zero.
    Sparse,
    /// Letters, nearly all of it.
    Text,
    /// Anything else.
    Data,
    /// Bytes as if at random: compressed, or numbers.
    Dense,
}

impl Look {
    pub(super) const ALL: [(Look, char, &'static str); 5] = [
        (Look::Zero, 'z', "zero"),
        (Look::Sparse, 's', "mostly zeros"),
        (Look::Text, 't', "text"),
        (Look::Data, 'd', "data"),
        (Look::Dense, 'r', "dense"),
    ];

    pub(super) fn of(page: &[u8]) -> Look {
        let mut counts = [0_u32; 256];
        page.iter().for_each(|b| counts[usize::from(*b)] += 1);
        let len = page.len() as u32;
        let printable: u32 = counts[0x20..0x7f].iter().sum::<u32>() + counts[9] + counts[10];
        let different = counts.iter().filter(|n| **n > 0).count();
        let most = counts.iter().max().copied().unwrap_or(0);
        match () {
            () if counts[0] == len => Look::Zero,
            () if counts[0] * 4 >= len * 3 => Look::Sparse,
            () if printable * 10 >= len * 9 => Look::Text,
            () if different > 240 && most * 32 < len => Look::Dense,
            () => Look::Data,
        }
    }

    fn letter(self) -> char {
        Look::ALL
            .iter()
            .find(|(look, ..)| *look == self)
            .map_or('z', |(_, letter, _)| *letter)
    }
}

/// A memory, drawn: how many pages a cell is, how many cells there are, and their letters, each after how often it comes.
pub(super) struct Drawing {
    pub(super) pages_a_cell: u64,
    pub(super) cells: u64,
    pub(super) letters: String,
}

impl Drawing {
    /// Of a memory of so many bytes, with these pages in it.
    pub(super) fn new<'a>(bytes: u64, pages: impl Iterator<Item = (u64, &'a [u8])>) -> Drawing {
        let all = bytes.div_ceil(4096);
        let pages_a_cell = all.div_ceil(MOST_CELLS).max(1);
        let cells = all.div_ceil(pages_a_cell);
        let mut looks = vec![Look::Zero; cells as usize];
        for (page, bytes) in pages {
            if let Some(look) = looks.get_mut((page / pages_a_cell) as usize) {
                *look = Look::of(bytes).max(*look);
            }
        }
        let mut letters = String::new();
        for same in looks.chunk_by(|a, b| a == b) {
            if same.len() > 1 {
                letters.push_str(&same.len().to_string());
            }
            letters.push(same[0].letter());
        }
        Drawing {
            pages_a_cell,
            cells,
            letters,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_look_like_what_is_in_them() {
        let mut page = [0; 4096];
        assert_eq!(Look::of(&page), Look::Zero);
        page[7] = 1;
        assert_eq!(Look::of(&page), Look::Sparse);
        page.fill(b'a');
        assert_eq!(Look::of(&page), Look::Text);
        page.fill(200);
        assert_eq!(Look::of(&page), Look::Data);
        let mut x = 1_u32;
        page.iter_mut().for_each(|b| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *b = (x >> 24) as u8;
        });
        assert_eq!(Look::of(&page), Look::Dense);
    }

    #[test]
    fn a_drawing_says_how_often_a_letter_comes() {
        let text = [b'x'; 4096];
        let pages = [(1, &text[..]), (2, &text), (9, &text), (99, &text)];
        let drawing = Drawing::new(10 * 4096, pages.into_iter());
        assert_eq!((drawing.cells, &*drawing.letters), (10, "z2t6zt"));
        let drawing = Drawing::new(1 << 40, pages.into_iter());
        assert_eq!((drawing.cells, drawing.pages_a_cell), (1 << 15, 1 << 13));
        assert_eq!(drawing.letters, "t32767z");
        assert_eq!(Drawing::new(0, core::iter::empty()).letters, "");
    }
}
