"""Keeps the events that are worth enough. Write here what your plugin does."""

from typing import Any

from slipswitch import Event, Invalid, filter

# What a rule may write under `config`.
CONFIG_SCHEMA = {
    "type": "object",
    "properties": {
        "from": {"type": "number", "description": "The least amount that goes on", "default": 0},
    },
    "additionalProperties": False,
}


@filter
def is_worth_it(event: Event, config: dict[str, Any]) -> bool:
    amount = event.detail.get("amount")
    if not isinstance(amount, (int, float)):
        raise Invalid("detail.amount is missing: there is nothing to decide on")
    return bool(amount >= config["from"])
