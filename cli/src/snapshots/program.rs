//! What a program needs to go on, beside its store: the bytes that the command puts into a snapshot.
//!
//! ```text
//! "sheaveCL"  version u32
//! fuel, interruption (the settings of the engine)   2 x u8
//! why it paused: 0 nothing is pending, 1 the guest asked for the snapshot   u8
//! the program's name, the module's file             2 x bytes
//! the function to call and its arguments            option of bytes, list of bytes
//! how far standard output and error had come        2 x option of u64
//! the state of WASI                                 bytes
//! ```
//! Numbers are little-endian; `bytes` is a u32 and so many bytes, `list` a u32 and so many items, `option` a u8, 0 or 1, and
//! the item.

use sheave::Snapshot;

const MAGIC: &[u8] = b"sheaveCL";
const VERSION: u32 = 1;

/// What the guest waits for in a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pending {
    /// Nothing: whatever it was doing is done again.
    Nothing,
    /// The answer to its call of `sheave` `snapshot`.
    Now,
}

/// A program, beside its store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Program {
    pub(crate) fuel: bool,
    pub(crate) interruption: bool,
    pub(crate) pending: Pending,
    /// What it is called, the first of its arguments.
    pub(crate) name: String,
    /// The file that the module came from, as an absolute path where that is known.
    pub(crate) file: String,
    /// The exported function to call, or that was called; of none the results are printed.
    pub(crate) invoke: Option<String>,
    /// The arguments of that function.
    pub(crate) args: Vec<String>,
    /// How far standard output and error had come, if they were files.
    pub(crate) outputs: [Option<u64>; 2],
    pub(crate) wasi: Vec<u8>,
}

impl Program {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let bytes = |out: &mut Vec<u8>, bytes: &[u8]| {
            // Longer than 4 GiB is none of these: they come from a command line, or are counted in 32 bits.
            out.extend((bytes.len() as u32).to_le_bytes());
            out.extend(bytes);
        };
        out.extend(VERSION.to_le_bytes());
        out.extend([
            self.fuel.into(),
            self.interruption.into(),
            u8::from(self.pending == Pending::Now),
        ]);
        bytes(&mut out, self.name.as_bytes());
        bytes(&mut out, self.file.as_bytes());
        out.push(self.invoke.is_some().into());
        if let Some(name) = &self.invoke {
            bytes(&mut out, name.as_bytes());
        }
        out.extend((self.args.len() as u32).to_le_bytes());
        self.args.iter().for_each(|a| bytes(&mut out, a.as_bytes()));
        for position in self.outputs {
            out.push(position.is_some().into());
            out.extend(position.map(u64::to_le_bytes).into_iter().flatten());
        }
        bytes(&mut out, &self.wasi);
        out
    }

    /// What a snapshot says of its program.
    ///
    /// # Errors
    /// With why there is none: it was taken by something else, or is damaged.
    pub(crate) fn of(snapshot: &Snapshot) -> Result<Self, String> {
        let Some(rest) = snapshot.host_state().strip_prefix(MAGIC) else {
            return Err("the snapshot was not taken by `sheave`, but by another program".into());
        };
        let mut rest = Reader(rest);
        let version = rest.array().map(u32::from_le_bytes);
        if let Some(version) = version
            && version != VERSION
        {
            return Err(format!(
                "the program's state has version {version}, this is {VERSION}"
            ));
        }
        rest.program()
            .filter(|_| rest.0.is_empty())
            .ok_or_else(|| "damaged snapshot: the program's state".into())
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn bool(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let n = u32::from_le_bytes(self.array()?);
        self.take(n as usize)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn position(&mut self) -> Option<Option<u64>> {
        Some(match self.bool()? {
            true => Some(u64::from_le_bytes(self.array()?)),
            false => None,
        })
    }

    fn program(&mut self) -> Option<Program> {
        Some(Program {
            fuel: self.bool()?,
            interruption: self.bool()?,
            pending: match self.bool()? {
                true => Pending::Now,
                false => Pending::Nothing,
            },
            name: self.text()?,
            file: self.text()?,
            invoke: match self.bool()? {
                true => Some(self.text()?),
                false => None,
            },
            args: {
                let n = u32::from_le_bytes(self.array()?);
                (0..n).map(|_| self.text()).collect::<Option<_>>()?
            },
            outputs: [self.position()?, self.position()?],
            wasi: self.bytes()?.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_off_is_not() {
        let program = Program {
            fuel: true,
            interruption: false,
            pending: Pending::Now,
            name: "näme".into(),
            file: String::new(),
            invoke: Some("f".into()),
            args: vec!["1".into(), String::new()],
            outputs: [None, Some(u64::MAX)],
            wasi: vec![1, 2, 3],
        };
        let bytes = program.encode();
        let body = &bytes[MAGIC.len() + 4..];
        assert_eq!(Reader(body).program(), Some(program));
        assert!((0..body.len()).all(|n| Reader(&body[..n]).program().is_none()));
    }
}
