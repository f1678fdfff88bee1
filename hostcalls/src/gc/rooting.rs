//! Handles of garbage-collected values: those of a scope, and those that live as long as they are held.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::ops::Deref;

use anyhow::{anyhow, bail};
use sheave_interp::{OwnedRoot, Root};

use crate::Result;
use crate::store::{AsContext, AsContextMut, StoreContext, StoreContextMut, StoreOpaque};

/// Where a store keeps a reference for the host.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GcRoot {
    pub(crate) store: u64,
    pub(crate) root: Root,
}

mod sealed {
    use super::GcRoot;

    pub trait Ref: Copy + core::fmt::Debug + 'static {
        #[doc(hidden)]
        fn from_root(root: GcRoot) -> Self;
        #[doc(hidden)]
        fn root(&self) -> GcRoot;
    }

    pub trait Handle {
        #[doc(hidden)]
        fn gc_root(&self) -> GcRoot;
    }
}

use sealed::Handle;
pub(crate) use sealed::Ref as GcRefImpl;

/// What a handle can be of: [`AnyRef`](crate::AnyRef), [`EqRef`](crate::EqRef), [`StructRef`](crate::StructRef),
/// [`ArrayRef`](crate::ArrayRef), [`ExternRef`](crate::ExternRef), [`ExnRef`](crate::ExnRef), [`ContRef`](crate::ContRef).
pub trait GcRef: sealed::Ref + Send + Sync {}

impl<T: sealed::Ref + Send + Sync> GcRef for T {}

/// A handle of either kind: [`Rooted`] or [`OwnedRooted`].
pub trait RootedGcRef<T: GcRef>: Handle {}

/// A handle that is good until its scope ends.
///
/// A scope is a call of a host function, or a [`RootScope`]; outside of these, that of the store itself, which ends with
/// it. A handle that is used later gives the error that its object "has been unrooted"; it never leads to another object.
///
/// ```
/// use sheave_hostcalls::{ExternRef, RootScope, Engine, Store};
/// let mut store = Store::new(&Engine::default(), ());
/// let outlived = {
///     let mut scope = RootScope::new(&mut store);
///     let e = ExternRef::new(&mut scope, "host value")?;
///     assert!(e.data(&scope)?.unwrap().is::<&str>());
///     e
/// };
/// assert!(outlived.data(&store).is_err());
/// # Ok::<(), sheave_hostcalls::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Rooted<T: GcRef>(T);

/// A handle that is good as long as it, or a clone, lives. It may be dropped wherever it is; what it held can be
/// collected from then on.
pub struct OwnedRooted<T: GcRef> {
    value: T,
    keep: OwnedRoot,
}

impl StoreOpaque {
    /// The reference that a handle of this store names.
    ///
    /// # Panics
    /// If the handle is of another store.
    pub(crate) fn reference(&self, root: GcRoot) -> Result<u32> {
        self.check(root.store);
        self.vm.roots().get(root.root).ok_or_else(|| {
            anyhow!("attempted to use a garbage-collected object that has been unrooted")
        })
    }

    /// As [`StoreOpaque::reference`], with an error also for a handle of another store.
    pub(crate) fn own_reference(&self, root: GcRoot) -> Result<u32> {
        if root.store != self.id {
            bail!("a reference of another store was given to this one");
        }
        self.reference(root)
    }

    /// Keeps a reference until the current scope ends.
    pub(crate) fn root<T: GcRef>(&mut self, reference: u32) -> Rooted<T> {
        Rooted(T::from_root(GcRoot {
            store: self.id,
            root: self.vm.roots_mut().push(reference),
        }))
    }

    /// Keeps a reference as long as the handle lives.
    pub(crate) fn own<T: GcRef>(&mut self, reference: u32) -> OwnedRooted<T> {
        let keep = self.vm.roots_mut().own(reference);
        let root = GcRoot {
            store: self.id,
            root: keep.root(),
        };
        OwnedRooted {
            value: T::from_root(root),
            keep,
        }
    }
}

