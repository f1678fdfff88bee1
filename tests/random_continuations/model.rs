//! What a program does, by a machine that is as simple as can be: stacks are vectors of frames, and capturing moves vectors.

use std::collections::BTreeMap;

use crate::program::{Body, Catch, Clause, How, Invocation, Node, On, Program, Resume, What};

/// How an invocation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Returned(i32),
    /// An exception with that payload.
    Thrown(i32),
    Trapped(Trap),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trap {
    Unreachable,
    Null,
    Consumed,
    Unhandled,
}

/// A continuation, by its place among all that there ever were.
type Ref = Option<usize>;

/// A function that runs.
struct Frame<'p> {
    x: i32,
    peer: Ref,
    kept: Option<i32>,
    caught: Option<(u8, i32)>,
    /// Whether it waits for two numbers.
    wide: bool,
    /// What is left to do, the innermost last.
    control: Vec<Control<'p>>,
}

enum Control<'p> {
    /// The statements of a body from that one on.
    Body(&'p [Node], usize),
    Try(&'p [Catch]),
    Loop(&'p Body),
}

/// The frames that one resumption runs.
struct Stack<'p> {
    frames: Vec<Frame<'p>>,
    clauses: Clauses<'p>,
}

#[derive(Clone, Copy)]
enum Clauses<'p> {
    Are(&'p [Clause]),
    /// Resumes again what suspends with that tag.
    Drive(u8),
}

enum Cont<'p> {
    Used,
    /// A function by number, with what is bound.
    Fresh(&'p Body, bool, Option<i32>),
    Waiting(Vec<Stack<'p>>, Option<i32>),
}

/// The state of a store.
pub(crate) struct Machine<'p> {
    program: &'p Program,
    conts: Vec<Cont<'p>>,
    entries: Vec<Ref>,
    wide_entries: Vec<Ref>,
    stacks: Vec<Stack<'p>>,
    budget: i32,
    /// Each statement that was run, and `x` before it.
    pub(crate) log: Vec<(u32, i32)>,
    /// How often what happened.
    pub(crate) seen: BTreeMap<&'static str, u32>,
}

/// Ends the invocation, or does not.
type Step = Result<(), Outcome>;

fn trap<T>(trap: Trap) -> Result<T, Outcome> {
    Err(Outcome::Trapped(trap))
}

impl<'p> Machine<'p> {
    pub(crate) fn new(program: &'p Program) -> Self {
        Self {
            program,
            conts: Vec::new(),
            entries: vec![None; crate::program::ENTRIES.into()],
            wide_entries: vec![None; crate::program::WIDE_ENTRIES.into()],
            stacks: Vec::new(),
            budget: 0,
            log: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// Does what the host does.
    pub(crate) fn invoke(&mut self, invocation: Invocation) -> Outcome {
        if invocation.fill {
            for entry in 0..self.entries.len() {
                let body = &self.program.funcs[entry % self.program.funcs.len()];
                self.entries[entry] = self.make(Cont::Fresh(body, false, None));
            }
            for entry in 0..self.wide_entries.len() {
                let body = &self.program.wide_funcs[entry % self.program.wide_funcs.len()];
                self.wide_entries[entry] = self.make(Cont::Fresh(body, true, None));
            }
        }
        self.budget = invocation.budget;
        let root = &self.program.roots[usize::from(invocation.root)];
        let frame = self.enter(root, invocation.x, None);
        self.stacks = vec![Stack {
            frames: vec![frame],
            clauses: Clauses::Are(&[]),
        }];
        loop {
            if let Err(outcome) = self.step() {
                self.stacks.clear();
                return outcome;
            }
        }
    }

    /// The frame of a function that is called.
    fn enter(&mut self, body: &'p Body, x: i32, peer: Ref) -> Frame<'p> {
        self.budget -= 1;
        let control = if self.budget < 0 {
            Vec::new()
        } else {
            vec![Control::Body(body, 0)]
        };
        Frame {
            x,
            peer,
            kept: None,
            caught: None,
            wide: false,
            control,
        }
    }

    /// The innermost frame. There is one as long as an invocation goes on.
    fn top(&mut self) -> &mut Frame<'p> {
        let stack = self.stacks.last_mut().expect("a stack");
        stack.frames.last_mut().expect("a frame")
    }

    fn step(&mut self) -> Step {
        let frame = self.top();
        match frame.control.last_mut() {
            None => {
                let x = frame.x;
                return self.give_back(x);
            }
            Some(Control::Body(nodes, at)) => {
                let nodes: &'p [Node] = nodes;
                let Some(node) = nodes.get(*at) else {
                    frame.control.pop();
                    return Ok(());
                };
                *at += 1;
                let x = frame.x;
                self.log.push((node.id, x));
                return self.run(&node.what);
            }
            Some(Control::Try(_)) => drop(frame.control.pop()),
            Some(Control::Loop(body)) => {
                let body: &'p Body = body;
                self.budget -= 1;
                let again = self.budget > 0;
                let frame = self.top();
                if again && frame.x & 1 != 0 {
                    frame.control.push(Control::Body(body, 0));
                } else {
                    frame.control.pop();
                }
            }
        }
        Ok(())
    }

    /// Returns from the innermost function.
    fn give_back(&mut self, x: i32) -> Step {
        let stack = self.stacks.last_mut().expect("a stack");
        stack.frames.pop();
        if stack.frames.is_empty() {
            self.stacks.pop();
        }
        if self.stacks.is_empty() {
            return Err(Outcome::Returned(x));
        }
        self.top().x = x;
        Ok(())
    }

    fn run(&mut self, what: &'p What) -> Step {
        let x = self.top().x;
        match what {
            What::Mix(c) => self.top().x = x.wrapping_mul(31).wrapping_add(*c),
            What::Keep => self.top().kept = Some(x),
            What::Kept => self.top().x = x.wrapping_add(self.top().kept.unwrap_or(0)),
            What::New { entry, func } => {
                let body = &self.program.funcs[usize::from(*func)];
                self.entries[usize::from(*entry)] = self.make(Cont::Fresh(body, false, None));
            }
            What::NewWide { entry, func } => {
                let body = &self.program.wide_funcs[usize::from(*func)];
                self.wide_entries[usize::from(*entry)] = self.make(Cont::Fresh(body, true, None));
            }
            What::Bind { from, to } if self.wide_entries[usize::from(*from)].is_some() => {
                let bound = match self.usable(self.wide_entries[usize::from(*from)])? {
                    Cont::Fresh(body, wide, _) => Cont::Fresh(body, wide, Some(x)),
                    Cont::Waiting(stacks, _) => Cont::Waiting(stacks, Some(x)),
                    Cont::Used => return trap(Trap::Consumed),
                };
                self.entries[usize::from(*to)] = self.make(bound);
            }
            What::Bind { .. } => {}
            What::Rebind { entry } if self.entries[usize::from(*entry)].is_some() => {
                let cont = self.usable(self.entries[usize::from(*entry)])?;
                self.entries[usize::from(*entry)] = self.make(cont);
            }
            What::Rebind { .. } => {}
            What::Copy { from, to } => {
                self.entries[usize::from(*to)] = self.entries[usize::from(*from)];
            }
            What::Drop { entry } => self.entries[usize::from(*entry)] = None,
            What::StorePeer { entry } => self.entries[usize::from(*entry)] = self.top().peer,
            What::Suspend { tag } => return self.suspend(On::Tag(*tag), x),
            What::SuspendWide => return self.suspend(On::Wide, x),
            What::Resume(resume) => return self.resume(resume),
            What::Drive { entry, tag } => {
                let cont = core::mem::take(&mut self.entries[usize::from(*entry)]);
                if cont.is_some() {
                    return self.drive(cont, *tag);
                }
            }
            What::Switch { entry, take } => return self.switch(*entry, *take),
            What::Throw { tag } => return self.throw(*tag, x),
            What::ThrowAgain => {
                if let Some((tag, x)) = self.top().caught {
                    return self.throw(tag, x);
                }
            }
            What::Try { body, catches } => {
                let control = &mut self.top().control;
                control.extend([Control::Try(catches), Control::Body(body, 0)]);
            }
            What::If { then, other } => {
                let body = if x & 1 != 0 { then } else { other };
                self.top().control.push(Control::Body(body, 0));
            }
            What::Loop(body) => {
                let control = &mut self.top().control;
                control.extend([Control::Loop(body), Control::Body(body, 0)]);
            }
            What::Call { func, give } => {
                let peer = self.top().peer.filter(|_| *give);
                let frame = self.enter(&self.program.funcs[usize::from(*func)], x, peer);
                self.stacks.last_mut().expect("a stack").frames.push(frame);
            }
            What::TailCall { func } => {
                let peer = self.top().peer;
                let frame = self.enter(&self.program.funcs[usize::from(*func)], x, peer);
                *self.top() = frame;
            }
            What::Return => return self.give_back(x),
            What::Trap => return trap(Trap::Unreachable),
        }
        Ok(())
    }

    // ---- continuations --------------------------------------------------------------------------

    fn make(&mut self, cont: Cont<'p>) -> Ref {
        self.conts.push(cont);
        Some(self.conts.len() - 1)
    }

    /// Asks whether a continuation can be used.
    fn check(&self, cont: Ref) -> Result<usize, Outcome> {
        match cont {
            None => trap(Trap::Null),
            Some(at) if matches!(self.conts[at], Cont::Used) => trap(Trap::Consumed),
            Some(at) => Ok(at),
        }
    }

    /// Uses a continuation.
    fn usable(&mut self, cont: Ref) -> Result<Cont<'p>, Outcome> {
        let at = self.check(cont)?;
        Ok(core::mem::replace(&mut self.conts[at], Cont::Used))
    }

    /// Makes a continuation of the stacks from that one on.
    fn capture(&mut self, at: usize) -> Ref {
        let captured = self.stacks.split_off(at);
        if captured.len() > 1 {
            self.saw("several stacks captured");
        }
        if captured.iter().any(|stack| stack.frames.len() > 1) {
            self.saw("several frames captured");
        }
        self.make(Cont::Waiting(captured, None))
    }

    /// Goes on with a continuation.
    fn go(&mut self, cont: Cont<'p>, clauses: Clauses<'p>, x: i32, peer: Ref) {
        let with = |bound: Option<i32>| bound.map_or(x, |y| y.wrapping_mul(7).wrapping_add(x));
        match cont {
            Cont::Used => {}
            Cont::Fresh(body, wide, bound) => {
                let frame = self.enter(body, if wide { with(bound) } else { x }, peer);
                self.stacks.push(Stack {
                    frames: vec![frame],
                    clauses,
                });
            }
            Cont::Waiting(mut stacks, bound) => {
                self.saw("resumed again");
                if bound.is_some() {
                    self.saw("resumed with a bound argument");
                }
                stacks[0].clauses = clauses;
                self.stacks.append(&mut stacks);
                let frame = self.top();
                frame.x = if frame.wide { with(bound) } else { x };
                frame.peer = peer;
            }
        }
    }

    fn resume(&mut self, resume: &'p Resume) -> Step {
        let cont = self.entries[usize::from(resume.entry)];
        let nothing = matches!(resume.how, How::ThrowAgain) && self.top().caught.is_none();
        if resume.guarded && (cont.is_none() || nothing) {
            return Ok(());
        }
        if resume.take {
            self.entries[usize::from(resume.entry)] = None;
        }
        let frame = self.top();
        let (x, peer) = (frame.x, frame.peer.filter(|_| resume.give));
        let clauses = Clauses::Are(&resume.clauses);
        let (tag, payload) = match resume.how {
            How::Plain => {
                let cont = self.usable(cont)?;
                self.go(cont, clauses, x, peer);
                return Ok(());
            }
            How::Throw(tag) => (tag, x),
            How::ThrowAgain => match frame.caught {
                Some(caught) => caught,
                None => return trap(Trap::Null),
            },
        };
        // What never ran catches nothing. What waits gets no values: only the exception.
        if let Cont::Waiting(mut stacks, _) = self.usable(cont)? {
            stacks[0].clauses = clauses;
            self.stacks.append(&mut stacks);
            self.saw("thrown into");
        }
        self.throw(tag, payload)
    }

    fn drive(&mut self, cont: Ref, tag: u8) -> Step {
        self.budget -= 1;
        if self.budget < 0 {
            return Ok(());
        }
        let x = self.top().x;
        let cont = self.usable(cont)?;
        self.go(cont, Clauses::Drive(tag), x, None);
        Ok(())
    }

    fn suspend(&mut self, on: On, x: i32) -> Step {
        self.top().wide = on == On::Wide;
        for at in (1..self.stacks.len()).rev() {
            let clauses = self.stacks[at].clauses;
            match clauses {
                Clauses::Drive(tag) if on == On::Tag(tag) => {
                    self.saw("driven");
                    let cont = self.capture(at);
                    self.top().x = x;
                    return self.drive(cont, tag);
                }
                Clauses::Drive(_) => {}
                Clauses::Are(clauses) => {
                    if let Some(clause) = clauses.iter().find(|clause| clause.on == on) {
                        self.saw("suspended");
                        let cont = self.capture(at);
                        if on == On::Wide {
                            let entry = clause.entry % crate::program::WIDE_ENTRIES;
                            self.wide_entries[usize::from(entry)] = cont;
                        } else {
                            self.entries[usize::from(clause.entry)] = cont;
                        }
                        let frame = self.top();
                        frame.x = x;
                        frame.control.push(Control::Body(&clause.body, 0));
                        return Ok(());
                    }
                }
            }
        }
        trap(Trap::Unhandled)
    }

    fn switch(&mut self, entry: u8, take: bool) -> Step {
        let target = self.entries[usize::from(entry)];
        if target.is_none() {
            return Ok(());
        }
        if take {
            self.entries[usize::from(entry)] = None;
        }
        self.check(target)?;
        let has_clause = |stack: &Stack<'p>| match stack.clauses {
            Clauses::Are(clauses) => clauses.iter().any(|clause| clause.on == On::Switch),
            Clauses::Drive(_) => false,
        };
        let found = (1..self.stacks.len()).rev();
        let Some(at) = found.into_iter().find(|at| has_clause(&self.stacks[*at])) else {
            return trap(Trap::Unhandled);
        };
        let cont = self.usable(target)?;
        let frame = self.top();
        frame.wide = false;
        let x = frame.x;
        let clauses = self.stacks[at].clauses;
        self.saw("switched");
        let left = self.capture(at);
        self.go(cont, clauses, x, left);
        Ok(())
    }

    fn throw(&mut self, tag: u8, x: i32) -> Step {
        let from = self.stacks.len();
        while let Some(stack) = self.stacks.last_mut() {
            while let Some(frame) = stack.frames.last_mut() {
                while let Some(control) = frame.control.pop() {
                    let Control::Try(catches) = control else {
                        continue;
                    };
                    let fits = |catch: &&Catch| catch.tag.is_none_or(|own| own == tag);
                    if let Some(catch) = catches.iter().find(fits) {
                        if catch.tag.is_some() {
                            frame.x = x;
                        }
                        if catch.with_ref {
                            frame.caught = Some((tag, x));
                        }
                        frame.control.push(Control::Body(&catch.body, 0));
                        if self.stacks.len() < from {
                            self.saw("caught around a resumption");
                        }
                        return Ok(());
                    }
                }
                stack.frames.pop();
            }
            self.stacks.pop();
        }
        Err(Outcome::Thrown(x))
    }
}
