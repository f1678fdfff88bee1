//! Tags of a store: the kinds of exceptions, and of suspensions.

use anyhow::bail;
use sheave_interp::TagAddr;

use crate::Result;
use crate::store::{AsContext, AsContextMut, StoreOpaque};
use crate::types::{FuncType, TagType};

/// A tag of a store: what a handler recognises an exception or a suspension by. Spec: syntax-tagaddr.
///
/// ```
/// use sheave_hostcalls::{Engine, FuncType, Store, Tag, TagType, ValType};
/// let engine = Engine::default();
/// let mut store = Store::new(&engine, ());
/// let tag = Tag::new(&mut store, &TagType::new(FuncType::new(&engine, [ValType::I32], [])))?;
/// assert_eq!(tag.ty(&store).ty().params().len(), 1);
/// # Ok::<(), sheave_hostcalls::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag {
    pub(crate) store: u64,
    pub(crate) addr: TagAddr,
}

impl Tag {
    /// A new tag, different from all others.
    ///
    /// # Errors
    /// If the type is not of this engine, if it has results and
    /// [`Config::wasm_stack_switching`](crate::Config::wasm_stack_switching) is off, or if there are too many tags.
    pub fn new(mut store: impl AsContextMut, ty: &TagType) -> Result<Tag> {
        let opaque = &mut store.as_context_mut().0.opaque;
        let known = opaque.engine.types().get(ty.ty().0.id);
        if !known.is_some_and(|known| std::sync::Arc::ptr_eq(&known, &ty.ty().0)) {
            bail!("the tag's type is not of the store's engine");
        }
        let suspends = opaque.engine.config().has_stack_switching();
        if ty.ty().results().len() > 0 && !suspends {
            bail!("a tag's type has no results unless stack switching is on");
        }
        Ok(Tag {
            store: opaque.id,
            addr: opaque.vm.new_tag(ty.ty().0.id)?,
        })
    }

    /// Its type.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn ty(&self, store: impl AsContext) -> TagType {
        let opaque = &store.as_context().0.opaque;
        opaque.check(self.store);
        opaque.tag_type(self.addr)
    }

    /// Whether both are the same tag.
    ///
    /// # Panics
    /// If `store` is not their store.
    pub fn eq(a: &Tag, b: &Tag, store: impl AsContext) -> bool {
        let opaque = &store.as_context().0.opaque;
        opaque.check(a.store);
        opaque.check(b.store);
        a.addr == b.addr
    }
}

impl StoreOpaque {
    pub(crate) fn tag_type(&self, tag: TagAddr) -> TagType {
        let def = self
            .vm
            .tag_type(tag)
            .and_then(|id| self.engine.types().get(id));
        let ty = def.and_then(|def| FuncType::from_def(&self.engine, def));
        TagType::new(ty.unwrap_or_else(|| FuncType::new(&self.engine, [], [])))
    }
}
