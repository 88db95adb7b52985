"""The rows of the study: worlds, and what was measured when the design was frozen. Percent and minutes."""

from dataclasses import dataclass

from tests.studies.worlds import World

Interval = tuple[float, float, float]
"""A rate and its Wilson 95 % interval, in percent, of 10 000 releases."""


@dataclass(frozen=True)
class NullRow:
    """False aborts of a release without any regression; the last two are rules that people use today.

    ``fixed``: over 1 % in windows of a minute, the fourth aborts. ``twice``: the same over twice the
    baseline.
    ``tuned`` rows were used while the judge was designed, all others were held out.
    """

    world: World
    fast: Interval
    careful: Interval
    blind: Interval
    fixed: float
    twice: float
    tuned: bool = False


@dataclass(frozen=True)
class PowerRow:
    """Share found in percent, median minutes from the onset, canary errors (median and 90th percentile)."""

    world: World
    found: float
    minutes: float
    errors: tuple[float, float]
    blind_found: float
    blind_minutes: float | None = None


def steps(
    *pods: int, weights: tuple[float, ...] = (0.05, 0.2, 0.5), ticks: tuple[int, ...] = (20, 20, 40)
) -> tuple[tuple[float, int, int], ...]:
    return tuple(zip(weights, pods, ticks, strict=True))


FEW = World(stable=4, base=0.005, steps=steps(2, 2, 4))
"""A small service."""

