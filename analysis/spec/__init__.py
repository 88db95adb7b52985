"""Models of analysis templates and runs, argument substitution, template merging and validation.

Duty: everything that can be said about an analysis before it runs. Pure: no I/O, no clock. May import
pydantic and the standard library only. Promises: a model loses no field of its input (``manifest()``), and
every complaint is a ``SpecError`` that names the field's path.
"""
