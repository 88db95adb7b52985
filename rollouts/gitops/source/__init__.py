"""Git repositories as immutable trees, read by the git command without a checkout.

Promises: one ``ls-remote`` per repository and poll, however many Applications want it; what a reconcile asks
for is answered from memory, the network is only touched in the background; no credential in an argument,
a log or an error; symbolic links and paths that leave the tree are never followed.
"""