NULL = {
    "iid": NullRow(
        World(), (0.58, 0.45, 0.75), (0.26, 0.18, 0.38), (0.06, 0.03, 0.13), 0.0, 37.2, tuned=True
    ),
    "iid, base 1 %": NullRow(
        World(base=0.01), (0.17, 0.11, 0.27), (0.13, 0.08, 0.22), (0.06, 0.03, 0.13), 99.7, 0.1
    ),
    "iid, 60 stable pods, canary 3/12/30": NullRow(
        World(stable=60, steps=steps(3, 12, 30)),
        (0.59, 0.46, 0.76),
        (0.28, 0.19, 0.4),
        (0.11, 0.06, 0.2),
        0.0,
        37.5,
    ),
    "weights 1-10-50 %": NullRow(
        World(steps=steps(2, 2, 10, weights=(0.01, 0.1, 0.5))),
        (0.5, 0.38, 0.66),
        (0.18, 0.11, 0.28),
        (0.1, 0.05, 0.18),
        0.1,
        29.3,
    ),
    "shared wave .8 % +-90 %/600 s": NullRow(
        World(base=0.008, wave=(0.9, 600)),
        (0.26, 0.18, 0.38),
        (0.15, 0.09, 0.25),
        (0.06, 0.03, 0.13),
        99.9,
        3.5,
        tuned=True,
    ),
    "shared wave .4 % +-70 %/240 s": NullRow(
        World(base=0.004, wave=(0.7, 240)),
        (0.27, 0.19, 0.39),
        (0.15, 0.09, 0.25),
        (0.05, 0.02, 0.12),
        0.1,
        12.3,
    ),
    "incident x10 120 s, skew .3": NullRow(
        World(incident=(10, 120), skew=0.3),
        (0.66, 0.52, 0.84),
        (0.36, 0.26, 0.5),
        (0.1, 0.05, 0.18),
        0.7,
        30.6,
        tuned=True,
    ),
    "incident x20 60 s, skew .5": NullRow(
        World(incident=(20, 60), skew=0.5),
        (0.63, 0.49, 0.81),
        (0.27, 0.19, 0.39),
        (0.1, 0.05, 0.18),
        0.1,
        36.4,
    ),
    "pod AR s1 r.9": NullRow(
        World(pod_ar=(1, 0.9)),
        (0.41, 0.3, 0.56),
        (0.27, 0.19, 0.39),
        (0.55, 0.42, 0.72),
        0.0,
        51.8,
        tuned=True,
    ),
    "pod AR s.7 r.95": NullRow(
        World(pod_ar=(0.7, 0.95)), (0.34, 0.24, 0.47), (0.17, 0.11, 0.27), (0.23, 0.15, 0.34), 0.0, 44.3
    ),
    "pod AR s1.4 r.8": NullRow(
        World(pod_ar=(1.4, 0.8)), (0.5, 0.38, 0.66), (0.37, 0.27, 0.51), (0.87, 0.71, 1.07), 0.1, 60.8
    ),
    "pod AR s.5 r.97": NullRow(
        World(pod_ar=(0.5, 0.97)), (0.43, 0.32, 0.58), (0.25, 0.17, 0.37), (0.24, 0.16, 0.36), 0.0, 41.2
    ),
    "flap 1/h 60 s 5 %": NullRow(
        World(flap=(1, 60, 0.05)),
        (0.45, 0.34, 0.6),
        (0.32, 0.23, 0.45),
        (0.65, 0.51, 0.83),
        2.9,
        47.8,
        tuned=True,
    ),
    "flap .3/h 120 s 10 %": NullRow(
        World(flap=(0.3, 120, 0.1)), (0.43, 0.32, 0.58), (0.3, 0.21, 0.43), (0.39, 0.29, 0.53), 10.4, 45.9
    ),
    "flap 3/h 30 s 3 %": NullRow(
        World(flap=(3, 30, 0.03)), (0.35, 0.25, 0.49), (0.17, 0.11, 0.27), (0.4, 0.29, 0.54), 0.2, 42.2
    ),
    "flap .1/h 300 s 20 %": NullRow(
        World(flap=(0.1, 300, 0.2)), (0.6, 0.47, 0.77), (0.28, 0.19, 0.4), (0.28, 0.19, 0.4), 12.9, 40.3
    ),
    "sick 2 % of pods +5 %": NullRow(
        World(sick=(0.02, 0.05)),
        (1.05, 0.87, 1.27),
        (0.54, 0.41, 0.7),
        (0.28, 0.19, 0.4),
        8.2,
        36.0,
        tuned=True,
    ),
    "sick 1 % +20 %": NullRow(
        World(sick=(0.01, 0.2)), (0.75, 0.6, 0.94), (0.35, 0.25, 0.49), (0.17, 0.11, 0.27), 9.3, 37.1
    ),
    "sick 5 % +1 %": NullRow(
        World(sick=(0.05, 0.01)), (1.21, 1.01, 1.44), (0.79, 0.63, 0.98), (0.49, 0.37, 0.65), 0.5, 34.0
    ),
    "one canary pod sick +5 %": NullRow(
        World(sick_canary=0.05), (14.36, 13.69, 15.06), (7.7, 7.19, 8.24), (4.92, 4.51, 5.36), 100.0, 100.0
    ),
    "one canary pod sick +50 %": NullRow(
        World(sick_canary=0.5), (15.92, 15.22, 16.65), (8.38, 7.85, 8.94), (4.83, 4.43, 5.27), 100.0, 100.0
    ),
    "pod spread s.3": NullRow(
        World(spread=0.3), (0.49, 0.37, 0.65), (0.25, 0.17, 0.37), (0.09, 0.05, 0.17), 0.0, 39.3, tuned=True
    ),
    "pod spread s.5": NullRow(
        World(spread=0.5), (0.66, 0.52, 0.84), (0.38, 0.28, 0.52), (0.3, 0.21, 0.43), 0.0, 40.5
    ),
    "client bursts size 5, 50 %": NullRow(
        World(bursts=(5, 0.5)),
        (0.47, 0.35, 0.62),
        (0.27, 0.19, 0.39),
        (0.26, 0.18, 0.38),
        0.0,
        75.6,
        tuned=True,
    ),
    "client bursts size 10, 30 %": NullRow(
        World(bursts=(10, 0.3)), (0.53, 0.41, 0.69), (0.26, 0.18, 0.38), (0.18, 0.11, 0.28), 0.0, 66.9
    ),
    "client bursts size 3, 80 %": NullRow(
        World(bursts=(3, 0.8)), (0.32, 0.23, 0.45), (0.2, 0.13, 0.31), (0.37, 0.27, 0.51), 0.1, 79.3
    ),
    "arm beta-bin rho .002": NullRow(
        World(arm_rho=0.002), (0.14, 0.08, 0.23), (0.1, 0.05, 0.18), (0.63, 0.49, 0.81), 0.0, 75.7, tuned=True
    ),
    "arm beta-bin rho .001": NullRow(
        World(arm_rho=0.001), (0.19, 0.12, 0.3), (0.1, 0.05, 0.18), (0.35, 0.25, 0.49), 0.0, 63.0
    ),
    "arm beta-bin rho .005": NullRow(
        World(arm_rho=0.005), (0.08, 0.04, 0.16), (0.04, 0.02, 0.1), (2.4, 2.12, 2.72), 0.0, 88.5
    ),
    "arm AR s.5 r.9": NullRow(
        World(arm_ar=(0.5, 0.9)),
        (14.02, 13.35, 14.71),
        (11.66, 11.05, 12.3),
        (8.7, 8.16, 9.27),
        0.0,
        64.8,
        tuned=True,
    ),
    "arm AR s.3 r.9": NullRow(
        World(arm_ar=(0.3, 0.9)), (3.55, 3.2, 3.93), (2.42, 2.14, 2.74), (1.43, 1.22, 1.68), 0.0, 53.1
    ),
    "cold x3 30 s": NullRow(
        World(cold=(2, 30)), (3.48, 3.14, 3.86), (1.94, 1.69, 2.23), (0.91, 0.74, 1.12), 0.0, 52.5, tuned=True
    ),
    "cold x2 60 s": NullRow(
        World(cold=(1, 60)), (2.55, 2.26, 2.88), (1.38, 1.17, 1.63), (0.69, 0.55, 0.87), 0.0, 52.1
    ),
    "cold x4 20 s": NullRow(
        World(cold=(3, 20)), (3.59, 3.24, 3.97), (1.91, 1.66, 2.2), (0.84, 0.68, 1.04), 0.0, 52.0
    ),
    "2 rps": NullRow(FEW.but(rps=2), (0.76, 0.61, 0.95), (0.48, 0.36, 0.64), (0.02, 0.01, 0.07), 42.0, 25.9),
    "1 rps": NullRow(FEW.but(rps=1), (0.3, 0.21, 0.43), (0.13, 0.08, 0.22), (0.0, 0.0, 0.04), 8.4, 5.9),
    ".2 rps": NullRow(FEW.but(rps=0.2), (0.0, 0.0, 0.04), (0.0, 0.0, 0.04), (0.0, 0.0, 0.04), 0.1, 0.1),
    "2 rps, AR s1 r.9": NullRow(
        FEW.but(rps=2, pod_ar=(1, 0.9)), (0.84, 0.68, 1.04), (0.45, 0.34, 0.6), (0.11, 0.06, 0.2), 38.8, 25.1
    ),
    "10 rps, flap 1/h": NullRow(
        FEW.but(rps=10, flap=(1, 60, 0.05)),
        (0.92, 0.75, 1.13),
        (0.53, 0.41, 0.69),
        (0.26, 0.18, 0.38),
        42.5,
        76.4,
    ),
    "gap 5 % merge 10 % reset 1 % AR s.5": NullRow(
        World(gap=0.05, merge=0.1, reset=0.01, pod_ar=(0.5, 0.9)),
        (0.47, 0.35, 0.62),
        (0.26, 0.18, 0.38),
        (0.2, 0.13, 0.31),
        0.0,
        44.9,
        tuned=True,
    ),
    "gap 15 % merge 20 % reset 3 % AR s.7": NullRow(
        World(gap=0.15, merge=0.2, reset=0.03, pod_ar=(0.7, 0.9)),
        (0.43, 0.32, 0.58),
        (0.26, 0.18, 0.38),
        (0.29, 0.2, 0.42),
        0.0,
        53.0,
    ),
    "restart, 3 ticks lost": NullRow(
        World(restart=3), (0.63, 0.49, 0.81), (0.29, 0.2, 0.42), (0.08, 0.04, 0.16), 0.0, 40.8, tuned=True
    ),
    "restart, state lost": NullRow(
        World(restart=3, state_lost=True),
        (1.19, 1.0, 1.42),
        (0.68, 0.54, 0.86),
        (0.17, 0.11, 0.27),
        0.0,
        40.6,
    ),
    "4 stable 1 canary": NullRow(
        World(stable=4, steps=steps(1, 1, 4)),
        (0.03, 0.01, 0.09),
        (0.02, 0.01, 0.07),
        (0.0, 0.0, 0.04),
        0.0,
        37.7,
        tuned=True,
    ),
    "4 stable 1 canary, AR s.7 r.9": NullRow(
        World(stable=4, steps=steps(1, 1, 4), pod_ar=(0.7, 0.9)),
        (0.22, 0.15, 0.33),
        (0.13, 0.08, 0.22),
        (0.29, 0.2, 0.42),
        0.1,
        57.1,
    ),
    "4 stable 2 canary, AR s.7 r.9": NullRow(
        World(stable=4, steps=steps(2, 2, 4), pod_ar=(0.7, 0.9)),
        (0.41, 0.3, 0.56),
        (0.18, 0.11, 0.28),
        (0.57, 0.44, 0.74),
        0.0,
        57.9,
    ),
    "1 of 20, iid": NullRow(
        World(steps=steps(1, 4, 10)), (0.09, 0.05, 0.17), (0.07, 0.03, 0.14), (0.03, 0.01, 0.09), 0.0, 37.8
    ),
    "1 of 20, AR s1 r.9": NullRow(
        World(steps=steps(1, 4, 10), pod_ar=(1, 0.9)),
        (0.3, 0.21, 0.43),
        (0.17, 0.11, 0.27),
        (0.32, 0.23, 0.45),
        0.2,
        49.8,
    ),
    "1 of 20, flap 1/h": NullRow(
        World(steps=steps(1, 4, 10), flap=(1, 60, 0.05)),
        (0.13, 0.08, 0.22),
        (0.08, 0.04, 0.16),
        (0.25, 0.17, 0.37),
        1.8,
        45.6,
    ),
    "1 of 20, sick 2 %": NullRow(
        World(steps=steps(1, 4, 10), sick=(0.02, 0.05)),
        (0.45, 0.34, 0.6),
        (0.26, 0.18, 0.38),
        (0.21, 0.14, 0.32),
        8.2,
        36.7,
    ),
    "2000 rps AR s.3 r.9": NullRow(
        World(rps=2000, pod_ar=(0.3, 0.9)),
        (0.0, 0.0, 0.04),
        (0.0, 0.0, 0.04),
        (0.01, 0.0, 0.06),
        0.0,
        0.0,
        tuned=True,
    ),
    "1000 rps AR s.2 r.95 spread .1": NullRow(
        World(rps=1000, pod_ar=(0.2, 0.95), spread=0.1),
        (0.0, 0.0, 0.04),
        (0.0, 0.0, 0.04),
        (0.01, 0.0, 0.06),
        0.0,
        0.0,
    ),
    "all together": NullRow(
        World(
            base=0.004,
            wave=(0.5, 400),
            pod_ar=(0.5, 0.9),
            bursts=(3, 0.3),
            gap=0.05,
            restart=3,
            cold=(0.5, 30),
        ),
        (0.32, 0.23, 0.45),
        (0.11, 0.06, 0.2),
        (0.32, 0.23, 0.45),
        2.4,
        44.8,
    ),
}

