//! Nothing: the package is its tests, `tests/e2e`, which drive the built binary over the wire.
