//! `poll_oneoff`: waiting for time and for descriptors.

use super::clocks::ClockId;
use super::ctx::WasiCtx;
use super::errno::Errno;
use super::memory::GuestMemory;
use super::rw::WAIT_SLICE;
use super::stdio::{Input, Output};
use super::sys::{self, Ready, Waitable};
use super::table::{Kind, Table};
use super::types::{Abi, Filetype, Rights};
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::Seek as _;
use std::time::Instant;

type Result<T = (), E = Errno> = core::result::Result<T, E>;

/// Subscriptions in one call, so that they can't take much host memory.
const MAX_SUBSCRIPTIONS: u32 = 1 << 14;
/// Size in bytes of an event.
const EVENT_BYTES: u32 = 32;
/// The other side of a pipe is gone.
const HANGUP: u16 = 1;

const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;

/// What a subscription waits for.
enum Wait {
    /// Until so much time has passed since the call, or never for an error.
    Clock(Result<Duration>),
    Fd {
        fd: u32,
        write: bool,
    },
}

struct Subscription {
    userdata: u64,
    wait: Wait,
}

struct Event {
    userdata: u64,
    tag: u8,
    error: u16,
    nbytes: u64,
    flags: u16,
}

impl Subscription {
    /// ```text
    /// preview1: userdata 0, tag 8, fd 16 | clock 16, timeout 24, precision 32, flags 40; 48 bytes
    /// unstable: userdata 0, tag 8, fd 16 | (id 16), clock 24, timeout 32, precision 40, flags 48; 56 bytes
    /// ```
    ///
    /// Of a relative time, `waited` has passed already.
    fn read(
        cx: &WasiCtx,
        mem: &GuestMemory<'_>,
        ptr: u32,
        abi: Abi,
        waited: Duration,
    ) -> Result<Subscription> {
        let userdata = mem.read_u64(ptr)?;
        let wait = match mem.read_u8(ptr + 8)? {
            CLOCK => {
                let clock = ptr + if abi == Abi::Unstable { 24 } else { 16 };
                let id = ClockId::from_guest(mem.read_u32(clock)?);
                let timeout = mem.read_u64(clock + 8)?;
                Wait::Clock(match mem.read_u16(clock + 24)? {
                    0 => id.map(|_| Duration::from_nanos(timeout).saturating_sub(waited)),
                    1 => id
                        .and_then(|id| cx.clocks.now(id))
                        .map(|now| Duration::from_nanos(timeout.saturating_sub(now))),
                    _ => Err(Errno::INVAL),
                })
            }
            tag @ (FD_READ | FD_WRITE) => Wait::Fd {
                fd: mem.read_u32(ptr + 16)?,
                write: tag == FD_WRITE,
            },
            _ => return Err(Errno::INVAL),
        };
        Ok(Subscription { userdata, wait })
    }

    fn event(&self, outcome: Result<(u64, u16)>) -> Event {
        let tag = match self.wait {
            Wait::Clock(_) => CLOCK,
            Wait::Fd { write: false, .. } => FD_READ,
            Wait::Fd { write: true, .. } => FD_WRITE,
        };
        let (error, (nbytes, flags)) = match outcome {
            Ok(ready) => (0, ready),
            Err(e) => (e.raw(), (0, 0)),
        };
        Event {
            userdata: self.userdata,
            tag,
            error,
            nbytes,
            flags,
        }
    }
}

impl Event {
    /// ```text
    /// userdata 0 (u64), error 8 (u16), tag 10 (u8), bytes 16 (u64), flags 24 (u16); 32 bytes
    /// ```
    fn write(&self, mem: &mut GuestMemory<'_>, ptr: u32) -> Result {
        let mut out = [0; EVENT_BYTES as usize];
        out[..8].copy_from_slice(&self.userdata.to_le_bytes());
        out[8..10].copy_from_slice(&self.error.to_le_bytes());
        out[10] = self.tag;
        out[16..24].copy_from_slice(&self.nbytes.to_le_bytes());
        out[24..26].copy_from_slice(&self.flags.to_le_bytes());
        mem.write(ptr, &out)
    }
}

/// Whether a descriptor is ready, or who knows.
enum State<'a> {
    /// With so many bytes.
    Now(u64),
    /// Not yet; it has to be asked again.
    Later,
    /// The host knows.
    Host(Waitable<'a>),
}

fn state(table: &Table, fd: u32, write: bool) -> Result<State<'_>> {
    let d = table.peek(fd)?;
    d.require(Rights::POLL_FD_READWRITE)?;
    Ok(match (&d.kind, write) {
        (Kind::Input(Input::Null), false) => State::Now(0),
        (Kind::Input(Input::Inherit), false) => State::Host(Waitable::Stdin),
        (Kind::Input(Input::Custom(s)), false) => s.ready().map_or(State::Later, State::Now),
        (Kind::Output(Output::Null | Output::Custom(_)), true) => State::Now(1),
        (Kind::Output(Output::InheritOut), true) => State::Host(Waitable::Stdout),
        (Kind::Output(Output::InheritErr), true) => State::Host(Waitable::Stderr),
        (Kind::File(f), _) if f.filetype != Filetype::RegularFile => {
            State::Host(Waitable::File(&f.file))
        }
        (Kind::File(_), true) => State::Now(1),
        (Kind::File(f), false) => {
            let size = f.file.metadata()?.len();
            State::Now(size.saturating_sub((&f.file).stream_position()?))
        }
        _ => return Err(Errno::BADF),
    })
}

