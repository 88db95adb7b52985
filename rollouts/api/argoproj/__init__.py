"""Kinds of ``argoproj.io/v1alpha1``.

Defaults live in code, not in the schema: the upstream CRDs stay usable.
"""
