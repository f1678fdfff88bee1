//! Writes both executors from the table in `sheave-isa`: `threaded.rs` (one handler an op and operand place, each
//! ending in a call that LLVM makes a jump) and `portable.rs` (one arm an op of a `match` in a loop).
//!
//! An effect is pasted in with its `@` words replaced; the words and what they stand for are in `words` below.

use std::fmt::Write as _;
use std::{env, fs, path::Path};

mod conts;
mod optional;
mod ssse3;
mod text;

use optional::is_left_out;
use sheave_isa::{EFFECTS, Kind, OPS, OpDef, Operand, Role, Ty};
use text::{args, rust_ty};

fn main() {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rustc-check-cfg=cfg(threaded, portable)");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let level = env::var("OPT_LEVEL").unwrap_or_default();
    let little = env::var("CARGO_CFG_TARGET_ENDIAN").is_ok_and(|e| e == "little");
    let portable_only = env::var_os("CARGO_FEATURE_PORTABLE_ONLY").is_some()
        || env::var_os("CARGO_CFG_MIRI").is_some();
    // Tail calls hold where all eight values travel in registers and LLVM's optimiser runs.
    let threaded = matches!(arch.as_str(), "x86_64" | "aarch64" | "riscv64")
        && matches!(level.as_str(), "2" | "3" | "s" | "z")
        && little
        && !portable_only;
    if threaded {
        println!("cargo:rustc-cfg=threaded");
    }
    if !threaded || env::var_os("CARGO_FEATURE_PORTABLE").is_some() {
        println!("cargo:rustc-cfg=portable");
    }
    let abi = if arch == "x86_64" { "sysv64" } else { "C" };
    fs::write(Path::new(&out).join("threaded.rs"), threaded_source(abi))
        .expect("OUT_DIR is writable");
    fs::write(Path::new(&out).join("portable.rs"), portable_source()).expect("OUT_DIR is writable");
}

/// Which executor a text is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    Threaded,
    Portable,
}

impl For {
    /// Bytes before the first operand.
    fn head(self) -> usize {
        if self == For::Threaded { 8 } else { 2 }
    }

    /// Bytes of the whole op.
    fn size(self, op: &OpDef) -> usize {
        let units = usize::from(op.len_units) - 1;
        if self == For::Threaded {
            (8 + 2 * units).next_multiple_of(8)
        } else {
            2 + 2 * units
        }
    }

    fn offset(self, o: &Operand) -> usize {
        self.head() + 2 * (usize::from(o.at) - 1)
    }

    /// Code that goes on at `ip`.
    fn dispatch(self, ip: &str) -> String {
        match self {
            For::Threaded => {
                format!("{{ let ip = {ip}; return dispatch(ip, fp, vm, m0, csp, acc, a32, a64); }}")
            }
            For::Portable => format!("{{ ip = {ip}; continue; }}"),
        }
    }

    /// Code that goes on at the branch target `disp` (as stored).
    fn goto(self, from: &str, disp: &str) -> String {
        let scale = if self == For::Threaded { "" } else { " * 2" };
        self.dispatch(&format!("{from}.offset({disp} as isize{scale})"))
    }

    fn trap(self, what: &str) -> String {
        match self {
            For::Threaded => {
                format!("return trap_exit(ip, fp, vm, m0, csp, {what} as u64, a32, a64)")
            }
            For::Portable => format!("return leave_with_trap(vm, ip, fp, csp, {what})"),
        }
    }

