"""Asking data planes themselves which weights they have: the level ``verified`` of "in force".

What must be in force comes from the live objects (``wanted``, pure); a ``Verifier`` compares it with what a
data plane says of itself. Verifiers are configured by the operator alone, all their requests pass the egress
guard, and they change nothing. They know the objects' formats but no router, and no controller.
"""
