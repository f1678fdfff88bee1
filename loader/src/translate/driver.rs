//! Runs a function's operators through a validator, then through the translator, which only ever
//! sees valid operators.
//!
//! A plain function's operators are decoded once for both. Another function is read twice: doing
//! both with wasmparser's validator too saved a tenth of the time, for 100 KB of code.

use super::decode::Operators;
use super::plain::{PlainFunctions, translate_plain, validate_plain};
use super::{MAX_SLOTS, Record, Translated, Translator};
use crate::error::{LoadError, LoadErrorKind};
use crate::info::ModuleInfo;
use core::ops::Range;
#[cfg(feature = "simd")]
use wasmparser::VisitSimdOperator;
use wasmparser::{
    BinaryReader, FrameKind, FrameStack, FuncToValidate, FuncValidator, FuncValidatorAllocations,
    ValidatorResources, VisitOperator, WasmFeatures,
};

/// What is needed to validate functions of a module.
#[derive(Clone, Debug)]
pub(crate) struct Validation<'r> {
    pub(crate) resources: &'r ValidatorResources,
    pub(crate) features: WasmFeatures,
}

/// What validates functions of one module, one after the other; its memory is used again.
pub(crate) struct Validators<'m> {
    plain: PlainFunctions<'m>,
    allocations: FuncValidatorAllocations,
}

impl<'m> Validators<'m> {
    pub(crate) fn new(info: &'m ModuleInfo, features: WasmFeatures) -> Self {
        Self {
            plain: PlainFunctions::new(info, features),
            allocations: FuncValidatorAllocations::default(),
        }
    }
}

/// A function's body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'b> {
    /// Its index in the module.
    pub(crate) func: u32,
    pub(crate) type_index: u32,
    /// Local declarations and operators.
    pub(crate) bytes: &'b [u8],
    /// Where `bytes` starts in the module.
    pub(crate) offset: u32,
}

impl<'b> Body<'b> {
    pub(super) fn reader(&self, features: WasmFeatures) -> BinaryReader<'b> {
        BinaryReader::new_features(self.bytes, u64::from(self.offset), features)
    }

    fn error(&self, kind: LoadErrorKind) -> LoadError {
        LoadError::new(u64::from(self.offset), kind)
    }

    /// The body at `range` of a module.
    pub(crate) fn new(
        module: &'b [u8],
        range: &Range<u32>,
        func: u32,
        type_index: u32,
    ) -> Option<Self> {
        let bytes = module.get(range.start as usize..range.end as usize)?;
        Some(Self {
            func,
            type_index,
            bytes,
            offset: range.start,
        })
    }
}

fn validator(
    body: &Body<'_>,
    validation: &Validation<'_>,
    allocations: &mut FuncValidatorAllocations,
) -> FuncValidator<ValidatorResources> {
    FuncToValidate {
        resources: validation.resources.clone(),
        index: body.func,
        ty: body.type_index,
        features: validation.features,
    }
    .into_validator(core::mem::take(allocations))
}

/// More values on the stack than any function can be run with; the validator itself would go on
/// until memory ends.
fn too_high(validator: &FuncValidator<ValidatorResources>) -> bool {
    validator.operand_stack_height() > MAX_SLOTS
}

/// Validates a function.
pub(crate) fn validate(
    body: &Body<'_>,
    validation: &Validation<'_>,
    validators: &mut Validators<'_>,
) -> Result<(), LoadError> {
    if validate_plain(&mut validators.plain, body, validation.features) {
        return Ok(());
    }
    validate_any(body, validation, &mut validators.allocations)
}

/// Validates a function, plain or not.
pub(super) fn validate_any(
    body: &Body<'_>,
    validation: &Validation<'_>,
    allocations: &mut FuncValidatorAllocations,
) -> Result<(), LoadError> {
    let mut validator = validator(body, validation, allocations);
    let mut reader = body.reader(validation.features);
    validator.read_locals(&mut reader)?;
    let mut operators = Operators::new(&reader, body.bytes);
    while !operators.is_empty() {
        let offset = operators.offset();
        operators.visit(&mut validator.visitor(offset))??;
        if too_high(&validator) {
            return Err(LoadError::new(offset, LoadErrorKind::TooManySlots));
        }
    }
    operators
        .reader()
        .finish_expression(&validator.visitor(operators.offset()))?;
    *allocations = validator.into_allocations();
    Ok(())
}

impl<'m> Translator<'m> {
    /// Reads the declarations of locals.
    fn read_locals(&mut self, reader: &mut BinaryReader<'_>) -> wasmparser::Result<()> {
        for _ in 0..reader.read_var_u32()? {
            self.locals(reader.read()?, reader.read()?);
        }
        Ok(())
    }
}

