//! The verifier: a loop over the table that shows a function's code to be safe to run.
//!
//! It establishes I2 (`docs/invariants.md`): every op is known and whole, every slot lies in the frame, every branch
//! leads to the start of an op of the same function that carries [`LABEL`], every index is in range,
//! and the last op does not fall through. It says nothing about *types*: a wrong type gives a wrong number, no more.

use crate::{ALL, Instr, Instrs, Kind, LABEL, OP_COUNT, OPS, Op, Role};

/// How many slots a function's arguments and results take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FuncShape {
    /// Slots of the parameters.
    pub params: u32,
    /// Slots of the results.
    pub results: u32,
}

/// What the verifier asks about the module that a function belongs to.
pub trait ModuleShape {
    /// Shape of the `i`-th defined function, or `None` if there is none.
    fn func(&self, i: u32) -> Option<FuncShape>;
    /// Shape of the `i`-th imported function.
    fn import(&self, i: u32) -> Option<FuncShape>;
    /// Shape of a function of type `i`; of a continuation type, that of its function type.
    fn ty(&self, i: u32) -> Option<FuncShape>;
    /// Shape of the type of the `i`-th tag; its parameters are the payload, its results what a suspension gives.
    fn tag(&self, i: u32) -> Option<FuncShape>;
    /// Number of tables, memories, defined globals, imported globals, data segments, element segments.
    fn counts(&self) -> [u32; 6];
}

/// Why a function's code is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifyError {
    /// Where, in units from the function's start.
    pub pos: u32,
    /// What is wrong there.
    pub kind: VerifyErrorKind,
}

/// What is wrong with an op.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VerifyErrorKind {
    /// Unknown opcode, truncated op, or one that only the executor makes.
    BadOp,
    /// A slot outside the frame.
    SlotOutOfFrame,
    /// A branch that does not lead to a labelled op.
    BadTarget,
    /// An index of a function, type, table, memory, global, tag or segment that does not exist.
    BadIndex,
    /// The code ends without leaving the function.
    FallsOffEnd,
    /// More slots than a frame can have.
    FrameTooLarge,
}

impl core::fmt::Display for VerifyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let what = match self.kind {
            VerifyErrorKind::BadOp => "unknown or truncated op",
            VerifyErrorKind::SlotOutOfFrame => "slot outside the frame",
            VerifyErrorKind::BadTarget => "branch to no op",
            VerifyErrorKind::BadIndex => "index out of range",
            VerifyErrorKind::FallsOffEnd => "code falls off its end",
            VerifyErrorKind::FrameTooLarge => "frame too large",
        };
        write!(f, "invalid bytecode at unit {}: {what}", self.pos)
    }
}

impl core::error::Error for VerifyError {}

/// Checks the code of one function with a frame of `frame_slots`, called with `shape`. Gives where its exception
/// handlers start, if it has any.
///
/// # Errors
/// The first op that is not safe to run.
pub fn verify(
    code: &[u16],
    frame_slots: u32,
    shape: FuncShape,
    module: &impl ModuleShape,
) -> Result<Option<u32>, VerifyError> {
    verify_all::<true>(code, frame_slots, shape, module)
}

/// With a short way for [`PLAIN`] ops, or without.
fn verify_all<const SHORT: bool>(
    code: &[u16],
    frame_slots: u32,
    shape: FuncShape,
    module: &impl ModuleShape,
) -> Result<Option<u32>, VerifyError> {
    let err = |pos, kind| Err(VerifyError { pos, kind });
    if frame_slots > 65_536 || shape.params.max(shape.results) > frame_slots {
        return err(0, VerifyErrorKind::FrameTooLarge);
    }
    let mut branches = Branches::new(code.len());
    let mut ends = false;
    let mut table = Table::default();
    let mut handlers = None;
    let mut pos = 0;
    loop {
        if SHORT && table.left == 0 {
            let (reached, last) = pass_plain(code, pos, frame_slots, &mut branches);
            pos = reached;
            ends = last.map_or(ends, |op| op.shape().ends);
        }
        let i = match Instrs::at(code, pos as u32).next() {
            None => break,
            Some(Ok(i)) if i.op.shape().kind != Kind::Internal => i,
            Some(Ok(i)) => return err(i.pos, VerifyErrorKind::BadOp),
            Some(Err(pos)) => return err(pos, VerifyErrorKind::BadOp),
        };
        if i.label {
            branches.labels.set(i.pos);
        }
        if !table.take(&i) {
            return err(i.pos, VerifyErrorKind::BadTarget);
        }
        if i.op == Op::TryRange {
            handlers = handlers.or(Some(i.pos));
        }
        check_operands(&i, frame_slots, shape, module)
            .map_err(|kind| VerifyError { pos: i.pos, kind })?;
        if has_label(&i) {
            branches.add(i.target());
        }
        ends = i.op.shape().ends;
        pos += i.units.len();
    }
    if !ends || table.left > 0 {
        return err(code.len() as u32, VerifyErrorKind::FallsOffEnd);
    }
    if !branches.lead_to_labels() {
        let leads = |i: &Instr<'_>| i.target().is_some_and(|t| branches.labels.get(t));
        let mut all = Instrs::new(code).flatten();
        let wrong = all.find(|i| has_label(i) && !leads(i));
        return err(wrong.map_or(0, |i| i.pos), VerifyErrorKind::BadTarget);
    }
    Ok(handlers)
}

