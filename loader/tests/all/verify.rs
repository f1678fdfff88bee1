//! What the verifier has to say about translated code.

use sheave_isa::{FuncShape, ModuleShape};
use sheave_loader::{Module, ModuleInfo, Options};

pub(crate) struct Shape<'m>(pub(crate) &'m ModuleInfo);

impl Shape<'_> {
    fn of(&self, func: u32) -> Option<FuncShape> {
        let ty = *self.0.funcs.get(func as usize)?;
        self.ty(ty)
    }
}

impl ModuleShape for Shape<'_> {
    fn func(&self, i: u32) -> Option<FuncShape> {
        self.of(self.0.n_imported_funcs + i)
    }
    fn import(&self, i: u32) -> Option<FuncShape> {
        (i < self.0.n_imported_funcs).then(|| self.of(i)).flatten()
    }
    fn ty(&self, i: u32) -> Option<FuncShape> {
        self.0.shapes.get(i as usize).copied()
    }
    fn tag(&self, i: u32) -> Option<FuncShape> {
        self.ty(*self.0.tags.get(i as usize)?)
    }
    fn counts(&self) -> [u32; 6] {
        let info = self.0;
        [
            info.tables.len() as u32,
            info.memories.len() as u32,
            info.global_defs.len() as u32 + info.vector_globals.len() as u32,
            info.n_imported_globals,
            info.data.len() as u32,
            info.elements.len() as u32,
        ]
    }
}

/// Translates each function and verifies its code.
pub(crate) fn verify_all(bytes: &[u8], options: &Options) {
    let module = Module::new(bytes, options).expect("a valid module");
    let shape = Shape(module.info());
    for func in 0..module.info().n_defined_funcs() {
        let code = module.code(func).expect("it is valid");
        let own = shape.func(func).expect("it has a type");
        if let Err(error) = sheave_isa::verify(&code.code, code.frame_slots, own, &shape) {
            panic!(
                "function {func}: {error}\n{}",
                sheave_isa::disassemble(&code.code)
            );
        }
    }
}