    /// Runs `call` (an expression of type u32 over a vm whose registers are saved) and goes on, or leaves.
    fn out_of_line(self, name: &str, call: &str, cold: &mut String) -> String {
        match self {
            For::Threaded => {
                write!(
                    cold,
                    "#[cold]\n#[inline(never)]\nunsafe extern \"{{ABI}}\" fn cold_{name}({PARAMS}) -> u32 {{\n // SAFETY: I1, as every handler.\n unsafe {{ save(vm, ip, fp, csp, acc); let code = {call}; if code != 0 {{ return code; }}\n dispatch((*vm).ip, (*vm).fp, vm, (*vm).mem0, (*vm).csp, (*vm).acc, a32, a64) }}\n}}\n"
                )
                .unwrap();
                // Who leaves the frame needs no accumulator; not keeping it frees a register on the fast path.
                let leaves = ["call", "suspend", "resume", "switch"];
                let left = leaves.iter().any(|word| name.contains(word));
                let acc = if left { "0" } else { "acc" };
                format!("return cold_{name}(ip, fp, vm, m0, csp, {acc}, a32, a64)")
            }
            For::Portable => format!(
                "{{ save(vm, ip, fp, csp, 0); let code = {call}; if code != 0 {{ return code; }} ip = (*vm).ip; fp = (*vm).fp; m0 = (*vm).mem0; csp = (*vm).csp; continue; }}"
            ),
        }
    }
}

const PARAMS: &str = "ip: *const u8, fp: *mut u8, vm: *mut Vm, m0: *mut u8, csp: *mut u8, acc: u64, a32: f32, a64: f64";

/// Reads the operands into variables of their names. The `cached`-th slot operand comes from an accumulator.
fn decode(f: For, op: &OpDef, cached: Option<usize>) -> String {
    let mut s = String::new();
    let mut reads = 0;
    for o in op.operands {
        let (n, at, ty) = (o.name, f.offset(o), rust_ty(o.ty));
        match o.role {
            Role::In | Role::InOut => {
                if o.role == Role::InOut {
                    write!(s, "let {n}_slot = rd16(ip, {at}); ").unwrap();
                }
                if o.ty == Ty::V128 {
                    write!(s, "let {n} = get_v128(fp, rd16(ip, {at})); ").unwrap();
                    continue;
                }
                if cached == Some(reads) {
                    let acc = match o.ty {
                        Ty::F32 => "a32".to_string(),
                        Ty::F64 => "a64".to_string(),
                        _ => format!("acc as {ty}"),
                    };
                    write!(s, "let {n}: {ty} = {acc}; ").unwrap();
                } else {
                    write!(s, "let {n}: {ty} = get_{ty}(fp, rd16(ip, {at})); ").unwrap();
                }
                reads += 1;
            }
            Role::Imm => {
                let read = match o.ty {
                    Ty::U16 => format!("rd16(ip, {at})"),
                    Ty::I16 => format!("rd16(ip, {at}) as i16"),
                    Ty::U32 => format!("rd32(ip, {at})"),
                    Ty::I32 => format!("rd32(ip, {at}) as i32"),
                    Ty::U64 => format!("rd64(ip, {at})"),
                    Ty::I64 => format!("rd64(ip, {at}) as i64"),
                    Ty::F32 => format!("f32::from_bits(rd32(ip, {at}))"),
                    Ty::F64 => format!("f64::from_bits(rd64(ip, {at}))"),
                    Ty::V128 => format!("rd128(ip, {at})"),
                };
                write!(s, "let {n} = {read}; ").unwrap();
            }
            Role::Label => write!(s, "let {n} = rd32(ip, {at}) as i32; ").unwrap(),
            _ if o.units() == 1 => write!(s, "let {n} = rd16(ip, {at}); ").unwrap(),
            _ => write!(s, "let {n} = rd32(ip, {at}); ").unwrap(),
        }
    }
    s
}

