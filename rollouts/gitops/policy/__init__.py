"""What an AppProject allows: repository, destination and kind of every rendered object. Pure.

A missing project denies everything.
"""
