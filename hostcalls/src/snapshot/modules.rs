//! The modules of a snapshot: at hand, in the file, or known by their hash alone.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use super::Modules;
use super::blob::Blob;
use crate::Engine;
use crate::module::Module;

/// What a module is known by: the SHA-256 of its bytes in the binary format.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleHash(pub [u8; 32]);

impl core::fmt::Display for ModuleHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl core::fmt::Debug for ModuleHash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ModuleHash({self})")
    }
}

impl ModuleHash {
    /// Of a module's bytes in the binary format.
    pub fn of(wasm: &[u8]) -> ModuleHash {
        use sha2::Digest as _;
        ModuleHash(sha2::Sha256::digest(wasm).into())
    }
}

/// Where a module comes from.
#[derive(Clone, Debug)]
pub(super) enum ModuleSource {
    /// It is there, in the engine that the snapshot was taken in.
    Module(Module),
    /// Its bytes, or its image, with their checksum.
    Bytes(ModuleHash, Blob, u32),
    /// Somebody else has it.
    Hash(ModuleHash),
}

impl ModuleSource {
    pub(super) fn hash(&self) -> ModuleHash {
        match self {
            ModuleSource::Module(module) => module.hash(),
            ModuleSource::Bytes(hash, ..) | ModuleSource::Hash(hash) => *hash,
        }
    }

    /// What a file contains of it: its bytes or its image, if it has them.
    pub(super) fn written(&self, how: Modules) -> Option<Cow<'_, [u8]>> {
        match (self, how) {
            (_, Modules::ByHash) | (ModuleSource::Hash(_), _) => None,
            (ModuleSource::Module(module), Modules::Embedded) => Some(module.wasm().into()),
            (ModuleSource::Module(module), Modules::Translated) => {
                // One with a function that turns out to be invalid has no image.
                let image = module.serialize().map(Cow::Owned);
                Some(image.unwrap_or(Cow::Borrowed(module.wasm())))
            }
            // Whatever it was written as.
            (ModuleSource::Bytes(_, bytes, _), _) => Some(Cow::Borrowed(bytes)),
        }
    }

    /// Whether only its hash is here.
    pub(super) fn is_elsewhere(&self) -> bool {
        matches!(self, ModuleSource::Hash(_))
    }

    /// The module in an engine: as it is, if it is of that engine; from `lookup`, if that has it; or from its bytes,
    /// which are checked against their checksum, and validated as any.
    pub(super) fn load(
        &self,
        engine: &Engine,
        lookup: &mut dyn FnMut(&ModuleHash) -> Result<Option<Module>>,
    ) -> Result<Module> {
        if let ModuleSource::Module(module) = self
            && Engine::same(module.engine(), engine)
        {
            return Ok(module.clone());
        }
        let hash = self.hash();
        if let Some(module) = lookup(&hash)? {
            if !Engine::same(module.engine(), engine) {
                bail!("the module given for {hash} is of another engine");
            }
            if module.hash() != hash {
                bail!("the module given for {hash} is {}", module.hash());
            }
            return Ok(module);
        }
        let module = match self {
            // An image has checksums of its own, for each part when it is used.
            ModuleSource::Bytes(_, bytes, _) if Module::is_image(bytes) => {
                Module::shared_image(engine, Arc::new(bytes.clone()))
            }
            ModuleSource::Bytes(_, bytes, crc) if crc32fast::hash(bytes) == *crc => {
                Module::from_binary(engine, bytes)
            }
            ModuleSource::Bytes(..) => bail!("damaged snapshot: checksum of module {hash}"),
            ModuleSource::Module(module) => Module::from_binary(engine, module.wasm()),
            ModuleSource::Hash(_) => {
                bail!("the snapshot does not contain module {hash}, and none was given for it")
            }
        };
        module.context("a module of the snapshot")
    }
}
