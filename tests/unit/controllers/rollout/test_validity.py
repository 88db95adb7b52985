"""Fields that nothing reads are named, so that a misspelt one does not just have no effect."""

from tests.unit.controllers.rollout.world import World, basic


def told(world: World) -> list[str]:
    return [event.message for event in world.events if event.reason == "UnknownField"]


def test_an_unknown_field_is_named_with_what_was_probably_meant_and_nothing_stops() -> None:
    world = basic([{"setWeight": 50}], maxSurges=1, colour="blue")
    world.settle()
    assert world.phase == "Healthy"
    assert told(world) == [
        "spec.strategy.canary.maxSurges: unknown field: nothing reads it; did you mean maxSurge?",
        "spec.strategy.canary.colour: unknown field: nothing reads it; remove it or correct its name",
    ]


def test_an_unknown_field_is_named_once_for_each_change_of_the_spec() -> None:
    world = basic(maxSurges=1)
    world.settle()
    assert len(told(world)) == 1
    world.deploy("web:v2")
    world.settle()
    assert len(told(world)) == 2


def test_a_misspelt_field_is_named_where_its_absence_makes_the_spec_invalid() -> None:
    world = basic([{"setWieght": 50}])
    world.settle()
    assert world.phase == "Degraded"
    assert told(world) == [
        "spec.strategy.canary.steps[0].setWieght: unknown field: nothing reads it; did you mean setWeight?"
    ]
