//! All functions of a module at once: validated or translated on several threads.
//!
//! Functions are dealt out in batches of neighbours. Each thread has one validator's and one
//! translator's memory for all its functions. What comes out does not depend on the threads: the
//! code of a function never depends on another's, and of several errors the first in the order of
//! the module is reported.

use crate::error::LoadError;
use crate::info::ModuleInfo;
use crate::module::FunctionCode;
use crate::translate::{
    self, Body, CodeOptions, Record, Translated, Translator, Validation, Validators,
    translate_trusted, translate_validating,
};
use core::ops::Range;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::borrow::Cow;
use wasmparser::{ValidatorResources, WasmFeatures};

/// Bytes of bodies in a batch.
const BATCH_BYTES: u32 = 64 << 10;

const NOTHING: Record = Record::Nothing;

/// A module's functions, as far as needed to work on their bodies.
#[derive(Clone, Copy)]
pub(crate) struct Functions<'m> {
    pub(crate) wasm: &'m [u8],
    pub(crate) info: &'m ModuleInfo,
    pub(crate) features: WasmFeatures,
    pub(crate) options: CodeOptions,
    /// With these, functions are validated.
    pub(crate) resources: Option<&'m ValidatorResources>,
}

/// Code of all functions of a module.
#[derive(Debug, Default)]
pub(crate) struct AllCode {
    entries: Vec<Entry>,
    batches: Vec<Box<[u16]>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    batch: u32,
    start: u32,
    len: u32,
    frame_slots: u32,
}

impl AllCode {
    pub(crate) fn get(&self, defined_func: u32) -> Option<FunctionCode<'_>> {
        let entry = self.entries.get(defined_func as usize)?;
        let code = self.batches.get(entry.batch as usize)?;
        let code = code
            .get(entry.start as usize..)?
            .get(..entry.len as usize)?;
        Some(FunctionCode {
            frame_slots: entry.frame_slots,
            code: Cow::Borrowed(code),
        })
    }
}

/// What a thread made of a batch.
struct Done {
    index: usize,
    code: Box<[u16]>,
    entries: Vec<Entry>,
}

