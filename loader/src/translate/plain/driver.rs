//! Runs a plain function's operators through the validator, and through the translator.

use super::PlainFunctions;
use super::code::Code;
use crate::translate::decode::{Operators, VisitFrequent, frequent_operators};
use crate::translate::driver::{Body, Only};
use crate::translate::{Record, Translator};
use wasmparser::{BlockType, MemArg, WasmFeatures};

/// Whether a function is plain and valid.
pub(in crate::translate) fn validate_plain(
    plain: &mut PlainFunctions<'_>,
    body: &Body<'_>,
    features: WasmFeatures,
) -> bool {
    plain
        .start(body, features, |_, _| {})
        .is_some_and(|mut operators| {
            let valid = plain.validate(&mut operators);
            plain.finish(body, &operators, valid)
        })
}

/// Translates a function if it is plain and valid, as far as [`Translator::finish`]. Otherwise the
/// translator has begun, no more.
pub(in crate::translate) fn translate_plain<'m>(
    plain: &mut PlainFunctions<'m>,
    translator: &mut Translator<'m>,
    body: &Body<'_>,
    features: WasmFeatures,
    record: Record,
) -> bool {
    translator.begin(body.type_index, record);
    let operators = plain.start(body, features, |count, ty| translator.locals(count, ty));
    let Some(mut operators) = operators else {
        return false;
    };
    let valid = match translator.begin_body() {
        Ok(()) => plain.translate(translator, &mut operators),
        Err(_) => None,
    };
    plain.finish(body, &operators, valid)
}

impl<'m> PlainFunctions<'m> {
    /// Reads the declarations of locals, and declares them to `also`. The operators follow.
    fn start<'b>(
        &mut self,
        body: &Body<'b>,
        features: WasmFeatures,
        mut also: impl FnMut(u32, wasmparser::ValType),
    ) -> Option<Operators<'b>> {
        if !self.is_worth_trying() {
            return None;
        }
        self.begin(body.type_index)?;
        let mut reader = body.reader(features);
        for _ in 0..reader.read_var_u32().ok()? {
            let (count, ty) = (reader.read().ok()?, reader.read().ok()?);
            self.declare(count, ty)?;
            also(count, ty);
        }
        Some(Operators::new(&reader, body.bytes))
    }

    fn validate(&mut self, operators: &mut Operators<'_>) -> Option<()> {
        while !operators.is_empty() {
            match operators.visit_frequent(self) {
                Some(valid) => valid?,
                None => {
                    let mut code = Code::new(operators.rest());
                    self.operator(&mut code)?;
                    operators.skip_to_last(code.left());
                }
            }
            self.is_low().then_some(())?;
        }
        Some(())
    }

    fn translate(
        &mut self,
        translator: &mut Translator<'m>,
        operators: &mut Operators<'_>,
    ) -> Option<()> {
        let mut both = PlainBoth {
            plain: self,
            translator,
        };
        while !operators.is_empty() {
            both.translator.offset = operators.offset() as u32;
            match operators.visit_frequent(&mut both) {
                Some(valid) => valid?,
                None => {
                    both.plain.operator(&mut Code::new(operators.rest()))?;
                    let translator = &mut *both.translator;
                    operators.visit_any(&mut Only { translator }).ok()?;
                }
            }
            both.plain.is_low().then_some(())?;
        }
        Some(())
    }

    /// Whether all operators were valid and the last closed the function.
    fn finish(&mut self, body: &Body<'_>, operators: &Operators<'_>, valid: Option<()>) -> bool {
        let read = body.bytes.len() - operators.rest().len();
        let valid = valid.is_some() && !self.open;
        if valid {
            self.used += read;
        } else {
            self.wasted += read;
        }
        valid
    }
}

/// Validates, then translates each operator.
struct PlainBoth<'p, 't, 'm> {
    plain: &'p mut PlainFunctions<'m>,
    translator: &'t mut Translator<'m>,
}

macro_rules! define_plain {
    ($($visit:ident($($arg:ident: $ty:ty)?))*) => {
        impl VisitFrequent for PlainBoth<'_, '_, '_> {
            type Output = Option<()>;

            #[inline]
            fn is_open(&self) -> bool {
                self.plain.is_open()
            }

            $(
                #[inline]
                fn $visit(&mut self $(, $arg: $ty)?) -> Option<()> {
                    self.plain.$visit($($arg)?)?;
                    self.translator.operator(|t| t.$visit($($arg)?));
                    Some(())
                }
            )*
        }
    };
}
frequent_operators!(define_plain);
