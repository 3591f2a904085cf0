"""Names of load balancers are looked up when they are new, and followed from then on."""

from __future__ import annotations

from statusfleet.worlds.kubernetes.hostnames import HostNames


class Dns:
    def __init__(self) -> None:
        self.answers: dict[str, tuple[str, ...]] = {"lb": ("8.8.4.4", "1.1.1.1")}
        self.asked: list[str] = []
        self.time = 0.0
        self.names = HostNames(lambda: self.time, self.look_up)

    async def look_up(self, name: str) -> tuple[str, ...]:
        self.asked.append(name)
        if name not in self.answers:
            raise OSError("no such name")
        return self.answers[name]


async def test_a_name_is_asked_for_once_in_a_while() -> None:
    dns = Dns()
    await dns.names.follow(["lb"])
    await dns.names.follow(["lb"])
    assert (dns.names.found, dns.asked) == ({"lb": ("1.1.1.1", "8.8.4.4")}, ["lb"])
    dns.time += 31
    await dns.names.follow(["lb"])
    assert dns.asked == ["lb", "lb"]


async def test_a_new_address_is_noticed_and_an_old_one_outlives_a_resolvers_trouble() -> None:
    dns = Dns()
    await dns.names.follow(["lb"])
    assert not await dns.names.has_changed()
    dns.answers["lb"] = ("9.9.9.9",)
    assert await dns.names.has_changed()
    assert dns.names.found == {"lb": ("9.9.9.9",)}
    del dns.answers["lb"]
    assert not await dns.names.has_changed()
    assert dns.names.found == {"lb": ("9.9.9.9",)}


async def test_a_name_that_nobody_needs_is_forgotten() -> None:
    dns = Dns()
    await dns.names.follow(["lb", "unknown"])
    await dns.names.follow([])
    assert dns.names.found == {}
    assert not await dns.names.has_changed()
    assert dns.asked == ["lb", "unknown"]


async def test_what_is_no_name_has_no_address() -> None:
    names = HostNames(lambda: 0.0)
    await names.follow(["x" * 64 + ".example.org"])
    assert names.found == {}
