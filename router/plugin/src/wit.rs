//! The types of `sdk/wit/plugin.wit`, as they cross the border.
//!
//! Written out instead of generated, so that an event is borrowed all the way: nothing is copied before it is written
//! into the plugin's memory.

use wasmtime::component::{ComponentType, Lift, Lower};

use crate::text::Text;

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct Event<'a> {
    pub(crate) id: &'a str,
    pub(crate) source: &'a str,
    #[component(name = "detail-type")]
    pub(crate) detail_type: &'a str,
    pub(crate) time: &'a str,
    pub(crate) json: &'a str,
    pub(crate) detail: Span,
    pub(crate) attributes: &'a [(String, String)],
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Output {
    pub(crate) body: Text,
    pub(crate) attributes: Vec<(String, String)>,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum Error {
    #[component(name = "invalid")]
    Invalid(String),
    #[component(name = "retry")]
    Retry(String),
    #[component(name = "fatal")]
    Fatal(String),
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Info {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    #[component(name = "config-schema")]
    pub(crate) config_schema: String,
    pub(crate) pure: bool,
}
