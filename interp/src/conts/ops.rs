//! The ops: making continuations, and going from stack to stack.
//!
//! Every one of them asks for all that can fail before it changes anything. An allocation can collect, so until it is
//! made, arguments stay where the frame's map says that references are; then they are moved, and zeroed there.

use crate::calls::{Operands, linked_in, raise};
use crate::code_space::{CONT_END_AT, RET_AT};
use crate::conts::across::{check_sleepers, wake, wake_to_throw};
use crate::conts::body::call_body;
use crate::conts::clause::Clause;
use crate::conts::object::{Leads, Usable};
use crate::conts::stacks::{NONE, State, move_out};
use crate::regs::{get_u64, put_u64, zero_slots};
use crate::store::{FuncAddr, TagAddr};
use crate::trap::Trap;
use crate::vm::Vm;

/// How far a suspension reaches.
pub(super) struct Reach {
    /// The outermost stack that is suspended, and the bytes of the chunks of all that are.
    pub(super) outer: u32,
    pub(super) bytes: u32,
    /// What it goes to; none if no clause in code is for its tag.
    pub(super) clause: Option<Found>,
}

/// A clause that is for a tag.
pub(super) struct Found {
    /// The stack that waits with it.
    pub(super) parent: u32,
    ty: u32,
    pub(super) base: u16,
    /// Where it leads, in the code space.
    pub(super) target: u32,
}

/// What can be gone on with.
pub(crate) struct Ready {
    /// The stack that is to be the current one, and the outermost that goes with it.
    inner: u32,
    outer: u32,
    bytes: u32,
    /// The function to call, if it is the host's.
    host: Option<FuncAddr>,
}

/// What goes over to a continuation: slots of the current frame, and a reference behind them.
#[derive(Clone, Copy)]
pub(crate) struct Arguments {
    pub(crate) base: u16,
    pub(crate) n: u16,
    pub(crate) last: Option<u32>,
}

/// What goes over to who handles a suspension.
#[derive(Clone, Copy)]
pub(crate) enum Payload<'a> {
    /// `n` slots of the frame that suspends, from `base` up.
    InFrame { base: u16, n: u16 },
    /// A host function's.
    Given(&'a [u64]),
}

impl Payload<'_> {
    /// Moves it from the frame at `frame`, where it is zeroed; gives how many slots it takes.
    ///
    /// # Safety
    /// - The frame has the slots, and there is room for them at `to`, in another chunk.
    pub(crate) unsafe fn move_to(self, to: *mut u8, frame: *mut u8) -> u16 {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Payload::InFrame { base, n } => {
                    move_out(to, frame.add(usize::from(base) * 8), n);
                    n
                }
                Payload::Given(slots) => {
                    for (k, bits) in (0..).zip(slots) {
                        put_u64(to, k, *bits);
                    }
                    slots.len() as u16
                }
            }
        }
    }
}

/// The code for a trap, or what else stopped the machine.
type Stopped = u32;

impl Vm {
    /// The engine-wide identity of a type of the current module.
    fn identity(&self, ty: u32) -> u32 {
        // SAFETY: I2, the index is in range; I5, `types` is that of the current instance's module.
        unsafe { *self.types.add(ty as usize) }
    }

    /// Slots of the parameters and results of a function type, or of a continuation type's.
    pub(crate) fn slots_of_type(&self, id: u32) -> (u16, u16) {
        let ty = self.gc.types.get(id);
        ty.map_or((0, 0), |ty| (ty.params, ty.results))
    }

    /// Looks for the innermost clause, of suspensions or of switches, that is for this tag. The current stack is not the one that
    /// the activation began on.
    pub(super) fn find_clause(&self, tag: TagAddr, switch: bool) -> Reach {
        match self.space.executor() {
            crate::Executor::Threaded => self.find_clause_of::<true>(tag, switch),
            crate::Executor::Portable => self.find_clause_of::<false>(tag, switch),
        }
    }

