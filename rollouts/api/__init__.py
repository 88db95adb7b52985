"""Typed Kubernetes objects of the product: pydantic models, conditions, validation, CRD generation. Pure.

Models describe every field of the upstream kinds. They keep unknown fields (``extra="allow"``), so that a
manifest that goes through a model loses nothing; ``rollouts.api.fields.unknown_fields`` lists them.
"""
