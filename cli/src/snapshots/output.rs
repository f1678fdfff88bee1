//! How far standard output and error had come when a snapshot was taken, if they are files: so that what was written
//! later by a process that was killed can be cut off before it is written again.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};

/// Standard output and standard error as files of their own; what they share with the originals is the position.
fn streams() -> [io::Result<File>; 2] {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd as _;
        let out = io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let err = io::stderr().as_fd().try_clone_to_owned().map(File::from);
        [out, err]
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle as _;
        let out = io::stdout().as_handle().try_clone_to_owned();
        let err = io::stderr().as_handle().try_clone_to_owned();
        [out.map(File::from), err.map(File::from)]
    }
    #[cfg(not(any(unix, windows)))]
    [(); 2].map(|()| Err(io::ErrorKind::Unsupported.into()))
}

fn regular(file: io::Result<File>) -> Option<File> {
    let file = file.ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

/// How many bytes of each have been written, if it is a file.
pub(super) fn positions() -> [Option<u64>; 2] {
    streams().map(|file| {
        let mut file = regular(file)?;
        // Two descriptors of one file, with append, stand wherever they last wrote.
        let at = file.stream_position().ok()?;
        Some(at)
    })
}

/// Cuts standard output and error off where they were.
///
/// # Errors
/// With which of them cannot be, and why.
pub(crate) fn rewind(positions: [Option<u64>; 2]) -> Result<(), String> {
    let names = ["standard output", "standard error"];
    for ((file, position), name) in streams().into_iter().zip(positions).zip(names) {
        let (Some(mut file), Some(position)) = (regular(file), position) else {
            continue;
        };
        let cut = file.metadata().and_then(|metadata| {
            if metadata.len() < position {
                let text = format!("it has {} bytes, not {position}", metadata.len());
                return Err(io::Error::other(text));
            }
            file.set_len(position)?;
            file.seek(SeekFrom::Start(position))
        });
        cut.map_err(|error| format!("{name} cannot be cut off: {error}"))?;
    }
    Ok(())
}
