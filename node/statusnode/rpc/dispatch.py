"""From a request to its answer: find the method, parse its parameters, call it.

A namespace is a table of methods and of subscriptions, written out where the methods are, so that
what can be called is read at a glance. Only what a table names can be called. Parameters are
positional; texts and codes of errors are go-ethereum's. A bug in a method is not dressed up as an
answer: it ends the connection it was called on and is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final, Protocol, TypeAlias

from statusnode.rpc import message
from statusnode.rpc.errors import (
    ANSWERED,
    InvalidParamsError,
    InvalidRequestError,
    MethodNotFoundError,
    RpcError,
    SubscriptionNotFoundError,
)
from statusnode.rpc.message import BadRequest, Incoming, Request
from statusnode.rpc.values import Json, Parser, Place, Result, ValueMismatchError, text

_log = logging.getLogger(__name__)

SUBSCRIBE: Final = "_subscribe"
UNSUBSCRIBE: Final = "_unsubscribe"
_VERSION: Final = "1.0"

Notify: TypeAlias = Callable[[Result], None]
"""Tells a subscriber something; never blocks, never raises."""
Cancel: TypeAlias = Callable[[], None]
"""Ends a subscription; called exactly once."""


class Method:
    """A method: what to call, and how to parse its parameters."""

    def __init__(
        self,
        call: Callable[..., Result | Awaitable[Result]],
        *parsers: Parser[Any],
        required: int | None = None,
    ) -> None:
        """Parameters from the `required`-th on may be missing or null, and then are None."""
        self.call = call
        self._parsers = parsers
        self._required = len(parsers) if required is None else required

    def arguments(self, params: Json) -> list[Any]:
        """Parse parameters.

        Raises:
            InvalidParamsError: they do not fit.
        """
        return parse_arguments(params, self._parsers, self._required)


class Subscribable:
    """A kind of subscription: `start` is given what to notify, and the parsed parameters."""

    def __init__(self, start: Callable[..., Cancel], *parsers: Parser[Any]) -> None:
        self._start = start
        self._parsers = (text, *parsers)

    def starter(self, params: Json) -> Callable[[Notify], Cancel]:
        """Parse parameters, the first being the kind's name, and return what starts it.

        Raises:
            InvalidParamsError: they do not fit.
        """
        _, *arguments = parse_arguments(params, self._parsers, len(self._parsers))
        return lambda notify: self._start(notify, *arguments)


@dataclass(frozen=True, slots=True)
class Namespace:
    """The methods `name_…` and the subscriptions of `name_subscribe`."""

    name: str
    methods: Mapping[str, Method]
    subscriptions: Mapping[str, Subscribable] = field(default_factory=dict)


class Subscriber(Protocol):
    """A connection that can be told things later."""

    def subscribe(self, namespace: str, start: Callable[[Notify], Cancel]) -> str:
        """Start a subscription and return its id."""
        ...

    def unsubscribe(self, subscription_id: str) -> bool:
        """End a subscription; tell whether there was one."""
        ...


class Dispatcher:
    """Answers requests to some namespaces, and to `rpc`, which names them."""

    def __init__(self, namespaces: Iterable[Namespace]) -> None:
        own = Namespace("rpc", {"modules": Method(self._modules)})
        self._namespaces = {space.name: space for space in (own, *namespaces)}

    def _modules(self) -> Result:
        return dict.fromkeys(sorted(self._namespaces), _VERSION)

    async def answer(
        self, incoming: Incoming | Sequence[Incoming], subscriber: Subscriber | None
    ) -> bytes | None:
        """Do what one document asks, in its order, and return the answer to it, if it gets one.

        Without a `subscriber` the connection carries no notifications.
        """
        if not isinstance(incoming, Sequence):
            single = await self._answer(incoming, subscriber)
            return None if single is None else message.line(single)
        answers = [await self._answer(item, subscriber) for item in incoming]
        joined = ",".join(answer for answer in answers if answer is not None)
        return message.line(f"[{joined}]") if joined else None

    async def _answer(self, incoming: Incoming, subscriber: Subscriber | None) -> str | None:
        if incoming is None:
            return None
        if isinstance(incoming, BadRequest):
            return message.failure(incoming.raw_id, InvalidRequestError(incoming.reason))
        try:
            answer = message.result(
                incoming.raw_id or "null", await self._call(incoming, subscriber)
            )
        except ANSWERED as error:
            _log.debug("Served %s: %s", incoming.method, error)
            answer = message.failure(incoming.raw_id or "null", error)
        else:
            _log.debug("Served %s", incoming.method)
        return None if incoming.raw_id is None else answer

    async def _call(self, request: Request, subscriber: Subscriber | None) -> Result:
        namespace, _, name = request.method.partition("_")
        if request.method.endswith(SUBSCRIBE):
            return self._subscribe(namespace, request.params, subscriber)
        if request.method.endswith(UNSUBSCRIBE):
            (subscription_id,) = parse_arguments(request.params, (text,), 1)
            if subscriber is None or not subscriber.unsubscribe(subscription_id):
                raise RpcError("subscription not found")
            return True
        space = self._namespaces.get(namespace)
        method = space.methods.get(name) if space else None
        if method is None:
            raise MethodNotFoundError(request.method)
        result = method.call(*method.arguments(request.params))
        return await result if isawaitable(result) else result

    def _subscribe(self, namespace: str, params: Json, subscriber: Subscriber | None) -> Result:
        if subscriber is None:
            raise RpcError("notifications not supported")
        if not isinstance(params, list):
            raise InvalidParamsError("non-array args")
        name = params[0] if params else None
        if not isinstance(name, str):
            raise InvalidParamsError("expected subscription name as first argument")
        space = self._namespaces.get(namespace)
        kind = space.subscriptions.get(name) if space else None
        if kind is None:
            raise SubscriptionNotFoundError(name, namespace)
        return subscriber.subscribe(namespace, kind.starter(params))


def parse_arguments(params: Json, parsers: Sequence[Parser[Any]], required: int) -> list[Any]:
    """Parse positional parameters; those from `required` on may be missing or null.

    Raises:
        InvalidParamsError: they do not fit; the text says which one, and why.
    """
    if params is None:
        params = []
    if not isinstance(params, list):
        raise InvalidParamsError("non-array args")
    arguments: list[Any] = []
    for index, value in enumerate(params):
        if index >= len(parsers):
            raise InvalidParamsError(f"too many arguments, want at most {len(parsers)}")
        if value is None and index >= required:
            arguments.append(None)
            continue
        try:
            arguments.append(parsers[index](value, Place()))
        except ValueMismatchError as error:
            raise InvalidParamsError(f"invalid argument {index}: {error}") from error
    if len(arguments) < required:
        raise InvalidParamsError(f"missing value for required argument {len(arguments)}")
    return arguments + [None] * (len(parsers) - len(arguments))