/// One look at everything.
struct Look {
    events: Vec<Event>,
    /// Something must be asked again from time to time.
    later: bool,
    /// What the host can wait for, by guest number.
    host: BTreeMap<u32, Ready>,
}

fn look(cx: &WasiCtx, subscriptions: &[Subscription], passed: Duration) -> Result<Look> {
    let mut look = Look {
        events: Vec::new(),
        later: false,
        host: BTreeMap::new(),
    };
    for s in subscriptions {
        if let Wait::Fd { fd, write } = s.wait
            && let Ok(State::Host(_)) = state(&cx.table, fd, write)
        {
            let want = look.host.entry(fd).or_default();
            *(if write {
                &mut want.write
            } else {
                &mut want.read
            }) = true;
        }
    }
    let host = wait_host(&cx.table, &look.host, Some(Duration::ZERO))?;
    for s in subscriptions {
        let outcome = match s.wait {
            Wait::Clock(Ok(time)) if time > passed => continue,
            Wait::Clock(Ok(_)) => Ok((0, 0)),
            Wait::Clock(Err(e)) => Err(e),
            Wait::Fd { fd, write } => match state(&cx.table, fd, write) {
                Err(e) => Err(e),
                Ok(State::Now(nbytes)) => Ok((nbytes, 0)),
                Ok(State::Later) => {
                    look.later = true;
                    continue;
                }
                Ok(State::Host(item)) => {
                    let got = host.get(&fd).copied().unwrap_or_default();
                    if !(if write { got.write } else { got.read }) {
                        continue;
                    }
                    let nbytes = if write { 1 } else { sys::available(item) };
                    Ok((nbytes, if got.hangup { HANGUP } else { 0 }))
                }
            },
        };
        look.events.push(s.event(outcome));
    }
    Ok(look)
}

/// Waits for what the host knows.
fn wait_host(
    table: &Table,
    wanted: &BTreeMap<u32, Ready>,
    timeout: Option<Duration>,
) -> Result<BTreeMap<u32, Ready>> {
    let mut items = Vec::with_capacity(wanted.len());
    for (&fd, &want) in wanted {
        let item = match &table.peek(fd)?.kind {
            Kind::Input(_) => Waitable::Stdin,
            Kind::Output(Output::InheritErr) => Waitable::Stderr,
            Kind::Output(_) => Waitable::Stdout,
            Kind::File(f) => Waitable::File(&f.file),
            Kind::Dir(_) | Kind::Lost => return Err(Errno::BADF),
        };
        items.push((item, want));
    }
    let ready = if items.is_empty() && timeout == Some(Duration::ZERO) {
        Vec::new()
    } else {
        sys::poll(&items, timeout)?
    };
    Ok(wanted.keys().copied().zip(ready).collect())
}

fn poll(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    out: u32,
    abi: Abi,
) -> Result {
    let size = if abi == Abi::Unstable { 56 } else { 48 };
    if count == 0 {
        return Err(Errno::INVAL);
    }
    if count > MAX_SUBSCRIPTIONS {
        return Err(Errno::NOMEM);
    }
    mem.check(subscriptions, count * size)?;
    mem.check(events, count * EVENT_BYTES)?;
    mem.check(out, 4)?;
    let waited = core::mem::take(&mut cx.pausing.waited);
    let list = (0..count)
        .map(|i| Subscription::read(cx, mem, subscriptions + i * size, abi, waited))
        .collect::<Result<Vec<_>>>()?;
    let events_now = wait(cx, &list, waited)?;
    for (i, event) in events_now.iter().enumerate() {
        event.write(mem, events + i as u32 * EVENT_BYTES)?;
    }
    mem.write_u32(out, events_now.len() as u32)
}

fn wait(cx: &mut WasiCtx, list: &[Subscription], waited: Duration) -> Result<Vec<Event>> {
    let first = list.iter().filter_map(|s| match s.wait {
        Wait::Clock(Ok(time)) => Some(time),
        _ => None,
    });
    let first = first.min();
    let start = Instant::now();
    let mut passed = Duration::ZERO;
    loop {
        let look = look(cx, list, passed)?;
        if !look.events.is_empty() {
            return Ok(look.events);
        }
        if cx.interrupt.is_wanted() {
            let errno = cx.pausing.interrupted();
            if cx.pausing.asked {
                cx.pausing.waited = waited + passed;
            }
            return Err(errno);
        }
        let left = first.map(|time| time.saturating_sub(passed));
        let slice = if look.later || cx.interrupt.is_possible() {
            Some(left.map_or(WAIT_SLICE, |left| left.min(WAIT_SLICE)))
        } else {
            left
        };
        match (slice, first) {
            (Some(slice), Some(_)) if cx.clocks.simulated => {
                cx.clocks.monotonic.sleep(slice);
                passed += slice;
                continue;
            }
            (Some(slice), _) if look.host.is_empty() || cfg!(not(unix)) => {
                std::thread::sleep(slice);
            }
            (slice, _) => drop(wait_host(&cx.table, &look.host, slice)?),
        }
        passed = start.elapsed();
    }
}

/// Waits until at least one of the subscriptions has an event.
pub fn poll_oneoff(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    out: u32,
) -> Result {
    poll(cx, mem, subscriptions, events, count, out, Abi::Preview1)
}

/// [`poll_oneoff`] with the record of `wasi_unstable`.
pub fn poll_oneoff_unstable(
    cx: &mut WasiCtx,
    mem: &mut GuestMemory<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    out: u32,
) -> Result {
    poll(cx, mem, subscriptions, events, count, out, Abi::Unstable)
}
