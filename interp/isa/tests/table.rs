//! The table against its manual, its decoder, its disassembler and its verifier.

use proptest::prelude::*;
use sheave_isa::*;

/// Every index is in range, every callee takes and gives one slot.
struct Shape;

const ONE: FuncShape = FuncShape {
    params: 1,
    results: 1,
};

impl ModuleShape for Shape {
    fn func(&self, i: u32) -> Option<FuncShape> {
        (i < 8).then_some(ONE)
    }
    fn import(&self, i: u32) -> Option<FuncShape> {
        (i < 8).then_some(ONE)
    }
    fn ty(&self, i: u32) -> Option<FuncShape> {
        (i < 8).then_some(ONE)
    }
    fn tag(&self, i: u32) -> Option<FuncShape> {
        (i < 8).then_some(ONE)
    }
    fn counts(&self) -> [u32; 6] {
        [8; 6]
    }
}

#[test]
#[cfg_attr(miri, ignore = "reads a file outside the crate")]
fn the_manual_in_docs_is_the_one_that_the_table_gives() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/isa.md");
    let now = manual();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &now).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        now,
        "run with BLESS=1 to write it anew"
    );
}

#[test]
fn opcodes_are_their_numbers_and_names_are_unique() {
    let mut names = std::collections::HashSet::new();
    for (i, op) in ALL.iter().enumerate() {
        assert_eq!(*op as usize, i);
        assert!(names.insert(op.def().name), "{op:?}");
        let units: usize = op.def().operands.iter().map(|o| o.units()).sum();
        assert_eq!(op.len(), 1 + units, "{op:?}");
    }
}

#[test]
fn the_forms_of_an_op_lead_to_ops_of_fitting_shape() {
    for op in ALL {
        if let Some(imm) = op.imm_form() {
            assert_eq!(imm.def().operands.len(), op.def().operands.len(), "{op:?}");
        }
        if let Some(n) = op.negated_form() {
            assert_eq!(n.negated_form(), Some(op), "{op:?}");
        }
        if let Some(b) = op.branch_form() {
            assert_eq!(
                b.def().operands.len(),
                op.def().operands.len(),
                "{op:?}: a target for a dst"
            );
            assert_eq!(b.def().operands.last().unwrap().role, Role::Label);
            assert!(op.branch_not_form().is_some(), "{op:?}");
        }
    }
}

#[test]
fn the_verifier_refuses_what_is_not_safe_to_run() {
    let check = |f: &dyn Fn(&mut Asm)| {
        let mut a = Asm::new();
        f(&mut a);
        verify(&a.code, 4, ONE, &Shape).map_err(|e| e.kind)
    };
    assert_eq!(check(&|a| _ = a.ret_1(3)), Ok(None));
    assert_eq!(
        check(&|a| _ = a.ret_1(4)),
        Err(VerifyErrorKind::SlotOutOfFrame)
    );
    assert!(check(&|a| _ = a.ret_v128(2)).is_ok());
    assert_eq!(
        check(&|a| _ = a.ret_v128(3)),
        Err(VerifyErrorKind::SlotOutOfFrame),
        "the upper half is outside"
    );
    let upper = |global| {
        check(&|a| {
            a.global_get_v128(0, global);
            a.ret();
        })
    };
    assert!(upper(6).is_ok());
    assert_eq!(upper(7), Err(VerifyErrorKind::BadIndex));
    assert_eq!(
        check(&|a| _ = a.copy(0, 1)),
        Err(VerifyErrorKind::FallsOffEnd)
    );
    assert_eq!(check(&|_| ()), Err(VerifyErrorKind::FallsOffEnd));
    assert_eq!(
        check(&|a| _ = a.br(0)),
        Err(VerifyErrorKind::BadTarget),
        "the target carries no label"
    );
    assert_eq!(
        check(&|a| {
            let at = a.br(0);
            a.mark_label(at);
        }),
        Ok(None)
    );
    assert_eq!(check(&|a| _ = a.br(1)), Err(VerifyErrorKind::BadTarget));
    assert_eq!(
        check(&|a| {
            a.call(9, 0);
            a.ret();
        }),
        Err(VerifyErrorKind::BadIndex)
    );
    assert_eq!(
        check(&|a| {
            a.call(1, 4);
            a.ret();
        }),
        Err(VerifyErrorKind::SlotOutOfFrame)
    );
    assert_eq!(
        check(&|a| _ = a.ret_n(2, 3)),
        Err(VerifyErrorKind::SlotOutOfFrame)
    );
    assert_eq!(
        check(&|a| {
            a.br_table(0, 1);
            let b = a.br(0);
            a.mark_label(b);
        }),
        Err(VerifyErrorKind::FallsOffEnd),
        "an entry is missing"
    );
    assert_eq!(
        check(&|a| a.code.push(Op::Exit as u16)),
        Err(VerifyErrorKind::BadOp),
        "an internal op"
    );
    assert_eq!(
        check(&|a| a.code.extend([Op::Const64 as u16, 0])),
        Err(VerifyErrorKind::BadOp),
        "truncated"
    );
    assert_eq!(
        verify(&[], 70_000, ONE, &Shape).map_err(|e| e.kind),
        Err(VerifyErrorKind::FrameTooLarge)
    );
}

fn any_op() -> impl Strategy<Value = (Op, Vec<u16>)> {
    (0..OP_COUNT).prop_flat_map(|i| {
        (
            Just(ALL[i]),
            proptest::collection::vec(any::<u16>(), ALL[i].len() - 1),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 8 } else { 512 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded_again(ops in proptest::collection::vec(any_op(), 0..20)) {
        let mut code = Vec::new();
        for (op, operands) in &ops {
            code.push(*op as u16);
            code.extend(operands);
        }
        let decoded: Vec<_> = Instrs::new(&code).map(|i| { let i = i.unwrap(); (i.op, i.units[1..].to_vec()) }).collect();
        prop_assert_eq!(decoded, ops);
        prop_assert!(disassemble(&code).lines().count() <= code.len());
    }

    #[test]
    fn arbitrary_units_are_judged_without_a_panic(code in proptest::collection::vec(any::<u16>(), 0..60), frame in 0_u32..70_000) {
        let _ = verify(&code, frame, ONE, &Shape);
        let _ = disassemble(&code);
    }
}
