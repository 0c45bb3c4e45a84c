//! The contract in `sdk/wit`, as Rust.
//!
//! The generator makes one set of macros per interface and crate, so the two published worlds, which share an
//! interface, cannot both be generated. They are generated in three parts instead: what every plugin has, and the two
//! roles. A plugin exports the first and one of the others; the router's encoder puts the parts together again.

pub mod base {
    wit_bindgen::generate!({
        inline: "
            package slipswitch:sdk;
            world base {
                import slipswitch:plugin/types@0.2.0;
                import slipswitch:plugin/log@0.2.0;
                export slipswitch:plugin/plugin@0.2.0;
            }
        ",
        path: "../wit",
        world: "slipswitch:sdk/base",
        generate_unused_types: true,
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_base",
        default_bindings_module: "slipswitch_sdk::export::base",
    });
}

pub mod transformer {
    wit_bindgen::generate!({
        inline: "
            package slipswitch:sdk;
            world transformer-role {
                export slipswitch:plugin/transformer@0.2.0;
            }
        ",
        path: "../wit",
        world: "slipswitch:sdk/transformer-role",
        with: { "slipswitch:plugin/types@0.2.0": crate::bindings::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_transformer",
        default_bindings_module: "slipswitch_sdk::export::transformer",
    });
}

pub mod filter {
    wit_bindgen::generate!({
        inline: "
            package slipswitch:sdk;
            world filter-role {
                export slipswitch:plugin/filter@0.2.0;
            }
        ",
        path: "../wit",
        world: "slipswitch:sdk/filter-role",
        with: { "slipswitch:plugin/types@0.2.0": crate::bindings::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_filter",
        default_bindings_module: "slipswitch_sdk::export::filter",
    });
}

pub(crate) use base::slipswitch::plugin::{log, types};
