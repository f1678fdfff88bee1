//! Fuel: how much is left, and in which pieces the machine gets it.

use core::num::NonZeroU64;

use anyhow::bail;

use crate::Result;
use crate::store::{Caller, Store, StoreContext, StoreContextMut, StoreOpaque};

/// Fuel that the machine gets later, piece by piece: each time it has used one up, a call can let others have their turn.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct FuelReserve {
    left: u64,
    /// Fuel of a piece; all of it, if nothing is said.
    piece: Option<NonZeroU64>,
}

impl StoreOpaque {
    fn fuel_is_on(&self) -> Result<()> {
        if self.engine.config().options.fuel {
            Ok(())
        } else {
            bail!("fuel is not configured in this engine")
        }
    }

    pub(crate) fn fuel(&self) -> Result<u64> {
        self.fuel_is_on()?;
        Ok(self.all_fuel())
    }

    /// What the machine has, and what it does not have yet.
    pub(crate) fn all_fuel(&self) -> u64 {
        self.vm.fuel().saturating_add(self.fuel_reserve.left)
    }

    pub(crate) fn set_fuel(&mut self, fuel: u64) -> Result<()> {
        self.fuel_is_on()?;
        self.vm.set_fuel(0);
        self.fuel_reserve.left = fuel;
        self.refuel();
        Ok(())
    }

    /// Gives the machine the next piece of fuel; false if there is none.
    pub(crate) fn refuel(&mut self) -> bool {
        let FuelReserve { left, piece } = self.fuel_reserve;
        let piece = piece.map_or(left, |piece| piece.get().min(left));
        self.fuel_reserve.left = left - piece;
        self.vm.set_fuel(self.vm.fuel().saturating_add(piece));
        piece > 0
    }

    fn fuel_async_yield_interval(&mut self, interval: Option<u64>) -> Result<()> {
        let fuel = self.fuel()?;
        self.fuel_reserve.piece = match interval.map(NonZeroU64::new) {
            Some(None) => bail!("fuel_async_yield_interval must not be 0"),
            Some(piece) => piece,
            None => None,
        };
        self.set_fuel(fuel)
    }
}

macro_rules! fuelled {
    ($($ty:ty, $store:ident => $opaque:expr $(, $set:ident)?;)*) => { $(
        impl<T: 'static> $ty {
            /// Fuel left.
            ///
            /// # Errors
            /// If the engine does not count fuel.
            pub fn get_fuel(&self) -> Result<u64> {
                let $store = self;
                $opaque.fuel()
            }

            $(
                /// Sets the fuel left.
                ///
                /// # Errors
                /// If the engine does not count fuel.
                pub fn $set(&mut self, fuel: u64) -> Result<()> {
                    let $store = self;
                    $opaque.set_fuel(fuel)
                }

                /// After how much fuel an async call lets others have their turn, again and again; it is woken at once. So
                /// busy guests share a thread. `None` (so it is at first): never. Calls that are not async go on without a
                /// break. Each call ends with [`Trap::OutOfFuel`](crate::Trap::OutOfFuel) when all fuel is used up.
                ///
                /// # Errors
                /// If the engine does not count fuel, or `interval` is 0.
                pub fn fuel_async_yield_interval(&mut self, interval: Option<u64>) -> Result<()> {
                    let $store = self;
                    $opaque.fuel_async_yield_interval(interval)
                }
            )?
        }
    )* };
}

fuelled! {
    Store<T>, store => store.0.opaque, set_fuel;
    StoreContext<'_, T>, store => store.0.opaque;
    StoreContextMut<'_, T>, store => store.0.opaque, set_fuel;
    Caller<'_, T>, store => store.store.0.opaque, set_fuel;
}
