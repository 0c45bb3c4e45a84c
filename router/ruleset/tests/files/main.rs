//! Rule files from the outside: read by the same function that the server calls.

mod broken;
mod compared;
mod documents;
mod doubles;
mod hostile;
mod imported;
mod reloaded;
mod schema;
mod templates_page;
mod whole;
