//! The ops that go from stack to stack: what can be done in the handler, and the way to what cannot.

use std::fmt::Write as _;

use sheave_isa::OpDef;

use crate::{For, PARAMS};

pub(crate) fn goes_over(
    f: For,
    op: &OpDef,
    word: &str,
    args: &[String],
    cold: &mut String,
) -> String {
    let size = f.size(op);
    let slow = f.out_of_line(op.name, &format!("slow::{word}(vm, ip.add({size}))"), cold);
    // From `base` on the operands are those of a landing.
    let base = op.operands.iter().find(|o| o.name == "base");
    let landing = format!(
        "Landing::read(ip, {})",
        f.offset(base.expect("they have one"))
    );
    let from = format!("let from = From {{ ip, size: {size}, fp, csp }};");
    let (threaded, assign) = match f {
        For::Threaded => (
            true,
            "let (fp, csp, m0, acc) = (to.fp, to.csp, (*vm).mem0, to.acc);",
        ),
        For::Portable => (false, "(fp, csp) = (to.fp, to.csp);"),
    };
    let go = format!("{assign} {}", f.dispatch("to.ip"));
    if word != "suspend" {
        return format!(
            "{from} let Some(to) = fast_{word}::<{threaded}>(vm, from, {}, {landing}) else {{ {slow} }}; {go}",
            args.join(", "),
        );
    }
    let find = format!(
        "let Some(clause) = clause_for::<{threaded}>(vm, {}, {landing}) else {{ {slow} }};",
        args[0]
    );
    if f == For::Portable {
        return format!(
            "{find} {from} let to = suspend_to_clause(vm, from, clause, {landing}); {go}"
        );
    }
    // In two parts, so that neither needs so many registers that it has to save some.
    write!(
        cold,
        "#[inline(never)]\nunsafe extern \"{{ABI}}\" fn suspend_to({PARAMS}) -> u32 {{\n // SAFETY: I1, I2 (verified code), I3 (registers).\n unsafe {{ {from} let to = suspend_to_clause(vm, from, Clause::<true>::from_start(m0), {landing}); {go} }}\n}}\n"
    )
    .unwrap();
    format!("{find} return suspend_to(ip, fp, vm, clause.start(), csp, 0, a32, a64)")
}
