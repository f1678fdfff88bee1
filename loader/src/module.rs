//! A loaded module: its bytes, its declarations, and the bytecode of its functions on demand.

use crate::error::LoadError;
use crate::functions::{AllCode, Functions};
use crate::image::{self, Class, Image, InitialMemory, Shared, Storage};
use crate::info::ModuleInfo;
use crate::names::Names;
use crate::options::Options;
use crate::parse::{self, Parsed};
use crate::translate::{CodeOptions, Record, RefMaps, Translated};
use core::ops::{Deref, Range};
use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use wasmparser::ValidatorResources;

/// The bytecode of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCode<'a> {
    /// Size of its frame in slots of 8 bytes: parameters, locals, temporaries and arguments of
    /// calls.
    pub frame_slots: u32,
    /// Its bytecode; the entry is at position 0.
    pub code: Cow<'a, [u16]>,
}

/// A module that is valid (as far as [`Options`] ask) and whose functions can be had as bytecode.
#[derive(Debug)]
pub struct Module {
    bytes: Bytes,
    info: ModuleInfo,
    options: Options,
    code: Code,
    names: OnceLock<Names>,
}

/// The WebAssembly module as it was given.
#[derive(Debug)]
enum Bytes {
    Owned(Vec<u8>),
    Image(Image),
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Image(image) => image.wasm(),
        }
    }
}

/// Where code comes from.
#[derive(Debug)]
enum Code {
    /// From the bytes when it is wanted; with resources, it is validated then.
    Lazy(Option<ValidatorResources>),
    /// From here.
    Eager(AllCode),
    /// From the image; to find the source of a position the module is validated again.
    Image(OnceLock<Option<ValidatorResources>>),
}

impl Module {
    /// Loads a module in the binary format.
    ///
    /// # Errors
    ///
    /// If the module is malformed or invalid or uses a feature that is off; the first error in
    /// the order of the module's bytes, whatever the number of threads.
    pub fn new(bytes: impl Into<Vec<u8>>, options: &Options) -> Result<Self, LoadError> {
        Self::load(Cow::Owned(bytes.into()), options)
    }

    /// As [`Module::new`], for bytes that are kept elsewhere: it copies what may be wanted of
    /// them. That is all but debugging sections (`.debug_*`), which are often the greater part of
    /// a module.
    ///
    /// # Errors
    ///
    /// As [`Module::new`].
    pub fn from_slice(bytes: &[u8], options: &Options) -> Result<Self, LoadError> {
        Self::load(Cow::Borrowed(bytes), options)
    }

    fn load(bytes: Cow<'_, [u8]>, options: &Options) -> Result<Self, LoadError> {
        let Parsed {
            mut info,
            resources,
            late_error,
            debugging,
        } = parse::parse_validated(&bytes, options.enabled_features())?;
        let functions = Functions {
            wasm: &bytes,
            info: &info,
            features: options.enabled_features(),
            options: CodeOptions::from(options),
            resources: resources.as_ref(),
        };
        let threads = options.thread_count();
        let code = if options.lazy_validation {
            Code::Lazy(resources)
        } else if options.lazy_translation || late_error.is_some() {
            functions.validate_all(threads)?;
            Code::Lazy(None)
        } else {
            Code::Eager(functions.translate_all(threads)?)
        };
        if let Some(error) = late_error {
            return Err(error);
        }
        let bytes = Bytes::Owned(match bytes {
            Cow::Owned(bytes) => bytes,
            Cow::Borrowed(bytes) => copy_without_debugging(bytes, &debugging, &mut info),
        });
        Ok(Self {
            bytes,
            info,
            options: options.clone(),
            code,
            names: OnceLock::new(),
        })
    }

    /// The image of this module: its bytes and the bytecode of all its functions.
    ///
    /// # Errors
    ///
    /// If a function cannot be translated.
    pub fn to_image(&self) -> Result<Vec<u8>, LoadError> {
        let functions = self.functions();
        match (&self.bytes, &self.code) {
            (Bytes::Image(image), _) => Ok(image.bytes().to_vec()),
            (_, Code::Eager(all)) => image::encode(&functions, all),
            _ => {
                let threads = self.options.thread_count();
                image::encode(&functions, &functions.translate_all(threads)?)
            }
        }
    }

    /// Writes the image of this module to a file, which is never seen half written.
    ///
    /// # Errors
    ///
    /// If a function cannot be translated or the file cannot be written.
    pub fn write_image(&self, path: impl AsRef<Path>) -> Result<(), LoadError> {
        image::write_file(path.as_ref(), &self.to_image()?)
    }