POWER = {
    "5x, 2 canary pods": PowerRow(World(factor=5), 100, 2.5, (8, 19), 100, 3.5),
    "5x, 4 canary pods": PowerRow(World(factor=5, steps=steps(4, 4, 10)), 100, 2.25, (8, 18), 100, 3.25),
    "5x, 1 canary pod": PowerRow(World(factor=5, steps=steps(1, 4, 10)), 100, 5.5, (22, 32), 100, 5.75),
    "2x": PowerRow(World(factor=2), 62, 16.88, (114, 151), 43),
    "3x": PowerRow(World(factor=3), 100, 6.5, (20, 55), 100, 7.5),
    "10x": PowerRow(World(factor=10), 100, 1.0, (6, 10), 100, 1.25),
    "25x": PowerRow(World(factor=25), 100, 0.25, (5, 9), 100, 0.5),
    "250x (half fail)": PowerRow(World(factor=250), 100, 0.25, (37, 46), 100, 0.25),
    "5x, pod AR s1 r.9": PowerRow(World(factor=5, pod_ar=(1, 0.9)), 98, 7.0, (39, 183), 97, 7.25),
    "5x, flap 1/h": PowerRow(World(factor=5, flap=(1, 60, 0.05)), 99, 5.75, (26, 77), 99, 5.25),
    "5x, sick stable pod +5 %": PowerRow(World(factor=5, sick_stable=0.05), 100, 3.25, (10, 23), 100, 5.25),
    "5x, wave .8 %": PowerRow(World(factor=5, base=0.008, wave=(0.9, 600)), 100, 1.0, (11, 22), 100, 1.25),
    "5x, client bursts 5": PowerRow(World(factor=5, bursts=(5, 0.5)), 100, 5.25, (18, 43), 100, 5.5),
    "5x, gaps/resets": PowerRow(
        World(factor=5, gap=0.05, merge=0.1, reset=0.01), 100, 2.75, (9, 21), 100, 3.75
    ),
    "5x from minute 3": PowerRow(World(factor=5, onset=12), 100, 3.0, (17, 29), 100, 3.25),
    "5x from minute 6 (20 %)": PowerRow(World(factor=5, onset=24), 100, 2.0, (24, 38), 100, 2.25),
    "5x from minute 12 (50 %)": PowerRow(World(factor=5, onset=48), 100, 1.75, (57, 88), 100, 2.25),
    "3x from minute 12": PowerRow(World(factor=3, onset=48), 84, 5.0, (92, 137), 64, 6.75),
    "5x, 10 rps": PowerRow(World(factor=5, rps=10), 95, 9.75, (8, 25), 88, 12.0),
    "10x, 10 rps": PowerRow(World(factor=10, rps=10), 100, 6.0, (6, 9), 100, 6.5),
    "20x, 2 rps base .5 %": PowerRow(FEW.but(factor=20, rps=2), 100, 6.0, (6, 9), 100, 6.75),
    "100x, .2 rps base .5 %": PowerRow(FEW.but(factor=100, rps=0.2), 100, 9.0, (7, 11), 100, 12.0),
    "1.5x, 2000 rps": PowerRow(World(factor=1.5, rps=2000), 77, 14.0, (1186, 2225), 63, 16.75),
    "2x, 2000 rps": PowerRow(World(factor=2, rps=2000), 100, 4.0, (98, 224), 100, 5.25),
    "5x, weights 1-10-50 %": PowerRow(
        World(factor=5, steps=steps(2, 2, 10, weights=(0.01, 0.1, 0.5))), 100, 6.0, (9, 20), 100, 6.5
    ),
    "5x, base 1 %": PowerRow(World(factor=5, base=0.01), 100, 0.75, (11, 22), 100, 1.0),
}


