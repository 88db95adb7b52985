"""Kinds of our own group, all optional for a user. The group's name stands in ``GROUP`` alone."""

GROUP = "rollouts.dev"
