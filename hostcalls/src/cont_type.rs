//! Types of continuations as the embedder sees them.

use core::fmt;

use anyhow::bail;
use sheave_types::CompositeType;

use crate::Result;
use crate::composite::{ContType, Finality, FuncType, register};
use crate::engine::Engine;

impl ContType {
    /// The type of continuations of functions of type `ty`, final and without supertype.
    ///
    /// ```
    /// use sheave_hostcalls::{ContType, Engine, FuncType, HeapType, ValType};
    /// let engine = Engine::default();
    /// let ty = ContType::new(&engine, FuncType::new(&engine, [ValType::I32], []))?;
    /// assert_eq!(ty.func_type().params().len(), 1);
    /// assert!(HeapType::from(ty).matches(&HeapType::Cont));
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the function type is not of this engine, or if the engine has too many types.
    pub fn new(engine: &Engine, ty: FuncType) -> Result<ContType> {
        ContType::with_finality_and_supertype(engine, Finality::Final, None, ty)
    }

    /// A continuation type with its place among the others.
    ///
    /// # Errors
    /// As [`ContType::new`]; if the supertype is final, or its function type is not one that `ty` matches.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&ContType>,
        ty: FuncType,
    ) -> Result<ContType> {
        if !Engine::same(ty.engine(), engine) {
            bail!("a type of another engine");
        }
        let fits = supertype.is_none_or(|s| ty.matches(&s.func_type()));
        let def = register(
            engine,
            finality,
            supertype.map(|s| (&*s.0, &s.1)),
            CompositeType::Cont(ty.0.id),
            fits,
        )?;
        Ok(ContType(def, engine.clone()))
    }

    /// The type of the functions that its continuations are of: what they are resumed with, and what they give when they
    /// end.
    pub fn func_type(&self) -> FuncType {
        let def = (self.0.ty.as_cont()).and_then(|id| self.1.types().get(id));
        let ty = def.and_then(|def| FuncType::from_def(&self.1, def));
        ty.expect("checked when it was made")
    }
}

impl fmt::Display for ContType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.ty.composite.fmt(f)
    }
}