/// Whether an op branches: the label is its last operand.
fn has_label(i: &Instr<'_>) -> bool {
    let last = i.op.shape().operands().last();
    last.is_some_and(|o| o.role == Role::Label)
}

/// What must be seen of an op that has nothing but slots of one cell each, immediates, and maybe a label: most of any program.
#[derive(Clone, Copy)]
struct Plain {
    /// Length in units; 0 if it is no such op.
    len: u8,
    /// Where the label is.
    label: u8,
    /// Where it names slots; the first [`NOWHERE`] ends the list.
    slots: [u8; 6],
}

const NOWHERE: u8 = u8::MAX;

static PLAIN: [Plain; OP_COUNT] = {
    let mut all = [plain(ALL[0]); OP_COUNT];
    let mut i = 0;
    while i < OP_COUNT {
        all[i] = plain(ALL[i]);
        i += 1;
    }
    all
};

const fn plain(op: Op) -> Plain {
    let row = &OPS[op as usize];
    let mut plain = Plain {
        len: row.len_units,
        label: NOWHERE,
        slots: [NOWHERE; 6],
    };
    // The others say what must follow them, have to do with slot 0, or are noted.
    let mut is = !matches!(row.kind, Kind::Internal)
        && !matches!(
            op,
            Op::BrTable | Op::BrTableAdd | Op::TryRange | Op::Ret1 | Op::RetImm | Op::RetV128
        );
    let (mut k, mut n) = (0, 0);
    while k < row.operands.len() {
        let place = &row.operands[k].place;
        match place.role {
            Role::Imm => {}
            Role::Label => plain.label = place.at,
            Role::Out | Role::In | Role::InOut | Role::Set
                if place.slots() == 1 && n + 1 < plain.slots.len() =>
            {
                plain.slots[n] = place.at;
                n += 1;
            }
            _ => is = false,
        }
        k += 1;
    }
    if !is {
        plain.len = 0;
    }
    plain
}

/// Goes over plain ops from `pos` on, as far as they are right; gives where that ends, and the last of them.
fn pass_plain(
    code: &[u16],
    mut pos: usize,
    frame: u32,
    branches: &mut Branches,
) -> (usize, Option<Op>) {
    let mut last = None;
    while let Some(&unit) = code.get(pos) {
        let number = usize::from(unit & !LABEL);
        let Some(plain) = PLAIN.get(number) else {
            break;
        };
        let len = usize::from(plain.len);
        let Some(units) = code.get(pos..pos + len).filter(|_| len > 0) else {
            break;
        };
        let mut highest = 0;
        for at in plain.slots {
            if at == NOWHERE {
                break;
            }
            highest = highest.max(units[usize::from(at)]);
        }
        // Without a slot `highest` says nothing: then the frame may be empty.
        let in_frame = u32::from(highest) < frame || plain.slots[0] == NOWHERE;
        if !in_frame {
            break;
        }
        if unit & LABEL != 0 {
            branches.labels.set(pos as u32);
        }
        if plain.label != NOWHERE {
            let at = usize::from(plain.label);
            let displacement = u32::from(units[at]) | u32::from(units[at + 1]) << 16;
            let target = pos as i64 + i64::from(displacement as i32);
            branches.add(u32::try_from(target).ok());
        }
        last = Some(number);
        pos += len;
    }
    (pos, last.map(|number| ALL[number]))
}

/// The ops that belong to the one before them.
#[derive(Default)]
struct Table {
    left: u32,
    /// They are clauses of a resumption, not branches.
    clauses: bool,
}