    fn find_clause_of<const THREADED: bool>(&self, tag: TagAddr, switch: bool) -> Reach {
        let (mut outer, mut bytes) = (self.current, 0);
        loop {
            let child = &self.stacks[outer];
            let (parent, waits) = (child.parent, &self.stacks[child.parent]);
            bytes += child.len;
            let clauses = waits.landing.clauses();
            if clauses > 0 {
                let tags = &self.instances[waits.standing.inst as usize].tags;
                // SAFETY: I2, the verifier saw that so many clauses follow the op that it waits at; I6, code stays where it is.
                let clause = unsafe {
                    let first = Clause::<THREADED>::at(self.code_base.add(waits.next as usize));
                    core::iter::successors(Some(first), |clause| Some(clause.next()))
                        .take(clauses.into())
                        .filter(|c| c.is_switch() == switch)
                        .find(|c| tags.get(c.tag() as usize) == Some(&tag))
                        .map(|c| Found {
                            parent,
                            ty: c.ty(),
                            base: c.base(),
                            target: (c.target().addr() - self.code_base.addr()) as u32,
                        })
                };
                if clause.is_some() {
                    return Reach {
                        outer,
                        bytes,
                        clause,
                    };
                }
            }
            if parent == self.entry_stack {
                let clause = None;
                return Reach {
                    outer,
                    bytes,
                    clause,
                };
            }
            outer = parent;
        }
    }

    /// The identity of the type of the continuation that a clause gets.
    pub(super) fn clause_type(&self, found: &Found) -> u32 {
        let inst = self.stacks[found.parent].standing.inst;
        let module = &self.instances[inst as usize].module;
        // SAFETY: I2, the clause's type is one of the module.
        unsafe { *module.type_ids().add(found.ty as usize) }
    }

    /// Makes the stacks from the current one up to `outer` a continuation that waits for `want` slots at `dst`.
    pub(crate) fn suspend_stacks(
        &mut self,
        outer: u32,
        bytes: u32,
        next: u32,
        dst: u16,
        want: u16,
    ) {
        self.save_stack(next, dst, want, 0);
        self.stacks.suspend(self.current, outer, bytes);
        self.stacks[outer].parent = NONE;
        self.chain_bytes -= bytes;
    }

    /// Whether a continuation can be gone on with, with so many slots of arguments, by what wants so many of results;
    /// with `leaving` bytes of chunks less in use. Makes the stack of one that never ran.
    pub(crate) unsafe fn prepare(
        vm: *mut Vm,
        cont: &Usable,
        n: u32,
        want: u16,
        leaving: u32,
    ) -> Result<Ready, Stopped> {
        // SAFETY: I1; no reference is held across the loader.
        unsafe {
            let m = &mut *vm;
            let n = cont.n_bound + n;
            let fits = |params: u16, results: u16| u32::from(params) == n && results == want;
            let func = match cont.leads {
                Leads::ToStack(inner) => {
                    check_sleepers(vm, inner)?;
                    let m = &mut *vm;
                    let (outer, _) = m.stacks.extent(inner);
                    // Of an arena that is not damaged they always fit.
                    if !fits(m.stacks[inner].landing.want(), m.stacks[outer].results) {
                        return Err(raise(vm, Trap::BadSignature));
                    }
                    let ready = m.stacks_of(inner, leaving);
                    return ready.map_err(|trap| raise(vm, trap));
                }
                Leads::ToFunc(func) => func,
            };
            let rec = &m.funcs[func.0 as usize];
            let (params, results) = m.slots_of_type(rec.ty);
            if !fits(params, results) {
                return Err(raise(vm, Trap::BadSignature));
            }
            let (inst, host) = (rec.inst, rec.entry.map(|_| func));
            let (frame_bytes, start) = if host.is_some() {
                (u64::from(rec.slots) * 8, CONT_END_AT)
            } else {
                let value = linked_in(vm, inst, rec.cell)?;
                (value >> 32, value as u32)
            };
            let m = &mut *vm;
            m.chain_bytes -= leaving;
            let stack = m.new_stack(frame_bytes, results);
            m.chain_bytes += leaving;
            let inner = match stack {
                Ok(stack) => stack,
                Err(trap) => return Err(raise(vm, trap)),
            };
            let stack = &mut m.stacks[inner];
            (stack.at, stack.next) = (start, start);
            if host.is_none() {
                stack.standing.inst = inst;
            }
            Ok(Ready {
                inner,
                outer: inner,
                bytes: stack.len,
                host,
            })
        }
    }

