//! Async twins of what never waits here, for the sake of code written for Wasmtime, where a limiter or a collection may; and
//! of what is made of other twins.

use anyhow::bail;

use crate::Result;
use crate::func::Func;
use crate::gc::GcHeapOutOfMemory;
use crate::linker::{Linker, ModuleKind};
use crate::memory::Memory;
use crate::module::Module;
use crate::store::{AsContextMut, Caller, Store, StoreContextMut};
use crate::table::Table;
use crate::types::{MemoryType, TableType};
use crate::values::Ref;

impl Memory {
    /// [`Memory::new`], which never waits.
    ///
    /// # Errors
    /// As there.
    pub async fn new_async(store: impl AsContextMut, ty: MemoryType) -> Result<Memory> {
        Memory::new(store, ty)
    }

    /// [`Memory::grow`], which never waits.
    ///
    /// # Errors
    /// As there.
    pub async fn grow_async(&self, store: impl AsContextMut, delta: u64) -> Result<u64> {
        self.grow(store, delta)
    }
}

impl Table {
    /// [`Table::new`], which never waits.
    ///
    /// # Errors
    /// As there.
    pub async fn new_async(store: impl AsContextMut, ty: TableType, init: Ref) -> Result<Table> {
        Table::new(store, ty, init)
    }

    /// [`Table::grow`], which never waits.
    ///
    /// # Errors
    /// As there.
    pub async fn grow_async(&self, store: impl AsContextMut, delta: u64, init: Ref) -> Result<u64> {
        self.grow(store, delta, init)
    }
}

macro_rules! collected {
    ($($ty:ty;)*) => { $(
        impl<T: 'static> $ty {
            /// [`Store::gc`], which never waits.
            ///
            /// # Errors
            /// As there.
            pub async fn gc_async(&mut self, why: Option<&GcHeapOutOfMemory<()>>) -> Result<()> {
                self.gc(why)
            }
        }
    )* };
}

collected! {
    Store<T>;
    StoreContextMut<'_, T>;
    Caller<'_, T>;
}

impl<T: Send + 'static> Linker<T> {
    /// As [`Linker::module`], but the start function, `_initialize`, and the functions of a command may wait.
    ///
    /// # Errors
    /// As there.
    pub async fn module_async(
        &mut self,
        mut store: impl AsContextMut<Data = T>,
        module_name: &str,
        module: &Module,
    ) -> Result<&mut Self> {
        let mut store = store.as_context_mut();
        match ModuleKind::of(module)? {
            ModuleKind::Reactor => {
                let instance = self.instantiate_async(&mut store, module).await?;
                if let Some(init) = instance.get_func(&mut store, "_initialize") {
                    let init = init.typed::<(), ()>(&store)?;
                    init.call_async(&mut store, ()).await?;
                }
                self.instance(&mut store, module_name, instance)
            }
            ModuleKind::Command => {
                self.command(&mut store, module_name, module, |store, pre, ty, name| {
                    Func::new_async(store, ty, move |mut caller, params, results| {
                        let (pre, name) = (pre.clone(), name.clone());
                        Box::new(async move {
                            let instance = pre.instantiate_async(&mut caller).await?;
                            let Some(func) = instance.get_func(&mut caller, &name) else {
                                bail!("no function `{name}`");
                            };
                            func.call_async(&mut caller, params, results).await
                        })
                    })
                })
            }
        }
    }
}
