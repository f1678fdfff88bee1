//! What is declared: types, globals, the table, functions; and `run`, which calls them all.

use std::fmt::Write as _;

use crate::random::Random;

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Kind {
    I32,
    I64,
    /// To a struct of this number, or of a subtype.
    Struct(usize),
    /// To an array of this number.
    Array(usize),
    Any,
    Extern,
}

/// What a field or an element holds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Storage {
    I8,
    I16,
    Of(Kind),
}

pub(super) struct Signature {
    pub(super) params: Vec<Kind>,
    pub(super) results: Vec<Kind>,
}

pub(super) struct Gen<'r> {
    pub(super) random: &'r mut Random,
    /// The fields of each struct type, and its supertype.
    pub(super) structs: Vec<(Vec<Storage>, Option<usize>)>,
    pub(super) arrays: Vec<Storage>,
    pub(super) funcs: Vec<Signature>,
    pub(super) globals: Vec<Kind>,
    pub(super) text: String,
    pub(super) locals: Vec<Kind>,
    /// Locals of this function that arrays are put into for a moment, from here up.
    pub(super) scratch: usize,
    labels: u32,
    pub(super) budget: i32,
}

pub(super) const TABLE: u64 = 8;

/// The program of that seed, as text.
pub fn module(seed: u64) -> String {
    let mut random = Random(seed);
    let mut g = Gen {
        random: &mut random,
        structs: Vec::new(),
        arrays: Vec::new(),
        funcs: Vec::new(),
        globals: Vec::new(),
        text: String::new(),
        locals: Vec::new(),
        scratch: 0,
        labels: 0,
        budget: 0,
    };
    g.module();
    g.text
}

