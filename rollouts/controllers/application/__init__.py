"""The Application controller: keeps the cluster at what a commit says, on Argo CD's objects and status paths.

``observe`` freezes what is known of Git, of the live objects and of the Rollouts among them; ``decide``
answers the next step of a sync; ``apply`` carries it out; ``status`` is one merge patch, written only on a
change. A sync is committed in ``status.operationState`` before its first write, so it goes on after a
restart. A pod template that a Rollout has aborted is held: it is not applied again until Git has another one.
"""