/// Replaces the `@` words of an effect.
fn words(f: For, op: &OpDef, effect: &str, cold: &mut String) -> String {
    let mut out = String::new();
    let mut rest = effect;
    let size = f.size(op);
    while let Some(i) = rest.find('@') {
        out.push_str(&rest[..i]);
        let word_len = rest[i + 1..]
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len() - i - 1);
        let word = &rest[i + 1..i + 1 + word_len];
        rest = &rest[i + 1 + word_len..];
        let mut a = Vec::new();
        if rest.starts_with('(') {
            let (list, after) = args(rest);
            a = list.iter().map(|x| words(f, op, x, cold)).collect();
            rest = after;
        }
        let arg = |k: usize| a[k].as_str();
        let goto_target = |t: &str| f.goto("ip", t);
        let text = match word {
            "next" => f.dispatch(&format!("ip.add({size})")),
            "goto" => goto_target(arg(0)),
            "branch" => format!(
                "if {} {} else {}",
                arg(0),
                goto_target(arg(1)),
                f.dispatch(&format!("ip.add({size})"))
            ),
            "trap" => f.trap(&format!("Trap::{}", arg(0))),
            "trap_with" => f.trap(arg(0)),
            "slow" => f.out_of_line(
                &format!("{}_{}", op.name, arg(0)),
                &format!("slow::{}(vm, ip.add({size}))", arg(0)),
                cold,
            ),
            "exit" => match f {
                For::Threaded => format!(
                    "{{ save(vm, ip, fp, csp, acc); return EXIT_{}; }}",
                    arg(0).to_uppercase()
                ),
                For::Portable => format!(
                    "{{ save(vm, ip, fp, csp, 0); return EXIT_{}; }}",
                    arg(0).to_uppercase()
                ),
            },
            "write" => format!("put_u64(fp, {}, {})", arg(0), arg(1)),
            "write_acc" => format!(
                "put_u64(fp, {}_slot, {v} as u64){}",
                arg(0),
                if f == For::Threaded {
                    format!("; let acc = {} as u64", arg(1))
                } else {
                    String::new()
                },
                v = arg(1)
            ),
            "move" => format!("move_slots(fp, {}, {}, {})", arg(0), arg(1), arg(2)),
            "move0" => format!("move_slots(fp, 0, {}, {})", arg(0), arg(1)),
            "zero" => format!("zero_slots(fp, {}, {})", arg(0), arg(1)),
            "global" => format!("global_cell(vm, {}).read_le()", arg(0)),
            "global_set" => format!("global_cell(vm, {}).write_le({})", arg(0), arg(1)),
            "gimport" => format!("imported_global_cell(vm, {}).read_le()", arg(0)),
            "gimport_set" => format!("imported_global_cell(vm, {}).write_le({})", arg(0), arg(1)),
            "global_v128" => format!("global_cell(vm, {}).read_v128()", arg(0)),
            "global_set_v128" => format!("global_cell(vm, {}).write_v128({})", arg(0), arg(1)),
            "gimport_v128" => format!("imported_global_cell(vm, {}).read_v128()", arg(0)),
            "gimport_set_v128" => {
                format!(
                    "imported_global_cell(vm, {}).write_v128({})",
                    arg(0),
                    arg(1)
                )
            }
            "load" => format!(
                "match load(m0, (*vm).mem0_len, {}) {{ Some(v) => v, None => {} }}",
                arg(0),
                f.trap("Trap::MemoryOutOfBounds")
            ),
            "load64" => format!(
                "match load64(vm, m0, {}, {}) {{ Some(v) => v, None => {} }}",
                arg(0),
                arg(1),
                f.trap("Trap::MemoryOutOfBounds")
            ),
            "load_mem" => format!(
                "match load_mem(vm, {}, {}, {}) {{ Some(v) => v, None => {} }}",
                arg(0),
                arg(1),
                arg(2),
                f.trap("Trap::MemoryOutOfBounds")
            ),
            "store" => format!(
                "if !store(m0, (*vm).mem0_len, {}, {}) {{ {} }}",
                arg(0),
                arg(1),
                f.trap("Trap::MemoryOutOfBounds")
            ),
            "store64" => format!(
                "if !store64(vm, m0, {}, {}, {}) {{ {} }}",
                arg(0),
                arg(1),
                arg(2),
                f.trap("Trap::MemoryOutOfBounds")
            ),
            "store_mem" => format!(
                "if !store_mem(vm, {}, {}, {}, {}) {{ {} }}",
                arg(0),
                arg(1),
                arg(2),
                arg(3),
                f.trap("Trap::MemoryOutOfBounds")
            ),
            "load_store" => {
                let oob = f.trap("Trap::MemoryOutOfBounds");
                format!(
                    "let Some(v) = load::<{}>(m0, (*vm).mem0_len, {} as u64 + {} as u64) else {{ {oob} }}; if !store(m0, (*vm).mem0_len, {} as u64 + {} as u64, v) {{ {oob} }} {}",
                    arg(0),
                    arg(3),
                    arg(4),
                    arg(1),
                    arg(2),
                    f.dispatch(&format!("ip.add({size})"))
                )
            }
            "br_table" => {
                let entry = if f == For::Threaded { 16 } else { 6 };
                format!(
                    "let entry = ip.add({size} + {entry} * u32::min({}, {}) as usize); let disp = rd32(entry, {}) as i32; {}",
                    arg(0),
                    arg(1),
                    f.head(),
                    f.goto("entry", "disp")
                )
            }
            "fuel" => {
                let slow = f.out_of_line(op.name, "slow::out_of_fuel(vm)", cold);
                format!(
                    "if (*vm).fuel < {n} as u64 {{ {slow} }} (*vm).fuel -= {n} as u64; {}",
                    f.dispatch(&format!("ip.add({size})")),
                    n = arg(0)
                )
            }
            "check" => {
                let slow = f.out_of_line(
                    op.name,
                    &format!("slow::interrupted(vm, ip.add({size}))"),
                    cold,
                );
                format!(
                    "if interrupt_pending(vm) {{ {slow} }} {}",
                    f.dispatch(&format!("ip.add({size})"))
                )
            }
            "call" => {
                let slow = f.out_of_line(op.name, &format!("slow::call(vm, ip.add({size}))"), cold);
                format!(
                    "let cell = cell_of(vm, {}); let base = {}; {}",
                    arg(0),
                    arg(1),
                    enter(f, size, &slow)
                )
            }
            "call_import" => f.out_of_line(
                op.name,
                &format!("slow::call_import(vm, ip.add({size}))"),
                cold,
            ),
            "call_indirect" | "call_ref" => {
                let call = format!("slow::{word}(vm, ip.add({size}))");
                let slow = f.out_of_line(op.name, &call, cold);
                let (base, key) = a.split_last().expect("the last is the base");
                let find = match word {
                    "call_ref" => "callee_of_ref",
                    _ => "callee_in_table0",
                };
                format!(
                    "let base = {base}; let Some(cell) = {find}(vm, {}) else {{ {slow} }}; {}",
                    key.join(", "),
                    enter(f, size, &slow)
                )
            }
            "suspend" | "resume" | "switch" => conts::goes_over(f, op, word, &a, cold),
            "return_call" | "return_call_ref" => {
                let call = format!("slow::{word}(vm, ip.add({size}))");
                let slow = f.out_of_line(op.name, &call, cold);
                let (find, rest) = match word {
                    "return_call" => (format!("let cell = cell_of(vm, {});", arg(0)), &a[1..]),
                    _ => (
                        format!(
                            "let Some(cell) = callee_of_ref(vm, {}, {}) else {{ {slow} }};",
                            arg(0),
                            arg(1)
                        ),
                        &a[2..],
                    ),
                };
                format!(
                    "{find} if !fits(fp, csp, cell) {{ {slow} }} move_slots(fp, 0, {}, {}); {}",
                    rest[0],
                    rest[1],
                    f.dispatch("(*vm).code_base.add(cell as u32 as usize)")
                )
            }
            "ret" | "ret_1" | "ret_v128" => {
                let first = match word {
                    "ret" => " let acc = get_u64(fp, 0);".to_string(),
                    "ret_v128" => format!("put_v128(fp, 0, {}); let acc = get_u64(fp, 0);", arg(0)),
                    _ => format!("put_u64(fp, 0, {a}); let acc = {a};", a = arg(0)),
                };
                let set_acc = if f == For::Threaded {
                    first.as_str()
                } else {
                    &first[..first.find(" let acc").unwrap()]
                };
                let assign = if f == For::Threaded {
                    "let (csp, fp) = (csp.add(8), fp.sub((record >> 32) as usize));"
                } else {
                    "csp = csp.add(8); fp = fp.sub((record >> 32) as usize);"
                };
                format!(
                    "{set_acc} let record = get_u64(csp, 0); {assign} {}",
                    f.dispatch("(*vm).code_base.add(record as u32 as usize)")
                )
            }
            other => panic!("unknown word @{other} in {}", op.name),
        };
        out.push_str(&text);
    }
    out.push_str(rest);
    out
}

