//! Random programs: what they are made of, and how they are chosen.
//!
//! All functions have one of two types, and all continuations too: `[x peer] -> [x]`, and `[y x peer] -> [x]` for those to
//! which an argument can be bound. `peer` is a continuation of the first type or null. Every function computes with its own
//! `x`; continuations are kept in the entries of two tables.

use proptest::prelude::*;

/// How many functions there are for the host to call.
pub(crate) const ROOTS: u8 = 2;
/// How many others there are of the first type, and of the second.
pub(crate) const FUNCS: u8 = 3;
pub(crate) const WIDE_FUNCS: u8 = 2;
/// Entries of the table of the first type, and of the second.
pub(crate) const ENTRIES: u8 = 3;
pub(crate) const WIDE_ENTRIES: u8 = 2;
/// Tags of suspensions that are resumed with the first type; there is one more for the second, and one for switches.
pub(crate) const TAGS: u8 = 2;
/// Tags of exceptions.
pub(crate) const EXCEPTIONS: u8 = 2;

/// A statement, which has a number of its own.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: u32,
    pub(crate) what: What,
}

pub(crate) type Body = Vec<Node>;

/// What a statement does.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// `x` becomes `31 x + c`.
    Mix(i32),
    /// Puts `x` into a new object, which the function keeps.
    Keep,
    /// Adds what was put into that.
    Kept,
    /// Makes a continuation of a function.
    New {
        entry: u8,
        func: u8,
    },
    /// The same, of the second type.
    NewWide {
        entry: u8,
        func: u8,
    },
    /// Binds `x` to one of the second type, which gives one of the first. This and what follows do nothing where the entry
    /// is null.
    Bind {
        from: u8,
        to: u8,
    },
    /// Binds nothing.
    Rebind {
        entry: u8,
    },
    /// Copies a reference.
    Copy {
        from: u8,
        to: u8,
    },
    /// Forgets a reference.
    Drop {
        entry: u8,
    },
    /// Puts the peer into an entry.
    StorePeer {
        entry: u8,
    },
    /// Gives `x` away and gets another.
    Suspend {
        tag: u8,
    },
    /// The same, to be resumed with one argument more.
    SuspendWide,
    /// Resumes what is in an entry.
    Resume(Resume),
    /// Resumes what is in an entry until it ends, however often it suspends with that tag.
    Drive {
        entry: u8,
        tag: u8,
    },
    /// Goes to what is in an entry.
    Switch {
        entry: u8,
        take: bool,
    },
    /// Throws `x`.
    Throw {
        tag: u8,
    },
    /// Throws again what was caught last, if anything was.
    ThrowAgain,
    /// Runs a body, and another one for what that throws.
    Try {
        body: Body,
        catches: Vec<Catch>,
    },
    /// Asks the lowest bit of `x`.
    If {
        then: Body,
        other: Body,
    },
    /// Repeats while the lowest bit of `x` is set.
    Loop(Body),
    /// Calls a function, with the peer or without.
    Call {
        func: u8,
        give: bool,
    },
    TailCall {
        func: u8,
    },
    Return,
    Trap,
}

/// A resumption.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    pub(crate) entry: u8,
    pub(crate) how: How,
    /// Does nothing where the entry is null, or nothing was caught to be thrown.
    pub(crate) guarded: bool,
    /// Sets the entry to null before.
    pub(crate) take: bool,
    /// Gives the peer.
    pub(crate) give: bool,
    pub(crate) clauses: Vec<Clause>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Plain,
    /// Throws `x`.
    Throw(u8),
    /// Throws what was caught last.
    ThrowAgain,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum On {
    Tag(u8),
    Wide,
    Switch,
}

/// A clause of a resumption: the continuation goes to an entry, the payload becomes `x`, and the body is run.
#[derive(Clone, Debug)]
pub(crate) struct Clause {
    pub(crate) on: On,
    pub(crate) entry: u8,
    pub(crate) body: Body,
}

