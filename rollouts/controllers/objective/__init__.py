"""The ServiceLevelObjective controller: what is left of each error budget, and what it says to a rollout.

``observe`` freezes the object and asks its Prometheus, ``decide`` answers the next status, ``controller``
writes it when a person would see a difference. May import ``analysis.slo`` and ``analysis.providers``.
Promises: an objective that cannot be used says why with the field's path; a budget that cannot be read is
``unknown`` and never an old figure; where the kind is not served there is nothing to do.
"""
