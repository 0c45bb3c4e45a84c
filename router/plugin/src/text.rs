//! Texts that come out of a plugin, checked by a quicker hand than wasmtime's: what a plugin puts out is a kilobyte
//! and more, and to hold it against UTF-8 with the standard library costs as much as the rest of an empty call.
//!
//! # Invariants
//!
//! - What is taken, and what is refused with which words, is wasmtime's word: all that is not plain valid UTF-8 in a
//!   memory of 32 bits goes its way.
#![expect(
    unsafe_code,
    reason = "wasmtime's traits for types of the component model are unsafe to implement; these delegate to its own"
)]

use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext};
use wasmtime::component::{ComponentType, Lift};
use wasmtime::{Result, ValRaw};

/// A `string`.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) String);

// SAFETY: the representation and the check are those of `String`.
unsafe impl ComponentType for Text {
    type Lower = <String as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <String as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        String::typecheck(ty, types)
    }
}

// SAFETY: a text that is taken here lies within the memory and is charged as wasmtime does it; the rest is delegated.
unsafe impl Lift for Text {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &[ValRaw; 2],
    ) -> Result<Self> {
        String::linear_lift_from_flat(cx, ty, src).map(Self)
    }

    #[inline]
    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> Result<Self> {
        // One that is not valid is charged there and not here, too: it would be told that it is too long.
        if let Some(text) = plain(cx, bytes)
            && let Ok(text) = simdutf8::basic::from_utf8(text)
        {
            cx.consume_fuel(text.len())?;
            return Ok(Self(text.to_owned()));
        }
        String::linear_lift_from_memory(cx, ty, bytes).map(Self)
    }
}

/// The bytes that an address and a length name, if they are there and are to be UTF-8.
#[inline]
fn plain<'a>(cx: &LiftContext<'a>, pair: &[u8]) -> Option<&'a [u8]> {
    /// The first of wasmtime's encodings of strings; their type is not shown.
    const UTF_8: u8 = 0;
    let (at, len) = pair.split_at_checked(4)?;
    let number = |bytes: &[u8]| Some(u32::from_le_bytes(bytes.try_into().ok()?) as usize);
    let (at, len) = (number(at)?, number(len)?);
    if cx.options().string_encoding as u8 != UTF_8 {
        return None;
    }
    cx.memory().get(at..at.checked_add(len)?)
}
