"""The real data plane: Traefik's Gateway API provider between constant load and pods that count requests.

Everything (API server, controller, Traefik, pods, load) lives in one network namespace of its own, where any
address of 198.18.0.0/16 can be bound and nothing else can be reached. Making one takes root; without it the
tests skip. What is shown is that shares at the pods are what the Rollout's status says, that no request is
lost, and how long a weight takes from the write to the pods.
"""
