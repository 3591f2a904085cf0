"""Images on the nodes: imported from archives, or built from a Dockerfile without a daemon.

No registry is asked. The base image of Dockerfiles is made here from Debian packages and looks like
the official one where a Dockerfile can tell: `python` and `pip` in /usr/local, no compiler.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from localcluster.layout import BASE_IMAGE, CACHE, CACHE_LOCK, DEBIAN_SUITE, RUN, STATE, node_socket
from localcluster.network import node_numbers
from localcluster.shell import ClusterError, exclusive, run, succeeds

# A store of our own: what this machine builds otherwise is neither seen nor filled.
_BUILDAH = ("buildah", "--root", str(CACHE / "images"), "--runroot", str(RUN / "images"))
_BASE_PACKAGES = ("python3", "python3-pip-whl", "ca-certificates", "netbase", "tzdata")
_BASE_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_MAX_STEPS = 100  # of builds, kept to build on: about 2 GB
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def load(tar: Path) -> None:
    """Import an image archive on every node that has power."""
    for number in node_numbers():
        if node_socket(number).exists():
            import_on(number, tar)


def import_on(number: int, tar: Path) -> None:
    """Import an image archive on one node."""
    run("ctr", "-a", node_socket(number), "-n", "k8s.io", "images", "import", tar)


def image(directory: Path, tag: str) -> None:
    """Build `directory`'s Dockerfile as `tag` and import it on every node, if there are any.

    A mirror of PyPI or a proxy with its own certificate works here as it does for pip on this
    machine: its settings are lent to the build and do not get into the image.
    """
    _refuse_other_machines()
    with exclusive(CACHE_LOCK):
        _image(directory, _full_name(tag))


def _image(directory: Path, name: str) -> None:
    _make_base()
    _forget_old_builds()
    run(*_BUILDAH, "bud", "--isolation=chroot", "--network=host", "--pull=never", "--layers",
        "--format=oci", *_lent(), "-t", name, directory)  # fmt: skip
    print(name)
    if not node_numbers():
        return
    identity = run(*_BUILDAH, "images", "--quiet", "--no-trunc", name).strip()
    note = STATE / "images" / hashlib.sha256(name.encode()).hexdigest()
    if note.exists() and note.read_text() == identity:
        return
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        tar = Path(scratch, "image.tar")
        to = f"oci-archive:{tar}:{name}"
        run(*_BUILDAH, "push", "--quiet", "--disable-compression", name, to)
        load(tar)
    note.parent.mkdir(exist_ok=True)
    note.write_text(identity)


def make_base() -> None:
    """Make the base image, once."""
    with exclusive(CACHE_LOCK):
        _make_base()


def _make_base() -> None:
    if succeeds(*_BUILDAH, "inspect", "--type", "image", BASE_IMAGE):
        return
    print(f"cluster: making {BASE_IMAGE} from Debian packages", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        root = Path(scratch, "base")
        run("debootstrap", "--variant=minbase", f"--include={','.join(_BASE_PACKAGES)}",
            DEBIAN_SUITE, root)  # fmt: skip
        _look_official(root)
        container = run(*_BUILDAH, "from", "scratch").strip()
        run(*_BUILDAH, "copy", "--quiet", container, root, "/")
        run(*_BUILDAH, "config", "--env", f"PATH={_BASE_PATH}", "--env", "LANG=C.UTF-8",
            "--cmd", "python3", container)  # fmt: skip
        run(*_BUILDAH, "commit", "--quiet", "--rm", container, BASE_IMAGE)


def _look_official(root: Path) -> None:
    """Put Python and pip where the official image has them."""
    for name in ("python", "python3"):
        (root / "usr/local/bin" / name).symlink_to("/usr/bin/python3")
    (version,) = (path.name for path in (root / "usr/lib").glob("python3.*"))
    local = root / "usr/local/lib" / version
    (local / "dist-packages").mkdir(exist_ok=True, parents=True)
    (local / "site-packages").symlink_to("dist-packages")
    wheels = root / "usr/share/python-wheels"
    (wheel,) = wheels.glob("pip-*.whl")
    with zipfile.ZipFile(wheel) as pip:
        pip.extractall(local / "dist-packages")
    shutil.rmtree(wheels)
    (root / "usr/lib" / version / "EXTERNALLY-MANAGED").unlink(missing_ok=True)
    for cache in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"):
        shutil.rmtree(root / cache, ignore_errors=True)


def _lent() -> list[str]:
    """Return what lets the build reach packages as this machine does."""
    lent = [f"--volume={_CERTIFICATES}:{_CERTIFICATES}:ro"] if _CERTIFICATES.exists() else []
    candidates = (os.environ.get("PIP_CONFIG_FILE"), "~/.config/pip/pip.conf", "/etc/pip.conf")
    settings = [Path(path).expanduser() for path in candidates if path]
    found = next((path for path in settings if path.is_file()), None)
    if found:
        lent.append(f"--volume={found}:/etc/pip.conf:ro")
    if index := os.environ.get("PIP_INDEX_URL"):
        lent.append(f"--build-arg=PIP_INDEX_URL={index}")
    return lent


def _forget_old_builds() -> None:
    # What a build that was killed has left would hold on to its steps.
    run(*_BUILDAH, "rm", "--all")
    if len(run(*_BUILDAH, "images", "--all", "--quiet").split()) > _MAX_STEPS:
        run(*_BUILDAH, "rmi", "--prune")


def _full_name(tag: str) -> str:
    """Write an image's name out, as a kubelet reads it."""
    repository, _, label = tag.rpartition(":") if ":" in tag.rpartition("/")[2] else (tag, "", "")
    first = repository.partition("/")[0]
    if "/" not in repository:
        repository = f"docker.io/library/{repository}"
    elif "." not in first and ":" not in first and first != "localhost":
        repository = f"docker.io/{repository}"
    return f"{repository}:{label or 'latest'}"


def _refuse_other_machines() -> None:
    if not shutil.which("buildah") or not shutil.which("debootstrap"):
        raise ClusterError("needs buildah and debootstrap: run `cluster build` first")
