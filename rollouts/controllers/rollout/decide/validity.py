"""Specs that cannot be acted on, and fields that are not acted on yet."""

from __future__ import annotations

from rollouts.api import conditions as c
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.decide.references import reference_problem

LOOK_AGAIN_SECONDS = 20


def refuse_invalid_spec(d: Draft) -> bool:
    """Report an invalid spec and touch nothing else; what is missing may appear, so look again."""
    d.invalid = d.s.invalid or reference_problem(d.s)
    if not d.invalid:
        d.set("conditions", c.remove_condition(d.status.get("conditions"), c.INVALID_SPEC))
        return False
    message = d.invalid
    before = c.get_condition(d.status.get("conditions"), c.INVALID_SPEC)
    changed = before is None or before.get("message") != message
    if changed:
        new = c.new_condition(c.INVALID_SPEC, "True", "InvalidSpec", message, d.now_text)
        d.set("conditions", c.set_condition(d.status.get("conditions"), new, refresh=True))
        d.tell("InvalidSpec", message, "Warning")
    d.wait(f"a person: {message}")
    d.look_again_in(LOOK_AGAIN_SECONDS)
    return True


def warn_of_inactive_fields(d: Draft) -> bool:
    """Name fields that are set and not acted on yet, once per generation of the spec."""
    s = d.s
    if s.inactive_fields and s.status.observed_generation != str(s.manifest["metadata"].get("generation", 0)):
        for path in s.inactive_fields:
            text = f"{path} is set but not acted on by this version of the controller"
            d.tell("FieldNotSupported", text, "Warning")
    return False