impl<T: GcRef> Rooted<T> {
    /// The same handle of what it is known to be.
    pub(crate) fn cast<U: GcRef>(self) -> Rooted<U> {
        Rooted::at(self.0.root())
    }

    /// A handle of what is known to be a `T`.
    pub(crate) fn at(root: GcRoot) -> Rooted<T> {
        Rooted(T::from_root(root))
    }

    /// Keeps the object for longer than the scope.
    ///
    /// # Errors
    /// If the scope of the handle has ended.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn to_owned_rooted(&self, mut store: impl AsContextMut) -> Result<OwnedRooted<T>> {
        let opaque = &mut store.as_context_mut().0.opaque;
        let reference = opaque.reference(self.0.root())?;
        Ok(opaque.own(reference))
    }

    /// Whether both are the same handle; see [`Rooted::ref_eq`].
    pub fn rooted_eq(a: Rooted<T>, b: Rooted<T>) -> bool {
        a.0.root() == b.0.root()
    }

    /// Whether both refer to the same object.
    ///
    /// # Errors
    /// If the scope of a handle has ended.
    ///
    /// # Panics
    /// If `store` is not their store.
    pub fn ref_eq(
        store: impl AsContext,
        a: &impl RootedGcRef<T>,
        b: &impl RootedGcRef<T>,
    ) -> Result<bool> {
        let opaque = &store.as_context().0.opaque;
        Ok(opaque.reference(a.gc_root())? == opaque.reference(b.gc_root())?)
    }

    /// Hashes the handle, in the way of [`Rooted::rooted_eq`].
    pub fn rooted_hash<H: Hasher>(&self, state: &mut H) {
        self.0.root().hash(state);
    }

    /// Hashes the object's identity, in the way of [`Rooted::ref_eq`].
    ///
    /// # Errors
    /// If the scope of the handle has ended.
    pub fn ref_hash<H: Hasher>(&self, store: impl AsContext, state: &mut H) -> Result<()> {
        let opaque = &store.as_context().0.opaque;
        opaque.reference(self.0.root())?.hash(state);
        Ok(())
    }
}

impl<T: GcRef> OwnedRooted<T> {
    /// The same handle of what it is known to be.
    pub(crate) fn cast<U: GcRef>(self) -> OwnedRooted<U> {
        OwnedRooted {
            value: U::from_root(self.value.root()),
            keep: self.keep,
        }
    }

    /// A handle of the current scope.
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn to_rooted(&self, mut store: impl AsContextMut) -> Rooted<T> {
        let opaque = &mut store.as_context_mut().0.opaque;
        let reference = opaque.reference(self.value.root());
        opaque.root(reference.expect("it is owned"))
    }

    /// Whether both refer to the same object; see [`Rooted::ref_eq`].
    ///
    /// # Errors
    /// If the scope of a handle has ended.
    pub fn ref_eq(
        store: impl AsContext,
        a: &impl RootedGcRef<T>,
        b: &impl RootedGcRef<T>,
    ) -> Result<bool> {
        Rooted::ref_eq(store, a, b)
    }

    /// Hashes the handle; clones hash alike.
    pub fn rooted_hash<H: Hasher>(&self, state: &mut H) {
        self.value.root().hash(state);
    }

    /// Hashes the object's identity, in the way of [`OwnedRooted::ref_eq`].
    ///
    /// # Panics
    /// If `store` is not its store.
    pub fn ref_hash<H: Hasher>(&self, store: impl AsContext, state: &mut H) {
        let opaque = &store.as_context().0.opaque;
        let reference = opaque.reference(self.value.root());
        reference.expect("it is owned").hash(state);
    }
}

impl<T: GcRef> Handle for Rooted<T> {
    fn gc_root(&self) -> GcRoot {
        self.0.root()
    }
}

impl<T: GcRef> Handle for OwnedRooted<T> {
    fn gc_root(&self) -> GcRoot {
        self.value.root()
    }
}