/// Enters the function of `cell` with its frame at `base`, or takes the slow path.
fn enter(f: For, size: usize, slow: &str) -> String {
    let assign = if f == For::Threaded {
        "let (csp, fp, acc) = (csp.sub(8), callee_fp, 0);"
    } else {
        "csp = csp.sub(8); fp = callee_fp;"
    };
    format!(
        "let callee_fp = fp.add(base as usize * 8); if !fits(callee_fp, csp, cell) {{ {slow} }} let record = (ip.addr() + {size} - (*vm).code_base.addr()) as u64 | (base as u64) << 35; {assign} put_u64(csp, 0, record); {}",
        f.dispatch("(*vm).code_base.add(cell as u32 as usize)")
    )
}

/// The statements of one op.
fn body(f: For, index: usize, op: &OpDef, cached: Option<usize>, cold: &mut String) -> String {
    let mut s = decode(f, op, cached);
    let out = op.operands.iter().find(|o| o.role == Role::Out);
    let next = f.dispatch(&format!("ip.add({})", f.size(op)));
    let put = out.map(|o| {
        let (n, ty) = (o.name, rust_ty(o.ty).to_lowercase());
        let keep = match (f, o.ty) {
            (For::Portable, _) | (_, Ty::V128) => String::new(),
            (_, Ty::F32) => "let a32 = r;".into(),
            (_, Ty::F64) => "let a64 = r;".into(),
            _ => format!("let acc = widen_{ty}(r);"),
        };
        format!("put_{ty}(fp, {n}, r); {keep}")
    });
    match op.kind {
        Kind::Value | Kind::Load => {
            let (o, put) = (
                out.expect("a value op has an out"),
                put.expect("and so a put"),
            );
            let effect = words(f, op, EFFECTS[index], cold);
            write!(s, "let r: {} = {{ {effect} }}; {put} {next}", rust_ty(o.ty)).unwrap();
        }
        Kind::Checked => {
            let put = put.expect("a checked op has an out");
            let effect = words(f, op, EFFECTS[index], cold);
            write!(
                s,
                "let r = match {{ {effect} }} {{ Ok(r) => r, Err(t) => {} }}; {put} {next}",
                f.trap("t")
            )
            .unwrap();
        }
        Kind::Store => {
            let effect = words(f, op, EFFECTS[index], cold);
            write!(s, "{effect} {next}").unwrap();
        }
        Kind::Control | Kind::Internal => s.push_str(&words(f, op, EFFECTS[index], cold)),
        Kind::Slow => {
            let arguments: Vec<&str> = op
                .operands
                .iter()
                .filter(|o| o.role != Role::Out)
                .map(|o| o.name)
                .collect();
            let ty = out.map_or("()", |o| rust_ty(o.ty));
            let write = out.map_or(String::new(), |o| {
                format!("put_{ty}((*vm).fp, {}, r);", o.name)
            });
            let inner = format!(
                "{{ {} match slow::{}(vm, {}) {{ Ok(r) => {{ let _: {ty} = r; {write} (*vm).ip = ip.add({}); 0 }} Err(t) => slow::raise(vm, t) }} }}",
                decode(f, op, None),
                op.name,
                arguments.join(", "),
                f.size(op)
            );
            if f == For::Portable {
                return f.out_of_line(op.name, &inner, cold);
            }
            // A function of its own: locals with an address, inlined into the handler, would keep its last call from
            // being a jump, and the native stack would grow with each op.
            write!(
                cold,
                "#[inline(never)]\nunsafe fn slow_{}(vm: *mut Vm, ip: *const u8, fp: *mut u8) -> u32 {{\n // SAFETY: I1, as every handler.\n unsafe {{ {inner} }}\n}}\n",
                op.name
            )
            .unwrap();
            let call = format!("slow_{}(vm, ip, fp)", op.name);
            return f.out_of_line(op.name, &call, cold);
        }
    }
    s
}

