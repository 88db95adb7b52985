"""What the embedded cluster promises, one test for each promise, run on the real API server too.

A difference between the two is a defect of the embedded one. Where the real one acts in its own time (owner
collection, namespace deletion), tests wait with a bounded poll.
"""
