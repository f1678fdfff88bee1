//! Host functions on stacks of their own, for who wants to know how much native stack they use, and to bound it.
//!
//! Wasm uses no native stack, so the only thing that can overflow one is the host's own code. Where it is asked for, a host
//! function's entry is replaced by [`on_stack`], which takes a stack of the engine's pool and runs the entry there. Where it
//! is not, nothing is added to a call.
#![allow(
    unsafe_code,
    reason = "stands between the machine and a host function's entry"
)]

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::bail;
use sheave_fiber::{
    BACKEND, Backend, DEFAULT_STACK_SIZE, Limited, Measured, PoolConfig, PooledStack, StackBounds,
    StackCreator, StackError, StackMemory, StackPool, call_on_watched, report_overflows,
};
use sheave_interp::{HostEntry, HostStatus};

use crate::config::Config;
use crate::engine::Engine;
use crate::host::{HostFunc, data_ptr};
use crate::host_frames::on_fiber;
use crate::linker::Linker;
use crate::store::{Caller, Failure, StoreOpaque};
use crate::{Error, Result};

/// What a [`Config`] says of host stacks.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    /// Bytes of a stack; 0 if host functions run on their caller's.
    size: usize,
    limit: Option<usize>,
    report: bool,
    message: bool,
    creator: Option<Arc<dyn StackCreator>>,
}

impl core::fmt::Debug for Settings {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Settings")
            .field("size", &self.size)
            .field("limit", &self.limit)
            .field("report", &self.report)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Bytes that each host function may use, if it does not run on its caller's stack.
    fn len(&self) -> Option<usize> {
        let wanted = self.report || self.limit.is_some() || self.creator.is_some();
        let size = match self.size {
            0 if wanted => DEFAULT_STACK_SIZE,
            0 => return None,
            size => size,
        };
        Some(size)
    }
}

impl Config {
    /// Runs each host function on a stack of its own, of so many bytes; 0 (the default) leaves them on the stack of whoever
    /// calls wasm. The stacks come from a pool of the engine's, and have a guard below. Off costs nothing; on, each call takes
    /// a stack from the pool and gives it back. Wasm that a host function calls uses that function's stack only for the interpreter's own few frames,
    /// and for translating what is called first; [`Config::max_wasm_stack`] is another matter.
    ///
    /// Async host functions are not concerned: their futures run on the stack of whoever polls.
    ///
    /// ```
    /// use sheave_hostcalls::{Caller, Config, Engine, Func, Store};
    /// let engine = Engine::new(Config::new().host_stack_size(256 << 10))?;
    /// let mut store = Store::new(&engine, ());
    /// let left = Func::wrap(&mut store, |caller: Caller<'_, ()>| caller.stack_remaining().unwrap() as u32);
    /// let left = left.typed::<(), u32>(&store)?.call(&mut store, ())?;
    /// assert!((200 << 10..256 << 10).contains(&left));
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    pub fn host_stack_size(&mut self, bytes: usize) -> &mut Config {
        self.host_stacks.size = bytes;
        self
    }

    /// For tests: lets no host function use more than so many bytes of its stack (at least 4 KiB). So a test shows whether
    /// all of them fit. Implies [`Config::host_stack_size`], of 1 MiB unless set.
    pub fn host_stack_limit(&mut self, bytes: usize) -> &mut Config {
        self.host_stacks.limit = Some(bytes);
        self
    }

    /// Measures how deep each host function uses its stack: [`Engine::host_stack_report`]. Each call takes time in
    /// proportion to the stack's size then (about 50 µs for 1 MiB). Implies [`Config::host_stack_size`], of 1 MiB unless set.
    pub fn host_stack_report(&mut self, enable: bool) -> &mut Config {
        self.host_stacks.report = enable;
        self
    }

    /// Makes the overflow of a host function's stack end with a message that names the function and the size, before the
    /// process aborts. Without it the process ends by a bare fault: overflow is never silent. This installs a handler of
    /// `SIGSEGV` and `SIGBUS` for the whole process; on Windows, and under Miri, it does nothing.
    pub fn host_stack_overflow_message(&mut self, enable: bool) -> &mut Config {
        self.host_stacks.message = enable;
        self
    }

