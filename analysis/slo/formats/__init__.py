"""Reads the objectives of other tools: OpenSLO v1, Sloth v1 and Pyrra v1alpha1. Pure.

What a format has and ours does not is never dropped in silence: it is an error when the objective would mean
something else without it, and a warning with the field's path when it would not.
"""