/// Validates and translates a function.
pub(crate) fn translate_validating<'t, 'm>(
    translator: &'t mut Translator<'m>,
    body: &Body<'_>,
    validation: &Validation<'_>,
    validators: &mut Validators<'m>,
    record: Record,
) -> Result<Translated<'t>, LoadError> {
    let (plain, features) = (&mut validators.plain, validation.features);
    if translate_plain(plain, translator, body, features, record) {
        return translator.finish().map_err(|kind| body.error(kind));
    }
    validate_any(body, validation, &mut validators.allocations)?;
    translate_trusted(translator, body, features, record)
}

/// Translates a function that is known to be valid.
pub(crate) fn translate_trusted<'t>(
    translator: &'t mut Translator<'_>,
    body: &Body<'_>,
    features: WasmFeatures,
    record: Record,
) -> Result<Translated<'t>, LoadError> {
    let mut reader = body.reader(features);
    translator.begin(body.type_index, record);
    translator.read_locals(&mut reader)?;
    translator.begin_body().map_err(|kind| body.error(kind))?;
    let mut only = Only { translator };
    let mut operators = Operators::new(&reader, body.bytes);
    while !operators.is_empty() {
        only.translator.offset = operators.offset() as u32;
        operators.visit(&mut only)?;
        if only.translator.is_hopeless() {
            break;
        }
    }
    only.translator.finish().map_err(|kind| body.error(kind))
}

/// Translates each operator.
pub(super) struct Only<'t, 'm> {
    pub(super) translator: &'t mut Translator<'m>,
}

impl FrameStack for Only<'_, '_> {
    #[inline]
    fn current_frame(&self) -> Option<FrameKind> {
        // Only asked about `else`; the code is valid.
        Some(FrameKind::If)
    }
}

/// Calls the translator's method for the operators that it knows, by proposal. The others are
/// never valid with `SUPPORTED_FEATURES`.
macro_rules! translate {
    (@mvp $t:expr, $visit:ident $($arg:ident)*) => { $t.operator(|t| t.$visit($($arg),*)) };
    (@sign_extension $($rest:tt)*) => { translate!(@mvp $($rest)*) };
    (@saturating_float_to_int $($rest:tt)*) => { translate!(@mvp $($rest)*) };
    (@bulk_memory $($rest:tt)*) => { translate!(@mvp $($rest)*) };
    (@reference_types $($rest:tt)*) => { translate!(@mvp $($rest)*) };
    (@tail_call $($rest:tt)*) => { translate!(@mvp $($rest)*) };
    (@function_references $($rest:tt)*) => { translate!(@mvp $($rest)*) };
    (@threads $($rest:tt)*) => { translate!(@if "threads" $($rest)*) };
    (@gc $($rest:tt)*) => { translate!(@if "gc" $($rest)*) };
    (@exceptions $($rest:tt)*) => { translate!(@mvp $($rest)*) };
    (@stack_switching $($rest:tt)*) => { translate!(@if "stack-switching" $($rest)*) };
    (@wide_arithmetic $($rest:tt)*) => { translate!(@mvp $($rest)*) };
    // A build without the cargo feature has nothing of them.
    (@if $feature:literal $($rest:tt)*) => {
        if cfg!(feature = $feature) { translate!(@mvp $($rest)*) }
    };
    (@simd $($rest:tt)*) => { translate!(@mvp $($rest)*) };
    (@relaxed_simd $($rest:tt)*) => { translate!(@mvp $($rest)*) };
    (@$other:ident $t:expr, $visit:ident $($arg:ident)*) => {{ $(let _ = $arg;)* }};
}

impl Translator<'_> {
    #[inline]
    pub(super) fn operator(&mut self, visit: impl FnOnce(&mut Self)) {
        self.fuel_count += u32::from(self.reachable);
        visit(self);
    }
}

macro_rules! define_only {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        $(
            #[inline]
            fn $visit(&mut self $($(, $arg: $argty)*)?) -> Self::Output {
                translate!(@$proposal self.translator, $visit $($($arg)*)?);
            }
        )*
    };
}

impl<'a> VisitOperator<'a> for Only<'_, '_> {
    type Output = ();

    #[cfg(feature = "simd")]
    fn simd_visitor(&mut self) -> Option<&mut dyn VisitSimdOperator<'a, Output = Self::Output>> {
        Some(self)
    }

    wasmparser::for_each_visit_operator!(define_only);
}

#[cfg(feature = "simd")]
impl VisitSimdOperator<'_> for Only<'_, '_> {
    wasmparser::for_each_visit_simd_operator!(define_only);
}
