"""Specs that cannot be acted on, and fields that are not acted on yet."""

from __future__ import annotations

from rollouts.api import conditions as c
from rollouts.controllers.rollout.decide import bake
from rollouts.controllers.rollout.decide.draft import Draft
from rollouts.controllers.rollout.decide.references import reference_problem

LOOK_AGAIN_SECONDS = 20


def refuse_invalid_spec(d: Draft) -> bool:
    """Report an invalid spec and touch nothing else; what is missing may appear, so look again."""
    d.invalid = d.s.invalid or reference_problem(d.s) or bake.problem(d.s)
    if not d.invalid:
        d.set("conditions", c.remove_condition(d.status.get("conditions"), c.INVALID_SPEC))
        return False
    report_invalid_spec(d)
    d.look_again_in(LOOK_AGAIN_SECONDS)
    return True


def report_invalid_spec(d: Draft) -> None:
    """Write ``d.invalid`` as a condition; tell of it once, until something else is wrong."""
    message = d.invalid
    before = c.get_condition(d.status.get("conditions"), c.INVALID_SPEC)
    changed = before is None or before.get("message") != message
    if changed:
        new = c.new_condition(c.INVALID_SPEC, "True", "InvalidSpec", message, d.now_text)
        d.set("conditions", c.set_condition(d.status.get("conditions"), new, refresh=True))
        d.tell("InvalidSpec", message, "Warning")
        # What is missing may be there under a misspelt name.
        _name_unknown_fields(d)
    d.wait(f"a person: {message}")


def warn_of_inactive_fields(d: Draft) -> bool:
    """Name fields that are set and that nothing acts on, once per generation of the spec.

    Where the CRD prunes nothing a misspelt field would otherwise just have no effect.
    """
    s = d.s
    if s.status.observed_generation == str(s.manifest["metadata"].get("generation", 0)):
        return False
    for path in s.inactive_fields:
        text = f"{path} is set but not acted on by this version of the controller"
        d.tell("FieldNotSupported", text, "Warning")
    _name_unknown_fields(d)
    return False


def _name_unknown_fields(d: Draft) -> None:
    for path, meant in d.s.unknown_fields.items():
        remedy = f"did you mean {meant}?" if meant else "remove it or correct its name"
        d.tell("UnknownField", f"{path}: unknown field: nothing reads it; {remedy}", "Warning")
