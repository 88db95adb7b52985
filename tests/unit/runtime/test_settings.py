"""Settings from flags and environment."""

import pytest

from rollouts.settings import ALL_ROLES, Settings, SettingsError


def test_without_anything_the_peers_ports_and_lease_times_hold():
    settings = Settings.build({})
    assert (settings.metrics_port, settings.healthz_port) == (8090, 8080)
    assert (settings.lease_duration, settings.renew_deadline, settings.retry_period) == (15, 10, 2)
    assert settings.lease == "argo-rollouts-controller-lock"
    assert settings.roles == ALL_ROLES - {"git"}


def test_a_flag_goes_before_the_environment_and_the_environment_before_the_default():
    environ = {"ROLLOUTS_SETTING_METRICS_PORT": "1", "ROLLOUTS_SETTING_WORKERS": "7", "PATH": "/bin"}
    settings = Settings.build(environ, metrics_port=2, healthz_port=None)
    assert (settings.metrics_port, settings.workers, settings.healthz_port) == (2, 7, 8080)


def test_the_lease_of_an_instance_has_its_id_at_the_end():
    assert Settings(instance_id="blue").lease == "argo-rollouts-controller-lock-blue"


@pytest.mark.parametrize(
    ("roles", "lease"),
    [
        ("delivery", "argo-rollouts-controller-lock"),
        ("delivery,git,receiver,dashboard", "argo-rollouts-controller-lock"),
        ("git", "rollouts-git-controller-lock"),
        ("receiver,dashboard", ""),
    ],
)
def test_roles_in_processes_of_their_own_do_not_exclude_each_other(roles: str, lease: str):
    assert Settings.build({}, roles=roles).lease == lease
    assert Settings.build({}, roles=roles, leader_elect=False).lease == ""


def test_variables_that_kubernetes_makes_for_services_are_no_settings():
    environ = {"ROLLOUTS_METRICS_PORT": "tcp://10.0.0.1:8090", "ROLLOUTS_SERVICE_HOST": "10.0.0.1"}
    assert Settings.build(environ).metrics_port == 8090


def test_roles_are_a_comma_separated_list():
    assert Settings.build({"ROLLOUTS_SETTING_ROLES": "delivery, git"}).roles == {"delivery", "git"}


@pytest.mark.parametrize(
    ("environ", "given", "message"),
    [
        ({"ROLLOUTS_SETTING_WORKER": "1"}, {}, "worker: there is no such setting"),
        ({}, {"roles": "delivery,web"}, "roles.*'web'"),
        ({}, {"roles": ""}, "roles is empty"),
        ({}, {"metrics_port": 70000}, "metrics_port: .*65535.*70000"),
        ({}, {"renew_deadline": 20}, "lease_duration > renew_deadline"),
        ({}, {"write_timeout": 14}, "write_timeout is 14, must be below"),
        ({}, {"log_level": "loud"}, "log_level: .*'loud'"),
    ],
    ids=["unknown", "unknown role", "no role", "port", "lease times", "write time-out", "log level"],
)
def test_a_wrong_setting_is_named_with_what_was_seen(
    environ: dict[str, str], given: dict[str, object], message: str
):
    with pytest.raises(SettingsError, match=message):
        Settings.build(environ, **given)


def test_every_wrong_setting_is_named_at_once():
    with pytest.raises(SettingsError, match=r"workers: .*; metrics_port: "):
        Settings.build({}, workers=0, metrics_port=-1)