impl Gen<'_> {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.random.below(n as u64) as usize
    }

    pub(super) fn kind(&mut self) -> Kind {
        match self.below(12) {
            0..3 => Kind::I32,
            3 => Kind::I64,
            4..8 => Kind::Struct(self.below(self.structs.len().max(1))),
            8..10 => Kind::Array(self.below(self.arrays.len().max(1))),
            10 => Kind::Any,
            _ => Kind::Extern,
        }
    }

    fn storage(&mut self, structs: usize, arrays: usize) -> Storage {
        match self.below(12) {
            0 => Storage::I8,
            1 => Storage::I16,
            2 | 3 => Storage::Of(Kind::I32),
            4 => Storage::Of(Kind::I64),
            5..9 => Storage::Of(Kind::Struct(self.below(structs))),
            9 => Storage::Of(Kind::Array(self.below(arrays))),
            10 => Storage::Of(Kind::Any),
            _ => Storage::Of(Kind::Extern),
        }
    }

    fn module(&mut self) {
        let (structs, arrays) = (2 + self.below(4), 2 + self.below(3));
        for i in 0..structs {
            let above = (i > 0 && self.below(2) == 0).then(|| self.below(i));
            let mut fields = above.map_or(Vec::new(), |a| self.structs[a].0.clone());
            for _ in 0..1 + self.below(4) {
                fields.push(self.storage(structs, arrays));
            }
            self.structs.push((fields, above));
        }
        for _ in 0..arrays {
            let element = self.storage(structs, arrays);
            self.arrays.push(element);
        }
        for _ in 0..3 + self.below(4) {
            let kind = self.kind();
            self.globals.push(kind);
        }
        for _ in 0..2 + self.below(5) {
            let params = (0..self.below(5)).map(|_| self.kind()).collect();
            let results = (0..self.below(3)).map(|_| self.kind()).collect();
            self.funcs.push(Signature { params, results });
        }
        self.text.push_str("(module\n(rec\n");
        for i in 0..structs {
            let (fields, above) = self.structs[i].clone();
            let above = above.map_or(String::new(), |a| format!("$s{a} "));
            let _ = write!(self.text, "(type $s{i} (sub {above}(struct");
            for f in fields {
                let _ = write!(self.text, " (field (mut {}))", storage_name(f));
            }
            self.text.push_str(")))\n");
        }
        for i in 0..arrays {
            let element = storage_name(self.arrays[i]);
            let _ = writeln!(self.text, "(type $a{i} (array (mut {element})))");
        }
        self.text
            .push_str(")\n(import \"\" \"note\" (func $note (param i64)))\n");
        self.text
            .push_str("(import \"\" \"same\" (func $same (param anyref) (result anyref)))\n");
        self.text.push_str("(tag $e (param i32 anyref))\n");
        for i in 0..self.globals.len() {
            let kind = self.globals[i];
            let init = self.constant(kind, 2);
            let _ = writeln!(self.text, "(global $g{i} (mut {}) {init})", name(kind));
        }
        self.text.push_str(
            "(global $hash (mut i64) (i64.const 7))\n(global $fuel (mut i32) (i32.const 0))\n",
        );
        let _ = writeln!(self.text, "(table $t {TABLE} anyref)");
        let element = self
            .arrays
            .iter()
            .position(|a| *a == Storage::Of(Kind::Any));
        self.text.push_str("(elem $e anyref");
        for _ in 0..4 {
            let init = self.constant(Kind::Any, 2);
            let _ = write!(self.text, " (item {init})");
        }
        self.text.push_str(")\n");
        for f in 0..self.funcs.len() {
            self.function(f, element);
        }
        self.run();
        self.text.push_str(")\n");
    }

    /// A constant expression.
    pub(super) fn constant(&mut self, kind: Kind, depth: usize) -> String {
        match kind {
            Kind::I32 => format!("(i32.const {})", self.below(100)),
            Kind::I64 => format!("(i64.const {})", self.below(100)),
            _ if depth == 0 || self.below(4) == 0 => format!("(ref.null {})", heap(kind)),
            Kind::Struct(i) => {
                let i = self.subtype(i);
                if self.below(3) == 0 {
                    return format!("(struct.new_default $s{i})");
                }
                let fields = self.structs[i].0.clone();
                let fields: String = fields
                    .into_iter()
                    .map(|f| self.constant(unpacked(f), depth - 1))
                    .collect();
                format!("(struct.new $s{i} {fields})")
            }
            Kind::Array(i) => {
                let element = unpacked(self.arrays[i]);
                let len = 1 + self.below(4);
                match self.below(3) {
                    0 => format!("(array.new_default $a{i} (i32.const {len}))"),
                    1 => format!(
                        "(array.new $a{i} {} (i32.const {len}))",
                        self.constant(element, depth - 1)
                    ),
                    _ => {
                        let all: String = (0..len)
                            .map(|_| self.constant(element, depth - 1))
                            .collect();
                        format!("(array.new_fixed $a{i} {len} {all})")
                    }
                }
            }
            Kind::Any => match self.below(3) {
                0 => format!("(ref.i31 (i32.const {}))", self.below(1000)),
                1 => {
                    let i = self.below(self.structs.len());
                    self.constant(Kind::Struct(i), depth)
                }
                _ => {
                    let i = self.below(self.arrays.len());
                    self.constant(Kind::Array(i), depth)
                }
            },
            Kind::Extern => format!("(extern.convert_any {})", self.constant(Kind::Any, depth)),
        }
    }

    /// A struct type, or one of its subtypes.
    pub(super) fn subtype(&mut self, of: usize) -> usize {
        let mut all = vec![of];
        for (i, (_, above)) in self.structs.iter().enumerate() {
            if above.is_some_and(|a| all.contains(&a)) {
                all.push(i);
            }
        }
        all[self.below(all.len())]
    }

    fn function(&mut self, f: usize, anys: Option<usize>) {
        let params = self.funcs[f].params.clone();
        let results = self.funcs[f].results.clone();
        let _ = write!(self.text, "(func $f{f}");
        for p in &params {
            let _ = write!(self.text, " (param {})", name(*p));
        }
        for r in &results {
            let _ = write!(self.text, " (result {})", name(*r));
        }
        self.locals = params;
        for _ in 0..1 + self.below(6) {
            let kind = self.kind();
            self.locals.push(kind);
        }
        self.scratch = self.locals.len();
        for i in 0..self.arrays.len() {
            self.locals.push(Kind::Array(i));
        }
        let declared = self.locals[self.funcs[f].params.len()..].to_vec();
        for kind in declared {
            let _ = write!(self.text, " (local {})", name(kind));
        }
        self.text.push('\n');
        // Every call and every turn of a loop takes some of the program's fuel.
        self.text
            .push_str("(if (i32.eqz (global.get $fuel)) (then ");
        for r in &results {
            let null = self.constant(*r, 0);
            self.text.push_str(&null);
        }
        self.text
            .push_str("return))\n(global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))\n");
        self.budget = 200;
        if let Some(a) = anys.filter(|_| self.below(2) == 0) {
            let _ = writeln!(
                self.text,
                "(local.set {} (array.new_elem $a{a} $e (i32.const 0) (i32.const 4)))",
                self.scratch + a
            );
        }
        for _ in 0..2 + self.below(8) {
            self.statement(3);
        }
        for r in results {
            self.expr(r, 3);
        }
        self.text.push_str(")\n");
    }

    /// `run` calls every function, and gives the hash.
    fn run(&mut self) {
        self.text
            .push_str("(func (export \"run\") (param i32) (result i64)\n");
        for f in 0..self.funcs.len() {
            let _ = write!(
                self.text,
                "(global.set $fuel (local.get 0)) (block $run{f} (try_table (catch_all $run{f}) "
            );
            for p in self.funcs[f].params.clone() {
                let arg = self.constant(p, 2);
                self.text.push_str(&arg);
            }
            let _ = write!(self.text, "(call $f{f})");
            for r in self.funcs[f].results.clone().into_iter().rev() {
                self.mix(r);
            }
            self.text.push_str("))\n");
        }
        for i in 0..self.globals.len() {
            let _ = write!(self.text, "(global.get $g{i})");
            self.mix(self.globals[i]);
        }
        self.text.push_str("(global.get $hash))\n");
    }

    /// Makes the value on the stack part of the hash.
    pub(super) fn mix(&mut self, kind: Kind) {
        match kind {
            Kind::I32 => self.text.push_str("(i64.extend_i32_u)"),
            Kind::I64 => {}
            Kind::Struct(i) => {
                let read = self.structs[i]
                    .0
                    .iter()
                    .position(|f| unpacked(*f) == Kind::I32);
                let l = self.label();
                match read {
                    Some(f) => {
                        let get = get("struct.get", self.structs[i].0[f]);
                        let _ = write!(
                            self.text,
                            "(block $l{l} (param (ref null $s{i})) (result i64) \
                             (block $n{l} (param (ref null $s{i})) (br_on_null $n{l}) \
                             ({get} $s{i} {f}) (i64.extend_i32_u) (br $l{l})) (i64.const 11))"
                        );
                    }
                    None => self.text.push_str("(ref.is_null) (i64.extend_i32_u)"),
                }
            }
            _ => self.text.push_str("(ref.is_null) (i64.extend_i32_u)"),
        }
        self.text.push_str(
            "(i64.mul (global.get $hash) (i64.const 0x9E3779B97F4A7C15)) (i64.xor) (i64.rotl (i64.const 13)) (global.set $hash)",
        );
    }

    pub(super) fn label(&mut self) -> u32 {
        self.labels += 1;
        self.labels
    }
}

pub(super) fn unpacked(storage: Storage) -> Kind {
    match storage {
        Storage::I8 | Storage::I16 => Kind::I32,
        Storage::Of(kind) => kind,
    }
}

pub(super) fn get(op: &str, storage: Storage) -> String {
    match storage {
        Storage::I8 => format!("{op}_s"),
        Storage::I16 => format!("{op}_u"),
        Storage::Of(_) => op.to_string(),
    }
}

fn heap(kind: Kind) -> String {
    match kind {
        Kind::Struct(i) => format!("$s{i}"),
        Kind::Array(i) => format!("$a{i}"),
        Kind::Extern => "extern".into(),
        _ => "any".into(),
    }
}

pub(super) fn name(kind: Kind) -> String {
    match kind {
        Kind::I32 => "i32".into(),
        Kind::I64 => "i64".into(),
        _ => format!("(ref null {})", heap(kind)),
    }
}

fn storage_name(storage: Storage) -> String {
    match storage {
        Storage::I8 => "i8".into(),
        Storage::I16 => "i16".into(),
        Storage::Of(kind) => name(kind),
    }
}