/// A clause of a `try_table`: for all tags without one. The payload of one becomes `x`.
#[derive(Clone, Debug)]
pub(crate) struct Catch {
    pub(crate) tag: Option<u8>,
    /// Whether the exception is kept, to be thrown again.
    pub(crate) with_ref: bool,
    pub(crate) body: Body,
}

/// What the host calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invocation {
    pub(crate) root: u8,
    pub(crate) x: i32,
    /// Whether all entries get new continuations before.
    pub(crate) fill: bool,
    /// How many functions may be entered, and loops repeated.
    pub(crate) budget: i32,
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// What the host calls.
    pub(crate) roots: Vec<Body>,
    pub(crate) funcs: Vec<Body>,
    pub(crate) wide_funcs: Vec<Body>,
    pub(crate) invocations: Vec<Invocation>,
}

fn node(what: What) -> Node {
    Node { id: 0, what }
}

fn entry() -> std::ops::Range<u8> {
    0..ENTRIES
}

/// Clauses of these kinds, in any order.
fn clauses(
    on: impl Strategy<Value = Vec<On>>,
    body: BoxedStrategy<Body>,
) -> impl Strategy<Value = Vec<Clause>> {
    on.prop_flat_map(move |on| {
        let clause =
            |on| (entry(), body.clone()).prop_map(move |(entry, body)| Clause { on, entry, body });
        on.into_iter().map(clause).collect::<Vec<_>>()
    })
}

fn kinds() -> Vec<On> {
    let tags = (0..TAGS).map(On::Tag);
    tags.chain([On::Wide, On::Switch]).collect()
}

fn resume(
    on: impl Strategy<Value = Vec<On>>,
    body: BoxedStrategy<Body>,
) -> impl Strategy<Value = What> {
    let how = prop_oneof![
        10 => Just(How::Plain),
        1 => (0..EXCEPTIONS).prop_map(How::Throw),
        1 => Just(How::ThrowAgain),
    ];
    let guarded = proptest::bool::weighted(0.97);
    let take = proptest::bool::weighted(0.9);
    let parts = (
        entry(),
        how,
        guarded,
        take,
        any::<bool>(),
        clauses(on, body),
    );
    parts.prop_map(|(entry, how, guarded, take, give, clauses)| {
        What::Resume(Resume {
            entry,
            how,
            guarded,
            take,
            give,
            clauses,
        })
    })
}

/// What the host calls: it resumes what there is, and has clauses for nearly all that can come.
fn root() -> impl Strategy<Value = Body> {
    let locals = || proptest::collection::vec(local().prop_map(node), 0..4).boxed();
    let resume = || {
        let on = (0..8_usize).prop_flat_map(|n| {
            let all = kinds();
            let n = if n == 0 { 2 } else { all.len() };
            proptest::sample::subsequence(all, n).prop_shuffle()
        });
        resume(on, locals())
    };
    let guarded = (resume(), catches(locals())).prop_map(|(what, catches)| What::Try {
        body: vec![node(what)],
        catches,
    });
    let statement = prop_oneof![
        5 => resume(),
        2 => guarded,
        2 => local(),
        1 => (entry(), 0..TAGS).prop_map(|(entry, tag)| What::Drive { entry, tag }),
    ];
    proptest::collection::vec(statement.prop_map(node), 3..12)
}

fn catches(body: BoxedStrategy<Body>) -> impl Strategy<Value = Vec<Catch>> {
    let tag = proptest::option::of(0..EXCEPTIONS);
    let catch = (tag, any::<bool>(), body);
    let catch = catch.prop_map(|(tag, with_ref, body)| Catch {
        tag,
        with_ref,
        body,
    });
    proptest::collection::vec(catch, 0..3)
}

