//! The `clock` import: the event's time.

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use crate::contract::CLOCK;
use crate::instance::State;

pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let now = |store: StoreContextMut<'_, State>, (): ()| {
        Ok((store.data().current.now_ms("clock.now")?,))
    };
    linker.instance(CLOCK)?.func_wrap("now", now)
}
