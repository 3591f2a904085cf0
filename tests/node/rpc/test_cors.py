"""Which pages may call, by Host and by origin."""

from __future__ import annotations

import pytest

from statusnode.rpc.cors import CorsPolicy, host_allowed

LISTED = frozenset({"localhost"})


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("", True),
        ("127.0.0.1", True),
        ("127.0.0.1:8545", True),
        ("[::1]:8545", True),
        ("::1", True),
        ("localhost", True),
        ("localhost:1", True),
        ("LOCALHOST", False),
        ("evil.example", False),
        ("evil.example:8545", False),
        ("localhost.evil.example", False),
    ],
)
def test_a_name_that_is_not_listed_is_refused(host: str, allowed: bool) -> None:
    assert host_allowed(host, LISTED) is allowed
    assert host_allowed(host, frozenset({"*"}))


@pytest.mark.parametrize(
    ("pattern", "origin", "allowed"),
    [
        ("http://a.example", "http://a.example", True),
        ("http://a.example", "HTTP://A.example", True),
        ("http://a.example", "http://b.example", False),
        ("*", "http://any.example", True),
        ("http://*.example", "http://sub.a.example", True),
        ("http://*.example", "http://.example", True),
        ("http://*.example", "https://a.example", False),
        ("aa*aa", "aaa", False),
    ],
)
def test_origins_match_exactly_or_around_a_star(pattern: str, origin: str, allowed: bool) -> None:
    assert CorsPolicy(frozenset({pattern})).allows(origin) is allowed


def test_a_preflight_of_a_listed_origin_is_allowed_what_it_asks_for() -> None:
    policy = CorsPolicy(frozenset({"http://a.example"}))
    asked = {
        "Origin": "http://a.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }

    assert policy.is_preflight("OPTIONS", asked)
    assert policy.preflight_headers(asked) == {
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        "Access-Control-Allow-Origin": "http://a.example",
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "content-type",
        "Access-Control-Max-Age": "600",
    }


@pytest.mark.parametrize(
    "changed",
    [{"Origin": "http://b.example"}, {"Origin": ""}, {"Access-Control-Request-Method": "PUT"}],
)
def test_any_other_preflight_is_allowed_nothing(changed: dict[str, str]) -> None:
    policy = CorsPolicy(frozenset({"http://a.example"}))
    asked = {"Origin": "http://a.example", "Access-Control-Request-Method": "POST"} | changed

    assert set(policy.preflight_headers(asked)) == {"Vary"}


def test_answers_name_the_origin_that_may_read_them() -> None:
    origin = {"Origin": "http://a.example"}

    assert CorsPolicy(frozenset()).headers("POST", origin) == {}
    assert CorsPolicy(frozenset({"http://b.example"})).headers("POST", origin) == {"Vary": "Origin"}
    assert CorsPolicy(frozenset({"*"})).headers("POST", origin) == {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": "*",
    }
