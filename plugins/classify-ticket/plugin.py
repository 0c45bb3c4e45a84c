"""Puts a support ticket into a category and gives it a priority, by the words in its subject and text.

A word counts once per occurrence, twice in the subject; the category with most points wins, the first of them when
several do. The answer is the ticket with `category`, `priority` and `words`, the ones that decided.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from slipswitch import Event, Invalid, log, transformer

WORDS = {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}
CONFIG_SCHEMA = {
    "type": "object",
    "properties": {
        "categories": {
            "type": "object",
            "description": "Of each category, the words that speak for it; one that ends with * is the beginning of a word",
            "additionalProperties": WORDS,
            "default": {
                "billing": ["invoice*", "refund*", "charge*", "payment*", "card"],
                "delivery": ["parcel*", "deliver*", "courier", "late", "tracking"],
                "account": ["password*", "login", "log in", "account*", "email"],
            },
        },
        "otherwise": {"type": "string", "minLength": 1, "default": "general"},
        "urgent": {**WORDS, "default": ["urgent*", "immediately", "asap", "lawyer*", "fraud*"]},
    },
    "additionalProperties": False,
}


@dataclass
class Words:
    name: str
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, name: str, words: list[str]) -> "Words":
        forms = (re.escape(plain(word.rstrip("*"))) + (r"\w*" if word.endswith("*") else "") for word in words)
        return cls(name, re.compile(rf"\b(?:{'|'.join(forms)})\b"))


@dataclass
class Setup:
    categories: list[Words]
    otherwise: str
    urgent: Words


def configure(config: dict[str, Any]) -> Setup:
    categories = [Words.of(name, words) for name, words in config["categories"].items()]
    return Setup(categories, config["otherwise"], Words.of("urgent", config["urgent"]))


@transformer
def classify(event: Event, setup: Setup) -> dict[str, Any]:
    ticket = event.detail
    if not isinstance(ticket, dict) or not isinstance(ticket.get("text"), str):
        raise Invalid("detail.text is missing: a ticket is classified by its words")
    subject, text = plain(str(ticket.get("subject", ""))), plain(ticket["text"])
    found = [(category.name, category.pattern.findall(f"{subject}\n{subject}\n{text}")) for category in setup.categories]
    best, words = max(found, key=lambda one: len(one[1]), default=(setup.otherwise, []))
    alarms = setup.urgent.pattern.findall(f"{subject}\n{text}")
    if not words:
        log.debug("no word of any category", ticket=ticket.get("id", event.id))
    return {
        **ticket,
        "category": best if words else setup.otherwise,
        "priority": "high" if alarms else "normal",
        "words": sorted({*words, *alarms}),
    }


def plain(text: str) -> str:
    """Small letters without accents: `Été` and `ete` are the same word."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))
