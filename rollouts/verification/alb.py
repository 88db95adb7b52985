"""AWS load balancers: the rules of the listeners, and whether the groups behind them have healthy targets.

The load balancer of an Ingress is found by its host name. Which target group stands for which Service is told
by the tag that the AWS Load Balancer Controller puts on it: ``<namespace>/<ingress>-<service>:<port>``.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar
from urllib.parse import urlencode

from analysis.providers.aws import AwsCredentials, endpoint, read_xml
from analysis.providers.http import GuardedHttp, HttpRequest
from rollouts.verification.verifier import CannotTell, Pods, Shares, Wanted, difference, misled, shares
from rollouts.verification.wanted import ALB

SERVICE = "elasticloadbalancing"
TAG = "ingress.k8s.aws/resource"
VERSION = "2015-12-01"
TIMEOUT_SECONDS = 10.0
_MOST_PAGES = 50
_TAGGED_AT_ONCE = 20
_HOST = re.compile(
    r"\A(?:internal-)?(?P<name>[A-Za-z0-9-]+)-\d+\.(?P<region>[a-z0-9-]+)\.elb\.amazonaws\.com(?:\.cn)?\Z"
)
_FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


class AlbApi:
    """Asks the Elastic Load Balancing API. It only describes."""

    name: ClassVar[str] = "the AWS API"
    pause: ClassVar[float] = 5.0

    def __init__(self, http: GuardedHttp, aws: AwsCredentials, variables: Mapping[str, str]) -> None:
        self._http = http
        self._aws = aws
        self._variables = variables

    def covers(self, wanted: Wanted) -> frozenset[str]:
        """Return the controller of AWS load balancers, where the object is an Ingress."""
        return frozenset({ALB} & set(wanted.controllers))

    async def differs(self, wanted: Wanted, pods: Pods) -> str:
        """Compare the forward actions of every rule, then look for healthy targets of the right version."""
        if not wanted.hosts:
            raise CannotTell(f"{wanted} has no load balancer in its status yet")
        for host in wanted.hosts:
            problem = await self._differs_at(host, wanted, pods)
            if problem:
                return f"{host}: {problem}"
        return ""

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def _differs_at(self, host: str, wanted: Wanted, pods: Pods) -> str:
        parts = _HOST.match(host)
        if parts is None:
            raise CannotTell(f"{host[:200]} is not the host name of an AWS load balancer")
        region = parts["region"]
        found = await self._all(region, "DescribeLoadBalancers", {"Names.member.1": parts["name"]})
        balancer = next((entry for entry in found if entry.findtext("DNSName") == host), None)
        if balancer is None:
            raise CannotTell(f"no load balancer {parts['name']!r} in {region} has this host name")
        forwards = await self._forwards(region, balancer.findtext("LoadBalancerArn") or "")
        names = await self._services(region, wanted, sorted({arn for groups in forwards for arn in groups}))
        problem = difference(wanted, _seen(forwards, names, wanted))
        if problem:
            return problem
        weighted = {
            arn for groups in forwards for arn, weight in groups.items() if weight > 0 and arn in names
        }
        targets = {names[arn]: await self._targets(region, arn) for arn in sorted(weighted)}
        addresses = {
            name: [target.findtext("Target/Id") or "" for target in found] for name, found in targets.items()
        }
        return _unhealthy(targets) or misled(wanted, addresses, await pods())

    async def _forwards(self, region: str, balancer: str) -> list[dict[str, int]]:
        """Return the weights of target groups, for each action of each rule that forwards."""
        found: list[dict[str, int]] = []
        for listener in await self._all(region, "DescribeListeners", {"LoadBalancerArn": balancer}):
            arn = listener.findtext("ListenerArn") or ""
            for rule in await self._all(region, "DescribeRules", {"ListenerArn": arn}):
                for action in rule.iterfind("Actions/member"):
                    groups = action.findall("ForwardConfig/TargetGroups/member") or [action]
                    weights = {
                        group.findtext("TargetGroupArn") or "": int(group.findtext("Weight") or 1)
                        for group in groups
                        if group.findtext("TargetGroupArn")
                    }
                    if weights:
                        found.append(weights)
        return found

    async def _services(self, region: str, wanted: Wanted, groups: Sequence[str]) -> dict[str, str]:
        """Return the Rollout's Service behind each target group that has one."""
        known = {
            f"{wanted.namespace}/{wanted.name}-{name.partition('/')[2]}": name for name in wanted.services
        }
        found: dict[str, str] = {}
        for start in range(0, len(groups), _TAGGED_AT_ONCE):
            part = groups[start : start + _TAGGED_AT_ONCE]
            asked = {f"ResourceArns.member.{number}": arn for number, arn in enumerate(part, start=1)}
            for entry in await self._all(region, "DescribeTags", asked, result="TagDescriptions"):
                for tag in entry.iterfind("Tags/member"):
                    service = known.get((tag.findtext("Value") or "").rpartition(":")[0])
                    if tag.findtext("Key") == TAG and service is not None:
                        found[entry.findtext("ResourceArn") or ""] = service
        return found

    async def _targets(self, region: str, group: str) -> list[ElementTree.Element]:
        asked = {"TargetGroupArn": group}
        return await self._all(region, "DescribeTargetHealth", asked, result="TargetHealthDescriptions")

    async def _all(
        self, region: str, action: str, asked: Mapping[str, str], *, result: str = ""
    ) -> list[ElementTree.Element]:
        """Return the members of an action's result, over all its pages."""
        found: list[ElementTree.Element] = []
        marker: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            root = await self._call(region, {"Action": action, "Version": VERSION, **asked, **marker})
            found += root.iterfind(f".//{result or action.removeprefix('Describe')}/member")
            following = root.findtext(".//NextMarker")
            if not following:
                return found
            marker = {"Marker": following}
        raise CannotTell(f"{action} has more than {_MOST_PAGES} pages")

    async def _call(self, region: str, form: Mapping[str, str]) -> ElementTree.Element:
        request = HttpRequest(
            method="POST",
            url=endpoint(SERVICE, region, self._variables),
            headers=_FORM,
            body=urlencode(form).encode(),
            timeout=TIMEOUT_SECONDS,
            repeatable=True,
        )
        keys = await self._aws.keys(region)
        answer = await self._http.send(self._aws.signed(request, region, SERVICE, keys))
        return read_xml(answer, f"aws {SERVICE}")


def _unhealthy(targets: Mapping[str, Sequence[ElementTree.Element]]) -> str:
    """Return which Service with a weight cannot take its requests, "" for none."""
    for name, found in targets.items():
        states = [
            (target.findtext("TargetHealth/State") or "", target.findtext("TargetHealth/Reason") or "")
            for target in found
        ]
        waiting = next((reason for state, reason in states if state == "initial"), None)
        if waiting is not None:
            return f"a target of {name} is not checked yet ({waiting or 'initial'})"
        if not any(state == "healthy" for state, _ in states):
            seen = ", ".join(sorted({f"{state} {reason}".strip() for state, reason in states}))
            return f"{name} has no healthy target ({seen or 'none is registered'})"
    return ""


def _seen(
    forwards: Sequence[Mapping[str, int]], names: Mapping[str, str], wanted: Wanted
) -> Iterator[Shares]:
    for groups in forwards:
        weights: dict[str, int] = {}
        for arn, weight in groups.items():
            if arn in names:
                weights[names[arn]] = weights.get(names[arn], 0) + weight
        if weights:
            yield shares(weights, wanted.services)
