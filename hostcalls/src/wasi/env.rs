//! Arguments, environment, clocks, random bytes, the process, and sockets
//! (of which a guest has none).

use super::clocks::ClockId;
use super::ctx::WasiCtx;
use super::errno::Errno;
use super::exit::I32Exit;
use super::memory::GuestMemory;

type Result<T = (), E = Errno> = core::result::Result<T, E>;

/// Writes the strings with a zero each at `buf` and their addresses at `array`.
fn strings(mem: &mut GuestMemory<'_>, list: &[Vec<u8>], mut array: u32, mut buf: u32) -> Result {
    for s in list {
        mem.write_u32(array, buf)?;
        mem.write(buf, s)?;
        // Each sum fits, or is one past the last byte of 4 GiB: then the next
        // write is out of bounds, or there is none.
        buf = buf.wrapping_add(s.len() as u32);
        mem.write(buf, &[0])?;
        buf = buf.wrapping_add(1);
        array = array.wrapping_add(4);
    }
    Ok(())
}

fn sizes(mem: &mut GuestMemory<'_>, list: &[Vec<u8>], count: u32, bytes: u32) -> Result {
    let total: usize = list.iter().map(|s| s.len() + 1).sum();
    mem.write_u32(
        count,
        u32::try_from(list.len()).map_err(|_| Errno::OVERFLOW)?,
    )?;
    mem.write_u32(bytes, u32::try_from(total).map_err(|_| Errno::OVERFLOW)?)
}

/// Reads the arguments.
pub fn args_get(cx: &mut WasiCtx, mem: &mut GuestMemory<'_>, argv: u32, buf: u32) -> Result {
    strings(mem, &cx.args, argv, buf)
}

/// The number of the arguments and the bytes that they take.
pub fn args_sizes_get(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    count: u32,
    bytes: u32,
) -> Result {
    sizes(mem, &cx.args, count, bytes)
}

/// Reads the environment.
pub fn environ_get(cx: &mut WasiCtx, mem: &mut GuestMemory<'_>, env: u32, buf: u32) -> Result {
    strings(mem, &cx.env, env, buf)
}

/// The number of the environment variables and the bytes that they take.
pub fn environ_sizes_get(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    count: u32,
    bytes: u32,
) -> Result {
    sizes(mem, &cx.env, count, bytes)
}

/// The resolution of a clock.
pub fn clock_res_get(cx: &mut WasiCtx, mem: &mut GuestMemory<'_>, id: u32, out: u32) -> Result {
    mem.write_u64(out, cx.clocks.resolution(ClockId::from_guest(id)?)?)
}

/// The time of a clock. Precision is always the best that there is.
pub fn clock_time_get(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    id: u32,
    _precision: u64,
    out: u32,
) -> Result {
    mem.write_u64(out, cx.clocks.now(ClockId::from_guest(id)?)?)
}

/// Random bytes.
pub fn random_get(cx: &mut WasiCtx, mem: &mut GuestMemory<'_>, buf: u32, len: u32) -> Result {
    cx.random.fill(mem.slice_mut(buf, len)?)
}

/// Lets other threads run.
pub fn sched_yield(_cx: &mut WasiCtx, _mem: &mut GuestMemory<'_>) -> Result {
    std::thread::yield_now();
    Ok(())
}

/// Ends the guest: the error that carries its exit code through the engine.
pub fn proc_exit(code: u32) -> I32Exit {
    I32Exit(code as i32)
}

/// Signals that do nothing to a process that has not asked for them: none,
/// child, continue, urgent, window size.
const IGNORED_SIGNALS: [u32; 5] = [0, 16, 17, 22, 27];
/// `sys`, the last one.
const LAST_SIGNAL: u32 = 30;

/// Sends a signal to the guest itself, which ends it as a shell would say,
/// unless it is one that is ignored.
///
/// # Errors
/// `Ok(Err(_))` ends the guest.
pub fn proc_raise(signal: u32) -> Result<Result<(), I32Exit>> {
    match signal {
        s if IGNORED_SIGNALS.contains(&s) => Ok(Ok(())),
        s if s <= LAST_SIGNAL => Ok(Err(I32Exit(128 + s as i32))),
        _ => Err(Errno::INVAL),
    }
}

fn no_socket(cx: &mut WasiCtx, fd: u32) -> Result {
    cx.table.get(fd)?;
    Err(Errno::NOTSOCK)
}

/// Accepts a connection: there are no sockets.
pub fn sock_accept(
    cx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    _flags: u32,
    _out: u32,
) -> Result {
    no_socket(cx, fd)
}

/// Receives from a socket: there are none.
#[expect(clippy::too_many_arguments, reason = "those of WASI")]
pub fn sock_recv(
    cx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    _data: u32,
    _data_len: u32,
    _flags: u32,
    _out_len: u32,
    _out_flags: u32,
) -> Result {
    no_socket(cx, fd)
}

/// Sends to a socket: there are none.
pub fn sock_send(
    cx: &mut WasiCtx,
    _mem: &mut GuestMemory<'_>,
    fd: u32,
    _data: u32,
    _data_len: u32,
    _flags: u32,
    _out_len: u32,
) -> Result {
    no_socket(cx, fd)
}

/// Shuts a socket down: there are none.
pub fn sock_shutdown(cx: &mut WasiCtx, _mem: &mut GuestMemory<'_>, fd: u32, _how: u32) -> Result {
    no_socket(cx, fd)
}