    /// Takes a module from the bytes of an image that [`Module::to_image`] gave.
    ///
    /// # Errors
    ///
    /// If the bytes are no image, or a damaged one, or one for other options.
    pub fn from_image(bytes: impl Into<Vec<u8>>, options: &Options) -> Result<Self, LoadError> {
        Self::of_image(Storage::Owned(bytes.into()), options)
    }

    /// As [`Module::from_image`], without copying the bytes, which must stay as they are: a part
    /// of a larger file that is mapped, for example.
    ///
    /// # Errors
    ///
    /// As [`Module::from_image`].
    pub fn from_shared_image(
        bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
        options: &Options,
    ) -> Result<Self, LoadError> {
        Self::of_image(Storage::Shared(Shared(bytes)), options)
    }

    /// Maps an image file. Nothing may write to the file while the module is in use; replacing it
    /// by renaming another, as [`Module::write_image`] does, is fine.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is no image, or a damaged one, or one for other options.
    pub fn open_image(path: impl AsRef<Path>, options: &Options) -> Result<Self, LoadError> {
        Self::of_image(Storage::open(path.as_ref())?, options)
    }

    fn of_image(storage: Storage, options: &Options) -> Result<Self, LoadError> {
        let (image, info) = Image::open(storage, options)?;
        Ok(Self {
            bytes: Bytes::Image(image),
            info,
            options: options.clone(),
            code: Code::Image(OnceLock::new()),
            names: OnceLock::new(),
        })
    }

    /// Whether these bytes begin as an image does.
    #[must_use]
    pub fn is_image(bytes: &[u8]) -> bool {
        image::is_image(bytes)
    }

    /// The bytes of a data segment; those of an image are checked first.
    ///
    /// # Errors
    ///
    /// If there is no such segment, or the image is damaged.
    pub fn data(&self, segment: u32) -> Result<&[u8], LoadError> {
        let missing = || LoadError::invalid(0, "no such data segment");
        if let Bytes::Image(image) = &self.bytes {
            image.check_once(Class::Data)?;
        }
        let range = &self
            .info
            .data
            .get(segment as usize)
            .ok_or_else(missing)?
            .range;
        self.bytes.get(range.clone()).ok_or_else(missing)
    }