@dataclass(frozen=True)
class LatencyRow:
    """False aborts with a look-back and blind, in percent of 10 000 releases."""

    world: World
    look_back: Interval
    blind: Interval


@dataclass(frozen=True)
class LatencyPowerRow:
    """Share found and median minutes, the 90 s of warm-up included."""

    world: World
    minutes: float
    blind_minutes: float


SMALL = World(rps=5, stable=4, steps=steps(2, 2, 4))
RESTLESS = World(pod_ar=(0.15, 0.9), spread=0.1)

LATENCY_NULL = {
    "iid": LatencyRow(World(), (0.01, 0.0, 0.06), (0.01, 0.0, 0.06)),
    "pod AR s.15 r.9 + spread .1": LatencyRow(RESTLESS, (0.13, 0.08, 0.22), (0.18, 0.11, 0.28)),
    "pod AR s.3 r.7 + spread .15": LatencyRow(
        World(pod_ar=(0.3, 0.7), spread=0.15), (0.08, 0.04, 0.16), (0.32, 0.23, 0.45)
    ),
    "wave +-30 %/300 s": LatencyRow(World(wave=(0.3, 300)), (0.0, 0.0, 0.04), (0.0, 0.0, 0.04)),
    "cold x1.5 60 s": LatencyRow(World(cold=(0.5, 60)), (0.43, 0.32, 0.58), (0.2, 0.13, 0.31)),
    "gaps, resets, restart, AR s.2": LatencyRow(
        World(gap=0.05, merge=0.1, reset=0.01, restart=3, pod_ar=(0.2, 0.9)),
        (0.05, 0.02, 0.12),
        (0.09, 0.05, 0.17),
    ),
    "pod AR s.2 r.9": LatencyRow(World(pod_ar=(0.2, 0.9)), (0.01, 0.0, 0.06), (0.08, 0.04, 0.16)),
    "pod AR s.25 r.95": LatencyRow(World(pod_ar=(0.25, 0.95)), (0.08, 0.04, 0.16), (0.34, 0.24, 0.47)),
    "pod spread s.2": LatencyRow(World(spread=0.2), (0.43, 0.32, 0.58), (0.36, 0.26, 0.5)),
    "cold x2 30 s": LatencyRow(World(cold=(1, 30)), (0.79, 0.63, 0.98), (0.33, 0.24, 0.46)),
    "5 rps, AR s.2": LatencyRow(SMALL.but(pod_ar=(0.2, 0.9)), (0.04, 0.02, 0.1), (0.11, 0.06, 0.2)),
}