impl<T: GcRef> RootedGcRef<T> for Rooted<T> {}
impl<T: GcRef> RootedGcRef<T> for OwnedRooted<T> {}

impl<T: GcRef> Deref for Rooted<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: GcRef> Deref for OwnedRooted<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: GcRef> Clone for OwnedRooted<T> {
    fn clone(&self) -> OwnedRooted<T> {
        OwnedRooted {
            value: self.value,
            keep: self.keep.clone(),
        }
    }
}

impl<T: GcRef> fmt::Debug for Rooted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rooted").field(&self.0).finish()
    }
}

impl<T: GcRef> fmt::Debug for OwnedRooted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnedRooted").field(&self.value).finish()
    }
}

/// A scope: [`Rooted`] handles that are made while it lives are good until it is dropped. It holds the store, and is
/// used in its place.
pub struct RootScope<C: AsContextMut> {
    store: C,
    begin: usize,
    data: PhantomData<C::Data>,
}

impl<C: AsContextMut> RootScope<C> {
    /// Begins a scope.
    pub fn new(store: C) -> RootScope<C> {
        let begin = store.as_context().0.opaque.vm.roots().begin_scope();
        RootScope {
            store,
            begin,
            data: PhantomData,
        }
    }
}

impl<C: AsContextMut> Drop for RootScope<C> {
    fn drop(&mut self) {
        let opaque = &mut self.store.as_context_mut().0.opaque;
        opaque.vm.roots_mut().end_scope(self.begin);
    }
}

impl<C: AsContextMut> fmt::Debug for RootScope<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootScope").finish_non_exhaustive()
    }
}

impl<C: AsContextMut> AsContext for RootScope<C> {
    type Data = C::Data;
    fn as_context(&self) -> StoreContext<'_, C::Data> {
        self.store.as_context()
    }
}

impl<C: AsContextMut> AsContextMut for RootScope<C> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, C::Data> {
        self.store.as_context_mut()
    }
}

impl<'a, C: AsContextMut> From<&'a RootScope<C>> for StoreContext<'a, C::Data> {
    fn from(scope: &'a RootScope<C>) -> StoreContext<'a, C::Data> {
        scope.as_context()
    }
}

impl<'a, C: AsContextMut> From<&'a mut RootScope<C>> for StoreContextMut<'a, C::Data> {
    fn from(scope: &'a mut RootScope<C>) -> StoreContextMut<'a, C::Data> {
        scope.as_context_mut()
    }
}

/// Says that a type is one that handles are of.
macro_rules! gc_ref {
    ($($(#[$doc:meta])* $ty:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $ty($crate::gc::GcRoot);

        impl $crate::gc::rooting::GcRefImpl for $ty {
            fn from_root(root: $crate::gc::GcRoot) -> $ty {
                $ty(root)
            }
            fn root(&self) -> $crate::gc::GcRoot {
                self.0
            }
        }
    )* };
}

/// Says that every object of the one is one of the other.
macro_rules! upcasts {
    ($($from:ident => $to:ident $name:ident;)*) => { $(
        impl From<Rooted<$from>> for Rooted<$to> {
            fn from(r: Rooted<$from>) -> Rooted<$to> {
                r.cast()
            }
        }
        impl From<OwnedRooted<$from>> for OwnedRooted<$to> {
            fn from(r: OwnedRooted<$from>) -> OwnedRooted<$to> {
                r.cast()
            }
        }
        impl Rooted<$from> {
            #[doc = concat!("The same object as `", stringify!($to), "`.")]
            pub fn $name(self) -> Rooted<$to> {
                self.cast()
            }
        }
        impl OwnedRooted<$from> {
            #[doc = concat!("The same object as `", stringify!($to), "`.")]
            pub fn $name(self) -> OwnedRooted<$to> {
                self.cast()
            }
        }
    )* };
}

pub(crate) use {gc_ref, upcasts};
