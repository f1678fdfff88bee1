//! A program as two modules in the text format.

use crate::program::{
    Body, Catch, Clause, ENTRIES, EXCEPTIONS, FUNCS, How, On, Program, Resume, TAGS, WIDE_ENTRIES,
    WIDE_FUNCS, What,
};
use std::fmt::Write as _;

const HEAD: &str = r#"(module
  (rec
    (type $f (func (param i32 (ref null $k)) (result i32)))
    (type $k (cont $f)))
  (type $fw (func (param i32 i32 (ref null $k)) (result i32)))
  (type $kw (cont $fw))
  (type $box (struct (field i32)))
  (import "host" "log" (func $log (param i32 i32)))
"#;

const LOCALS: &str = "(local $box (ref null $box)) (local $caught exnref) (local $k (ref null $k)) (local $kw (ref null $kw))
";

const BUDGET: &str = "(global.set $budget (i32.sub (global.get $budget) (i32.const 1)))
    (if (i32.lt_s (global.get $budget) (i32.const 0)) (then (return (local.get $x))))
";

/// Writes a program: two modules, of which the second imports from the first ("a") what both have. Every other function is
/// in the second, and known to the first by a table.
pub(crate) fn modules(program: &Program) -> [String; 2] {
    [0, 1].map(|part| module(program, part))
}

fn module(program: &Program, part: u8) -> String {
    let mut out = Writer {
        text: HEAD.into(),
        part,
        blocks: 0,
    };
    out.shared("global", "budget", "(mut i32)", "(i32.const 0)");
    for tag in 0..TAGS {
        let name = format!("t{tag}");
        out.shared("tag", &name, "(param i32) (result i32 (ref null $k))", "");
    }
    let wide = "(param i32) (result i32 i32 (ref null $k))";
    out.shared("tag", "wide", wide, "");
    out.shared("tag", "switch", "(result i32)", "");
    for tag in 0..EXCEPTIONS {
        out.shared("tag", &format!("e{tag}"), "(param i32)", "");
    }
    for (name, len, ty) in [
        ("entries", ENTRIES, "$k"),
        ("wides", WIDE_ENTRIES, "$kw"),
        ("funcs", FUNCS, "$f"),
        ("wide_funcs", WIDE_FUNCS, "$fw"),
    ] {
        out.shared("table", name, &format!("{len} (ref null {ty})"), "");
    }
    if part == 0 {
        out.fill();
        for (i, body) in program.roots.iter().enumerate() {
            out.func(&format!("r{i}"), body);
        }
    }
    for (func, body) in (0..FUNCS).zip(&program.funcs) {
        if out.has(func) {
            out.func(&format!("f{func}"), body);
            out.line(&format!(
                "(elem (table $funcs) (i32.const {func}) (ref null $f) (ref.func $f{func}))"
            ));
        }
    }
    for (func, body) in (0..WIDE_FUNCS).zip(&program.wide_funcs) {
        if out.has(func) {
            out.wide_func(func, body);
            out.line(&format!(
                "(elem (table $wide_funcs) (i32.const {func}) (ref null $fw) (ref.func $w{func}))"
            ));
        }
    }
    out.text.push(')');
    out.text
}

struct Writer {
    text: String,
    /// Which of the two modules this is.
    part: u8,
    /// How many blocks there are: their labels have different names.
    blocks: u32,
}

impl Writer {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    /// Something that both modules have, with what only its definition says.
    fn shared(&mut self, kind: &str, name: &str, ty: &str, init: &str) {
        self.line(&if self.part == 0 {
            format!("({kind} ${name} (export \"{name}\") {ty} {init})")
        } else {
            format!("(import \"a\" \"{name}\" ({kind} ${name} {ty}))")
        });
    }

    /// Whether a function is in this module.
    fn has(&self, func: u8) -> bool {
        func % 2 == self.part
    }