impl Table {
    /// Whether the op may come next.
    fn take(&mut self, i: &Instr<'_>) -> bool {
        if self.left > 0 {
            let fits = match i.op {
                Op::Br => !self.clauses,
                Op::On | Op::OnSwitch => self.clauses,
                _ => false,
            };
            if !fits {
                return false;
            }
            self.left -= 1;
        }
        match i.op {
            Op::BrTable | Op::BrTableAdd => {
                self.left = (i.n().unwrap_or(0) as u32).saturating_add(1);
                self.clauses = false;
            }
            Op::Resume | Op::ResumeThrow | Op::ResumeThrowRef => {
                self.left = i.get("clauses").unwrap_or(0) as u32;
                self.clauses = true;
            }
            _ => {}
        }
        true
    }
}

/// Checks how many slots an op moves, where two of its operands must agree.
fn check_moves(
    i: &Instr<'_>,
    frame: u32,
    module: &impl ModuleShape,
) -> Result<(), VerifyErrorKind> {
    // Names are looked for one by one.
    let moves = matches!(
        i.op,
        Op::Throw
            | Op::Catch
            | Op::CatchAll
            | Op::On
            | Op::OnSwitch
            | Op::Suspend
            | Op::Switch
            | Op::Resume
            | Op::ResumeThrow
            | Op::ResumeThrowRef
            | Op::ContBind
    );
    if !moves {
        return Ok(());
    }
    let get = |name| i.get(name).unwrap_or(0);
    let none = FuncShape::default();
    let ty = |name| module.ty(get(name) as u32).unwrap_or(none);
    let tag = module.tag(get("tag") as u32).unwrap_or(none);
    // What is moved, and what comes at `base`.
    let (n, results) = match i.op {
        Op::Throw => (tag.params, 0),
        Op::Catch | Op::CatchAll => {
            let (reference, payload) = (get("with_ref") as u32, i.op == Op::Catch);
            if reference > 1 {
                return Err(VerifyErrorKind::SlotOutOfFrame);
            }
            (reference + if payload { tag.params } else { 0 }, 0)
        }
        Op::On => (tag.params + 1, 0),
        Op::OnSwitch if get("ty") != 0 || get("zero") != 0 => {
            return Err(VerifyErrorKind::BadOp);
        }
        Op::Suspend | Op::Switch if get("zero") != 0 => return Err(VerifyErrorKind::BadOp),
        Op::Suspend => (tag.params, tag.results),
        Op::Resume => (ty("ty").params, ty("ty").results),
        Op::ResumeThrow => (tag.params, ty("ty").results),
        Op::ResumeThrowRef => (0, ty("ty").results),
        Op::Switch => (ty("ty").params.wrapping_sub(1), ty("back").params),
        // The rest of the parameters is what is left.
        Op::ContBind => (ty("from").params.wrapping_sub(ty("to").params), 0),
        _ => return Ok(()),
    };
    let fits = get("base") + u64::from(n.max(results)) <= u64::from(frame);
    let right =
        i.n().unwrap_or(0) == u64::from(n) && i.get("r").is_none_or(|r| r == u64::from(results));
    if !right || !fits {
        return Err(VerifyErrorKind::SlotOutOfFrame);
    }
    Ok(())
}

fn check_operands(
    i: &Instr<'_>,
    frame: u32,
    shape: FuncShape,
    module: &impl ModuleShape,
) -> Result<(), VerifyErrorKind> {
    let in_frame = |first: u64, n: u64| {
        if first + n <= u64::from(frame) {
            Ok(())
        } else {
            Err(VerifyErrorKind::SlotOutOfFrame)
        }
    };
    let mut base = None;
    let mut callee = None;
    let operands = i.op.shape().operands();
    for o in operands {
        let raw = i.raw(o);
        let below = |n: u32| {
            if raw < u64::from(n) {
                Ok(())
            } else {
                Err(VerifyErrorKind::BadIndex)
            }
        };
        let counts = || module.counts();
        match o.role {
            Role::Out | Role::In | Role::InOut | Role::Set => in_frame(raw, u64::from(o.slots()))?,
            Role::Range => {
                // `ret_n` and tail calls also write the same number of slots from 0 up: no more than the frame holds.
                let n = i.n().unwrap_or(0);
                in_frame(raw, n)?;
            }
            Role::Base => {
                in_frame(raw, 0)?;
                base = Some(raw);
            }
            Role::Func => callee = Some(module.func(raw as u32).ok_or(VerifyErrorKind::BadIndex)?),
            Role::Import => {
                callee = Some(module.import(raw as u32).ok_or(VerifyErrorKind::BadIndex)?)
            }
            Role::Type => {
                let shape = module.ty(raw as u32).ok_or(VerifyErrorKind::BadIndex)?;
                let calls = matches!(
                    i.op,
                    Op::CallIndirect | Op::CallRef | Op::ReturnCallIndirect | Op::ReturnCallRef
                );
                callee = calls.then_some(shape);
            }
            Role::Tag => _ = module.tag(raw as u32).ok_or(VerifyErrorKind::BadIndex)?,
            Role::Table => below(counts()[0])?,
            Role::Mem => below(counts()[1])?,
            Role::Global => {
                below(counts()[2])?;
                if o.slots() == 2 {
                    // A vector takes two cells.
                    below(counts()[2] - 1)?;
                }
            }
            Role::GlobalImport => below(counts()[3])?,
            Role::Data => below(counts()[4])?,
            Role::Elem => below(counts()[5])?,
            Role::Imm | Role::Label => {}
        }
    }
    if let Some(c) = callee {
        match base {
            Some(b) => in_frame(b, u64::from(c.params.max(c.results)))?,
            // A tail call: the arguments replace this frame, and the callee's results are this function's.
            None if i.n() != Some(u64::from(c.params)) || c.results != shape.results => {
                return Err(VerifyErrorKind::SlotOutOfFrame);
            }
            None => {}
        }
    }
    check_moves(i, frame, module)?;
    match i.op {
        Op::Ret1 | Op::RetImm => in_frame(0, 1)?,
        Op::RetV128 => in_frame(0, 2)?,
        _ => {}
    }
    // Two things need no check here: without a memory, memory 0 has length 0; `ref_func` checks its index on use.
    Ok(())
}