fn places(op: &OpDef) -> usize {
    if op.kind == Kind::Slow {
        0
    } else {
        op.operands
            .iter()
            .filter(|o| matches!(o.role, Role::In | Role::InOut) && o.ty != Ty::V128)
            .count()
            .min(3)
    }
}

fn threaded_source(abi: &str) -> String {
    let mut s = format!(
        "/// A handler: the code of one op.\npub(crate) type Handler = unsafe extern \"{abi}\" fn({PARAMS}) -> u32;\n\n"
    );
    let (mut table, mut firsts, mut count) = (String::new(), String::new(), 0_usize);
    let mut cold = String::new();
    write!(s, "#[inline(always)]\nunsafe extern \"{abi}\" fn dispatch({PARAMS}) -> u32 {{\n // SAFETY: I1, the linker put a handler there.\n unsafe {{ (ip.cast::<Handler>().read())(ip, fp, vm, m0, csp, acc, a32, a64) }}\n}}\n").unwrap();
    write!(s, "#[cold]\n#[inline(never)]\nunsafe extern \"{abi}\" fn trap_exit({PARAMS}) -> u32 {{\n let _ = (m0, a32, a64);\n // SAFETY: I1, as every handler.\n unsafe {{ leave_with_trap(vm, ip, fp, csp, trap_from(acc)) }}\n}}\n").unwrap();
    if OPS.iter().any(is_left_out) {
        // As many as an op can have.
        table.push_str(&"    absent,\n".repeat(4));
        count = 4;
    }
    for (index, op) in OPS.iter().enumerate() {
        if is_left_out(op) {
            write!(firsts, "0, ").unwrap();
            continue;
        }
        write!(firsts, "{count}, ").unwrap();
        for k in 0..=places(op) {
            let name = if k == 0 {
                format!("h_{}", op.name)
            } else {
                format!("h_{}_a{k}", op.name)
            };
            let mut op_cold = String::new();
            let text = body(For::Threaded, index, op, k.checked_sub(1), &mut op_cold);
            if k == 0 {
                cold.push_str(&op_cold);
            }
            write!(s, "unsafe extern \"{abi}\" fn {name}({PARAMS}) -> u32 {{\n // SAFETY: I1, I2 (verified code), I3 (registers).\n unsafe {{ {text} }}\n}}\n").unwrap();
            writeln!(table, "    {name},").unwrap();
            count += 1;
        }
    }
    s.push_str(&cold.replace("{ABI}", abi));
    if OPS.iter().any(is_left_out) {
        let trap = For::Threaded.trap("Trap::Unreachable");
        write!(s, "unsafe extern \"{abi}\" fn absent({PARAMS}) -> u32 {{\n // SAFETY: I1, as every handler.\n unsafe {{ {trap} }}\n}}\n").unwrap();
    }
    if abi == "sysv64" && env::var_os("CARGO_FEATURE_SIMD").is_some() {
        ssse3::ssse3(&mut s, abi);
    }
    write!(s, "/// For each op the handler with no operand cached, then as many as it has operands that can be: the first, the second, the third.\npub(crate) static HANDLERS: [Handler; {count}] = [\n{table}];\n").unwrap();
    write!(s, "/// By opcode: where its handlers start.\npub(crate) static FIRST: [u16; {}] = [{firsts}];\n", OPS.len()).unwrap();
    s
}

fn portable_source() -> String {
    let mut s = String::from(
        "#[expect(clippy::too_many_lines, reason = \"one arm an op, made from the table\")]\nunsafe fn execute(vm: *mut Vm) -> u32 {\n // SAFETY: I1, I2 (verified code), I3 (registers).\n unsafe {\n let (mut ip, mut fp, mut m0, mut csp) = ((*vm).ip, (*vm).fp, (*vm).mem0, (*vm).csp);\n loop { match rd16(ip, 0) & !sheave_isa::LABEL {\n",
    );
    let mut cold = String::new();
    for (index, op) in OPS.iter().enumerate().filter(|(_, op)| !is_left_out(op)) {
        let text = body(For::Portable, index, op, None, &mut cold);
        writeln!(s, "{index} => {{ {text} }}").unwrap();
    }
    s.push_str("_ => return leave_with_trap(vm, ip, fp, csp, Trap::Unreachable),\n} } } }\n");
    s
}
