"""The thin client of the Kubernetes API."""

from statusfleet.kube.client import FIELD_MANAGER, KubeClient
from statusfleet.kube.connection import Connection, in_pod, load_connection
from statusfleet.kube.errors import (
    AlreadyExistsError,
    AnswerError,
    Cause,
    ConflictError,
    FieldConflictError,
    ForbiddenError,
    InvalidError,
    KubeConfigError,
    KubeError,
    NotFoundError,
    NotLeaderError,
    TransientError,
    UnknownKindError,
)
from statusfleet.kube.kinds import Body, JsonDict, Kind, kind_of
from statusfleet.kube.lease import LEASE_NAME, Leadership, LeadershipLostError, LeaseTimes

__all__ = [
    "FIELD_MANAGER",
    "LEASE_NAME",
    "AlreadyExistsError",
    "AnswerError",
    "Body",
    "Cause",
    "ConflictError",
    "Connection",
    "FieldConflictError",
    "ForbiddenError",
    "InvalidError",
    "JsonDict",
    "Kind",
    "KubeClient",
    "KubeConfigError",
    "KubeError",
    "Leadership",
    "LeadershipLostError",
    "LeaseTimes",
    "NotFoundError",
    "NotLeaderError",
    "TransientError",
    "UnknownKindError",
    "in_pod",
    "kind_of",
    "load_connection",
]
