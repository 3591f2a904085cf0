"""`-version` beside a real statusd 0.68.4: the same configuration, byte for byte.

But for the upstream server that it names by default: nobody's server, and nobody's key to it, is a
default here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from statusnode.cli.main import run

STATUSD = os.environ.get("STATUSD", "")
# statusd must not see a network, not even for `-version`.
ISOLATED = ("unshare", "-rn", STATUSD)

UPSTREAM = re.compile(r'"URL": "http[^"]+"')

pytestmark = [
    pytest.mark.skipif(not STATUSD, reason="needs STATUSD: the path of a statusd 0.68.4"),
    pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare: of util-linux"),
]

FILES = {
    "case": '{"wakuconfig":{"fullNODE":true,"minimumpow":1e-7},"NETWORKID":7,"networkid":9} tail',
    "text": '{"WakuConfig":{"SoftBlacklistedPeerIDs":["a<b>&","\\u2028\\\\b\\b\\f\\u0001"]}}',
    "null": '{"HTTPVirtualHosts":null,"RequireTopics":{"z":{"min":1},"a":null},"MaxPeers":null}',
    "arrays": '{"RegisterTopics":[null,"c"],"RequireTopics":{"z":{"Max":9}},"HTTPCors":[]}',
    "floats": '{"WakuConfig":{"MinimumPoW":1e21},"WhisperConfig":{"MinimumPoW":0.00012345}}',
    "whisper": '{"WhisperConfig":{"Enabled":true,"DataDir":"/x"}}',
    "nothing": "null",
    "number": '{"MaxPeers":1.0}',
    "array": "[]",
    "empty": "",
    "half": '{"a":',
    "range": '{"WakuConfig":{"MaxMessageSize":-1}}',
    "level": '{"LogLevel":"info"}',
    "key": '{"NodeKey":"zz"}',
    "folder": '{"WakuConfig":{"EnableMailServer":true,"DataDir":"/elsewhere"}}',
    "meeting": '{"Rendezvous":true}',
    "extras": '{"Unknown":{"x":1},"WakuConfig":{"Nope":1},"MaxPeers":3}',
    "push": '{"PushNotificationServerConfig":{"Enabled":true,"GorushURL":"x"}}',
}


@pytest.mark.parametrize(
    ("flags", "files"),
    [
        ("-fleet= -dir /d", ""),
        ("-dir ./rel/../x -fleet eth.staging", ""),
        ("-dir /d -fleet eth.test -log debug", ""),
        ("-dir /d -fleet eth.prod -mailserver -register", ""),
        ("-dir /d -fleet= -mailserver", ""),
        ("-dir /d -fleet= -register -ipc -network-id 0x10", ""),
        ("-dir /d -fleet= -network-id=-5", ""),
        ("-dir /d -fleet= -network-id=010 -ipcfile a.ipc -addr 1.2.3.4:5", ""),
        ("-dir /d -fleet= -network-id 0", ""),
        ("-dir /d -fleet nope", ""),
        ("-dir= -fleet=", ""),
        ("-dir /d -fleet= -foo", ""),
        ("-dir /d -fleet= extra", ""),
        ("-dir /d", "null"),
        ("-dir /d", "null arrays case whisper"),
        *(("-dir /d -fleet=", name) for name in FILES),
    ],
)
def test_both_print_the_same_configuration(
    flags: str, files: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["-version", *flags.split()]
    for name in files.split():
        path = tmp_path / f"{name}.json"
        path.write_text(FILES[name])
        arguments[1:1] = ["-c", str(path)]
    theirs = subprocess.run([*ISOLATED, *arguments], capture_output=True, text=True, check=False)
    code = run(arguments)
    ours = capsys.readouterr().out
    assert code == theirs.returncode
    expected = UPSTREAM.sub('"URL": ""', theirs.stdout.partition("Loaded Config:")[2])
    assert ours.partition("Loaded Config:")[2] == expected
    if code == 0:
        json.loads(ours.partition("Loaded Config:")[2])
