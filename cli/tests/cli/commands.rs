//! `sheave wast`, `sheave compile`, `sheave disasm`.

use crate::Folder;

const GOOD: &str = r#"(module (func (export "f") (result i32) (i32.const 1)))
(assert_return (invoke "f") (i32.const 1))
(assert_invalid (module (func (result i32))) "type mismatch")
"#;

const BAD: &str = r#"(module (func (export "f") (result i32) (i32.const 1)))
(assert_return (invoke "f") (i32.const 1))
(assert_return (invoke "f")
  (i32.const 2))
(assert_trap (invoke "f") "unreachable")
"#;

#[test]
fn scripts_get_a_line_each_and_the_sum_stands_alone() {
    let folder = Folder::new();
    folder.file("good.wast", GOOD);
    folder.file("bad.wast", BAD);
    folder
        .sheave(&["wast", "good.wast"])
        .prints("good.wast: 2 passed, 0 failed\n2 passed, 0 failed\n");

    let ended = folder.sheave(&["wast", "good.wast", "bad.wast"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lines = [
        "good.wast: 2 passed, 0 failed",
        "bad.wast: 1 passed, 2 failed",
        "3 passed, 2 failed",
        "",
    ];
    assert_eq!(ended.stdout, lines.join("\n"));
    assert!(ended.stderr.contains("bad.wast:3: "), "{ended:?}");
    assert!(ended.stderr.contains("bad.wast:5: "), "{ended:?}");
}

#[test]
fn a_script_runs_on_the_chosen_executor() {
    let folder = Folder::new();
    folder.file("good.wast", GOOD);
    let expected = "good.wast: 2 passed, 0 failed\n2 passed, 0 failed\n";
    folder
        .sheave(&["wast", "--executor", "portable", "good.wast"])
        .prints(expected);
}

#[test]
fn features_are_chosen_by_name() {
    let folder = Folder::new();
    folder.file(
        "two.wast",
        r#"(assert_invalid (module (memory 1) (memory 1)) "multiple memories")"#,
    );
    let run = |features| folder.sheave(&["wast", "--features", features, "two.wast"]);
    let by_default = folder.sheave(&["wast", "two.wast"]);
    by_default.prints("two.wast: 1 passed, 0 failed\n1 passed, 0 failed\n");
    run("tail-call").prints("two.wast: 1 passed, 0 failed\n1 passed, 0 failed\n");
    for features in ["all", "multi-memory", "mvp,multi-memory"] {
        assert_eq!(
            run(features).stdout,
            "two.wast: 0 passed, 1 failed\n0 passed, 1 failed\n"
        );
    }
}

#[test]
fn a_script_that_does_not_parse_is_one_failure() {
    let folder = Folder::new();
    folder.file("broken.wast", "(assert_return");
    let ended = folder.sheave(&["wast", "broken.wast"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (
            Some(1),
            "broken.wast: 0 passed, 1 failed\n0 passed, 1 failed\n"
        )
    );
}

#[test]
fn a_script_that_is_not_there_fails_but_the_others_run() {
    let folder = Folder::new();
    folder.file("good.wast", GOOD);
    let ended = folder.sheave(&["wast", "gone.wast", "good.wast"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(
        ended.stdout,
        "good.wast: 2 passed, 0 failed\n2 passed, 0 failed\n"
    );
    assert_eq!(
        ended.stderr,
        "sheave: gone.wast: No such file or directory\n"
    );
}

#[test]
fn an_image_runs_like_its_module() {
    let folder = Folder::new();
    folder.file("m.wat", r#"(module (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"#);
    folder
        .sheave(&["compile", "m.wat", "-o", "m.image"])
        .prints("");
    let run =
        |args: &[&str]| folder.sheave(&[&["run", "m.image", "--invoke", "twice"], args].concat());
    run(&["21"]).prints("42\n");
    run(&["--executor", "portable", "21"]).prints("42\n");
    run(&["--fuel", "100", "21"]).prints("42\n");
    run(&["--timeout", "1h", "21"]).prints("42\n");
}

#[test]
fn an_image_cannot_be_written_to_a_folder_that_is_not_there() {
    let folder = Folder::new();
    folder.file("m.wat", "(module)");
    folder
        .sheave(&["compile", "m.wat", "-o", "no/m.image"])
        .fails_with(1, "no/m.image: ");
}

#[test]
fn bytecode_stands_beside_the_wasm_it_came_from() {
    let folder = Folder::new();
    folder.file(
        "m.wat",
        r#"(module
             (func $first (export "one") (param i32) (result i32) (i32.add (local.get 0) (i32.const 77)))
             (func $second (result i32) (i32.const 88)))"#,
    );
    let all = folder.sheave(&["disasm", "m.wat"]);
    assert_eq!(all.code, Some(0), "{all:?}");
    for text in ["first", "second", "i32.add", "i32_add", "77", "88"] {
        assert!(all.stdout.contains(text), "{text} is missing: {all:?}");
    }
    for name in ["first", "one", "0"] {
        let one = folder.sheave(&["disasm", "m.wat", "--func", name]);
        assert!(
            one.code == Some(0) && one.stdout.contains("77") && !one.stdout.contains("88"),
            "{one:?}"
        );
    }
    folder
        .sheave(&["disasm", "m.wat", "--func", "third"])
        .fails(1, "m.wat: no function is called `third`");
    folder
        .sheave(&["disasm", "m.wat", "--func", "2"])
        .fails(1, "m.wat: no function is called `2`");
}

#[test]
fn an_image_can_be_shown_too() {
    let folder = Folder::new();
    folder.file(
        "m.wat",
        r#"(module (func (export "f") (result i32) (i32.const 88)))"#,
    );
    folder
        .sheave(&["compile", "m.wat", "-o", "m.image"])
        .prints("");
    let ended = folder.sheave(&["disasm", "m.image"]);
    assert!(
        ended.code == Some(0) && ended.stdout.contains("88"),
        "{ended:?}"
    );
}