    /// A reference to a function of the first type, or of the second.
    fn func_ref(&self, func: u8, wide: bool) -> String {
        match (self.has(func), wide) {
            (true, false) => format!("(ref.func $f{func})"),
            (true, true) => format!("(ref.func $w{func})"),
            (false, false) => format!("(table.get $funcs (i32.const {func}))"),
            (false, true) => format!("(table.get $wide_funcs (i32.const {func}))"),
        }
    }

    /// The function that puts a new continuation into each entry.
    fn fill(&mut self) {
        self.line("(func (export \"fill\")");
        for entry in 0..ENTRIES {
            self.new_cont(entry, entry % FUNCS);
        }
        for entry in 0..WIDE_ENTRIES {
            self.new_wide_cont(entry, entry % WIDE_FUNCS);
        }
        self.line(")");
    }

    fn new_cont(&mut self, entry: u8, func: u8) {
        let func = self.func_ref(func, false);
        self.line(&format!(
            "(table.set $entries (i32.const {entry}) (cont.new $k {func}))"
        ));
    }

    fn new_wide_cont(&mut self, entry: u8, func: u8) {
        let func = self.func_ref(func, true);
        self.line(&format!(
            "(table.set $wides (i32.const {entry}) (cont.new $kw {func}))"
        ));
    }

    fn func(&mut self, name: &str, body: &Body) {
        self.line(&format!(
            "(func ${name} (export \"{name}\") (type $f) (param $x i32) (param $peer (ref null $k)) (result i32)"
        ));
        self.text += LOCALS;
        self.text += BUDGET;
        self.body(body);
        self.line("(local.get $x))");
    }

    fn wide_func(&mut self, func: u8, body: &Body) {
        self.line(&format!(
            "(func $w{func} (type $fw) (param $y i32) (param $x i32) (param $peer (ref null $k)) (result i32)"
        ));
        self.text += LOCALS;
        self.line("(local.set $x (i32.add (i32.mul (local.get $y) (i32.const 7)) (local.get $x)))");
        self.text += BUDGET;
        self.body(body);
        self.line("(local.get $x))");
    }

    fn block(&mut self) -> u32 {
        self.blocks += 1;
        self.blocks
    }

    fn body(&mut self, body: &Body) {
        for node in body {
            let id = node.id;
            self.line(&format!("(call $log (i32.const {id}) (local.get $x))"));
            self.statement(&node.what);
        }
    }

