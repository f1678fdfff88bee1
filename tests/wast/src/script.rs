//! Executes the directives of one script, in order, on one store.

use crate::snapshots::Others;
use crate::{Options, Report, spectest, value};
use core::cell::OnceCell;
use sheave::{Engine, Error, Extern, Instance, Linker, Module, Store, ThrownException, Trap, Val};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wast::{QuoteWat, Wast, WastDirective, WastExecute, WastInvoke, WastRet, Wat, token::Id};

/// What a directive came to: `Err` says what went wrong.
type Outcome<T = ()> = Result<T, String>;

/// What running something in the engine came to: `Err` is the engine's error.
type Ran = Result<Vec<Val>, Error>;

/// Whether a directive does anything in a store.
fn can_change(directive: &WastDirective<'_>) -> bool {
    !matches!(
        directive,
        WastDirective::ModuleDefinition(_)
            | WastDirective::Register { .. }
            | WastDirective::AssertMalformed { .. }
            | WastDirective::AssertInvalid { .. }
            | WastDirective::AssertMalformedCustom { .. }
            | WastDirective::AssertInvalidCustom { .. }
    )
}

fn is_assertion(directive: &WastDirective<'_>) -> bool {
    !matches!(
        directive,
        WastDirective::Module(_)
            | WastDirective::ModuleDefinition(_)
            | WastDirective::ModuleInstance { .. }
            | WastDirective::Register { .. }
            | WastDirective::Invoke(_)
            | WastDirective::Thread(_)
            | WastDirective::Wait { .. }
    )
}

fn panic_text(panic: &(dyn core::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref().copied())
        .unwrap_or("not a text")
}

/// Engines for the first and the second version of WebAssembly.
fn older_engines() -> Vec<Engine> {
    let options = ["mvp", ""].map(|list| Options {
        features: list.parse().ok(),
        ..Options::default()
    });
    options
        .iter()
        .filter_map(|options| Engine::new(&options.config()).ok())
        .collect()
}

pub(crate) struct Runner {
    pub(crate) engine: Engine,
    pub(crate) store: Store<()>,
    pub(crate) linker: Linker<()>,
    pub(crate) others: Others,
    /// Whether older versions of WebAssembly have a say, and their engines once they were asked.
    any_version: bool,
    older: OnceCell<Vec<Engine>>,
    /// Instances by the script's names for them.
    pub(crate) instances: HashMap<String, Instance>,
    /// The instance that directives without a name mean; `None` after one that failed to come up.
    pub(crate) current: Option<Instance>,
    /// Definitions by the script's names for them, and the last one.
    pub(crate) definitions: HashMap<String, Module>,
    pub(crate) last_definition: Option<Module>,
}

