"""Typed Kubernetes objects of the product: models, conditions, scalars, validation, lint, CRD generation.

Pure, but for ``crdgen``, which writes files. May import pydantic, PyYAML, click and ``analysis.spec``.

Models describe every field of the upstream kinds. They keep unknown fields (``extra="allow"``), so that a
manifest that goes through a model loses nothing; ``rollouts.api.fields.unknown_fields`` lists them. Errors
name the field's path and never show a value that could be a secret.
"""