LATENCY_POWER = {
    "x1.25": LatencyPowerRow(World(factor=1.25), 5.5, 5.75),
    "x1.5": LatencyPowerRow(World(factor=1.5), 2.25, 2.5),
    "x2": LatencyPowerRow(World(factor=2), 1.75, 1.75),
    "+1 s on 5 %": LatencyPowerRow(World(added=0.05), 2.0, 2.25),
    "+1 s on 1 %": LatencyPowerRow(World(added=0.01), 3.25, 4.0),
    "x2, AR s.15 + spread .1": LatencyPowerRow(RESTLESS.but(factor=2), 3.5, 2.25),
    "x1.5, AR s.15 + spread .1": LatencyPowerRow(RESTLESS.but(factor=1.5), 6.75, 6.0),
    "x1.5, 5 rps": LatencyPowerRow(SMALL.but(factor=1.5), 8.25, 10.0),
    "+1 s on 5 %, 5 rps": LatencyPowerRow(SMALL.but(added=0.05), 6.25, 7.25),
}


@dataclass(frozen=True)
class OpinionRow:
    """Aborts in percent (found, or false), of 10 000 releases or 2500 with a regression.

    ``minutes`` and ``errors`` are medians of a regression that is found; ``person`` is the share that a
    person decides, ``replaced`` that in which pods were replaced.
    """

    world: World
    aborted: float
    replaced: float
    person: float
    minutes: float | None = None
    errors: float | None = None