impl Runner {
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let engine = Engine::new(&options.config())?;
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        linker.allow_shadowing(true);
        spectest::define_functions(&mut linker)?;
        spectest::define_items(&mut linker, &mut store)?;
        Ok(Self {
            others: Others::new(&engine, options)?,
            engine,
            store,
            linker,
            any_version: options.features.is_none(),
            older: OnceCell::new(),
            instances: HashMap::new(),
            current: None,
            definitions: HashMap::new(),
            last_definition: None,
        })
    }

    /// Runs directives of a text that begins in that line (from 0); false if the rest is not to be run.
    pub(crate) fn run(
        &mut self,
        text: &str,
        first_line: usize,
        script: Wast<'_>,
        options: &Options,
        report: &mut Report,
    ) -> bool {
        for directive in script.directives {
            let line = first_line + directive.span().linecol_in(text).0;
            let asserts = is_assertion(&directive);
            let changes = options.snapshots && can_change(&directive);
            // A panic is a bug of the engine like any other: this directive fails, the others still count.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.directive(directive)))
                .unwrap_or_else(|panic| Err(format!("panic: {}", panic_text(&*panic))));
            match outcome {
                Ok(()) => report.passed += usize::from(asserts),
                Err(message) => report.fail(line, message),
            }
            if changes && let Err(error) = self.snapshot_and_restore() {
                report.fail(line, format!("snapshot and restore: {}", describe(&error)));
                return false;
            }
        }
        true
    }

    fn directive(&mut self, directive: WastDirective<'_>) -> Outcome {
        match directive {
            WastDirective::Module(module) => self.module(module),
            WastDirective::ModuleDefinition(module) => self.define(module),
            WastDirective::ModuleInstance {
                instance, module, ..
            } => self.instance_of(instance, module),
            WastDirective::Register { name, module, .. } => self.register(name, module),
            WastDirective::Invoke(invoke) => {
                let ran = self.invoke(&invoke)?;
                ran.map(drop).map_err(|error| describe(&error))
            }
            WastDirective::AssertReturn { exec, results, .. } => self.assert_return(exec, &results),
            WastDirective::AssertTrap { exec, message, .. } => {
                let ran = self.execute(exec)?;
                expect_trap(ran, message)
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                let ran = self.invoke(&call)?;
                expect_trap(ran, message)
            }
            WastDirective::AssertMalformed {
                module, message, ..
            }
            | WastDirective::AssertInvalid {
                module, message, ..
            }
            | WastDirective::AssertMalformedCustom {
                module, message, ..
            }
            | WastDirective::AssertInvalidCustom {
                module, message, ..
            } => self.expect_rejected(module, message),
            WastDirective::AssertUnlinkable {
                module, message, ..
            } => self.expect_unlinkable(module, message),
            WastDirective::AssertException { exec, .. } => {
                let ran = self.execute(exec)?;
                expect_exception(ran)
            }
            WastDirective::AssertSuspension { exec, message, .. } => {
                let ran = self.execute(exec)?;
                expect_suspension(ran, message)
            }
            WastDirective::Thread(_) | WastDirective::Wait { .. } => {
                Err("threads are not supported".into())
            }
        }
    }

    // ---- modules and instances ----

    fn compile(&self, mut module: QuoteWat<'_>) -> Outcome<Module> {
        let bytes = module.encode().map_err(|error| error.message())?;
        Module::from_binary(&self.engine, &bytes).map_err(|error| describe(&error))
    }

    fn module(&mut self, module: QuoteWat<'_>) -> Outcome {
        let name = module.name();
        self.current = None;
        if let Some(name) = name {
            // The name must not go on meaning an older instance if this one fails to come up.
            self.instances.remove(name.name());
        }
        let module = self.compile(module)?;
        self.bring_up(name, &module)
    }

    fn bring_up(&mut self, name: Option<Id<'_>>, module: &Module) -> Outcome {
        let instance = self.linker.instantiate(&mut self.store, module);
        let instance = instance.map_err(|error| describe(&error))?;
        if let Some(name) = name {
            self.instances.insert(name.name().to_owned(), instance);
        }
        self.current = Some(instance);
        Ok(())
    }

    fn define(&mut self, module: QuoteWat<'_>) -> Outcome {
        let name = module.name();
        self.last_definition = None;
        let module = self.compile(module)?;
        if let Some(name) = name {
            self.definitions
                .insert(name.name().to_owned(), module.clone());
        }
        self.last_definition = Some(module);
        Ok(())
    }

    fn instance_of(&mut self, instance: Option<Id<'_>>, module: Option<Id<'_>>) -> Outcome {
        let module = match module {
            Some(name) => self.definitions.get(name.name()),
            None => self.last_definition.as_ref(),
        };
        let module = module.ok_or("no such module definition")?.clone();
        self.current = None;
        self.bring_up(instance, &module)
    }

    fn register(&mut self, name: &str, module: Option<Id<'_>>) -> Outcome {
        let instance = self.instance(module)?;
        let linked = self.linker.instance(&mut self.store, name, instance);
        linked.map(drop).map_err(|error| describe(&error))
    }

    fn instance(&self, name: Option<Id<'_>>) -> Outcome<Instance> {
        match name {
            Some(name) => {
                let instance = self.instances.get(name.name()).copied();
                instance.ok_or_else(|| format!("no instance named ${}", name.name()))
            }
            None => self.current.ok_or_else(|| "no current instance".into()),
        }
    }

    // ---- actions ----

    fn execute(&mut self, exec: WastExecute<'_>) -> Outcome<Ran> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(module) => {
                let module = self.compile(QuoteWat::Wat(module))?;
                let instance = self.linker.instantiate(&mut self.store, &module);
                Ok(instance.map(|_| Vec::new()))
            }
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                match instance.get_export(&mut self.store, global) {
                    Some(Extern::Global(global)) => Ok(Ok(vec![global.get(&mut self.store)])),
                    _ => Err(format!("no global {global:?} is exported")),
                }
            }
        }
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Outcome<Ran> {
        let instance = self.instance(invoke.module)?;
        let name = invoke.name;
        let func = instance.get_func(&mut self.store, name);
        let func = func.ok_or_else(|| format!("no function {name:?} is exported"))?;
        let mut args = Vec::new();
        for arg in &invoke.args {
            args.push(value::argument(&mut self.store, arg)?);
        }
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        let called = func.call(&mut self.store, &args, &mut results);
        Ok(called.map(|()| results))
    }

    // ---- assertions ----

    fn assert_return(&mut self, exec: WastExecute<'_>, expected: &[WastRet<'_>]) -> Outcome {
        let results = self.execute(exec)?.map_err(|error| describe(&error))?;
        value::match_results(&mut self.store, &results, expected)
    }

    fn expect_rejected(&self, mut module: QuoteWat<'_>, message: &str) -> Outcome {
        let Ok(bytes) = module.encode() else {
            return Ok(());
        };
        if Module::from_binary(&self.engine, &bytes).is_err() || self.was_refused(&bytes, message) {
            return Ok(());
        }
        Err(format!("module accepted, expected {message:?}"))
    }

    /// Whether older versions refuse the module in the words of the script.
    fn was_refused(&self, bytes: &[u8], message: &str) -> bool {
        // What older scripts call a flag.
        let message = &message.replace("zero flag", "zero byte");
        let refuses = |engine: &Engine| match Module::validate(engine, bytes) {
            Ok(()) => false,
            Err(error) => describe(&error).contains(message),
        };
        self.older
            .get_or_init(|| {
                if self.any_version {
                    older_engines()
                } else {
                    Vec::new()
                }
            })
            .iter()
            .any(refuses)
    }

    fn expect_unlinkable(&mut self, module: Wat<'_>, message: &str) -> Outcome {
        let module = self.compile(QuoteWat::Wat(module))?;
        match self.linker.instantiate(&mut self.store, &module) {
            Ok(_) => Err(format!("module linked, expected {message:?}")),
            Err(error) if error.downcast_ref::<Trap>().is_some() => Err(format!(
                "trapped, expected not to link with {message:?}: {}",
                describe(&error)
            )),
            Err(error) => {
                let text = describe(&error);
                if text.contains(message) {
                    Ok(())
                } else {
                    wrong_message(&text, message)
                }
            }
        }
    }
}