    /// Where host stacks come from: memory of the embedder's. It gets every request with its size that the engine's pool
    /// cannot answer from what was given back. Implies [`Config::host_stack_size`], of 1 MiB unless set.
    pub fn with_host_stack(&mut self, creator: Arc<dyn StackCreator>) -> &mut Config {
        self.host_stacks.creator = Some(creator);
        self
    }
}

/// The host stacks of an engine.
pub(crate) struct HostStacks {
    settings: Settings,
    pool: Arc<StackPool>,
    /// Of the functions that are measured.
    uses: Mutex<Vec<Arc<Use>>>,
}

/// Gives what an embedder's creator gives.
struct Given(Arc<dyn StackCreator>);

impl StackCreator for Given {
    fn create(&self, size: usize) -> Result<Box<dyn StackMemory + Send>, StackError> {
        self.0.create(size)
    }
}

impl HostStacks {
    pub(crate) fn new(settings: &Settings) -> Result<HostStacks> {
        if settings.len().is_some() {
            supported()?;
        }
        if settings.message {
            report_overflows();
        }
        let config = PoolConfig::default();
        let pool = match &settings.creator {
            Some(creator) => StackPool::with_creator(config, Given(Arc::clone(creator))),
            None => StackPool::new(config),
        };
        Ok(HostStacks {
            settings: settings.clone(),
            pool,
            uses: Mutex::default(),
        })
    }
}

fn supported() -> Result<()> {
    if BACKEND == Backend::Disabled {
        bail!("host functions cannot have stacks of their own on this target");
    }
    Ok(())
}

/// What is known of a host function's use of its stack.
struct Use {
    name: Box<str>,
    stack_bytes: usize,
    calls: AtomicU64,
    most: AtomicUsize,
}

/// Where a host function runs.
#[derive(Default)]
pub(crate) struct Place {
    /// What its closure is called in Rust.
    closure: &'static str,
    /// What a linker calls it.
    name: OnceLock<Box<str>>,
    /// Bytes that it may use, whatever the engine says.
    cap: OnceLock<usize>,
    /// Continuations may hold its frames.
    pub(crate) capturable: OnceLock<()>,
    /// Known once a store has it.
    stack: OnceLock<Option<OnStack>>,
}

impl Place {
    pub(crate) fn of<N>() -> Place {
        Place {
            closure: core::any::type_name::<N>(),
            ..Place::default()
        }
    }

    /// Its stack, once a store has it.
    pub(crate) fn on_stack(&self) -> Option<&OnStack> {
        self.stack.get()?.as_ref()
    }

    fn is_capturable(&self) -> bool {
        self.capturable.get().is_some()
    }
}

/// A host function that does not run on its caller's stack.
pub(crate) struct OnStack {
    name: Box<str>,
    /// Bytes that it may use.
    len: usize,
    pool: Arc<StackPool>,
    measured: Option<Measure>,
}

/// A host function's stacks that are measured: kept apart, as they are zero where they were not used.
struct Measure {
    spare: Mutex<Vec<Measured<Limited<PooledStack>>>>,
    result: Arc<Use>,
}

impl HostFunc {
    /// The names that a linker knows it by; the first one stays.
    pub(crate) fn set_name(&self, module: &str, name: &str) {
        self.place
            .name
            .get_or_init(|| format!("{module}::{name}").into());
    }

    /// Entry and data for the machine. The data lives as long as this.
    pub(crate) fn registered(&self, engine: &Engine) -> (HostEntry, *const ()) {
        match self.place.stack.get_or_init(|| self.on_stack(engine)) {
            Some(_) if self.place.is_capturable() => (on_fiber, core::ptr::from_ref(self).cast()),
            Some(_) => (on_stack, core::ptr::from_ref(self).cast()),
            None => (self.entry, data_ptr(&*self.data)),
        }
    }

    fn on_stack(&self, engine: &Engine) -> Option<OnStack> {
        let stacks = engine.host_stacks();
        let default = self.place.is_capturable().then_some(DEFAULT_STACK_SIZE);
        let len = self.place.cap.get().copied();
        let len = len.or(stacks.settings.len()).or(default)?;
        if self.is_async {
            return None;
        }
        let len = len.min(stacks.settings.limit.unwrap_or(usize::MAX));
        let len = len.max(sheave_fiber::MIN_STACK_SIZE) & !15;
        let name = self.place.name.get().cloned();
        let name = name.unwrap_or_else(|| self.place.closure.into());
        let measured = stacks.settings.report.then(|| {
            let result = Arc::new(Use {
                name: name.clone(),
                stack_bytes: len,
                calls: AtomicU64::new(0),
                most: AtomicUsize::new(0),
            });
            let mut uses = stacks.uses.lock().unwrap_or_else(PoisonError::into_inner);
            uses.push(Arc::clone(&result));
            let spare = Mutex::default();
            Measure { spare, result }
        });
        Some(OnStack {
            name,
            len,
            pool: Arc::clone(&stacks.pool),
            measured,
        })
    }
}