    /// All stacks of the continuation whose innermost is `inner`, if they fit in the chain when `leaving` bytes are no more in it.
    fn stacks_of(&self, inner: u32, leaving: u32) -> Result<Ready, Trap> {
        let (outer, bytes) = self.stacks.extent(inner);
        let all = u64::from(self.chain_bytes - leaving) + u64::from(bytes);
        if all > u64::from(self.max_stack) {
            return Err(Trap::StackOverflow);
        }
        Ok(Ready {
            inner,
            outer,
            bytes,
            host: None,
        })
    }

    /// Uses a continuation: its stacks are the innermost ones, and `parent` waits for them. Says what the innermost was doing.
    fn take_up(&mut self, cont: &Usable, ready: &Ready, parent: u32) -> State {
        self.consume_cont(cont.object);
        self.put_in_place(ready.inner, ready.outer, ready.bytes, parent)
    }

    /// As [`Vm::take_up`], of stacks from `inner` to `outer` with chunks of so many bytes, whatever leads to them.
    pub(super) fn put_in_place(
        &mut self,
        inner: u32,
        outer: u32,
        bytes: u32,
        parent: u32,
    ) -> State {
        self.stacks[outer].parent = parent;
        let state = core::mem::replace(&mut self.stacks[inner].standing.state, State::Active);
        self.chain_bytes += bytes;
        self.install_stack(inner);
        state
    }

    /// Goes on with a continuation, which `parent` waits for from now on. The current stack's registers are saved.
    pub(crate) unsafe fn go_to(
        vm: *mut Vm,
        cont: &Usable,
        ready: Ready,
        parent: u32,
        args: Arguments,
    ) -> u32 {
        // SAFETY: I1; `prepare` saw that arguments and results fit (I3), and the verifier that the arguments are in the
        // current frame (I2).
        unsafe {
            let m = &mut *vm;
            let old = m.fp;
            let state = m.take_up(cont, &ready, parent);
            let dst = m.stacks[ready.inner].landing.dst();
            for k in 0..cont.n_bound {
                let bits = m.exn_slot(cont.bound, k).unwrap_or(0);
                put_u64(m.fp, dst + k as u16, bits);
            }
            let first = dst + cont.n_bound as u16;
            if let Some(last) = args.last {
                put_u64(m.fp, first + args.n, last.into());
            }
            move_out(
                m.fp.add(usize::from(first) * 8),
                old.add(usize::from(args.base) * 8),
                args.n,
            );
            m.go_on_behind(false);
            match ready.host {
                None if state == State::WithHost => wake(vm, ready.inner),
                None => 0,
                Some(func) => call_body(vm, func),
            }
        }
    }

    /// Suspends the current stack to the clause for a tag; what it is resumed with comes at slot `dst` of its frame, and
    /// it goes on at `next`.
    pub(crate) unsafe fn suspend_to(
        vm: *mut Vm,
        tag: TagAddr,
        payload: Payload<'_>,
        dst: u16,
        next: u32,
    ) -> u32 {
        // SAFETY: I1; I2 for what the op and the clause say of their frames.
        unsafe {
            let m = &mut *vm;
            if m.current == m.entry_stack {
                return Vm::suspend_across(vm, tag, payload, dst, next);
            }
            let Reach {
                outer,
                bytes,
                clause,
            } = m.find_clause(tag, false);
            let Some(found) = clause else {
                return Vm::suspend_to_host(vm, tag, payload, dst, next, (outer, bytes));
            };
            let ty = m.clause_type(&found);
            let cont = match m.new_cont(ty, m.current, 0) {
                Ok(cont) => cont,
                Err(trap) => return raise(vm, trap),
            };
            let old = m.fp;
            m.suspend_stacks(outer, bytes, next, dst, m.results_of_tag(tag));
            m.install_stack(found.parent);
            let n = payload.move_to(m.fp.add(usize::from(found.base) * 8), old);
            put_u64(m.fp, found.base + n, cont.into());
            m.ip = m.code_base.add(found.target as usize);
            0
        }
    }

