"""From a ``Guest`` to the classes that componentize-py looks for, in the types of the contract's bindings."""

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.exports.plugin import Info
from wit_world.imports import types

from slipswitch import Event
from slipswitch._guest import ConfigRefused, Guest, PluginError, sent, words

_ERRORS = {"invalid": types.Error_Invalid, "retry": types.Error_Retry, "fatal": types.Error_Fatal}


def make(module, name, version, description):
    """The class of the interface `plugin`, and that of the role."""
    guest = Guest(module)

    class Plugin(exports.Plugin):
        def describe(self):
            return Info(name, version, description, guest.config_schema, guest.pure)

        def configure(self, config):
            try:
                guest.configure(config)
            except ConfigRefused as error:
                raise Err(words(error)) from None

    return Plugin, _ROLES[guest.role](guest)


def _transformer(guest):
    class Transformer(exports.Transformer):
        def transform(self, event):
            try:
                return [_output(one) for one in guest.transform(_event(event))]
            except PluginError as error:
                raise Err(_error(error)) from None

    return Transformer


def _filter(guest):
    class Filter(exports.Filter):
        def keep(self, event):
            try:
                return guest.keep(_event(event))
            except PluginError as error:
                raise Err(_error(error)) from None

    return Filter


def _batch_transformer(guest):
    class BatchTransformer(exports.BatchTransformer):
        def transform_batch(self, events):
            answers = guest.transform_batch([_event(event) for event in events])
            return [
                Err(_error(answer)) if isinstance(answer, PluginError) else Ok([_output(one) for one in answer])
                for answer in answers
            ]

    return BatchTransformer


_ROLES = {"transformer": _transformer, "filter": _filter, "batch_transformer": _batch_transformer}


def _event(event):
    span = (event.detail.start, event.detail.len)
    return Event(event.id, event.source, event.detail_type, event.time, event.json, span, event.attributes)


def _output(output):
    return types.Output(*sent(output))


def _error(error):
    return _ERRORS[error.kind](words(error))
