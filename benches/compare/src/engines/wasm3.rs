//! wasm3, through its C interface and a small shim of ours.

use super::{Calls, Engine, Guest, Result, Startup};
use std::ffi::{CStr, CString, c_char, c_void};

type Error = *const c_char;

unsafe extern "C" {
    fn m3_NewEnvironment() -> *mut c_void;
    fn m3_FreeEnvironment(environment: *mut c_void);
    fn m3_NewRuntime(environment: *mut c_void, stack: u32, data: *mut c_void) -> *mut c_void;
    fn m3_FreeRuntime(runtime: *mut c_void);
    fn m3_ParseModule(environment: *mut c_void, module: *mut *mut c_void, bytes: *const u8, len: u32) -> Error;
    fn m3_LoadModule(runtime: *mut c_void, module: *mut c_void) -> Error;
    fn m3_FindFunction(function: *mut *mut c_void, runtime: *mut c_void, name: *const c_char) -> Error;
    fn shim_call(function: *mut c_void, a: u64, b: u64, result: *mut u64) -> Error;
    fn shim_link_add(module: *mut c_void) -> Error;
}

pub struct Wasm3;

/// An environment and runtime with one module loaded; wasm3 reads the bytes for as long as that lives.
struct Loaded {
    environment: *mut c_void,
    runtime: *mut c_void,
    _bytes: Box<[u8]>,
}

struct Run {
    run: *mut c_void,
    _loaded: Loaded,
}

struct Called {
    add: *mut c_void,
    out: *mut c_void,
    _loaded: Loaded,
}

fn check(error: Error) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: wasm3's errors are constant strings.
    Err(unsafe { CStr::from_ptr(error) }.to_string_lossy().into())
}

impl Loaded {
    fn new(wasm: &[u8], link: bool) -> Result<Self> {
        let bytes: Box<[u8]> = wasm.into();
        // SAFETY: each handle is used only while what it came from lives, which `Loaded` holds together;
        // `bytes` is not moved or changed while the module lives.
        unsafe {
            let environment = m3_NewEnvironment();
            let runtime = m3_NewRuntime(environment, 4 << 20, std::ptr::null_mut());
            let this = Self { environment, runtime, _bytes: bytes };
            let mut module = std::ptr::null_mut();
            check(m3_ParseModule(environment, &mut module, this._bytes.as_ptr(), this._bytes.len() as u32))?;
            check(m3_LoadModule(runtime, module))?;
            if link {
                check(shim_link_add(module))?;
            }
            Ok(this)
        }
    }

    fn function(&self, name: &str) -> Result<*mut c_void> {
        let name = CString::new(name)?;
        let mut function = std::ptr::null_mut();
        // SAFETY: the runtime lives, the name ends in a zero.
        check(unsafe { m3_FindFunction(&mut function, self.runtime, name.as_ptr()) })?;
        Ok(function)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed once.
        unsafe {
            m3_FreeRuntime(self.runtime);
            m3_FreeEnvironment(self.environment);
        }
    }
}

fn call(function: *mut c_void, a: u64, b: u64) -> Result<u64> {
    let mut result = 0;
    // SAFETY: the function belongs to a runtime that its owner keeps alive, and takes at most two integers.
    check(unsafe { shim_call(function, a, b, &mut result) })?;
    Ok(result)
}

impl Engine for Wasm3 {
    fn name(&self) -> &'static str {
        "wasm3"
    }

    fn about(&self) -> String {
        "wasm3 0.5.0, function stacks enlarged".into()
    }

    fn may_crash(&self) -> bool {
        true
    }

    fn load(&self, wasm: &[u8]) -> Result<Box<dyn Guest>> {
        let loaded = Loaded::new(wasm, false)?;
        Ok(Box::new(Run { run: loaded.function("run")?, _loaded: loaded }))
    }

    fn calls(&self, wasm: &[u8]) -> Result<Box<dyn Calls>> {
        let loaded = Loaded::new(wasm, true)?;
        Ok(Box::new(Called { add: loaded.function("add")?, out: loaded.function("out")?, _loaded: loaded }))
    }

    fn startup(&self, wasm: &[u8]) -> Result<Vec<Startup>> {
        let wasm = wasm.to_vec();
        Ok(vec![Startup::new("lazy, unvalidated", move || Loaded::new(&wasm, false).map(drop))])
    }
}

impl Guest for Run {
    fn run(&mut self, n: u32) -> Result<u64> {
        call(self.run, u64::from(n), 0)
    }
}

impl Calls for Called {
    fn into_guest(&mut self, times: u32) -> Result<u32> {
        let mut last = 0;
        for i in 0..times {
            last = call(self.add, u64::from(last), u64::from(i))? as u32;
        }
        Ok(last)
    }

    fn out_of_guest(&mut self, times: u32) -> Result<u32> {
        Ok(call(self.out, u64::from(times), 0)? as u32)
    }
}
