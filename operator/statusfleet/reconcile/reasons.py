"""The words that conditions give as their reason: the whole vocabulary, for every world.

A reason is for programs and never changes its meaning; the message beside it is for people.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a condition is as it is."""

    NOT_APPLICABLE = "NotApplicable"  # this world, or this spec, has no such thing

    ALL_READY = "AllReady"  # every member is ready as the spec says, published if there is a tree
    MEMBERS_NOT_READY = "MembersNotReady"  # the message names them
    NOT_PUBLISHED = "NotPublished"  # all are ready, and the tree does not hold all of them
    INVALID_EDIT = "InvalidEdit"  # the last edit is refused; the fleet runs by the one before
    INVALID_SPEC = "InvalidSpec"  # nothing is changed until the spec is; the message names fields
    NOT_APPLIED = "NotApplied"  # an object is not as it should be; the message says what holds it
    BLOCKED = "Blocked"  # nothing can be done before somebody mends what the message names

    ADDRESSES_KNOWN = "AddressesKnown"
    ADDRESS_MISSING = "AddressMissing"  # the message names members and remedies

    REACHED = "Reached"  # every ready member answered at its address, with its key
    NOT_REACHED = "NotReached"  # the message names members, and from where they were dialed
    NOT_DIALED_YET = "NotDialedYet"

    PUBLISHED = "Published"  # every sink holds the tree that was signed last
    WAITING_FOR_MEMBERS = "WaitingForMembers"  # none was ready, with an address that was reached
    PUBLISHING = "Publishing"  # some server does not show all of it yet; the message names it
    SINK_FAILED = "SinkFailed"
    SIGNING_REFUSED = "SigningRefused"  # no tree can be made; the message says why

    RESOLVED = "Resolved"  # the tree was read back through DNS, whole and verified
    NOT_RESOLVED_YET = "NotResolvedYet"
    WALK_FAILED = "WalkFailed"  # what DNS gives is not what was published

    PASSED = "Passed"
    FAILED = "Failed"  # the message names legs and members
    NO_VERDICT_YET = "NoVerdictYet"
    DISABLED = "Disabled"

    STARTING = "Starting"  # members are being started or restarted
    LEAVING = "Leaving"  # members wait until readers have forgotten them, then stop
    ROLLING_OUT = "RollingOut"  # members are started anew, as spec.rollout says
    ROLLOUT_STOPPED = "RolloutStopped"  # a member that was started anew does not work
    RETRYING = "Retrying"  # the last attempt failed; the message says why and when the next is
    DELETING = "Deleting"  # the fleet is being taken away; the message says what it waits for
    STEADY = "Steady"

    UP_TO_DATE = "UpToDate"
    NEWER_OPERATOR = "NewerOperator"  # it would run members otherwise, and waits to be told

    PAUSED_BY_SPEC = "PausedBySpec"
    ACTIVE = "Active"
