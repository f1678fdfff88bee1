//! What is wrong with a file or a command line, in one line.

use crate::Folder;

/// Every command that reads a module.
fn readers(folder: &Folder, file: &str) -> [crate::Ended; 3] {
    [
        folder.sheave(&["run", file]),
        folder.sheave(&["compile", file, "-o", "out.image"]),
        folder.sheave(&["disasm", file]),
    ]
}

#[test]
fn a_file_that_is_not_there() {
    let folder = Folder::new();
    for ended in readers(&folder, "gone.wasm") {
        ended.fails(1, "gone.wasm: No such file or directory");
    }
}

#[test]
fn a_directory_in_place_of_a_file() {
    let folder = Folder::new();
    for ended in readers(&folder, ".") {
        ended.fails(1, ".: Is a directory");
    }
}

#[test]
fn a_file_that_is_empty() {
    let folder = Folder::new();
    folder.file("empty.wasm", "");
    for ended in readers(&folder, "empty.wasm") {
        ended.fails(1, "empty.wasm: the file is empty");
    }
}

#[test]
fn a_file_that_is_no_webassembly() {
    let folder = Folder::new();
    let message = "not WebAssembly: neither a binary module, nor text, nor an image";
    folder.file("picture.wasm", b"\x89PNG\r\n\x1a\n\0\0\0\r");
    folder.file("prose.wasm", "Once upon a time");
    for file in ["picture.wasm", "prose.wasm"] {
        for ended in readers(&folder, file) {
            ended.fails(1, &format!("{file}: {message}"));
        }
    }
}

#[test]
fn a_module_that_is_truncated_anywhere() {
    let folder = Folder::new();
    let module = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";
    for len in 1..module.len() {
        // After the header, and after a whole section with nothing missing, a module may end.
        if matches!(len, 8 | 14) {
            continue;
        }
        folder.file("part.wasm", &module[..len]);
        for ended in readers(&folder, "part.wasm") {
            ended.fails_with(1, "part.wasm: ");
        }
    }
}

#[test]
fn a_module_that_is_invalid_is_named_with_the_offset() {
    let folder = Folder::new();
    folder.file("bad.wat", "(module (func (result i32) (i64.const 1)))");
    for ended in readers(&folder, "bad.wat") {
        ended.fails_with(1, "bad.wat: type mismatch");
        assert!(ended.stderr.contains("at offset 0x"), "{ended:?}");
    }
}

#[test]
fn a_component_is_not_a_module() {
    let folder = Folder::new();
    folder.file("c.wasm", b"\0asm\x0d\0\x01\0");
    for ended in readers(&folder, "c.wasm") {
        ended.fails_with(1, "component");
    }
}

#[test]
fn text_that_does_not_parse_is_named_with_line_and_column() {
    let folder = Folder::new();
    folder.file("typo.wat", "(module\n  (func (i32.cost 1)))");
    for ended in readers(&folder, "typo.wat") {
        ended.fails_with(1, "typo.wat:2:10: ");
    }
}

#[test]
fn a_feature_that_is_off_is_named() {
    let folder = Folder::new();
    folder.file("cont.wat", "(module (type $f (func)) (type (cont $f)))");
    folder.file("page.wat", "(module (memory 1 (pagesize 1)))");
    for (file, feature) in [
        ("cont.wat", "stack-switching"),
        ("page.wat", "custom-page-sizes"),
    ] {
        for ended in readers(&folder, file) {
            ended.fails_with(1, &format!("`{feature}`"));
        }
    }
}

#[test]
fn an_import_that_nobody_has_is_named() {
    let folder = Folder::new();
    folder.file("i.wat", r#"(module (import "env" "magic" (func)))"#);
    let ended = folder.sheave(&["run", "i.wat"]);
    ended.fails_with(1, "i.wat: ");
    assert!(
        ended.stderr.contains("env") && ended.stderr.contains("magic"),
        "{ended:?}"
    );
}

#[test]
fn a_library_without_a_start_wants_a_name() {
    let folder = Folder::new();
    folder.file("lib.wat", r#"(module (func (export "f")))"#);
    folder.sheave(&["run", "lib.wat"]).fails(
        1,
        "lib.wat: no `_start` is exported; name a function with --invoke",
    );
}

#[test]
fn an_image_that_is_damaged() {
    let folder = Folder::new();
    folder.file("m.wat", r#"(module (func (export "_start")))"#);
    folder
        .sheave(&["compile", "m.wat", "-o", "m.image"])
        .prints("");
    let image = std::fs::read(folder.path().join("m.image")).expect("the image");
    folder.file("short.image", &image[..image.len() / 2]);
    folder
        .sheave(&["run", "short.image"])
        .fails_with(1, "short.image: ");
    for at in (8..image.len()).step_by(13) {
        let mut flipped = image.clone();
        flipped[at] ^= 0x10;
        folder.file("flipped.image", &flipped);
        let ended = folder.sheave(&["run", "flipped.image"]);
        assert!(matches!(ended.code, Some(0 | 1)), "byte {at}: {ended:?}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_exits_with_2() {
    let folder = Folder::new();
    let lines: &[&[&str]] = &[
        &[],
        &["walk", "a.wasm"],
        &["run"],
        &["run", "--no-such-flag", "a.wasm"],
        &["run", "--fuel", "much", "a.wasm"],
        &["run", "--timeout", "soon", "a.wasm"],
        &["run", "--max-memory", "1 elephant", "a.wasm"],
        &["run", "--executor", "jit", "a.wasm"],
        &["wast"],
        &["wast", "--features", "telepathy", "a.wast"],
        &["compile", "a.wasm"],
        &["disasm"],
    ];
    for line in lines {
        let ended = folder.sheave(line);
        assert_eq!(ended.code, Some(2), "{line:?}: {ended:?}");
        assert!(!ended.stderr.is_empty(), "{line:?} should say why");
    }
}

#[test]
fn help_and_version_succeed() {
    let folder = Folder::new();
    assert_eq!(folder.sheave(&["--help"]).code, Some(0));
    assert_eq!(folder.sheave(&["run", "--help"]).code, Some(0));
    folder
        .sheave(&["--version"])
        .prints(concat!("sheave ", env!("CARGO_PKG_VERSION"), "\n"));
}