fn expect_exception(ran: Ran) -> Outcome {
    match ran {
        Ok(_) => Err("returned, expected an exception".into()),
        Err(error) if error.downcast_ref::<ThrownException>().is_some() => Ok(()),
        Err(error) => Err(format!("expected an exception, got {:?}", describe(&error))),
    }
}

/// A suspension that nothing handled is a trap for the embedder, and for scripts an outcome of its own.
fn expect_suspension(ran: Ran, message: &str) -> Outcome {
    match ran {
        Ok(_) => Err("returned, expected a suspension".into()),
        Err(error) => match error.downcast_ref::<Trap>() {
            Some(trap @ Trap::UnhandledTag) => {
                let text = trap.to_string();
                if is_trap(&text, message) {
                    Ok(())
                } else {
                    wrong_message(&text, message)
                }
            }
            _ => Err(format!("expected a suspension, got {:?}", describe(&error))),
        },
    }
}

fn expect_trap(ran: Ran, message: &str) -> Outcome {
    let error = match ran {
        Ok(_) => return Err(format!("returned, expected the trap {message:?}")),
        Err(error) => error,
    };
    let Some(trap) = error.downcast_ref::<Trap>() else {
        let text = describe(&error);
        return Err(format!(
            "an error that is no trap, expected {message:?}: {text}"
        ));
    };
    if spec_texts(*trap).iter().any(|text| is_trap(text, message)) {
        return Ok(());
    }
    wrong_message(&trap.to_string(), message)
}

/// The texts by which scripts know this trap; the engine's own are those of Wasmtime.
fn spec_texts(trap: Trap) -> &'static [&'static str] {
    match trap {
        Trap::Unreachable => &["unreachable"],
        Trap::MemoryOutOfBounds => &["out of bounds memory access"],
        Trap::TableOutOfBounds => &["out of bounds table access", "undefined element"],
        Trap::IndirectCallToNull => &["uninitialized element"],
        Trap::BadSignature => &["indirect call type mismatch"],
        Trap::IntegerOverflow => &["integer overflow"],
        Trap::IntegerDivisionByZero => &["integer divide by zero"],
        Trap::BadConversionToInteger => &["invalid conversion to integer"],
        Trap::StackOverflow => &["call stack exhausted"],
        Trap::NullReference => &[
            "null reference",
            "null function reference",
            "null exception reference",
            "null structure reference",
            "null array reference",
            "null i31 reference",
            "null continuation reference",
        ],
        Trap::CastFailure => &["cast failure"],
        Trap::ArrayOutOfBounds => &["out of bounds array access"],
        Trap::AllocationTooLarge => &["allocation size too large"],
        Trap::HeapMisaligned => &["unaligned atomic"],
        Trap::AtomicWaitNonSharedMemory => &["expected shared memory"],
        Trap::ContinuationConsumed => &["continuation already consumed"],
        _ => &[],
    }
}

/// Whether a trap of this text is the one the script means. Scripts give a prefix of the text, except that some say
/// which element is uninitialised.
fn is_trap(text: &str, message: &str) -> bool {
    text.starts_with(message)
        || message
            .strip_prefix(text)
            .is_some_and(|rest| rest.trim().parse::<u32>().is_ok())
}

fn wrong_message(text: &str, message: &str) -> Outcome {
    Err(format!("expected {message:?}, got {text:?}"))
}

/// An error with its causes on one line.
fn describe(error: &Error) -> String {
    format!("{error:#}").replace('\n', " ")
}