/// The stack that a host function runs on. Addresses, for comparing only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    lowest: usize,
    len: usize,
}

impl From<StackBounds> for Extent {
    fn from(bounds: StackBounds) -> Extent {
        Extent {
            lowest: bounds.lowest().as_ptr().addr(),
            len: bounds.len(),
        }
    }
}

impl<T: 'static> Caller<'_, T> {
    /// How many bytes of its stack the host function has left, if it runs on one of its own
    /// ([`Config::host_stack_size`], [`Linker::host_stack`]); `None` if on its caller's.
    #[inline(never)]
    pub fn stack_remaining(&self) -> Option<usize> {
        let Extent { lowest, len } = self.store.0.opaque.host_stack?;
        if cfg!(miri) {
            // Locals have any addresses there: all of it is said to be left.
            return Some(len);
        }
        let here = 0_u8;
        let left = core::hint::black_box(&raw const here)
            .addr()
            .wrapping_sub(lowest);
        (left < len).then_some(left)
    }
}

/// The entry of host functions that do not run on their caller's stack.
///
/// # Safety
/// - `data` is the `HostFunc` that was registered with it (H2, H6), `cx` the store (H1).
unsafe fn on_stack(cx: *mut (), data: *const (), frame: u32) -> HostStatus {
    // SAFETY: H6: the caller's promise.
    let func = unsafe { &*data.cast::<HostFunc>() };
    let opaque = cx.cast::<StoreOpaque>();
    let Some(Some(on)) = func.place.stack.get() else {
        return HostStatus::Failed;
    };
    // SAFETY: H1, H6: nobody else uses the store before the entry, or behind it.
    let body = |bounds: StackBounds| unsafe {
        let outer = (*opaque).host_stack.replace(bounds.into());
        let status = (func.entry)(cx, data_ptr(&*func.data), frame);
        (*opaque).host_stack = outer;
        status
    };
    match on.run(body) {
        Ok(status) => status,
        Err(error) => {
            let error = error.context(format!("no stack for the host function `{}`", on.name));
            // SAFETY: H1: nothing has run.
            unsafe { (*opaque).set_failure(Failure::Error(error)) };
            HostStatus::Failed
        }
    }
}

impl OnStack {
    fn run(&self, body: impl FnOnce(StackBounds) -> HostStatus) -> Result<HostStatus> {
        let Some(mut stack) = self.take_measured()? else {
            return Ok(call_on_watched(&mut self.stack()?, &self.name, body)?);
        };
        let status = call_on_watched(&mut stack, &self.name, body)?;
        self.give_measured(stack);
        Ok(status)
    }

    /// A stack that is measured, if the function's are.
    pub(crate) fn take_measured(&self) -> Result<Option<Measured<Limited<PooledStack>>>> {
        let Some(Measure { spare, .. }) = &self.measured else {
            return Ok(None);
        };
        let kept = spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ok(Some(match kept {
            Some(stack) => stack,
            None => Measured::new(self.stack()?),
        }))
    }

    /// A call has ended: notes how deep it used its stack.
    pub(crate) fn give_measured(&self, mut stack: Measured<Limited<PooledStack>>) {
        if let Some(Measure { spare, result }) = &self.measured {
            result.calls.fetch_add(1, Ordering::Relaxed);
            result
                .most
                .fetch_max(stack.take_high_water(), Ordering::Relaxed);
            let mut spare = spare.lock().unwrap_or_else(PoisonError::into_inner);
            spare.push(stack);
        }
    }

    /// What messages call the function.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn stack(&self) -> Result<Limited<PooledStack>, Error> {
        Ok(Limited::new(self.pool.take_sized(self.len)?, self.len))
    }
}

