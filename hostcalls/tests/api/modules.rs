//! What a module says of itself, and its images.

use super::{instance, on_both, on_both_with};
use sheave_hostcalls::{
    Config, Engine, ExternType, Global, GlobalType, Instance, LoadError, Module, Mutability, Store,
    Trap, Val, ValType,
};

const WAT: &str = r#"(module $name (import "a" "b" (func (param i32))) (memory (export "m") 1) (data (i32.const 3) "abc") (data $p "passive")
    (func $f (export "f") (result i32) (i32.load8_u (i32.const 4)))
    (func (export "init") (memory.init $p (i32.const 100) (i32.const 0) (i32.const 7))))"#;

#[test]
fn a_module_describes_itself() {
    let module = Module::new(&Engine::default(), WAT).unwrap();
    assert_eq!(module.name(), Some("name"));
    let import = module.imports().next().unwrap();
    assert_eq!((import.module(), import.name()), ("a", "b"));
    assert_eq!(import.ty().unwrap_func().params().len(), 1);
    assert!(matches!(
        module.get_export("m"),
        Some(ExternType::Memory(_))
    ));
    assert_eq!(
        module
            .exports()
            .map(|e| e.name().to_string())
            .collect::<Vec<_>>(),
        ["m", "f", "init"]
    );
    assert_eq!(module.func_name(1), Some("f"));
}

#[test]
fn what_is_no_module_is_refused_with_a_reason() {
    let engine = Engine::default();
    for bytes in [
        &b""[..],
        b"\0asm",
        b"\0asm\x02\0\0\0",
        b"(module (func (i32.const)))",
        b"hello",
        b"\xff\xff\xff\xff",
    ] {
        let error = Module::new(&engine, bytes).unwrap_err();
        assert!(!error.to_string().is_empty());
    }
    let error = Module::from_binary(&engine, b"\0asm\x01\0\0\0\x01").unwrap_err();
    assert!(error.is::<LoadError>());
    assert!(Module::validate(&engine, b"\0asm\x01\0\0\0").is_ok());
    assert!(Module::validate(&engine, b"\0asm\x01\0\0\0\x01").is_err());
}

#[test]
fn features_can_be_switched_off() {
    type Switch = fn(&mut Config, bool) -> &mut Config;
    let off: [(Switch, &str); 5] = [
        (
            Config::wasm_multi_value,
            "(module (func (result i32 i32) (i32.const 1) (i32.const 2)))",
        ),
        (
            Config::wasm_tail_call,
            "(module (func $f (return_call $f)))",
        ),
        (Config::wasm_multi_memory, "(module (memory 1) (memory 1))"),
        (
            Config::wasm_bulk_memory,
            "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))",
        ),
        (
            Config::wasm_extended_const,
            "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
        ),
    ];
    for (switch, wat) in off {
        assert!(Module::new(&Engine::default(), wat).is_ok(), "{wat}");
        let mut config = Config::new();
        switch(&mut config, false);
        let engine = Engine::new(&config).unwrap();
        assert!(Module::new(&engine, wat).is_err(), "{wat}");
    }
}

fn run(engine: &Engine, module: &Module) {
    let mut store = Store::new(engine, ());
    let b = sheave_hostcalls::Func::wrap(&mut store, |_: i32| {});
    let i = Instance::new(&mut store, module, &[b.into()]).unwrap();
    assert_eq!(
        i.get_typed_func::<(), i32>(&mut store, "f")
            .unwrap()
            .call(&mut store, ())
            .unwrap(),
        i32::from(b'b')
    );
    i.get_typed_func::<(), ()>(&mut store, "init")
        .unwrap()
        .call(&mut store, ())
        .unwrap();
    let memory = i.get_memory(&mut store, "m").unwrap();
    assert_eq!(&memory.data(&store)[100..107], b"passive");
}

