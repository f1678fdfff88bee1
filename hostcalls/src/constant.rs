//! Constant expressions. Spec: valid-constant.

use anyhow::anyhow;
use sheave_interp::{FuncAddr, InstAddr, Trap, Vm};
use sheave_loader::{ConstExpr, ConstOp};

use crate::Result;
use crate::module::Module;
use crate::store::StoreOpaque;

fn not_constant() -> crate::Error {
    anyhow!("not a constant expression")
}

/// Values as slots: a vector is two.
struct Stack(Vec<u64>);

impl Stack {
    fn pop(&mut self) -> u64 {
        // A validated module has what it takes; a damaged image gets zeros.
        self.0.pop().unwrap_or(0)
    }

    fn binary(&mut self, f: fn(u64, u64) -> u64) {
        let (b, a) = (self.pop(), self.pop());
        self.0.push(f(a, b));
    }

    /// The top `n` slots.
    fn take(&mut self, n: u32) -> Result<Vec<u64>> {
        let at = self.0.len().checked_sub(n as usize);
        Ok(self.0.split_off(at.ok_or_else(not_constant)?))
    }

    /// Makes an object while what is on the stack, which it is not made of, stays alive.
    fn allocate(
        &mut self,
        vm: &mut Vm,
        make: impl FnOnce(&mut Vm) -> Result<u32, Trap>,
    ) -> Result<()> {
        let scope = vm.roots().begin_scope();
        for slot in &self.0 {
            vm.roots_mut().push(*slot as u32);
        }
        let made = make(vm);
        vm.roots_mut().end_scope(scope);
        self.0.push(made?.into());
        Ok(())
    }
}

impl StoreOpaque {
    /// The slots of a constant expression of an instance of `module`: of a vector two, else the first. An i32 is
    /// zero-extended, as in a slot.
    ///
    /// Nothing keeps an object that this makes alive.
    pub(crate) fn evaluate(
        &mut self,
        module: &Module,
        inst: InstAddr,
        expr: &ConstExpr,
    ) -> Result<[u64; 2]> {
        // Nearly all are one constant, and a module can have many thousands of them.
        if let [ConstOp::I32Const(v)] = expr[..] {
            return Ok([u64::from(v as u32), 0]);
        }
        let mut stack = Stack(Vec::with_capacity(2));
        for op in expr {
            self.constant(module, inst, op, &mut stack)?;
        }
        match stack.0[..] {
            [v] => Ok([v, 0]),
            [low, high] => Ok([low, high]),
            _ => Err(not_constant()),
        }
    }

    fn constant(
        &mut self,
        module: &Module,
        inst: InstAddr,
        op: &ConstOp,
        stack: &mut Stack,
    ) -> Result<()> {
        let ty = |x: u32| {
            let ty = module.types().get(x as usize);
            ty.ok_or_else(|| anyhow!("no such type"))
        };
        // Slots of an element of an array type.
        let element_slots = |x: u32| {
            let element = ty(x)?.ty.as_array().map(|array| array.element);
            Ok::<u32, crate::Error>(element.map_or(1, |e| e.storage.unpack().slots()))
        };
        match *op {
            ConstOp::I32Const(v) => stack.0.push(u64::from(v as u32)),
            ConstOp::I64Const(v) => stack.0.push(v as u64),
            ConstOp::F32Const(bits) => stack.0.push(bits.into()),
            ConstOp::F64Const(bits) => stack.0.push(bits),
            ConstOp::V128Const(bytes) => {
                let bits = u128::from_le_bytes(bytes);
                stack.0.extend([bits as u64, (bits >> 64) as u64]);
            }
            ConstOp::RefNull(_) => stack.0.push(0),
            ConstOp::RefFunc(f) => {
                let FuncAddr(a) = self.vm.func_addr(inst, f)?;
                stack.0.push(u64::from(a) + 1);
            }
            ConstOp::GlobalGet(g) => {
                let global = self.vm.instance_global(inst, g);
                let global = global.ok_or_else(|| anyhow!("no such global"))?;
                let ty = self.global_types[global.0 as usize].0.content;
                let slots = self.global_get(global, ty);
                stack.0.extend(&slots[..ty.slots() as usize]);
            }
            ConstOp::I32Add => {
                stack.binary(|a, b| u64::from((a as u32).wrapping_add(b as u32)));
            }
            ConstOp::I32Sub => {
                stack.binary(|a, b| u64::from((a as u32).wrapping_sub(b as u32)));
            }
            ConstOp::I32Mul => {
                stack.binary(|a, b| u64::from((a as u32).wrapping_mul(b as u32)));
            }
            ConstOp::I64Add => stack.binary(u64::wrapping_add),
            ConstOp::I64Sub => stack.binary(u64::wrapping_sub),
            ConstOp::I64Mul => stack.binary(u64::wrapping_mul),
            ConstOp::StructNew(x) => {
                let ty = ty(x)?;
                let fields = ty.ty.as_struct().map(|t| &t.fields[..]).unwrap_or_default();
                let fields = fields.iter().map(|f| f.storage.unpack().slots()).sum();
                let fields = stack.take(fields)?;
                stack.allocate(&mut self.vm, |vm| vm.alloc_struct(ty.id, &fields))?;
            }
            ConstOp::StructNewDefault(x) => {
                let id = ty(x)?.id;
                stack.allocate(&mut self.vm, |vm| vm.alloc_struct_default(id))?;
            }
            ConstOp::ArrayNew(x) => {
                let id = ty(x)?.id;
                let len = stack.pop() as u32;
                let mut init = stack.take(element_slots(x)?)?;
                init.resize(2, 0);
                let init = [init[0], init[1]];
                stack.allocate(&mut self.vm, |vm| vm.alloc_array(id, init, len))?;
            }
            ConstOp::ArrayNewDefault(x) => {
                let id = ty(x)?.id;
                let len = stack.pop() as u32;
                stack.allocate(&mut self.vm, |vm| vm.alloc_array(id, [0, 0], len))?;
            }
            ConstOp::ArrayNewFixed(x, n) => {
                let id = ty(x)?.id;
                let elements = stack.take(n.saturating_mul(element_slots(x)?))?;
                stack.allocate(&mut self.vm, |vm| vm.alloc_array_fixed(id, &elements))?;
            }
            ConstOp::RefI31 => {
                let v = stack.pop() as u32;
                stack.0.push(u64::from(v << 1 | 1));
            }
            // Both are the same bits.
            ConstOp::AnyConvertExtern | ConstOp::ExternConvertAny => {}
        }
        Ok(())
    }
}
