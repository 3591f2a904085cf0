"""What the API server may answer instead of what was asked for.

Each is one of three sorts: what another read would see differently (`NotFoundError`,
`AlreadyExistsError`, `ConflictError`), what waits for a person (`ForbiddenError`, `InvalidError`),
and what may pass by itself (`TransientError`). Facts: Kubernetes API conventions, "Response Status
Kind". Messages are the server's; no request body is ever shown, since it may be a Secret.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason within an answer: its sort, the field that it speaks of, a sentence."""

    reason: str
    field: str
    message: str


class KubeError(Exception):
    """The API server did not do what it was asked for."""


class KubeConfigError(KubeError):
    """There is no way to a cluster: no usable kubeconfig, and not within a pod."""


class UnknownKindError(KubeError):
    """An object names a kind that this program does not handle."""


class AnswerError(KubeError):
    """The server refused. `status` is the HTTP code, `reason` one word of the API conventions."""

    def __init__(
        self,
        what: str,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        causes: tuple[Cause, ...] = (),
    ) -> None:
        """Take what was tried ("apply Service status/eth-relayer-0") and the server's answer."""
        super().__init__(f"{what}: {message}")
        self.what = what
        self.message = message
        self.status = status
        self.reason = reason
        self.causes = causes


class NotFoundError(AnswerError):
    """There is no such object, or no such kind in this cluster."""


class AlreadyExistsError(AnswerError):
    """An object of that name is there already."""


class ConflictError(AnswerError):
    """The object is not as the caller supposed: changed since it was read, or another's."""


class FieldConflictError(ConflictError):
    """Server-side apply met fields that somebody else set; `fields` are (path, manager)."""

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The fields in dispute, each with the name of the manager that holds it."""
        return tuple((cause.field, _manager(cause.message)) for cause in self.causes)


class ForbiddenError(AnswerError):
    """We may not: no right, a quota, an admission policy, a namespace that is going away."""

    @property
    def namespace_ends(self) -> bool:
        """True where nothing can be made any more, since the namespace is being deleted."""
        return any(cause.reason == "NamespaceTerminating" for cause in self.causes)


class InvalidError(AnswerError):
    """The object is wrong and stays wrong until it is changed; `causes` name the fields."""


class TransientError(AnswerError):
    """No answer, or "not now". `retry_after` is in seconds, 0 where the server names no time."""

    def __init__(
        self,
        what: str,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(what, message, status=status, reason=reason)
        self.retry_after = retry_after


class AdmissionError(TransientError):
    """A webhook that has to judge the object does not answer; others are judged by others."""


class NotLeaderError(KubeError):
    """This process leads no more; the write was not sent."""


def _manager(message: str) -> str:
    """Return the manager's name out of `conflict with "kubectl-edit" using apps/v1`."""
    _, _, rest = message.partition('"')
    name, quote, _ = rest.partition('"')
    return name if quote else ""
