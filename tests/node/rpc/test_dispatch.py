"""From a request to its answer, without a connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from statusnode.rpc.dispatch import Cancel, Dispatcher, Method, Namespace, Notify, Subscribable
from statusnode.rpc.errors import RpcError
from statusnode.rpc.message import parse
from statusnode.rpc.values import Result, integer, text


class FakeSubscriber:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.told: list[Result] = []
        self.ended = 0

    def subscribe(self, namespace: str, start: Callable[[Notify], Cancel]) -> str:
        self.cancel = start(self.told.append)
        return f"{namespace}-1"

    def unsubscribe(self, subscription_id: str) -> bool:
        if subscription_id == "test-1":
            self.cancel()
        return subscription_id == "test-1"


@pytest.fixture
def subscriber() -> FakeSubscriber:
    return FakeSubscriber()


@pytest.fixture
def dispatcher(subscriber: FakeSubscriber) -> Dispatcher:
    async def slow(value: str) -> Result:
        await asyncio.sleep(0)
        return value

    def fail() -> Result:
        raise RpcError("it does not work")

    def ticks(notify: Notify, first: int) -> Cancel:
        notify(first)

        def cancel() -> None:
            subscriber.ended += 1

        return cancel

    methods = {
        "echo": Method(lambda value: value, text),
        "slow": Method(slow, text),
        "optional": Method(lambda a, b: [a, b], text, integer, required=1),
        "fail": Method(fail),
    }
    return Dispatcher([Namespace("test", methods, {"ticks": Subscribable(ticks, integer)})])


async def ask(
    dispatcher: Dispatcher, document: object, subscriber: FakeSubscriber | None = None
) -> Any:
    answer = await dispatcher.answer(parse(json.dumps(document).encode()), subscriber)
    return None if answer is None else json.loads(answer)


def call(method: str, *params: object, request_id: int = 1) -> dict[str, object]:
    return {"id": request_id, "method": method, "params": list(params)}


async def test_a_method_is_called_with_its_parameters(dispatcher: Dispatcher) -> None:
    assert (await ask(dispatcher, call("test_echo", "x")))["result"] == "x"
    assert (await ask(dispatcher, call("test_slow", "x")))["result"] == "x"


async def test_every_dispatcher_names_its_namespaces(dispatcher: Dispatcher) -> None:
    answer = await ask(dispatcher, call("rpc_modules"))

    assert answer == {"jsonrpc": "2.0", "id": 1, "result": {"rpc": "1.0", "test": "1.0"}}


@pytest.mark.parametrize(
    ("params", "result"),
    [(["a"], ["a", None]), (["a", None], ["a", None]), (["a", 3], ["a", 3])],
)
async def test_parameters_that_may_be_missing_are_none(
    dispatcher: Dispatcher, params: list[object], result: list[object]
) -> None:
    assert (await ask(dispatcher, call("test_optional", *params)))["result"] == result


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (call("test_nothing"), -32601, "the method test_nothing does not exist/is not available"),
        (call("nothing"), -32601, "the method nothing does not exist/is not available"),
        (call("other_echo"), -32601, "the method other_echo does not exist/is not available"),
        (call("test_ticks", 1), -32601, "the method test_ticks does not exist/is not available"),
        (call("test_echo"), -32602, "missing value for required argument 0"),
        (call("test_echo", "a", "b"), -32602, "too many arguments, want at most 1"),
        (
            call("test_echo", 5),
            -32602,
            "invalid argument 0: json: cannot unmarshal number into Go value of type string",
        ),
        ({"id": 1, "method": "test_echo", "params": {}}, -32602, "non-array args"),
        (call("test_fail"), -32000, "it does not work"),
        (call("test_subscribe", "ticks", 1), -32000, "notifications not supported"),
        (call("test_unsubscribe", "test-1"), -32000, "subscription not found"),
        ({"id": 1}, -32600, "invalid request"),
        ([], -32600, "empty batch"),
    ],
)
async def test_what_is_wrong_is_said_in_the_words_of_go_ethereum(
    dispatcher: Dispatcher, request_: object, code: int, text: str
) -> None:
    assert (await ask(dispatcher, request_))["error"] == {"code": code, "message": text}


async def test_a_batch_is_answered_in_order_without_its_notifications(
    dispatcher: Dispatcher,
) -> None:
    answer = await ask(
        dispatcher,
        [
            call("test_slow", "a", request_id=1),
            {"method": "test_echo", "params": ["not answered"]},
            7,
            call("test_echo", "b", request_id=2),
        ],
    )

    assert [(item["id"], item.get("result")) for item in answer] == [
        (1, "a"),
        (None, None),
        (2, "b"),
    ]


async def test_notifications_alone_get_no_answer(dispatcher: Dispatcher) -> None:
    notification = {"method": "test_fail"}

    assert await ask(dispatcher, notification) is None
    assert await ask(dispatcher, [notification, notification]) is None


async def test_a_subscription_starts_tells_and_ends(
    dispatcher: Dispatcher, subscriber: FakeSubscriber
) -> None:
    answer = await ask(dispatcher, call("test_subscribe", "ticks", 5), subscriber)
    assert answer["result"] == "test-1"
    assert subscriber.told == [5]

    ended = await ask(dispatcher, call("any_unsubscribe", "test-1"), subscriber)
    assert ended["result"] is True
    assert subscriber.ended == 1


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ([], -32602, "expected subscription name as first argument"),
        ([5], -32602, "expected subscription name as first argument"),
        ({}, -32602, "non-array args"),
        (["none"], -32601, 'no "none" subscription in test namespace'),
        (["ticks"], -32602, "missing value for required argument 1"),
        (["ticks", 1, 2], -32602, "too many arguments, want at most 2"),
    ],
)
async def test_a_subscription_that_makes_no_sense_is_refused(
    dispatcher: Dispatcher, subscriber: FakeSubscriber, params: object, code: int, text: str
) -> None:
    request = {"id": 1, "method": "test_subscribe", "params": params}

    answer = await ask(dispatcher, request, subscriber)

    assert answer["error"] == {"code": code, "message": text}