    /// What the memories of an instance hold at first, if an image has it ready: then active data
    /// segments have no more to do. Nothing otherwise.
    ///
    /// # Errors
    ///
    /// If the image is damaged.
    pub fn initial_memory(&self) -> Result<Vec<InitialMemory<'_>>, LoadError> {
        match &self.bytes {
            Bytes::Image(image) => image.initial_memory(),
            Bytes::Owned(_) => Ok(Vec::new()),
        }
    }

    /// What the module declares.
    #[must_use]
    pub fn info(&self) -> &ModuleInfo {
        &self.info
    }

    /// The module's bytes in the WebAssembly binary format.
    #[must_use]
    pub fn wasm(&self) -> &[u8] {
        &self.bytes
    }

    /// The options it was loaded with.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The bytecode of a defined function (0 is the first function that is not imported).
    ///
    /// A function that is translated on demand is translated at each call: keep the code.
    ///
    /// # Errors
    ///
    /// If the function is invalid and was not validated before, or if it is too large.
    pub fn code(&self, defined_func: u32) -> Result<FunctionCode<'_>, LoadError> {
        match &self.code {
            Code::Lazy(_) => {
                let functions = self.functions();
                functions.translate_one(defined_func, Record::Nothing, |done| FunctionCode {
                    frame_slots: done.frame_slots,
                    code: Cow::Owned(done.code.to_vec()),
                })
            }
            Code::Eager(all) => all
                .get(defined_func)
                .ok_or_else(|| LoadError::invalid(0, "no such function")),
            Code::Image(_) => match &self.bytes {
                Bytes::Image(image) => image.code(defined_func),
                Bytes::Owned(_) => Err(LoadError::invalid(0, "no image")),
            },
        }
    }

    /// The positions of the ops of a defined function, in units, each with the byte offset in the
    /// WebAssembly module of the operator that it came from. Positions are ascending.
    ///
    /// Nothing of this is kept: the function is translated again.
    ///
    /// # Errors
    ///
    /// As [`Module::code`].
    pub fn positions(&self, defined_func: u32) -> Result<Vec<(u32, u32)>, LoadError> {
        self.again(defined_func, Record::Positions, |done| done.marks.to_vec())
    }

    /// Where a collector finds the references in frames of a defined function.
    ///
    /// As for [`Module::positions`], the function is translated again. That has the same outcome
    /// each time, so the positions are those of its code.
    ///
    /// # Errors
    ///
    /// As [`Module::code`], or if there are too many.
    pub fn ref_maps(&self, defined_func: u32) -> Result<RefMaps, LoadError> {
        self.again(defined_func, Record::RefMaps, |done| done.maps)
    }

    /// Translates a function once more.
    fn again<T>(
        &self,
        defined_func: u32,
        record: Record,
        take: impl FnOnce(Translated<'_>) -> T,
    ) -> Result<T, LoadError> {
        if let (Bytes::Image(image), Code::Image(resources)) = (&self.bytes, &self.code) {
            // Whatever the checksums say, only validated operators reach the translator.
            image.check_once(Class::Bodies)?;
            let features = image.features;
            let resources = resources.get_or_init(|| {
                parse::parse_validated(&self.bytes, features)
                    .ok()
                    .and_then(|p| p.resources)
            });
            if resources.is_none() {
                return Err(LoadError::invalid(0, "the image's module is invalid"));
            }
        }
        self.functions().translate_one(defined_func, record, take)
    }

    /// The byte offset in the WebAssembly module of the operator that the op at `pc` (in units,
    /// from the start of the function) came from.
    #[must_use]
    pub fn wasm_offset(&self, defined_func: u32, pc: u32) -> Option<usize> {
        let positions = self.positions(defined_func).ok()?;
        let after = positions.partition_point(|(pos, _)| *pos <= pc);
        let (_, offset) = positions.get(after.checked_sub(1)?)?;
        Some(*offset as usize)
    }

    /// The name of a function (imported or defined) in the name section.
    #[must_use]
    pub fn func_name(&self, func: u32) -> Option<&str> {
        self.name_at(self.names().func(func)?)
    }

    /// The name of the module in the name section.
    #[must_use]
    pub fn module_name(&self) -> Option<&str> {
        self.name_at(self.names().module.clone()?)
    }

    fn functions(&self) -> Functions<'_> {
        Functions {
            wasm: &self.bytes,
            info: &self.info,
            features: match &self.bytes {
                Bytes::Owned(_) => self.options.enabled_features(),
                Bytes::Image(image) => image.features,
            },
            options: CodeOptions::from(&self.options),
            resources: match &self.code {
                Code::Lazy(resources) => resources.as_ref(),
                Code::Eager(_) => None,
                Code::Image(resources) => resources.get().and_then(Option::as_ref),
            },
        }
    }

    fn names(&self) -> &Names {
        self.names.get_or_init(|| {
            if let Bytes::Image(image) = &self.bytes
                && image.check_once(Class::Custom).is_err()
            {
                return Names::default();
            }
            match self.info.name_section.clone() {
                Some(section) => Names::read(&self.bytes, section),
                None => Names::default(),
            }
        })
    }

    fn name_at(&self, range: Range<usize>) -> Option<&str> {
        core::str::from_utf8(self.bytes.get(range)?).ok()
    }
}

/// Copies a module without its debugging sections, so that what is left is a module again. They
/// stay if anything but other custom sections follows them: its offsets would change.
fn copy_without_debugging(
    bytes: &[u8],
    debugging: &[Range<usize>],
    info: &mut ModuleInfo,
) -> Vec<u8> {
    let code_end = info.bodies.last().map_or(0, |body| body.end as usize);
    let data_end = info.data.last().map_or(0, |data| data.range.end);
    if debugging
        .first()
        .is_none_or(|first| first.start < code_end.max(data_end))
    {
        return bytes.to_vec();
    }
    let removed: usize = debugging.iter().map(ExactSizeIterator::len).sum();
    let mut copy = Vec::with_capacity(bytes.len() - removed);
    let mut kept = 0;
    for section in debugging {
        copy.extend_from_slice(&bytes[kept..section.start]);
        kept = section.end;
    }
    copy.extend_from_slice(&bytes[kept..]);

    let moved = |range: &mut Range<usize>| {
        let before = debugging
            .iter()
            .take_while(|section| section.end <= range.start);
        let by: usize = before.map(ExactSizeIterator::len).sum();
        *range = range.start - by..range.end - by;
    };
    info.custom_sections.retain(|(_, range)| {
        !debugging
            .iter()
            .any(|section| section.contains(&range.start) || section.end == range.start)
    });
    info.custom_sections
        .iter_mut()
        .for_each(|(_, range)| moved(range));
    info.name_section.iter_mut().for_each(moved);
    copy
}