/// Statements that stay in their function.
fn local() -> impl Strategy<Value = What> {
    prop_oneof![
        3 => any::<i8>().prop_map(|c| What::Mix(c.into())),
        1 => Just(What::Keep),
        1 => Just(What::Kept),
        6 => (entry(), 0..FUNCS).prop_map(|(entry, func)| What::New { entry, func }),
        1 => (0..WIDE_ENTRIES, 0..WIDE_FUNCS).prop_map(|(entry, func)| What::NewWide { entry, func }),
        8 => (0..WIDE_ENTRIES, entry()).prop_map(|(from, to)| What::Bind { from, to }),
        1 => entry().prop_map(|entry| What::Rebind { entry }),
        1 => (entry(), entry()).prop_map(|(from, to)| What::Copy { from, to }),
        1 => entry().prop_map(|entry| What::Drop { entry }),
        2 => entry().prop_map(|entry| What::StorePeer { entry }),
    ]
}

fn simple() -> impl Strategy<Value = What> {
    prop_oneof![
        20 => local(),
        6 => (0..TAGS).prop_map(|tag| What::Suspend { tag }),
        4 => Just(What::SuspendWide),
        1 => (entry(), 0..TAGS).prop_map(|(entry, tag)| What::Drive { entry, tag }),
        3 => (entry(), proptest::bool::weighted(0.8)).prop_map(|(entry, take)| What::Switch { entry, take }),
        1 => (0..EXCEPTIONS).prop_map(|tag| What::Throw { tag }),
    ]
}

/// Statements that go elsewhere, which few programs should do often.
fn rare() -> impl Strategy<Value = What> {
    prop_oneof![
        Just(What::ThrowAgain),
        (0..FUNCS).prop_map(|func| What::TailCall { func }),
        Just(What::Return),
        Just(What::Trap),
    ]
}

fn body() -> BoxedStrategy<Body> {
    let leaf = prop_oneof![
        12 => simple(),
        1 => rare(),
        2 => (0..FUNCS, any::<bool>()).prop_map(|(func, give)| What::Call { func, give }),
    ];
    let leaves = proptest::collection::vec(leaf.prop_map(node), 0..5).boxed();
    leaves
        .prop_recursive(3, 24, 6, move |inner| {
            let inner = inner.boxed();
            let statement = prop_oneof![
                6 => simple(),
                6 => resume(proptest::sample::subsequence(kinds(), 0..4), inner.clone()),
                3 => (inner.clone(), catches(inner.clone())).prop_map(|(body, catches)| What::Try { body, catches }),
                1 => (inner.clone(), inner.clone()).prop_map(|(then, other)| What::If { then, other }),
                1 => inner.clone().prop_map(What::Loop),
            ];
            proptest::collection::vec(statement.prop_map(node), 1..6)
        })
        .boxed()
}

/// Numbers the statements.
fn number(body: &mut Body, next: &mut u32) {
    for node in body {
        node.id = *next;
        *next += 1;
        match &mut node.what {
            What::Resume(resume) => {
                for clause in &mut resume.clauses {
                    number(&mut clause.body, next);
                }
            }
            What::Try { body, catches } => {
                number(body, next);
                for catch in catches {
                    number(&mut catch.body, next);
                }
            }
            What::If { then, other } => {
                number(then, next);
                number(other, next);
            }
            What::Loop(body) => number(body, next),
            _ => {}
        }
    }
}

/// Programs of all kinds.
pub(crate) fn program() -> impl Strategy<Value = Program> {
    let invocation = (0..ROOTS, any::<i8>(), any::<bool>(), 0..80_i32);
    let invocation = invocation.prop_map(|(root, x, fill, budget)| Invocation {
        root,
        x: x.into(),
        fill,
        budget,
    });
    let parts = (
        proptest::collection::vec(root(), usize::from(ROOTS)),
        proptest::collection::vec(body(), usize::from(FUNCS)),
        proptest::collection::vec(body(), usize::from(WIDE_FUNCS)),
        proptest::collection::vec(invocation, 1..5),
    );
    parts.prop_map(|(mut roots, mut funcs, mut wide_funcs, invocations)| {
        let mut next = 0;
        for body in roots.iter_mut().chain(&mut funcs).chain(&mut wide_funcs) {
            number(body, &mut next);
        }
        Program {
            roots,
            funcs,
            wide_funcs,
            invocations,
        }
    })
}