impl<T: 'static> Linker<T> {
    /// Runs the host function of that name on a stack of its own of so many bytes (at least 4 KiB), whatever the engine says
    /// ([`Config::host_stack_size`]). To be said before a store has got to know the function.
    ///
    /// ```
    /// use sheave_hostcalls::{Caller, Engine, Linker};
    /// let mut linker = Linker::<()>::new(&Engine::default());
    /// linker.func_wrap("env", "f", || ())?;
    /// linker.host_stack("env", "f", 64 << 10)?;
    /// # Ok::<(), sheave_hostcalls::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no host function of that name that belongs to no store yet; if it is async; if this was said before; if the
    /// target has no such stacks.
    pub fn host_stack(&mut self, module: &str, name: &str, bytes: usize) -> Result<&mut Self> {
        let func = self.host_func_for_stack(module, name)?;
        if func.place.cap.set(bytes).is_err() {
            bail!("the stack of `{module}::{name}` is set twice");
        }
        Ok(self)
    }

    /// The host function of that name, if it can still be said on what stack it runs.
    pub(crate) fn host_func_for_stack(&self, module: &str, name: &str) -> Result<&HostFunc> {
        supported()?;
        let Some(func) = self.host_func(module, name) else {
            bail!("`{module}::{name}` is not a host function of this linker");
        };
        if func.is_async {
            bail!("`{module}::{name}` is async: its future runs on the stack of whoever polls");
        }
        if func.place.stack.get().is_some() {
            bail!("`{module}::{name}` has its stack already, as a store knows it");
        }
        Ok(func)
    }
}

impl Engine {
    /// How deep host functions used their stacks, the deepest first; those that were called, of all stores. Empty unless
    /// [`Config::host_stack_report`] is on. Its text is a table.
    pub fn host_stack_report(&self) -> HostStackReport {
        let uses = &self.host_stacks().uses;
        let uses = uses.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = uses.iter().map(|u| HostStackUse {
            name: u.name.to_string(),
            calls: u.calls.load(Ordering::Relaxed),
            most: u.most.load(Ordering::Relaxed),
            stack_bytes: u.stack_bytes,
        });
        let mut rows: Vec<_> = rows.filter(|row| row.calls > 0).collect();
        rows.sort_by(|a, b| b.most.cmp(&a.most).then_with(|| a.name.cmp(&b.name)));
        HostStackReport(rows)
    }
}

/// How deep host functions used their stacks; see [`Engine::host_stack_report`].
#[derive(Clone, Debug)]
pub struct HostStackReport(Vec<HostStackUse>);

/// How deep one host function used its stack.
#[derive(Clone, Debug)]
pub struct HostStackUse {
    name: String,
    calls: u64,
    most: usize,
    stack_bytes: usize,
}

impl HostStackUse {
    /// What a linker calls it (`module::name`), or else the name of its closure's type.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it was called.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The most bytes that a call used, as far as can be seen: what was written. 0 where fibers are threads (see
    /// `sheave_fiber::Measured`).
    pub fn most_bytes(&self) -> usize {
        self.most
    }

    /// Bytes of its stack.
    pub fn stack_bytes(&self) -> usize {
        self.stack_bytes
    }
}

impl HostStackReport {
    /// The functions, the deepest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &HostStackUse> {
        self.0.iter()
    }
}

impl core::fmt::Display for HostStackReport {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        writeln!(
            f,
            "{:>10} {:>10} {:>10}  host function",
            "most", "of", "calls"
        )?;
        for row in &self.0 {
            let (most, of, calls) = (row.most, row.stack_bytes, row.calls);
            writeln!(f, "{most:>10} {of:>10} {calls:>10}  {}", row.name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FuncType;

    #[test]
    fn nothing_stands_before_a_host_function_unless_it_is_asked_for() {
        let registered = |config: &Config| {
            let engine = Engine::new(config).unwrap();
            let ty = FuncType::new(&engine, [], []);
            let func = HostFunc::dynamic::<(), _>(ty, |_, _, _| Ok(()));
            let (_, data) = func.registered(&engine);
            (data, data_ptr(&*func.data), func)
        };
        let (data, closure, _func) = registered(&Config::new());
        assert_eq!(data, closure);
        let (data, closure, func) = registered(Config::new().host_stack_size(1 << 16));
        assert_ne!(data, closure);
        assert_eq!(data, Arc::as_ptr(&func).cast());
    }
}
