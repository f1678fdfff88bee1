//! The host module `spectest` that the official scripts import from.

use sheave::{
    Caller, Error, FuncType, Global, GlobalType, Linker, Memory, MemoryType, Mutability, Ref,
    RefType, Store, Table, TableType, Val, ValType,
};

/// Defines the functions of `spectest`. Its printing functions print nothing: what they are given is not asserted anywhere.
pub(crate) fn define_functions(linker: &mut Linker<()>) -> Result<(), Error> {
    use ValType::{F32, F64, I32, I64};
    let printers: [(&str, &[ValType]); 7] = [
        ("print", &[]),
        ("print_i32", &[I32]),
        ("print_i64", &[I64]),
        ("print_f32", &[F32]),
        ("print_f64", &[F64]),
        ("print_i32_f32", &[I32, F32]),
        ("print_f64_f64", &[F64, F64]),
    ];
    for (name, params) in printers {
        let ty = FuncType::new(linker.engine(), params.iter().cloned(), []);
        let print = |_: Caller<'_, ()>, _: &[Val], _: &mut [Val]| Ok(());
        linker.func_new("spectest", name, ty, print)?;
    }
    Ok(())
}

/// Defines what belongs to a store.
pub(crate) fn define_items(linker: &mut Linker<()>, store: &mut Store<()>) -> Result<(), Error> {
    use ValType::{F32, F64, I32, I64};

    let globals = [
        ("global_i32", I32, Val::I32(666)),
        ("global_i64", I64, Val::I64(666)),
        ("global_f32", F32, Val::F32(666.6_f32.to_bits())),
        ("global_f64", F64, Val::F64(666.6_f64.to_bits())),
    ];
    for (name, ty, value) in globals {
        let global = Global::new(&mut *store, GlobalType::new(ty, Mutability::Const), value)?;
        linker.define(&mut *store, "spectest", name, global)?;
    }

    let table = TableType::new(RefType::FUNCREF, 10, Some(20));
    let table = Table::new(&mut *store, table, Ref::Func(None))?;
    linker.define(&mut *store, "spectest", "table", table)?;

    let memory = Memory::new(&mut *store, MemoryType::new(1, Some(2)))?;
    linker.define(&mut *store, "spectest", "memory", memory)?;
    // Not there unless threads are on.
    if let Ok(memory) = Memory::new(&mut *store, MemoryType::shared(1, 2)) {
        linker.define(&mut *store, "spectest", "shared_memory", memory)?;
    }
    Ok(())
}