/// Where branches lead, and where they may.
struct Branches {
    labels: Units,
    targets: Units,
    /// One leads out of the code.
    out: bool,
}

impl Branches {
    fn new(units: usize) -> Branches {
        Branches {
            labels: Units::new(units),
            targets: Units::new(units),
            out: false,
        }
    }

    #[inline]
    fn add(&mut self, target: Option<u32>) {
        match target {
            Some(target) if (target as usize) / 64 < self.targets.0.len() => {
                self.targets.set(target);
            }
            _ => self.out = true,
        }
    }

    fn lead_to_labels(&self) -> bool {
        let mut both = self.targets.0.iter().zip(&self.labels.0);
        !self.out && both.all(|(targets, labels)| targets & !labels == 0)
    }
}

/// One bit a unit.
struct Units(Vec<u64>);

impl Units {
    fn new(units: usize) -> Units {
        Units(vec![0; units / 64 + 1])
    }

    fn set(&mut self, at: u32) {
        self.0[at as usize / 64] |= 1 << (at % 64);
    }

    fn get(&self, at: u32) -> bool {
        self.0
            .get(at as usize / 64)
            .is_some_and(|w| w >> (at % 64) & 1 != 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything there is one of, with shapes of one slot.
    struct One;

    impl ModuleShape for One {
        fn func(&self, i: u32) -> Option<FuncShape> {
            self.ty(i)
        }
        fn import(&self, i: u32) -> Option<FuncShape> {
            self.ty(i)
        }
        fn ty(&self, i: u32) -> Option<FuncShape> {
            let (params, results) = (1, 1);
            (i == 0).then_some(FuncShape { params, results })
        }
        fn tag(&self, i: u32) -> Option<FuncShape> {
            self.ty(i)
        }
        fn counts(&self) -> [u32; 6] {
            [1; 6]
        }
    }

    fn op() -> impl Strategy<Value = Vec<u16>> {
        // Small operands are often right; those of branches are few units, or ones backwards.
        let operand = prop_oneof![8 => 0_u16..4, 1 => Just(u16::MAX), 1 => any::<u16>()];
        let op = (0..OP_COUNT, any::<bool>()).prop_map(|(i, label)| {
            let bit = if label { LABEL } else { 0 };
            (ALL[i], ALL[i] as u16 | bit)
        });
        op.prop_flat_map(move |(op, unit)| {
            let operands = proptest::collection::vec(operand.clone(), op.len() - 1);
            operands.prop_map(move |operands| core::iter::once(unit).chain(operands).collect())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 4096 }, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_short_way_judges_as_the_long_one(ops in proptest::collection::vec(op(), 0..4), frame in 0_u32..8) {
            let ops = ops.into_iter().filter(|op| ALL[usize::from(op[0] & !LABEL)].shape().kind != Kind::Internal);
            let mut code: Vec<u16> = ops.flatten().collect();
            code.extend([Op::Unreachable as u16 | LABEL]);
            let shape = FuncShape::default();
            prop_assert_eq!(
                verify_all::<true>(&code, frame, shape, &One),
                verify_all::<false>(&code, frame, shape, &One)
            );
        }
    }
}
