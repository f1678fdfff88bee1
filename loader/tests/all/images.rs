//! Images hold what was put in, and say what is wrong with them.

use sheave_loader::{ImageErrorKind, ImagePart, InitialMemory, LoadErrorKind, Module, Options};

const SOURCE: &str = r#"(module $m
  (import "a" "f" (func $f (param i32) (result i32)))
  (memory 1)
  (func $g (export "g") (param i32) (result i32)
    (i32.load offset=4 (call $f (local.get 0))))
  (func $h (export "h") (param f64 f64) (result f64)
    (f64.add (f64.mul (local.get 0) (local.get 1)) (f64.const 0.5)))
  (data (i32.const 0) "some data"))"#;

fn module() -> Module {
    let bytes = wat::parse_str(SOURCE).expect("the module is well-formed");
    Module::new(bytes, &Options::default()).expect("the module is valid")
}

fn image() -> Vec<u8> {
    module().to_image().expect("it can be translated")
}

fn kind(image: Vec<u8>, options: &Options) -> ImageErrorKind {
    match Module::from_image(image, options)
        .expect_err("the image is wrong")
        .kind
    {
        LoadErrorKind::Image(kind) => kind,
        kind => panic!("{kind:?}"),
    }
}

#[test]
fn round_trip() {
    let module = module();
    let shared = std::sync::Arc::new(image());
    let shared = Module::from_shared_image(shared, &Options::default()).unwrap();
    let loaded = Module::from_image(image(), &Options::default()).unwrap();
    assert_eq!(shared.to_image().unwrap(), loaded.to_image().unwrap());
    assert_eq!(shared.code(0).unwrap().code, loaded.code(0).unwrap().code);
    assert_eq!(loaded.wasm(), module.wasm());
    assert_eq!(
        format!("{:?}", loaded.info()),
        format!("{:?}", module.info())
    );
    for func in 0..2 {
        assert_eq!(loaded.code(func), module.code(func));
        assert_eq!(loaded.positions(func), module.positions(func));
    }
    assert!(loaded.code(2).is_err());
    assert_eq!(loaded.data(0), Ok(&b"some data"[..]));
    assert_eq!(loaded.func_name(1), Some("g"));
    assert_eq!(loaded.to_image(), Ok(image()));
    assert!(Module::is_image(&image()) && !Module::is_image(module.wasm()));
}

#[test]
fn eager_and_lazy_modules_have_the_same_image() {
    let bytes = wat::parse_str(SOURCE).unwrap();
    let options = Options {
        lazy_translation: false,
        ..Options::default()
    };
    assert_eq!(
        Module::new(bytes, &options).unwrap().to_image().unwrap(),
        image()
    );
}

#[test]
#[cfg_attr(miri, ignore = "writes files")]
fn files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.image");
    module().write_image(&path).unwrap();
    // Over the old one, while that is in use.
    let old = Module::open_image(&path, &Options::default()).unwrap();
    module().write_image(&path).unwrap();
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing is left over"
    );
    let new = Module::open_image(&path, &Options::default()).unwrap();
    assert_eq!(old.code(0), new.code(0));
    assert_eq!(old.code(1), module().code(1));

    let missing = Module::open_image(dir.path().join("none"), &Options::default()).unwrap_err();
    assert_eq!(
        missing.kind,
        LoadErrorKind::Io(std::io::ErrorKind::NotFound)
    );
    assert!(
        module()
            .write_image(dir.path().join("none/m.image"))
            .is_err()
    );
    std::fs::write(&path, b"").unwrap();
    assert!(Module::open_image(&path, &Options::default()).is_err());
}

#[test]
fn other_options() {
    let fuel = Options {
        fuel: true,
        ..Options::default()
    };
    assert_eq!(kind(image(), &fuel), ImageErrorKind::Options);
    let features = sheave_loader::WasmFeatures::WASM1;
    let fewer = Options {
        features,
        ..Options::default()
    };
    assert!(matches!(
        kind(image(), &fewer),
        ImageErrorKind::FeatureOff(_)
    ));
}

#[test]
fn wrong_headers() {
    let options = Options::default();
    assert_eq!(
        kind(b"\0asm\x01\0\0\0".to_vec(), &options),
        ImageErrorKind::NotAnImage
    );
    assert_eq!(kind(Vec::new(), &options), ImageErrorKind::NotAnImage);
    assert_eq!(
        kind(image()[..40].to_vec(), &options),
        ImageErrorKind::Truncated
    );
    let mut short = image();
    short.pop();
    assert_eq!(kind(short, &options), ImageErrorKind::Truncated);
    let mut version = image();
    version[8] = 9;
    assert_eq!(kind(version, &options), ImageErrorKind::FormatVersion(9));
    let mut flags = image();
    flags[24] ^= 1;
    assert_eq!(
        kind(flags, &options),
        ImageErrorKind::Checksum(ImagePart::Header)
    );
}

#[test]
fn every_flipped_byte_is_found() {
    let good = image();
    let names_are_right =
        |module: &Module| module.func_name(1) == Some("g") && module.module_name() == Some("m");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        let Ok(module) = Module::from_image(bad, &Options::default()) else {
            continue;
        };
        let found = (0..2).any(|func| module.code(func).is_err())
            || module.data(0).is_err()
            || (0..2).any(|func| module.positions(func).is_err())
            || !names_are_right(&module);
        // The padding between the parts is nobody's.
        let padding = at < good.len() - module.wasm().len() && good[at] == 0;
        assert!(found || padding, "byte {at}");
    }
}

#[test]
fn memories_are_prepared_where_it_is_worth_it() {
    let data = |len: usize| "z".repeat(len);
    let runs = |memory: &str, segments: &str| {
        let source = format!("(module {memory} {segments})");
        let bytes = wat::parse_str(source).expect("the module is well-formed");
        let module = Module::new(bytes, &Options::default()).expect("the module is valid");
        assert!(module.initial_memory().is_ok_and(|all| all.is_empty()));
        let image = module.to_image().expect("it can be translated");
        let module = Module::from_image(image, &Options::default()).expect("it is whole");
        let all = module.initial_memory().expect("it is whole");
        let place = |run: &InitialMemory<'_>| (run.memory, run.at, run.bytes.len());
        all.iter().map(place).collect::<Vec<_>>()
    };
    let big = data(65_536);
    let at = |at: u64| format!(r#"(data (i32.const {at}) "{big}")"#);
    let memory = "(memory 64)";
    assert_eq!(runs(memory, &at(0)), [(0, 0, 65_536)]);
    assert_eq!(runs(memory, &at(65_500)), [(0, 0, 131_072)]);
    assert_eq!(
        runs(memory, &format!("{}{}", at(0), at(3_000_000))),
        [(0, 0, 65_536), (0, 2_949_120, 131_072)]
    );
    // Little data, data outside, and data of somebody else's memory.
    let little = format!(r#"(data (i32.const 0) "{}")"#, data(65_535));
    assert_eq!(runs(memory, &little), []);
    assert_eq!(runs("(memory 1)", &at(1)), []);
    assert_eq!(runs(r#"(import "a" "m" (memory 1))"#, &at(0)), []);
}