LONE = {
    "iid": OpinionRow(World(), 0.15, 1.1, 0.01),
    "pod AR s1 r.9": OpinionRow(World(pod_ar=(1, 0.9)), 0.3, 4.1, 0.05),
    "flap 1/h 60 s 5 %": OpinionRow(World(flap=(1, 60, 0.05)), 0.26, 8.1, 0.24),
    "first canary pod sick +5 %": OpinionRow(World(sick_canary=0.05), 12.82, 100.0, 0.14),
    "5x": OpinionRow(World(factor=5), 88.16, 100.0, 11.84, 3.5, 10),
    "10x": OpinionRow(World(factor=10), 99.87, 100.0, 0.13, 1.75, 8),
}

SEVERAL = {
    "iid": OpinionRow(World(), 0.51, 0.1, 0.0),
    "sick 2 % of pods +5 %": OpinionRow(World(sick=(0.02, 0.05)), 0.91, 13.0, 0.03),
    "one canary pod sick +5 %": OpinionRow(World(sick_canary=0.05), 11.05, 89.1, 0.0),
    "flap 1/h 60 s 5 %": OpinionRow(World(flap=(1, 60, 0.05)), 0.36, 3.8, 0.0),
    "5x, 2 canary pods": OpinionRow(World(factor=5), 99.92, 17.2, 0.08, 2.5, 8),
    "10x": OpinionRow(World(factor=10), 99.96, 6.3, 0.04, 1.0, 6),
}