    /// Slots of what who suspends with a tag gets back.
    pub(crate) fn results_of_tag(&self, tag: TagAddr) -> u16 {
        self.slots_of_type(self.tags[tag.0 as usize].ty).1
    }

    /// Throws an exception where a continuation waits. The current stack waits for it at the op at `ip`, as `resume`
    /// would.
    pub(crate) unsafe fn throw_into(
        vm: *mut Vm,
        cont: &Usable,
        exn: u32,
        want: u16,
        op: Resumption,
    ) -> u32 {
        // SAFETY: I1.
        unsafe {
            let m = &mut *vm;
            let Leads::ToStack(inner) = cont.leads else {
                // What never ran catches nothing.
                m.consume_cont(cont.object);
                zero_slots(m.fp, op.base, op.n);
                return m.unwind(exn, false);
            };
            if let Err(code) = check_sleepers(vm, inner) {
                return code;
            }
            let m = &mut *vm;
            let ready = match m.stacks_of(inner, 0) {
                Ok(ready) => ready,
                Err(trap) => return raise(vm, trap),
            };
            if m.stacks[ready.outer].results != want {
                return raise(vm, Trap::BadSignature);
            }
            zero_slots(m.fp, op.base, op.n);
            m.save_stack(op.next, op.base, want, op.clauses);
            let state = m.take_up(cont, &ready, m.current);
            // Where a host function suspended that was to return for this frame, the frame is no more.
            let returned = matches!(m.stacks[inner].next, RET_AT | CONT_END_AT);
            if state == State::WithHost {
                return wake_to_throw(vm, inner, exn, returned);
            }
            m.unwind(exn, returned)
        }
    }
}

/// Operands that all resumptions have.
#[derive(Clone, Copy)]
pub(crate) struct Resumption {
    pub(crate) base: u16,
    /// Slots of arguments or payload.
    pub(crate) n: u16,
    pub(crate) clauses: u16,
    pub(crate) next: u32,
}

/// The machine for the length of one op.
unsafe fn machine<'a>(vm: *mut Vm) -> &'a mut Vm {
    // SAFETY: I1: alive, and nobody else uses it while an op runs.
    unsafe { &mut *vm }
}

pub(crate) unsafe fn cont_new(vm: *mut Vm, f: u32, ty: u32) -> Result<u32, Trap> {
    // SAFETY: I1.
    let m = unsafe { machine(vm) };
    let func = f.checked_sub(1).ok_or(Trap::NullReference)?;
    m.new_fresh_cont(m.identity(ty), FuncAddr(func))
}

pub(crate) unsafe fn cont_bind(
    vm: *mut Vm,
    cont: u32,
    base: u16,
    n: u16,
    from: u32,
    to: u32,
) -> Result<u32, Trap> {
    // SAFETY: I1.
    let m = unsafe { machine(vm) };
    let cont = m.usable_cont(cont)?;
    // SAFETY: I2, the slots are in the frame.
    let slots = (0..n).map(|k| unsafe { get_u64(m.fp, base + k) });
    let slots: smallvec::SmallVec<[u64; 8]> = slots.collect();
    let func = m.gc.types.get(m.identity(from)).map_or(0, |ty| ty.func);
    let to = m.identity(to);
    m.bind_cont(&cont, &slots, func, to)
}

pub(crate) unsafe fn suspend(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        let m = &*vm;
        let tag = m.instances[m.inst as usize].tags[o.u32(1) as usize];
        let next = next.addr() - m.code_base.addr();
        let (base, n) = (o.u16(3), o.u16(4));
        Vm::suspend_to(vm, tag, Payload::InFrame { base, n }, base, next as u32)
    }
}

pub(crate) unsafe fn resume(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        let m = &*vm;
        let cont = match m.usable_cont(o.slot(1) as u32) {
            Ok(cont) => cont,
            Err(trap) => return raise(vm, trap),
        };
        let (base, n, want, clauses) = (o.u16(4), o.u16(5), o.u16(6), o.u16(7));
        let ready = match Vm::prepare(vm, &cont, n.into(), want, 0) {
            Ok(ready) => ready,
            Err(code) => return code,
        };
        let m = machine(vm);
        let next = next.addr() - m.code_base.addr();
        m.save_stack(next as u32, base, want, clauses);
        let (parent, last) = (m.current, None);
        Vm::go_to(vm, &cont, ready, parent, Arguments { base, n, last })
    }
}

