"""How much an automated sync may delete: all at once never, a large share only with a person's word."""

from __future__ import annotations

import re

PRUNE_LIMIT = "rollouts.dev/prune-limit"
"""Annotation of an Application: a count (``20``), a share (``80%``) or ``none`` for no limit."""
FREE_COUNT = 10
SHARE = 0.5
"""Without an annotation: more than ten objects that are also more than half of all need a person."""

_LIMIT = re.compile(r"(\d+)(%?)")


def refusal(*, wanted: int, tracked: int, to_prune: int, limit: str, allow_empty: bool, revision: str) -> str:
    """Return why so many objects are not pruned automatically; "" when they may be.

    ``wanted`` objects are in Git, ``tracked`` ones in the cluster, ``to_prune`` of those not in Git.
    """
    if not to_prune:
        return ""
    if not wanted and not allow_empty:
        return (
            f"Skipping sync attempt to [{revision}]: auto-sync will wipe out all resources ({to_prune} "
            f"of {tracked}); set spec.syncPolicy.automated.allowEmpty, or sync by hand with prune"
        )
    most = allowed(tracked, limit)
    if most is None or to_prune <= most:
        return ""
    return (
        f"Pruning is held at [{revision}]: {to_prune} of {tracked} objects are gone from Git, the limit is "
        f"{most}; sync by hand with prune if that is meant, or set the annotation {PRUNE_LIMIT} (a count, a "
        "share such as 80%, or none)"
    )


def allowed(tracked: int, limit: str) -> int | None:
    """Return how many objects may be pruned at once, None for any number; nonsense is the default."""
    if limit.strip().lower() == "none":
        return None
    match = _LIMIT.fullmatch(limit.strip())
    if match is None:
        return max(FREE_COUNT, int(tracked * SHARE))
    number = int(match.group(1))
    return tracked * number // 100 if match.group(2) else number
