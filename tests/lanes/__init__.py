"""Lanes: groups of tests that need a part of the world, with one table at the end of every run.

A test belongs to a lane by its folder, or by ``@pytest.mark.lane("prometheus")`` (further names are further
needs). Where a lane's part is missing its tests skip with the way to get it; with ``CI=true`` that is a
failure.
"""
