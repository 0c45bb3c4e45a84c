"""Puts a price on many events at once. Write here what your plugin does.

How many events come together is the router's business, and never a reason to answer differently.
"""

from collections.abc import Sequence
from typing import Any

from slipswitch import Event, Invalid, batch_transformer

# What a rule may write under `config`.
CONFIG_SCHEMA = {
    "type": "object",
    "properties": {
        "price": {"type": "number", "description": "What one of anything costs", "default": 1},
    },
    "additionalProperties": False,
}


@batch_transformer
def price_all(events: Sequence[Event], config: dict[str, Any]) -> list[dict[str, Any] | Invalid]:
    """One answer per event, in their order: a bad event does not fail its neighbours."""
    return [priced(event, config) for event in events]


def priced(event: Event, config: dict[str, Any]) -> dict[str, Any] | Invalid:
    quantity = event.detail.get("quantity")
    if not isinstance(quantity, (int, float)):
        return Invalid("detail.quantity is missing")
    return {"id": event.id, "amount": quantity * config["price"]}