impl<'m> Functions<'m> {
    /// The body of a defined function.
    pub(crate) fn body(&self, defined_func: u32) -> Result<Body<'m>, LoadError> {
        let missing = || LoadError::invalid(0, "no such function");
        let range = self
            .info
            .bodies
            .get(defined_func as usize)
            .ok_or_else(missing)?;
        let func = self.info.n_imported_funcs + defined_func;
        let ty = *self.info.funcs.get(func as usize).ok_or_else(missing)?;
        Body::new(self.wasm, range, func, ty).ok_or_else(missing)
    }

    fn validation(&self) -> Option<Validation<'m>> {
        let resources = self.resources?;
        Some(Validation {
            resources,
            features: self.features,
        })
    }

    fn validators(&self) -> Validators<'m> {
        Validators::new(self.info, self.features)
    }

    /// Translates one function, and validates it if there is something to do it with. Gives `take`
    /// of what came out.
    pub(crate) fn translate_one<T>(
        &self,
        defined_func: u32,
        record: Record,
        take: impl FnOnce(Translated<'_>) -> T,
    ) -> Result<T, LoadError> {
        let body = self.body(defined_func)?;
        let mut translator = Translator::new(self.info, self.options);
        let done = match self.validation() {
            Some(validation) => translate_validating(
                &mut translator,
                &body,
                &validation,
                &mut self.validators(),
                record,
            ),
            None => translate_trusted(&mut translator, &body, self.features, record),
        }?;
        Ok(take(done))
    }

    /// Validates all functions.
    pub(crate) fn validate_all(&self, threads: usize) -> Result<(), LoadError> {
        let Some(validation) = self.validation() else {
            return Ok(());
        };
        self.in_batches(threads, |batches| {
            let mut validators = self.validators();
            while let Some((_, funcs)) = batches.next() {
                for func in funcs {
                    let done = self
                        .body(func)
                        .and_then(|body| translate::validate(&body, &validation, &mut validators));
                    if let Err(error) = done {
                        batches.fail(func);
                        return Err((func, error));
                    }
                }
            }
            Ok(Vec::<()>::new())
        })?;
        Ok(())
    }

    /// Translates all functions, and validates them if there is something to do it with.
    pub(crate) fn translate_all(&self, threads: usize) -> Result<AllCode, LoadError> {
        let mut done = self.in_batches(threads, |batches| {
            let mut done = Vec::new();
            let mut code = Vec::new();
            let mut validators = self.validators();
            let mut translator = Translator::new(self.info, self.options);
            while let Some((index, funcs)) = batches.next() {
                let batch =
                    self.translate_batch(index, funcs, &mut code, &mut translator, &mut validators);
                done.push(batch.inspect_err(|(func, _)| batches.fail(*func))?);
            }
            Ok(done)
        })?;
        done.sort_unstable_by_key(|batch| batch.index);
        let mut all = AllCode::default();
        all.entries.reserve_exact(self.info.bodies.len());
        for batch in done {
            all.entries.extend(batch.entries);
            all.batches.push(batch.code);
        }
        Ok(all)
    }

    fn translate_batch(
        &self,
        index: usize,
        funcs: Range<u32>,
        code: &mut Vec<u16>,
        translator: &mut Translator<'m>,
        validators: &mut Validators<'m>,
    ) -> Result<Done, (u32, LoadError)> {
        code.clear();
        let mut entries = Vec::with_capacity(funcs.len());
        for func in funcs {
            let translated = self.body(func).and_then(|body| match self.validation() {
                Some(validation) => {
                    let made =
                        translate_validating(translator, &body, &validation, validators, NOTHING)?;
                    Ok((made.code, made.frame_slots))
                }
                None => {
                    let made = translate_trusted(translator, &body, self.features, NOTHING)?;
                    Ok((made.code, made.frame_slots))
                }
            });
            let (units, frame_slots) = translated.map_err(|error| (func, error))?;
            entries.push(Entry {
                batch: index as u32,
                start: code.len() as u32,
                len: units.len() as u32,
                frame_slots,
            });
            code.extend_from_slice(units);
        }
        let code = code.as_slice().into();
        Ok(Done {
            index,
            code,
            entries,
        })
    }

    /// Runs `work` on as many threads as asked for and as are worth it.
    fn in_batches<T: Send>(
        &self,
        threads: usize,
        work: impl Fn(&Batches) -> Result<Vec<T>, (u32, LoadError)> + Sync,
    ) -> Result<Vec<T>, LoadError> {
        let batches = Batches::new(self.info);
        let threads = threads.clamp(1, batches.ends.len().max(1));
        if threads == 1 {
            return work(&batches).map_err(|(_, error)| error);
        }
        let results: Vec<_> = std::thread::scope(|scope| {
            let handles: Vec<_> = (1..threads)
                .map(|_| scope.spawn(|| work(&batches)))
                .collect();
            let own = work(&batches);
            let others = handles.into_iter().map(|handle| match handle.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            core::iter::once(own).chain(others).collect()
        });
        let mut all = Vec::new();
        let mut first: Option<(u32, LoadError)> = None;
        for result in results {
            match result {
                Ok(items) => all.extend(items),
                Err(error) if first.as_ref().is_none_or(|f| error.0 < f.0) => first = Some(error),
                Err(_) => {}
            }
        }
        match first {
            Some((_, error)) => Err(error),
            None => Ok(all),
        }
    }
}

/// Deals out batches of functions.
struct Batches {
    /// The end of each batch.
    ends: Vec<u32>,
    next: AtomicUsize,
    /// The lowest function that failed: batches behind it need no work.
    failed: AtomicU32,
}

impl Batches {
    fn new(info: &ModuleInfo) -> Self {
        let mut ends = Vec::new();
        let mut bytes = 0;
        for (i, body) in info.bodies.iter().enumerate() {
            bytes += body.end.saturating_sub(body.start);
            if bytes >= BATCH_BYTES || i + 1 == info.bodies.len() {
                ends.push(i as u32 + 1);
                bytes = 0;
            }
        }
        Self {
            ends,
            next: AtomicUsize::new(0),
            failed: AtomicU32::new(u32::MAX),
        }
    }

    fn next(&self) -> Option<(usize, Range<u32>)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        // Batches are dealt out in order, so no earlier one is left either.
        (start < self.failed.load(Ordering::Relaxed)).then_some((index, start..end))
    }

    fn fail(&self, func: u32) {
        self.failed.fetch_min(func, Ordering::Relaxed);
    }
}
