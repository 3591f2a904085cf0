"""An operator that is killed at each step of a publication, before a real DNS server."""

from __future__ import annotations

from pathlib import Path

import pytest

from statusnode.discovery.dns import ReadTree, TreeReader
from statusnode.discovery.resolver import DnsResolver
from support.dns_servers import DnsServer, bind
from support.killed_publisher import Errand
from support.ports import HOST
from support.records import vector_node, vector_tree

NODES = 16
HOURS = 3600.0
MOST_STEPS = 40


async def walk(server: DnsServer) -> ReadTree:
    reading = await TreeReader(DnsResolver((HOST, server.port), 20)).read(vector_tree(0).url)
    assert reading.problems == ()
    return reading


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_publisher_killed_at_any_step_leaves_a_whole_tree_and_the_next_one_ends_its_work(
    tmp_path: Path,
) -> None:
    memory = tmp_path / "memory"
    (tmp_path / "dns").mkdir()
    with bind(tmp_path / "dns") as server:
        errand = Errand(str(memory), 0, NODES, 1_700_000_000.0, server=server.address)
        assert await errand.run()
        seq = (await walk(server)).root.seq
        for step in range(1, MOST_STEPS):
            # Hours later, so that there is something to remove too.
            now = errand.now + 3 * HOURS
            errand = Errand(str(memory), step, NODES, now, server=server.address)
            lived = await errand.run(kill_at=step)
            between = (await walk(server)).root.seq
            assert between >= seq
            assert await errand.run()
            after = await walk(server)
            assert after.root.seq >= between
            assert after.root.seq > seq
            wanted = [vector_node(number) for number in range(step, step + NODES)]
            assert {str(node) for node in after.nodes} == {str(node) for node in wanted}
            seq = after.root.seq
            if lived:
                break
        else:
            pytest.fail(f"a publication has more than {MOST_STEPS} steps")
    assert step > 8