    fn statement(&mut self, what: &What) {
        match what {
            What::Mix(c) => self.line(&format!(
                "(local.set $x (i32.add (i32.mul (local.get $x) (i32.const 31)) (i32.const {c})))"
            )),
            What::Keep => self.line("(local.set $box (struct.new $box (local.get $x)))"),
            What::Kept => self.line(
                "(if (i32.eqz (ref.is_null (local.get $box)))
                   (then (local.set $x (i32.add (local.get $x) (struct.get $box 0 (local.get $box))))))",
            ),
            What::New { entry, func } => self.new_cont(*entry, *func),
            What::NewWide { entry, func } => self.new_wide_cont(*entry, *func),
            What::Bind { from, to } => self.line(&format!(
                "(if (ref.is_null (table.get $wides (i32.const {from}))) (then) (else
                   (table.set $entries (i32.const {to})
                     (cont.bind $kw $k (local.get $x) (table.get $wides (i32.const {from}))))))"
            )),
            What::Rebind { entry } => self.line(&format!(
                "(if (ref.is_null (table.get $entries (i32.const {entry}))) (then) (else
                   (table.set $entries (i32.const {entry})
                     (cont.bind $k $k (table.get $entries (i32.const {entry}))))))"
            )),
            What::Copy { from, to } => self.line(&format!(
                "(table.set $entries (i32.const {to}) (table.get $entries (i32.const {from})))"
            )),
            What::Drop { entry } => self.line(&format!(
                "(table.set $entries (i32.const {entry}) (ref.null $k))"
            )),
            What::StorePeer { entry } => self.line(&format!(
                "(table.set $entries (i32.const {entry}) (local.get $peer))"
            )),
            What::Suspend { tag } => self.line(&format!(
                "(suspend $t{tag} (local.get $x)) (local.set $peer) (local.set $x)"
            )),
            What::SuspendWide => self.line(
                "(suspend $wide (local.get $x)) (local.set $peer) (local.set $x)
                 (i32.mul (i32.const 7)) (i32.add (local.get $x)) (local.set $x)",
            ),
            What::Resume(resume) => self.resume(resume),
            What::Drive { entry, tag } => self.drive(*entry, *tag),
            What::Switch { entry, take } => {
                let block = self.block();
                self.line(&format!(
                    "(block $b{block} (br_if $b{block} (ref.is_null (table.get $entries (i32.const {entry}))))"
                ));
                self.line(&format!(
                    "(local.set $k (table.get $entries (i32.const {entry})))"
                ));
                self.take(*entry, *take);
                self.line(
                    "(switch $k $switch (local.get $x) (local.get $k)) (local.set $peer) (local.set $x))",
                );
            }
            What::Throw { tag } => self.line(&format!("(throw $e{tag} (local.get $x))")),
            What::ThrowAgain => self.line(
                "(if (ref.is_null (local.get $caught)) (then) (else (throw_ref (local.get $caught))))",
            ),
            What::Try { body, catches } => self.try_table(body, catches),
            What::If { then, other } => {
                self.line("(if (i32.and (local.get $x) (i32.const 1)) (then");
                self.body(then);
                self.line(") (else");
                self.body(other);
                self.line("))");
            }
            What::Loop(body) => {
                let block = self.block();
                self.line(&format!("(loop $b{block}"));
                self.body(body);
                self.line(&format!(
                    "(global.set $budget (i32.sub (global.get $budget) (i32.const 1)))
                     (br_if $b{block} (i32.and (i32.gt_s (global.get $budget) (i32.const 0)) (local.get $x))))"
                ));
            }
            What::Call { func, give } => {
                let (peer, target) = (peer(*give), self.func_ref(*func, false));
                self.line(&if self.has(*func) {
                    format!("(local.set $x (call $f{func} (local.get $x) {peer}))")
                } else {
                    format!("(local.set $x (call_ref $f (local.get $x) {peer} {target}))")
                });
            }
            What::TailCall { func } => {
                let target = self.func_ref(*func, false);
                self.line(&if self.has(*func) {
                    format!("(return_call $f{func} (local.get $x) (local.get $peer))")
                } else {
                    format!("(return_call_ref $f (local.get $x) (local.get $peer) {target})")
                });
            }
            What::Return => self.line("(return (local.get $x))"),
            What::Trap => self.line("(unreachable)"),
        }
    }

    fn take(&mut self, entry: u8, take: bool) {
        if take {
            self.line(&format!(
                "(table.set $entries (i32.const {entry}) (ref.null $k))"
            ));
        }
    }

    fn resume(&mut self, resume: &Resume) {
        let Resume { entry, clauses, .. } = resume;
        let done = self.block();
        self.line(&format!("(block $b{done}"));
        if resume.guarded && matches!(resume.how, How::ThrowAgain) {
            self.line(&format!(
                "(br_if $b{done} (ref.is_null (local.get $caught)))"
            ));
        }
        if resume.guarded {
            self.line(&format!(
                "(br_if $b{done} (ref.is_null (table.get $entries (i32.const {entry}))))"
            ));
        }
        // The last clause is the innermost block.
        let mut labels = Vec::new();
        for clause in clauses {
            let block = self.block();
            match clause.on {
                On::Tag(_) => self.line(&format!("(block $b{block} (result i32 (ref $k))")),
                On::Wide => self.line(&format!("(block $b{block} (result i32 (ref $kw))")),
                On::Switch => {}
            }
            labels.push(block);
        }
        self.line(&format!(
            "(local.set $k (table.get $entries (i32.const {entry})))"
        ));
        self.take(*entry, resume.take);
        let mut on = String::new();
        for (clause, block) in clauses.iter().zip(&labels) {
            let _ = match clause.on {
                On::Tag(tag) => write!(on, " (on $t{tag} $b{block})"),
                On::Wide => write!(on, " (on $wide $b{block})"),
                On::Switch => write!(on, " (on $switch switch)"),
            };
        }
        let peer = peer(resume.give);
        self.line(&match resume.how {
            How::Plain => {
                format!("(resume $k {on} (local.get $x) {peer} (local.get $k))")
            }
            How::Throw(tag) => {
                format!("(resume_throw $k $e{tag} {on} (local.get $x) (local.get $k))")
            }
            How::ThrowAgain => {
                format!("(resume_throw_ref $k {on} (local.get $caught) (local.get $k))")
            }
        });
        self.line(&format!("(local.set $x) (br $b{done})"));
        for clause in clauses.iter().rev() {
            self.clause(clause, done);
        }
        self.line(")");
    }

    fn clause(&mut self, clause: &Clause, done: u32) {
        let Clause { on, entry, body } = clause;
        match on {
            On::Switch => return,
            On::Tag(_) => self.line(&format!(
                ") (local.set $k) (local.set $x) (table.set $entries (i32.const {entry}) (local.get $k))"
            )),
            On::Wide => self.line(&format!(
                ") (local.set $kw) (local.set $x) (table.set $wides (i32.const {}) (local.get $kw))",
                entry % WIDE_ENTRIES
            )),
        }
        self.body(body);
        self.line(&format!("(br $b{done})"));
    }

    /// The label of its clause is that of a loop.
    fn drive(&mut self, entry: u8, tag: u8) {
        let (done, again) = (self.block(), self.block());
        self.line(&format!(
            "(block $b{done}
               (br_if $b{done} (ref.is_null (table.get $entries (i32.const {entry}))))
               (local.get $x) (table.get $entries (i32.const {entry}))
               (table.set $entries (i32.const {entry}) (ref.null $k))
               (loop $b{again} (param i32 (ref null $k))
                 (local.set $k) (local.set $x)
                 (global.set $budget (i32.sub (global.get $budget) (i32.const 1)))
                 (br_if $b{done} (i32.lt_s (global.get $budget) (i32.const 0)))
                 (local.set $x
                   (resume $k (on $t{tag} $b{again}) (local.get $x) (ref.null $k) (local.get $k)))))"
        ));
    }

    fn try_table(&mut self, body: &Body, catches: &[Catch]) {
        let done = self.block();
        self.line(&format!("(block $b{done}"));
        let mut labels = Vec::new();
        for catch in catches {
            let block = self.block();
            let result = match (catch.tag, catch.with_ref) {
                (Some(_), true) => "(result i32 exnref)",
                (Some(_), false) => "(result i32)",
                (None, true) => "(result exnref)",
                (None, false) => "",
            };
            self.line(&format!("(block $b{block} {result}"));
            labels.push(block);
        }
        self.line("(try_table");
        for (catch, block) in catches.iter().zip(&labels) {
            self.line(&match (catch.tag, catch.with_ref) {
                (Some(tag), true) => format!("(catch_ref $e{tag} $b{block})"),
                (Some(tag), false) => format!("(catch $e{tag} $b{block})"),
                (None, true) => format!("(catch_all_ref $b{block})"),
                (None, false) => format!("(catch_all $b{block})"),
            });
        }
        self.body(body);
        self.line(&format!(") (br $b{done})"));
        for catch in catches.iter().rev() {
            self.line(")");
            if catch.with_ref {
                self.line("(local.set $caught)");
            }
            if catch.tag.is_some() {
                self.line("(local.set $x)");
            }
            self.body(&catch.body);
            self.line(&format!("(br $b{done})"));
        }
        self.line(")");
    }
}

fn peer(give: bool) -> &'static str {
    if give {
        "(local.get $peer)"
    } else {
        "(ref.null $k)"
    }
}
