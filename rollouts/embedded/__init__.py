"""An embedded cluster: API server, simulated workloads, gateway and metrics store in one process.

Duty: a newcomer's first minute and every simulation. The API server keeps the promises that our code and
kubectl's everyday verbs rest on; ``tests/contract`` states each of them and runs on a real API server too,
and where the two differ the real one is right. It promises no more than that: no authorization, no admission
plugins, no CEL rules, no protobuf.

Parts of the API server, lower ones know nothing of higher ones::

    cluster                    facade: clients, address, kubeconfig
    server  local              the wire · the same in process
    apiserver                  every request as a method
    definitions collector      what writes cause: served CRDs, owner collection, draining
    writes deletion subresources reads watching
    apply managed patches schema defaults validation meta     rules, pure
    store resources selectors  state · what is served
    shapes fieldsets checks failures

May import ``rollouts.kube`` (identities, errors, the ``KubeApi`` port) and the clock. Reads no wall clock
and makes no ids but through the ports, so it runs on virtual time.
"""
