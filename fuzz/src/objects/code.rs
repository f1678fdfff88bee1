//! Statements and expressions. Everything may be null, and is looked at before it is used.

use std::fmt::Write as _;

use super::module::{Gen, Kind, Storage, TABLE, get, name, unpacked};

impl Gen<'_> {
    // ---- statements ----

    pub(super) fn statement(&mut self, depth: usize) {
        self.budget -= 1;
        if depth == 0 || self.budget < 0 {
            return;
        }
        match self.below(18) {
            0..3 => {
                let x = self.below(self.scratch);
                let kind = self.locals[x];
                self.expr(kind, depth);
                let _ = write!(self.text, "(local.set {x})");
            }
            3 => {
                let i = self.below(self.globals.len());
                let kind = self.globals[i];
                self.expr(kind, depth);
                let _ = write!(self.text, "(global.set $g{i})");
            }
            4 | 5 => {
                let i = self.below(self.structs.len());
                let f = self.below(self.structs[i].0.len());
                let l = self.label();
                let _ = write!(self.text, "(block $l{l} ");
                self.expr(Kind::Struct(i), depth - 1);
                let _ = write!(self.text, "(br_on_null $l{l})");
                self.expr(unpacked(self.structs[i].0[f]), depth - 1);
                let _ = write!(self.text, "(struct.set $s{i} {f}))");
            }
            6 => {
                let i = self.below(self.arrays.len());
                let l = self.label();
                let _ = write!(self.text, "(block $l{l} ");
                self.array_and_index(i, l, depth - 1);
                self.leaf(unpacked(self.arrays[i]));
                let _ = write!(self.text, "(array.set $a{i}))");
            }
            7 => {
                self.expr(Kind::I32, depth - 1);
                self.text.push_str("(if (then ");
                for _ in 0..1 + self.below(3) {
                    self.statement(depth - 1);
                }
                self.text.push_str(") (else ");
                self.statement(depth - 1);
                self.text.push_str("))");
            }
            8 => {
                let l = self.label();
                let _ = write!(
                    self.text,
                    "(block $l{l} (loop $n{l} (br_if $l{l} (i32.eqz (global.get $fuel))) (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))"
                );
                for _ in 0..1 + self.below(3) {
                    self.statement(depth - 1);
                }
                self.expr(Kind::I32, depth - 1);
                let _ = write!(self.text, "(br_if $n{l} (i32.and (i32.const 3)))))");
            }
            9 => {
                let f = self.below(self.funcs.len());
                self.call(f, depth - 1);
                for r in self.funcs[f].results.clone().into_iter().rev() {
                    self.mix(r);
                }
            }
            10 => {
                let at = self.random.below(TABLE);
                let _ = write!(self.text, "(i32.const {at})");
                self.expr(Kind::Any, depth);
                self.text.push_str("(table.set $t)");
            }
            11 => {
                let kind = self.kind();
                self.expr(kind, depth);
                self.mix(kind);
            }
            12 => {
                self.text.push_str("(call $note (global.get $hash))");
            }
            13 => self.copy(depth),
            14 => self.catch(depth),
            15 => self.pass_on(depth),
            16 => {
                self.expr(Kind::I32, depth - 1);
                self.text
                    .push_str("(if (i32.eqz (i32.and (i32.const 3))) (then ");
                self.expr(Kind::I32, depth - 1);
                self.expr(Kind::Any, depth - 1);
                self.text.push_str("(throw $e)))");
            }
            _ => {
                let i = self.below(self.arrays.len());
                let l = self.label();
                let _ = write!(self.text, "(block $l{l} ");
                self.expr(Kind::Array(i), depth - 1);
                let _ = write!(self.text, "(br_on_null $l{l}) (i32.const 0)");
                self.expr(unpacked(self.arrays[i]), depth - 1);
                let _ = write!(self.text, "(i32.const 1) (array.fill $a{i}))");
            }
        }
        self.text.push('\n');
    }

    /// Copies an element from one array to another.
    fn copy(&mut self, depth: usize) {
        let i = self.below(self.arrays.len());
        let l = self.label();
        let _ = write!(self.text, "(block $l{l} ");
        self.expr(Kind::Array(i), depth - 1);
        let _ = write!(self.text, "(br_on_null $l{l}) (i32.const 0)");
        self.expr(Kind::Array(i), depth - 1);
        let _ = write!(
            self.text,
            "(br_on_null $l{l}) (i32.const 0) (i32.const 1) (array.copy $a{i} $a{i}))"
        );
    }

    fn statements(&mut self, depth: usize) {
        for _ in 0..1 + self.below(3) {
            self.statement(depth - 1);
        }
    }

    /// Catches what is thrown meanwhile, and looks at it.
    fn catch(&mut self, depth: usize) {
        let l = self.label();
        let _ = write!(
            self.text,
            "(block $l{l} (result i32 anyref) (try_table (catch $e $l{l}) "
        );
        self.statements(depth);
        self.text.push_str(") (i32.const 3) (ref.null any))");
        self.mix(Kind::Any);
        self.mix(Kind::I32);
    }

    /// Catches what is thrown meanwhile, makes some more objects, and throws it again.
    fn pass_on(&mut self, depth: usize) {
        let l = self.label();
        let _ = write!(
            self.text,
            "(block $n{l} (block $l{l} (result exnref) (try_table (catch_all_ref $l{l}) "
        );
        self.statements(depth);
        let _ = write!(self.text, ") (ref.null exn)) (br_on_null $n{l})");
        self.statements(depth);
        self.text.push_str("(throw_ref))");
    }

    fn call(&mut self, f: usize, depth: usize) {
        for p in self.funcs[f].params.clone() {
            self.expr(p, depth);
        }
        let _ = write!(self.text, "(call $f{f})");
    }

    /// An array that is not null, else branches to `$l{l}`; and an index into it. No array is empty.
    fn array_and_index(&mut self, i: usize, l: u32, depth: usize) {
        self.expr(Kind::Array(i), depth);
        let scratch = self.scratch + i;
        let _ = write!(self.text, "(local.tee {scratch}) (br_on_null $l{l})");
        self.leaf(Kind::I32);
        let _ = write!(self.text, "(i32.rem_u (array.len (local.get {scratch})))");
    }

    // ---- expressions ----

    pub(super) fn leaf(&mut self, kind: Kind) {
        let locals: Vec<usize> = (0..self.scratch)
            .filter(|x| self.locals[*x] == kind)
            .collect();
        if !locals.is_empty() && self.below(4) != 0 {
            let x = locals[self.below(locals.len())];
            let _ = write!(self.text, "(local.get {x})");
            return;
        }
        let globals: Vec<usize> = (0..self.globals.len())
            .filter(|x| self.globals[*x] == kind)
            .collect();
        if !globals.is_empty() && self.below(3) != 0 {
            let x = globals[self.below(globals.len())];
            let _ = write!(self.text, "(global.get $g{x})");
            return;
        }
        let text = self.constant(kind, 0);
        self.text.push_str(&text);
    }

    pub(super) fn expr(&mut self, kind: Kind, depth: usize) {
        self.budget -= 1;
        if depth == 0 || self.budget < 0 {
            self.leaf(kind);
            return;
        }
        if self.below(10) == 0 {
            self.control(kind, depth);
            return;
        }
        match kind {
            Kind::I32 => self.int(depth),
            Kind::I64 => {
                self.expr(Kind::I32, depth - 1);
                self.text.push_str("(i64.extend_i32_u)");
                self.expr(Kind::I64, depth - 1);
                self.text.push_str("(i64.add)");
            }
            Kind::Struct(i) => self.structure(i, depth),
            Kind::Array(i) => self.array(i, depth),
            Kind::Any => match self.below(7) {
                0 => {
                    self.expr(Kind::I32, depth - 1);
                    self.text.push_str("(ref.i31)");
                }
                1 | 2 => {
                    let i = self.below(self.structs.len());
                    self.expr(Kind::Struct(i), depth - 1);
                }
                3 => {
                    let i = self.below(self.arrays.len());
                    self.expr(Kind::Array(i), depth - 1);
                }
                4 => {
                    let at = self.random.below(TABLE);
                    let _ = write!(self.text, "(table.get $t (i32.const {at}))");
                }
                5 => {
                    self.expr(Kind::Any, depth - 1);
                    self.text.push_str("(call $same)");
                }
                _ => {
                    self.expr(Kind::Extern, depth - 1);
                    self.text.push_str("(any.convert_extern)");
                }
            },
            Kind::Extern => {
                self.expr(Kind::Any, depth - 1);
                self.text.push_str("(extern.convert_any)");
            }
        }
    }

    /// A value by way of control: `if`, a function, `select`.
    fn control(&mut self, kind: Kind, depth: usize) {
        let calls: Vec<usize> = (0..self.funcs.len())
            .filter(|f| self.funcs[*f].results == [kind])
            .collect();
        match self.below(3) {
            0 if !calls.is_empty() => {
                let f = calls[self.below(calls.len())];
                self.call(f, depth - 1);
            }
            1 => {
                self.expr(kind, depth - 1);
                self.expr(kind, depth - 1);
                self.expr(Kind::I32, depth - 1);
                let _ = write!(self.text, "(select (result {}))", name(kind));
            }
            _ => {
                self.expr(Kind::I32, depth - 1);
                let _ = write!(self.text, "(if (result {}) (then ", name(kind));
                self.statement(depth - 1);
                self.expr(kind, depth - 1);
                self.text.push_str(") (else ");
                self.expr(kind, depth - 1);
                self.text.push_str("))");
            }
        }
    }

    fn int(&mut self, depth: usize) {
        let l = self.label();
        match self.below(9) {
            0 | 1 => {
                let i = self.below(self.structs.len());
                let fields = self.structs[i].0.clone();
                let Some(f) = fields.iter().position(|f| unpacked(*f) == Kind::I32) else {
                    self.leaf(Kind::I32);
                    return;
                };
                let _ = write!(self.text, "(block $l{l} (result i32) ");
                self.expr(Kind::I32, depth - 1);
                self.expr(Kind::Struct(i), depth - 1);
                let get = get("struct.get", fields[f]);
                let _ = write!(self.text, "(br_on_null $l{l}) ({get} $s{i} {f}) (i32.add))");
            }
            2 => {
                let i = self.below(self.arrays.len());
                let _ = write!(self.text, "(block $l{l} (result i32) (i32.const {l}) ");
                if unpacked(self.arrays[i]) == Kind::I32 {
                    self.array_and_index(i, l, depth - 1);
                    let get = get("array.get", self.arrays[i]);
                    let _ = write!(self.text, "({get} $a{i}) (i32.add))");
                } else {
                    self.expr(Kind::Array(i), depth - 1);
                    let _ = write!(self.text, "(br_on_null $l{l}) (array.len) (i32.add))");
                }
            }
            3 => {
                let _ = write!(
                    self.text,
                    "(block $l{l} (result i32) (block $n{l} (result anyref) "
                );
                self.expr(Kind::Any, depth - 1);
                let _ = write!(
                    self.text,
                    "(br_on_cast_fail $n{l} anyref (ref i31)) (i31.get_s) (br $l{l})) (drop) (i32.const {l}))"
                );
            }
            4 => {
                let i = self.below(self.structs.len());
                let null = ["", "null "][self.below(2)];
                self.expr(Kind::Any, depth - 1);
                let _ = write!(self.text, "(ref.test (ref {null}$s{i}))");
            }
            5 => {
                let (a, b) = (
                    self.below(self.structs.len()),
                    self.below(self.structs.len()),
                );
                self.expr(Kind::Struct(a), depth - 1);
                self.expr(Kind::Struct(b), depth - 1);
                self.text.push_str("(ref.eq)");
            }
            6 => {
                self.expr(Kind::Any, depth - 1);
                self.text.push_str("(ref.is_null)");
            }
            _ => {
                self.expr(Kind::I32, depth - 1);
                self.expr(Kind::I32, depth - 1);
                let op = ["add", "sub", "xor", "mul", "lt_s"][self.below(5)];
                let _ = write!(self.text, "(i32.{op})");
            }
        }
    }

    fn structure(&mut self, i: usize, depth: usize) {
        let l = self.label();
        match self.below(8) {
            0..4 => {
                let s = self.subtype(i);
                for f in self.structs[s].0.clone() {
                    self.expr(unpacked(f), depth - 1);
                }
                let _ = write!(self.text, "(struct.new $s{s})");
            }
            4 => {
                let s = self.subtype(i);
                let _ = write!(self.text, "(struct.new_default $s{s})");
            }
            5 => {
                let kind = ["", "null "][self.below(2)];
                let _ = write!(
                    self.text,
                    "(block $l{l} (result (ref null $s{i})) (block $n{l} (result anyref) "
                );
                self.expr(Kind::Any, depth - 1);
                let _ = write!(
                    self.text,
                    "(br_on_cast $l{l} anyref (ref {kind}$s{i})) ) (drop) (ref.null $s{i}))"
                );
            }
            _ => {
                // A field of some struct.
                let all: Vec<(usize, usize)> = self
                    .structs
                    .iter()
                    .enumerate()
                    .flat_map(|(s, (fields, _))| (0..fields.len()).map(move |f| (s, f)))
                    .filter(|(s, f)| self.structs[*s].0[*f] == Storage::Of(Kind::Struct(i)))
                    .collect();
                if all.is_empty() {
                    self.leaf(Kind::Struct(i));
                    return;
                }
                let (s, f) = all[self.below(all.len())];
                let _ = write!(
                    self.text,
                    "(block $l{l} (result (ref null $s{i})) (block $n{l} "
                );
                self.expr(Kind::Struct(s), depth - 1);
                let _ = write!(
                    self.text,
                    "(br_on_null $n{l}) (struct.get $s{s} {f}) (br $l{l}))"
                );
                self.leaf(Kind::Struct(i));
                self.text.push(')');
            }
        }
    }

    fn array(&mut self, i: usize, depth: usize) {
        let element = unpacked(self.arrays[i]);
        match self.below(4) {
            0 => {
                self.expr(Kind::I32, depth - 1);
                let _ = write!(
                    self.text,
                    "(i32.and (i32.const 7)) (i32.add (i32.const 1)) (array.new_default $a{i})"
                );
            }
            1 => {
                self.expr(element, depth - 1);
                let len = 1 + self.below(40);
                let _ = write!(self.text, "(i32.const {len}) (array.new $a{i})");
            }
            _ => {
                let len = 1 + self.below(5);
                for _ in 0..len {
                    self.expr(element, depth - 1);
                }
                let _ = write!(self.text, "(array.new_fixed $a{i} {len})");
            }
        }
    }
}
