"""``rollouts demo``: the product's main job on one machine, on real input, in about a minute.

Duty: start an embedded cluster, pods that listen, a gateway, a metrics store, load, a Git repository and the
controller; commit three versions; show what happens; say whether it went as it must. May import everything.

``world`` starts and stops the parts, ``repository`` is the Git side, ``sight`` reads one frozen picture of
the whole, ``story`` judges it (pure), ``frame`` turns it into rows (pure), ``screen`` and ``lines`` show the
rows. Promise: every number shown or judged was measured in this run; nothing is scripted but the commits.
"""
