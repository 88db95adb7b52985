"""Pod templates as they are meant: what no ReplicaSet can have is left out instead of stopping everything.

A Rollout's schema lets more through than a ReplicaSet's: Argo Rollouts drops what its types cannot hold, and
such a Rollout still gets Healthy. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rollouts.api.scalars import ScalarError, canonical_quantity
from rollouts.kube.objects import ReadOnly

NEVER_IN_A_TEMPLATE = "ephemeralContainers"
"""They are added to pods that run; no template may have them."""


def usable(template: ReadOnly) -> ReadOnly:
    """Return the template without ephemeral containers and without quantities that are none.

    The very same object comes back when there is nothing to leave out.
    """
    spec = template.get("spec")
    if not isinstance(spec, Mapping):
        return template
    kept = {name: value for name, value in spec.items() if name != NEVER_IN_A_TEMPLATE}
    for field in ("containers", "initContainers"):
        if isinstance(kept.get(field), Sequence):
            kept[field] = [_usable_container(container) for container in kept[field]]
    return template if kept == spec else {**template, "spec": kept}


def _usable_container(container: Any) -> Any:
    resources = container.get("resources") if isinstance(container, Mapping) else None
    if not isinstance(resources, Mapping):
        return container
    kept = {name: _usable_amounts(amounts) for name, amounts in resources.items()}
    return {**container, "resources": kept}


def _usable_amounts(amounts: Any) -> Any:
    if not isinstance(amounts, Mapping):
        return amounts
    return {name: amount for name, amount in amounts.items() if _is_quantity(amount)}


def _is_quantity(amount: Any) -> bool:
    if not isinstance(amount, str | int | float) or isinstance(amount, bool):
        return False
    try:
        canonical_quantity(amount)
    except ScalarError:
        return False
    return True