pub(crate) unsafe fn resume_throw(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        let m = machine(vm);
        let cont = match m.usable_cont(o.slot(1) as u32) {
            Ok(cont) => cont,
            Err(trap) => return raise(vm, trap),
        };
        let (_, want) = m.slots_of_type(m.identity(o.u32(2)));
        let op = Resumption {
            base: o.u16(6),
            n: o.u16(7),
            clauses: o.u16(8),
            next: (next.addr() - m.code_base.addr()) as u32,
        };
        // The frame keeps the payload's references and the continuation alive.
        let exn = match crate::exceptions::new_from_frame(m, o.u32(4), op.base, op.n) {
            Ok(exn) => exn,
            Err(trap) => return raise(vm, trap),
        };
        Vm::throw_into(vm, &cont, exn, want, op)
    }
}

pub(crate) unsafe fn resume_throw_ref(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        let m = &*vm;
        // First, so that the continuation can still be used.
        let exn = o.slot(2) as u32;
        if exn == 0 {
            return raise(vm, Trap::NullReference);
        }
        let cont = match m.usable_cont(o.slot(1) as u32) {
            Ok(cont) => cont,
            Err(trap) => return raise(vm, trap),
        };
        let (_, want) = m.slots_of_type(m.identity(o.u32(3)));
        let op = Resumption {
            base: o.u16(5),
            n: 0,
            clauses: o.u16(6),
            next: (next.addr() - m.code_base.addr()) as u32,
        };
        Vm::throw_into(vm, &cont, exn, want, op)
    }
}

pub(crate) unsafe fn switch(vm: *mut Vm, next: *const u8) -> u32 {
    // SAFETY: I1, I2.
    unsafe {
        let o = Operands::of(vm);
        let m = &*vm;
        let cont = match m.usable_cont(o.slot(1) as u32) {
            Ok(cont) => cont,
            Err(trap) => return raise(vm, trap),
        };
        let back = m.identity(o.u32(4));
        let tag = m.instances[m.inst as usize].tags[o.u32(6) as usize];
        let (base, n) = (o.u16(8), o.u16(9));
        if m.current == m.entry_stack {
            return raise(vm, Trap::UnhandledTag);
        }
        let reach = m.find_clause(tag, true);
        let Some(found) = reach.clause else {
            return raise(vm, Trap::UnhandledTag);
        };
        let want = m.stacks[found.parent].landing.want();
        let ready = match Vm::prepare(vm, &cont, u32::from(n) + 1, want, reach.bytes) {
            Ok(ready) => ready,
            Err(code) => return code,
        };
        let m = machine(vm);
        let this = match m.new_cont(back, m.current, 0) {
            Ok(this) => this,
            Err(trap) => {
                if let Leads::ToFunc(_) = cont.leads {
                    m.free_stack(ready.inner);
                }
                return raise(vm, trap);
            }
        };
        let next = next.addr() - m.code_base.addr();
        m.suspend_stacks(reach.outer, reach.bytes, next as u32, base, o.u16(10));
        let last = Some(this);
        Vm::go_to(vm, &cont, ready, found.parent, Arguments { base, n, last })
    }
}

/// The op that the function a continuation called returns to: its results are in its frame, from slot 0 up. Resumptions leave it
/// to this one to see that they are what the parent waits for.
pub(crate) unsafe fn cont_end(vm: *mut Vm, _next: *const u8) -> u32 {
    // SAFETY: I1; the parent's frame has room for what it waits for (I2).
    unsafe {
        let m = machine(vm);
        let (ended, from) = (m.current, m.fp);
        let stack = m.stacks[ended];
        // Of an arena that is not damaged it always does.
        if m.stacks[stack.parent].landing.want() != stack.results {
            return raise(vm, Trap::BadSignature);
        }
        m.chain_bytes -= stack.len;
        m.install_stack(stack.parent);
        let dst = m.stacks[stack.parent].landing.dst();
        move_out(m.fp.add(usize::from(dst) * 8), from, stack.results);
        m.go_on_behind(true);
        m.free_stack(ended);
        0
    }
}
