"""Every trouble with an API server becomes one line that says what to do."""

from __future__ import annotations

import pytest

from rollouts.cli.outcome import problem
from rollouts.kube import errors

HOST = "https://host:6443"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(
            errors.Unreachable(
                "GET /apis: Cannot connect to host h:1 [Connect call failed ('127.0.0.1', 1)]"
            ),
            "no answer from https://host:6443 (context prod): connection refused. "
            "Is it running, and is it the right context?",
            id="refused connection",
        ),
        pytest.param(
            errors.Unreachable("GET /apis: TimeoutError"),
            "no answer from https://host:6443 (context prod): it did not answer in time. "
            "Is it running, and is it the right context?",
            id="silence",
        ),
        pytest.param(
            errors.Forbidden('rollouts.argoproj.io "web" is forbidden: User "x" cannot get it', status=403),
            'not allowed: rollouts.argoproj.io "web" is forbidden: User "x" cannot get it. '
            "Ask for a role that allows it, or use another context",
            id="forbidden",
        ),
        pytest.param(
            errors.Unauthorized("Unauthorized", status=401),
            "https://host:6443 (context prod) does not accept your credentials: Unauthorized. "
            "Log in again, or use another context",
            id="unauthorized",
        ),
        pytest.param(
            errors.OutcomeUnknown("PATCH /x was sent and its answer lost: reset"),
            "PATCH /x was sent and its answer lost: reset. It may have taken effect: "
            "look with `rollouts get`, then try again",
            id="lost answer",
        ),
        pytest.param(
            errors.Conflict("the object has been modified", status=409),
            "somebody changed the object at the same moment: the object has been modified. Try again",
            id="conflict",
        ),
        pytest.param(
            errors.Misconfigured("kubeconfig x cannot be used: no user"),
            "no cluster: kubeconfig x cannot be used: no user. Set --kubeconfig or KUBECONFIG",
            id="kubeconfig",
        ),
        pytest.param(
            errors.Invalid("spec.replicas: must be positive", status=422),
            "https://host:6443 (context prod) refused: spec.replicas: must be positive",
            id="invalid",
        ),
    ],
)
def test_an_error_says_what_was_seen_and_what_to_do(error: errors.KubeError, said: str) -> None:
    told = problem(error, HOST, "prod")
    assert told.format_message() == said
    assert told.exit_code == 1
