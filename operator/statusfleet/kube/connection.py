"""The way to a cluster: a pod's own service account, or a kubeconfig as kubectl reads it.

Never changes a kubeconfig. Source of the order: kubectl, which takes `--kubeconfig`, then the
variable KUBECONFIG, then the pod it runs in, then ~/.kube/config.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import incluster_config, kube_config
from kubernetes.aio.config.config_exception import ConfigException

from statusfleet.kube.errors import KubeConfigError

# Neither is annotated.
_load_pod: Any = incluster_config.load_incluster_config
_load_kubeconfig: Any = kube_config.load_kube_config

# What the loader stumbles with over a document of another shape.
_OF_ANOTHER_SHAPE: Final = (AttributeError, KeyError, TypeError, ValueError)
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster, who we are there, and the namespace that is meant where none is named."""

    configuration: Configuration
    namespace: str
    context: str
    """Name of the kubeconfig's context; "" within a pod."""


async def load_connection(kubeconfig: str = "", context: str = "") -> Connection:
    """Find the cluster; `kubeconfig` is a path, or several as KUBECONFIG writes them.

    Raises:
        KubeConfigError: there is none, or it cannot be read.
    """
    paths = kubeconfig or os.environ.get("KUBECONFIG", "")
    if not paths and not context and in_pod():
        return _of_pod()
    return await _of_kubeconfig(paths or _usual_kubeconfig(), context)


def in_pod() -> bool:
    """Tell whether this process runs in a pod with a service account."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (_ACCOUNT / "token").is_file()


def _usual_kubeconfig() -> str:
    return str(Path("~/.kube/config").expanduser())


def _of_pod() -> Connection:
    configuration = Configuration()
    try:
        # Reads the token again each minute, since it is replaced before it ends.
        _load_pod(configuration)
        namespace = (_ACCOUNT / "namespace").read_text().strip()
    except (ConfigException, OSError) as error:
        raise KubeConfigError(f"the pod's service account cannot be used: {error}") from error
    return Connection(configuration, namespace or "default", "")


def _present(paths: str) -> list[str]:
    """Leave out files that are not there, as kubectl does while there is another."""
    return [path for path in paths.split(os.pathsep) if path and Path(path).expanduser().exists()]


async def _of_kubeconfig(paths: str, context: str) -> Connection:
    there = _present(paths)
    if not there:
        raise KubeConfigError(f"the kubeconfig {paths} cannot be used: there is no such file")
    configuration = Configuration()
    try:
        loader = await _load_kubeconfig(
            config_file=os.pathsep.join(there),
            context=context or None,
            client_configuration=configuration,
            persist_config=False,
        )
        current = loader.current_context
    except (ConfigException, OSError, yaml.YAMLError, *_OF_ANOTHER_SHAPE) as error:
        raise KubeConfigError(f"the kubeconfig {paths} cannot be used: {error}") from error
    namespace = current["context"].get("namespace") or "default"
    return Connection(configuration, str(namespace), str(current["name"]))
