//! An event that is written into a plugin's memory in one piece.
//!
//! The canonical ABI asks the plugin for memory once for each text: thirteen calls for an event with four attributes,
//! which cost more than all the rest. A plugin whose allocator never takes texts back one by one (the Rust SDK's)
//! says so with a custom section, [`MARK`]; then one call makes room for everything:
//!
//! ```text
//! block = pair × attributes   text text text …
//! pair  = name: address, length   value: address, length        (u32 each)
//! ```
//!
//! # Invariants
//!
//! - What the plugin sees is the same, byte for byte, but for where it stands.
//! - A plugin that marks itself and takes texts back harms itself: everything stays in its own memory.
#![expect(
    unsafe_code,
    reason = "wasmtime's traits for types of the component model are unsafe to implement; these delegate to its own"
)]

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext,
};
use wasmtime::component::{ComponentType, Lower};
use wasmtime::{Result, ValRaw};

use crate::wit::Span;

/// The custom section of plugins that take an event in one piece.
pub(crate) const MARK: &str = "slipswitch:arena";

const PAIR_BYTES: usize = 16;
const ALIGN: u32 = 4;
const NOWHERE: usize = usize::MAX;

/// The texts of one event, and where they were put.
pub(crate) struct Block<'a> {
    /// id, source, detail-type, time, json.
    texts: [&'a str; 5],
    attributes: &'a [(String, String)],
    /// [`NOWHERE`] until it is put somewhere. Atomic only because wasmtime's types are; nobody shares it.
    place: AtomicUsize,
}

/// The event as the contract has it, its texts in a block.
#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct Event<'a> {
    id: Placed<Piece<'a>>,
    source: Placed<Piece<'a>>,
    #[component(name = "detail-type")]
    detail_type: Placed<Piece<'a>>,
    time: Placed<Piece<'a>>,
    json: Placed<Piece<'a>>,
    detail: Span,
    attributes: Placed<Pairs<'a>>,
}

/// What is in the block already: its address and how many there are is all that is handed over.
#[derive(Clone, Copy)]
pub(crate) struct Placed<S>(S);

pub(crate) trait Stands: Copy + Send + Sync {
    /// What the plugin takes it for.
    type For: ComponentType<Lower = [ValRaw; 2]> + ?Sized;

    fn stands<T>(&self, cx: &mut LowerContext<'_, T>) -> Result<[u32; 2]>;
}

/// One of the five texts.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    block: &'a Block<'a>,
    index: usize,
}

#[derive(Clone, Copy)]
pub(crate) struct Pairs<'a> {
    block: &'a Block<'a>,
}

impl<'a> Block<'a> {
    pub(crate) fn new(event: &crate::Event<'a>) -> Self {
        let crate::Event { id, source, detail_type, time, json, attributes, .. } = *event;
        Self {
            texts: [id, source, detail_type, time, json],
            attributes,
            place: AtomicUsize::new(NOWHERE),
        }
    }

    pub(crate) fn event(&'a self, detail: Span) -> Event<'a> {
        let piece = |index| Placed(Piece { block: self, index });
        Event {
            id: piece(0),
            source: piece(1),
            detail_type: piece(2),
            time: piece(3),
            json: piece(4),
            detail,
            attributes: Placed(Pairs { block: self }),
        }
    }

    /// Where the block is: put there by whoever asks first.
    fn place<T>(&self, cx: &mut LowerContext<'_, T>) -> Result<usize> {
        let place = self.place.load(Ordering::Relaxed);
        if place != NOWHERE {
            return Ok(place);
        }
        let table = self.attributes.len() * PAIR_BYTES;
        let pairs = || self.attributes.iter().flat_map(|(name, value)| [name.as_str(), value]);
        let texts = || self.texts.into_iter().chain(pairs());
        let size = table + texts().map(str::len).sum::<usize>();
        let place = cx.realloc(0, 0, ALIGN, size)?;
        let block = &mut cx.as_slice_mut()[place..place + size];
        let (entries, mut rest) = block.split_at_mut(table);
        for text in texts() {
            let (room, after) = rest.split_at_mut(text.len());
            room.copy_from_slice(text.as_bytes());
            rest = after;
        }
        let mut at = place + table + self.texts.iter().map(|text| text.len()).sum::<usize>();
        for (entry, text) in entries.chunks_exact_mut(PAIR_BYTES / 2).zip(pairs()) {
            let (address, len) = entry.split_at_mut(4);
            address.copy_from_slice(&u32::try_from(at)?.to_le_bytes());
            len.copy_from_slice(&u32::try_from(text.len())?.to_le_bytes());
            at += text.len();
        }
        self.place.store(place, Ordering::Relaxed);
        Ok(place)
    }
}

impl Stands for Piece<'_> {
    type For = str;

    fn stands<T>(&self, cx: &mut LowerContext<'_, T>) -> Result<[u32; 2]> {
        let Block { texts, attributes, .. } = self.block;
        let before: usize = texts[..self.index].iter().map(|text| text.len()).sum();
        let at = self.block.place(cx)? + attributes.len() * PAIR_BYTES + before;
        Ok([u32::try_from(at)?, u32::try_from(texts[self.index].len())?])
    }
}

impl Stands for Pairs<'_> {
    type For = [(String, String)];

    fn stands<T>(&self, cx: &mut LowerContext<'_, T>) -> Result<[u32; 2]> {
        let place = self.block.place(cx)?;
        Ok([u32::try_from(place)?, u32::try_from(self.block.attributes.len())?])
    }
}

// SAFETY: the representation and the check are those of the type that it stands for.
unsafe impl<S: Stands> ComponentType for Placed<S> {
    type Lower = <S::For as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <S::For as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <S::For as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: both values are written before it returns; what they name was allocated by the plugin, and is text, or aligned
// pairs of addresses and lengths of text.
unsafe impl<S: Stands> Lower for Placed<S> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        // Of 64 bits, as wasmtime writes them.
        dst.write(self.0.stands(cx)?.map(|number| ValRaw::i64(i64::from(number))));
        Ok(())
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        let [at, len] = self.0.stands(cx)?;
        *cx.get::<8>(offset) = (u64::from(len) << 32 | u64::from(at)).to_le_bytes();
        Ok(())
    }
}
