module rollouts.dev/tests/cluster/istio

go 1.25.0

require istio.io/api v1.31.4