#[test]
fn images_run_like_their_modules() {
    on_both(|engine| {
        let module = Module::new(engine, WAT).unwrap();
        run(engine, &module);
        let image = module.serialize().unwrap();
        assert!(Module::is_image(&image));
        assert!(!Module::is_image(module.wasm()));
        run(engine, &Module::deserialize(engine, &image).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        module.write_image(&path).unwrap();
        run(engine, &Module::deserialize_file(engine, &path).unwrap());
        assert_eq!(engine.precompile_module(WAT.as_bytes()).unwrap(), image);
        assert!(Module::deserialize(engine, &image[..image.len() / 2]).is_err());
        assert!(Module::deserialize(engine, module.wasm()).is_err());
        assert!(Module::open_image(engine, dir.path().join("nothing")).is_err());
    });
}

/// 200,000 bytes of data in two segments and some more, which other segments of the module follow.
fn module_with_data(more: &str) -> String {
    let big: String = (0..100_000)
        .map(|i| ["a", "b", "c", "d", "e"][i % 5])
        .collect();
    format!(
        r#"(module {more} (memory (export "m") 8)
          (data (i32.const 70000) "{big}") (data (i32.const 400000) "{big}") (data (i32.const 70001) "X"))"#
    )
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn memories_of_an_image_are_those_of_its_module() {
    let drops =
        r#"(func (export "again") (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1)))"#;
    let depends = r#"(import "e" "g" (global $g i32)) (data (global.get $g) "Y")"#;
    for (more, segments) in [("", 0), (drops, 3), (depends, 4)] {
        let engine = Engine::default();
        let module = Module::new(&engine, module_with_data(more)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        module.write_image(&path).unwrap();
        let image = module.serialize().unwrap();
        let others = [
            Module::open_image(&engine, &path).unwrap(),
            Module::deserialize(&engine, &image).unwrap(),
        ];
        // Of memories that are not always the same, nothing is prepared.
        let prepared = image.len() > module.wasm().len() + 0x30000;
        assert_eq!(prepared, segments != 4);

        let mut store = Store::new(&engine, ());
        let g = Global::new(
            &mut store,
            GlobalType::new(ValType::I32, Mutability::Const),
            Val::I32(5),
        );
        let imports = if segments == 4 {
            vec![g.unwrap().into()]
        } else {
            vec![]
        };
        let first = Instance::new(&mut store, &module, &imports).unwrap();
        let memory = |store: &mut Store<()>, i: &Instance| i.get_memory(store, "m").unwrap();
        let want = memory(&mut store, &first).data(&store).to_vec();
        assert_eq!(&want[69_999..70_005], b"\0aXcde");
        for module in &others {
            // Twice: what one writes, the other does not see.
            for _ in 0..2 {
                let instance = Instance::new(&mut store, module, &imports).unwrap();
                let m = memory(&mut store, &instance);
                assert!(m.data(&store) == want);
                m.data_mut(&mut store).fill(0x55);
                if segments == 3 {
                    let again = instance
                        .get_typed_func::<(), ()>(&mut store, "again")
                        .unwrap();
                    let error = again.call(&mut store, ()).unwrap_err();
                    assert_eq!(error.downcast_ref(), Some(&Trap::MemoryOutOfBounds));
                }
            }
        }
        assert!(std::fs::read(&path).unwrap() == image);
    }
}

#[test]
#[cfg_attr(miri, ignore = "runs too long")]
fn damage_to_the_memories_of_an_image_is_found() {
    let engine = Engine::default();
    let module = Module::new(&engine, module_with_data("")).unwrap();
    let mut image = module.serialize().unwrap();
    let last = image.iter().rposition(|byte| *byte == b'e').unwrap();
    image[last] ^= 1;
    let damaged = Module::deserialize(&engine, &image).unwrap();
    let error = Instance::new(&mut Store::new(&engine, ()), &damaged, &[]).unwrap_err();
    assert!(
        error.to_string().contains("contents of memories"),
        "{error}"
    );
}

#[test]
fn eager_and_lazy_translation_give_the_same_answers() {
    for (lazy, lazy_validation, parallel) in [
        (false, false, false),
        (false, false, true),
        (true, false, true),
        (true, true, false),
    ] {
        let settings = |config: &mut Config| {
            config
                .lazy_translation(lazy)
                .lazy_validation(lazy_validation)
                .parallel_compilation(parallel);
        };
        on_both_with(settings, |engine| {
            run(engine, &Module::new(engine, WAT).unwrap())
        });
    }
}

#[test]
fn files_are_read_in_both_formats() {
    let engine = Engine::default();
    let dir = tempfile::tempdir().unwrap();
    let module = Module::new(&engine, WAT).unwrap();
    for (name, bytes) in [("m.wat", WAT.as_bytes()), ("m.wasm", module.wasm())] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        run(&engine, &Module::from_file(&engine, &path).unwrap());
    }
    let error = Module::from_file(&engine, dir.path().join("none.wasm")).unwrap_err();
    assert!(error.to_string().contains("none.wasm"), "{error}");
}

#[test]
fn a_module_may_outlive_its_store_and_the_other_way_round() {
    let engine = Engine::default();
    let (mut store, i) = instance(
        &engine,
        r#"(module (func (export "f") (result i32) (i32.const 4)))"#,
    );
    let f = i.get_typed_func::<(), i32>(&mut store, "f").unwrap();
    drop(engine);
    assert_eq!(f.call(&mut store, ()).unwrap(), 4);
    let module = i.module(&store).clone();
    drop(store);
    let mut store = Store::new(module.engine(), ());
    let i = Instance::new(&mut store, &module, &[]).unwrap();
    assert_eq!(
        i.get_typed_func::<(), i32>(&mut store, "f")
            .unwrap()
            .call(&mut store, ())
            .unwrap(),
        4
    );
}
