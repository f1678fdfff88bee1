//! Why bytes could not be loaded.

use core::fmt;

/// Why a module or an image could not be loaded, and where in its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// Byte offset in the module (in the image file for [`LoadErrorKind::Image`]).
    pub offset: u64,
    /// What is wrong.
    pub kind: LoadErrorKind,
}

/// What is wrong with a module or an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// The bytes are malformed or the module is invalid.
    Invalid {
        /// In words.
        message: Box<str>,
    },
    /// The module uses a feature that is off or not supported.
    Feature {
        /// Name of the proposal.
        feature: &'static str,
        /// In words.
        message: Box<str>,
    },
    /// It is a component, not a module.
    Component,
    /// A function needs a frame of more than 65,535 slots.
    TooManySlots,
    /// A function uses a table with an index above 65,535.
    TooManyTables,
    /// The bytecode of a function needs more than 2³¹ bytes.
    CodeTooLarge,
    /// The image file is damaged or of another kind.
    Image(ImageErrorKind),
    /// The file could not be read or written.
    Io(std::io::ErrorKind),
}

/// What is wrong with an image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageErrorKind {
    /// It does not begin with the magic bytes.
    NotAnImage,
    /// It has another format version.
    FormatVersion(u32),
    /// It was written for another version of the bytecode.
    BytecodeVersion,
    /// It was translated with other options (fuel, interruption).
    Options,
    /// It was translated with this feature on, which is off.
    FeatureOff(&'static str),
    /// It ends before it should.
    Truncated,
    /// The checksum of this part is wrong.
    Checksum(ImagePart),
    /// This part contradicts the rest.
    Inconsistent(ImagePart),
}

/// A part of an image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImagePart {
    /// The header.
    Header,
    /// The function index.
    Index,
    /// The WebAssembly module.
    Module,
    /// The bytecode of this defined function.
    Code(u32),
    /// What memories hold at first.
    Memories,
}

impl LoadError {
    pub(crate) fn new(offset: u64, kind: LoadErrorKind) -> Self {
        Self { offset, kind }
    }

    pub(crate) fn invalid(offset: u64, message: &str) -> Self {
        Self::new(
            offset,
            LoadErrorKind::Invalid {
                message: message.into(),
            },
        )
    }

    pub(crate) fn image(offset: u64, kind: ImageErrorKind) -> Self {
        Self::new(offset, LoadErrorKind::Image(kind))
    }

    pub(crate) fn io(error: &std::io::Error) -> Self {
        Self::new(0, LoadErrorKind::Io(error.kind()))
    }
}

impl From<wasmparser::Error> for LoadError {
    fn from(error: wasmparser::Error) -> Self {
        let feature = error
            .missing_wasm_feature()
            .and_then(crate::features::feature_name)
            .or_else(|| crate::features::feature_in_message(error.message()));
        let message = error.message().into();
        let kind = match feature {
            Some(feature) => LoadErrorKind::Feature { feature, message },
            None => LoadErrorKind::Invalid { message },
        };
        Self {
            offset: error.offset(),
            kind,
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            LoadErrorKind::Invalid { message } => f.write_str(message)?,
            LoadErrorKind::Feature { feature, message } => {
                write!(f, "{message} (needs the WebAssembly feature `{feature}`)")?;
            }
            LoadErrorKind::Component => f.write_str("a component, not a core module")?,
            LoadErrorKind::TooManySlots => f.write_str("function needs more than 65,535 slots")?,
            LoadErrorKind::TooManyTables => {
                f.write_str("function uses a table with an index above 65,535")?;
            }
            LoadErrorKind::CodeTooLarge => f.write_str("function's bytecode is too large")?,
            LoadErrorKind::Image(kind) => kind.fmt(f)?,
            LoadErrorKind::Io(kind) => return kind.fmt(f),
        }
        write!(f, " (at offset {:#x})", self.offset)
    }
}

impl core::error::Error for LoadError {}

impl fmt::Display for ImageErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnImage => f.write_str("not a sheave image"),
            Self::FormatVersion(v) => write!(f, "image has unknown format version {v}"),
            Self::BytecodeVersion => f.write_str("image was written for another bytecode version"),
            Self::Options => f.write_str("image was translated with other options"),
            Self::FeatureOff(name) => write!(
                f,
                "image was translated with the feature {name}, which is off"
            ),
            Self::Truncated => f.write_str("image is truncated"),
            Self::Checksum(part) => write!(f, "checksum of the image's {part} is wrong"),
            Self::Inconsistent(part) => write!(f, "the image's {part} is inconsistent"),
        }
    }
}

impl fmt::Display for ImagePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("header"),
            Self::Index => f.write_str("function index"),
            Self::Module => f.write_str("module"),
            Self::Code(func) => write!(f, "code of defined function {func}"),
            Self::Memories => f.write_str("contents of memories"),
        }
    }
}
