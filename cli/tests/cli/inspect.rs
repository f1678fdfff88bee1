//! `sheave inspect`.

use crate::Folder;
use crate::snapshots::COUNT;

#[test]
fn a_snapshot_can_be_looked_at() {
    let folder = Folder::new();
    let named = COUNT
        .replace("(module", "(module $counting")
        .replace("(func (export", "(func $count_down (export");
    folder.file("count.wat", named);
    let take = |how| {
        let fuel = [
            "snapshot",
            "--fuel",
            "5000",
            "--invoke",
            "count",
            "--modules",
            how,
        ];
        folder
            .sheave(&[&fuel[..], &["-o", "snap", "count.wat", "1000"]].concat())
            .prints("");
    };
    for how in ["absent", "embedded", "translated"] {
        take(how);
        let ended = folder.sheave(&["inspect", "--verify", "snap"]);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
        for text in [
            "function `count`",
            "memory 0   128.0 KiB",
            "its fuel was used up; 1 frames",
            " - counting!count_down",
        ] {
            assert!(ended.stdout.contains(text), "{text}: {}", ended.stdout);
        }
    }
    let html = folder.path().join("snap.html");
    folder
        .sheave(&["inspect", "snap", "--html", "snap.html"])
        .prints("");
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(
        page.contains("data-cells=\"32\" data-pages=\"1\""),
        "{page}"
    );
    assert!(
        page.contains("<code>count_down</code>") && !page.contains("{{"),
        "{page}"
    );

    take("absent");
    std::fs::remove_file(folder.path().join("count.wat")).unwrap();
    let ended = folder.sheave(&["inspect", "snap"]);
    assert!(
        ended.stdout.contains("--module names its file"),
        "{ended:?}"
    );
    let mut bytes = std::fs::read(folder.path().join("snap")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    folder.file("bad", bytes);
    assert_eq!(folder.sheave(&["inspect", "bad"]).code, Some(0));
    folder
        .sheave(&["inspect", "--verify", "bad"])
        .fails_with(1, "bad: damaged snapshot");
}
