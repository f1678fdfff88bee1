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
            "its fuel was used up; 1 frame,",
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

/// Two continuations are suspended, one of them as two stacks; the call that waits is in a third, in which there is a fourth.
const CHAINS: &str = r#"(module $chains
    (type $f (func))
    (type $k (cont $f))
    (tag $yield)
    (table $kept 2 (ref null $k))
    (elem declare func $leaf $middle $busy $wrapper)
    (func $leaf (suspend $yield))
    (func $middle (resume $k (cont.new $k (ref.func $leaf))))
    (func $busy (local $i i32)
        (loop $l
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000)))))
    (func $wrapper (resume $k (cont.new $k (ref.func $busy))))
    (func $suspended (param $k (ref $k)) (result (ref $k))
        (block $on (result (ref $k))
            (resume $k (on $yield $on) (local.get $k))
            (unreachable)))
    (func $_start (export "_start")
        (table.set $kept (i32.const 0) (call $suspended (cont.new $k (ref.func $leaf))))
        (table.set $kept (i32.const 1) (call $suspended (cont.new $k (ref.func $middle))))
        (resume $k (cont.new $k (ref.func $wrapper)))))"#;

/// The lines about stacks, without sizes and positions.
fn stacks(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with("the call that waits"));
    lines
        .map(|line| match line.split_once(" - ") {
            Some((place, function)) => {
                let indent = place.len() - place.trim_start().len();
                format!("{}{function}", " ".repeat(indent))
            }
            None => line.split(';').next().unwrap().to_owned(),
        })
        .collect()
}

#[test]
fn stacks_of_continuations_are_a_tree() {
    let folder = Folder::new();
    folder.file("chains.wat", CHAINS);
    let features = ["--features", "stack-switching"];
    for how in ["absent", "embedded", "translated"] {
        let take = ["snapshot", "--fuel", "5000", "--modules", how, "-o", "snap"];
        folder
            .sheave(&[&take[..], &features, &["chains.wat"]].concat())
            .prints("");
        // Looking asks for no feature.
        let ended = folder.sheave(&["inspect", "--verify", "snap"]);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
        assert_eq!(
            stacks(&ended.stdout),
            [
                "the call that waits: its fuel was used up",
                "    chains!_start",
                "  resumed there: stack 4",
                "      chains!wrapper",
                "    resumed there: stack 5",
                "        chains!busy",
                "a suspended continuation: stack 1",
                "    chains!leaf",
                "a suspended continuation: outermost, stack 2",
                "    chains!middle",
                "  innermost, stack 3",
                "      chains!leaf",
            ],
            "{how}"
        );
    }
    folder
        .sheave(&["inspect", "snap", "--html", "snap.html"])
        .prints("");
    let page = std::fs::read_to_string(folder.path().join("snap.html")).unwrap();
    let between = |text: &str, from: &str, to: &str| {
        let rest = text.split_once(from).unwrap_or_else(|| panic!("{text}")).1;
        rest.split_once(to)
            .unwrap_or_else(|| panic!("{text}"))
            .0
            .to_owned()
    };
    let sections = page.split("<section style=\"margin-left:").skip(1);
    let drawn: Vec<_> = sections
        .map(|section| {
            let depth = section.split_once("rem").unwrap().0.to_owned();
            (depth, between(section, "<code>", "</code>"))
        })
        .collect();
    let want = [
        ("0", "_start"),
        ("2", "wrapper"),
        ("4", "busy"),
        ("0", "leaf"),
        ("0", "middle"),
        ("2", "leaf"),
    ];
    assert_eq!(
        drawn,
        want.map(|(depth, name)| (depth.to_owned(), name.to_owned()))
    );
    assert!(page.contains("a suspended continuation: outermost, stack 2"));
}

#[test]
fn a_program_of_tasks_shows_each_of_them() {
    let folder = Folder::new();
    folder.file("tasks.wat", include_str!("../../../examples/tasks.wat"));
    let mut most = 0;
    // Wherever it is: between tasks, or in one.
    for fuel in (20..=200).step_by(20) {
        let fuel = fuel.to_string();
        let take = ["snapshot", "--features", "stack-switching", "--fuel", &fuel];
        let ended = folder.sheave(&[&take[..], &["-o", "snap", "tasks.wat"]].concat());
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
        let ended = folder.sheave(&["inspect", "snap"]);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
        let lines = stacks(&ended.stdout);
        assert_eq!(lines[0], "the call that waits: its fuel was used up");
        let suspended = lines
            .iter()
            .filter(|l| l.starts_with("a suspended continuation: stack"));
        let suspended = suspended.count();
        let working = lines.iter().filter(|l| l.ends_with("!work")).count();
        let resumed = lines
            .iter()
            .filter(|l| l.starts_with("  resumed there"))
            .count();
        assert_eq!(working, suspended + resumed, "{lines:#?}");
        most = most.max(suspended);
    }
    assert_eq!(most, 3);
}
