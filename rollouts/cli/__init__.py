"""The ``rollouts`` command and its kubectl plug-in.

Commands that act only patch a field of spec or status; the controller does the work. Heavy imports stay
inside the commands, so that help and completion answer at once.
"""
