"""The unchanged controllers on virtual time, against the embedded cluster, with faults: seeded, reproducible.

``World`` holds one embedded cluster with simulated workloads and runs controller processes in it; every call
of a process goes through ``FaultyApi``, which loses, delays and refuses by a plan, and can end the process at
any write. ``Invariants`` looks at every change of the store. May import everything below the command line;
nothing imports it but tests and the command line. Promises: no wall clock and no real socket; the same seed
gives the same ``Trace``, whatever PYTHONHASHSEED is.
"""
