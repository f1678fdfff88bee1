//! The modules of a snapshot: at hand, in the file, or known by their hash alone.

use anyhow::{Context as _, Result, anyhow, bail};

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
    /// Its bytes, with their checksum.
    Wasm(ModuleHash, Blob, u32),
    /// Somebody else has it.
    Hash(ModuleHash),
}

impl ModuleSource {
    pub(super) fn hash(&self) -> ModuleHash {
        match self {
            ModuleSource::Module(module) => module.hash(),
            ModuleSource::Wasm(hash, ..) | ModuleSource::Hash(hash) => *hash,
        }
    }

    /// Its bytes, if it has them.
    pub(super) fn wasm(&self) -> Option<&[u8]> {
        match self {
            ModuleSource::Module(module) => Some(module.wasm()),
            ModuleSource::Wasm(_, bytes, _) => Some(bytes),
            ModuleSource::Hash(_) => None,
        }
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
        if let ModuleSource::Wasm(_, bytes, crc) = self
            && crc32fast::hash(bytes) != *crc
        {
            bail!("damaged snapshot: checksum of module {hash}");
        }
        let wasm = self.wasm().ok_or_else(|| {
            anyhow!("the snapshot does not contain module {hash}, and none was given for it")
        })?;
        Module::from_binary(engine, wasm).context("a module of the snapshot")
    }
}
