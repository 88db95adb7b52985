"""The Rollout controller: from a changed pod template to full traffic, or back to safety.

``observe`` freezes what the cache knows into a ``snapshot``; ``decide`` answers actions, events and the
next status; ``apply`` writes them in order. A transition is committed in the status before its effects:
weights and replicas always follow from the status that the API server has.
"""
