//! Plugins written by hand in WebAssembly's text, for what no example plugin does.

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../../sdk/wit/plugin.wit");

/// A pure transformer. `body` sees `$id`, `$id_len` and the other parameters of the contract, and leaves the address of
/// an answer, which `$text` makes of the address and length of a text of its own. It may use the memory from 64 to 1023
/// and from 2048 to 65535.
pub(crate) fn transformer(imports: &str, data: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {imports}
          (memory (export "memory") 2)
          (data (i32.const 16) "written")
          (data (i32.const 32) "content-typetext/plain")
          {data}
          (global $next (mut i32) (i32.const 65536))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
            (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
            (global.set $next (i32.add (local.get $at) (local.get 3)))
            (local.get $at))
          (func $string (param $at i32) (param $text i32) (param $len i32)
            (i32.store (local.get $at) (local.get $text))
            (i32.store offset=4 (local.get $at) (local.get $len)))
          (func $text (param $text i32) (param $len i32) (result i32)
            (call $string (i32.const 1040) (local.get $text) (local.get $len))
            (call $string (i32.const 1048) (i32.const 1064) (i32.const 1))
            (call $string (i32.const 1064) (i32.const 32) (i32.const 12))
            (call $string (i32.const 1072) (i32.const 44) (i32.const 10))
            (i32.store8 (i32.const 1024) (i32.const 0))
            (call $string (i32.const 1028) (i32.const 1040) (i32.const 1))
            (global.set $next (i32.const 65536))
            (i32.const 1024))
          (func (export "slipswitch:plugin/plugin@0.2.0#describe") (result i32)
            (call $string (i32.const 1024) (i32.const 16) (i32.const 7))
            (call $string (i32.const 1032) (i32.const 16) (i32.const 7))
            (call $string (i32.const 1040) (i32.const 0) (i32.const 0))
            (call $string (i32.const 1048) (i32.const 0) (i32.const 0))
            (i32.store8 (i32.const 1056) (i32.const 1))
            (i32.const 1024))
          (func (export "slipswitch:plugin/plugin@0.2.0#configure") (param i32 i32) (result i32)
            (i32.store8 (i32.const 1024) (i32.const 0))
            (global.set $next (i32.const 65536))
            (i32.const 1024))
          (func (export "slipswitch:plugin/transformer@0.2.0#transform") (param $id i32) (param $id_len i32)
            (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (local $at i32)
            {body}))"#
    );
    let mut module = wat::parse_str(text).unwrap();
    let mut resolve = Resolve::default();
    let package = resolve.push_str("plugin.wit", CONTRACT).unwrap();
    let world = resolve.select_world(&[package], Some("transformer-plugin")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}
