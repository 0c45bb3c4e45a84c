"""Greets whoever signed up. Write here what your plugin does."""

from typing import Any

from slipswitch import Event, Invalid, Output, transformer

# What a rule may write under `config`.
CONFIG_SCHEMA = {
    "type": "object",
    "properties": {
        "greeting": {"type": "string", "description": "What to say before the name", "default": "Hello"},
    },
    "additionalProperties": False,
}


@transformer
def greet(event: Event, config: dict[str, Any]) -> Output:
    name = event.detail.get("name")
    if not name:
        raise Invalid("detail.name is empty: there is nobody to greet")
    return Output.text(f"{config['greeting']}, {name}!")
