"""Create, replace and patch: from what a client sent to what is stored.

One pipeline for all kinds and all kinds of write: preconditions, metadata rules, defaults, schema,
validation, "did anything change", generation, managed fields, store. No clock or chance but the ports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rollouts.clock import Clock, Randomness
from rollouts.embedded import defaults, meta, patches, validation
from rollouts.embedded.apply import server_side_apply
from rollouts.embedded.failures import (
    ApiFailure,
    Cause,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    internal,
    invalid,
    method_not_allowed,
    not_found,
    unsupported_media_type,
)
from rollouts.embedded.managed import Manager, after_update, ordered
from rollouts.embedded.resources import ResourceType
from rollouts.embedded.store import Collection, Entry, Name, Store
from rollouts.kube.api import PatchKind
from rollouts.kube.objects import Manifest, format_time

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
FieldValidation = Literal["Ignore", "Warn", "Strict"]
_CUSTOM_PATCHES = tuple(k.value for k in PatchKind if k is not PatchKind.STRATEGIC)


@dataclass(frozen=True, slots=True)
class Options:
    """Query parameters of a write."""

    manager: str = "unknown"
    dry_run: bool = False
    force: bool = False
    field_validation: FieldValidation = "Warn"


@dataclass(frozen=True, slots=True)
class Written:
    """The object after a write; ``warnings`` go into the answer's headers."""

    entry: Entry
    created: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Draft:
    """An object on its way into the store."""

    kind: ResourceType
    key: Name
    obj: Manifest
    options: Options
    warnings: list[str] = field(default_factory=list)


class Writer:
    """Writes to one store. All methods raise ``ApiFailure`` and are atomic: they never await."""

    def __init__(self, store: Store, clock: Clock, randomness: Randomness) -> None:
        self.store = store
        self._clock = clock
        self._randomness = randomness
        self._addresses = 0

    def now(self) -> str:
        """Return the present moment as objects carry it."""
        return format_time(self._clock.now())

    def collection(self, kind: ResourceType) -> Collection:
        """Return where a kind's objects are stored."""
        return self.store.collection(kind.group, kind.plural)

    def current(self, kind: ResourceType, key: Name) -> Entry:
        """Return a stored object. Raises 404."""
        entry = self.collection(kind).get(key)
        if entry is None:
            raise not_found(kind.plural, kind.group, key.name)
        return entry

    # --- create

    def create(
        self,
        kind: ResourceType,
        namespace: str,
        body: Mapping[str, Any],
        options: Options,
        managed: list[Manifest] | None = None,
    ) -> Written:
        """Store a new object. ``managed`` are its managed fields when an apply made it."""
        draft = self._draft(kind, namespace, body, options)
        obj = draft.obj
        if obj["metadata"].pop("resourceVersion", ""):
            raise internal("resourceVersion should not be set on objects to be created")
        if kind.status:
            obj.pop("status", None)
        self._check_namespace(kind, draft.key)
        obj["metadata"].update(uid=self._randomness.token(), creationTimestamp=self.now())
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields"):
            obj["metadata"].pop(name, None)
        if kind.generation:
            obj["metadata"]["generation"] = 1
        obj = self._admit(draft, None)
        if self.collection(kind).get(draft.key) is not None:
            raise already_exists(kind.plural, kind.group, draft.key.name)
        if managed is None:
            tracked = {k: v for k, v in obj.items() if k != "status" or not kind.status}
            managed = after_update(None, tracked, (), self._manager(kind, options), kind.shape)
        if managed:
            obj["metadata"]["managedFields"] = managed
        return Written(self._save(draft, obj), created=True, warnings=tuple(draft.warnings))

    def _draft(self, kind: ResourceType, namespace: str, body: Mapping[str, Any], options: Options) -> Draft:
        self._check_type(kind, body)
        held = meta.sane(body.get("metadata"))
        if kind.namespaced:
            if held.get("namespace", namespace) != namespace:
                raise bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            held["namespace"] = namespace
        else:
            held.pop("namespace", None)
        if not held.get("name") and held.get("generateName"):
            held["name"] = meta.generated_name(held["generateName"], self._digits())
        obj: Manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": held}
        obj.update({k: v for k, v in body.items() if k not in obj})
        draft = Draft(kind, Name(held.get("namespace", ""), held.get("name", "")), obj, options)
        unknown = [f"metadata.{k}" for k in (body.get("metadata") or {}) if k not in meta.KNOWN]
        self._report_unknown(draft, unknown)
        return draft

    def _digits(self) -> list[int]:
        return [int(self._randomness.uniform(0, len(meta.SUFFIX_ALPHABET))) for _ in range(5)]

    def _check_type(self, kind: ResourceType, body: Mapping[str, Any]) -> None:
        named = body.get("apiVersion") or ("" if kind.custom else kind.api_version)
        of_kind = body.get("kind") or ("" if kind.custom else kind.kind)
        if not of_kind:
            raise bad_request("Object 'Kind' is missing in the body of the request")
        if named != kind.api_version:
            raise bad_request(
                f"the API version in the data ({named}) does not match the expected API version "
                f"({kind.api_version})"
            )
        if of_kind != kind.kind:
            raise bad_request(f"the kind in the data ({of_kind}) does not match the expected ({kind.kind})")

    def _check_namespace(self, kind: ResourceType, key: Name) -> None:
        if not kind.namespaced:
            return
        space = self.store.collection("", "namespaces").get(Name("", key.namespace))
        if space is None:
            raise not_found("namespaces", "", key.namespace)
        if space.object["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {key.namespace} because it is being terminated"
            cause = Cause("metadata.namespace", f"namespace {key.namespace} is being terminated")
            raise forbidden(
                kind.plural, kind.group, key.name, why, [replace(cause, reason="NamespaceTerminating")]
            )

    # --- update

    def replace(
        self,
        kind: ResourceType,
        key: Name,
        body: Mapping[str, Any],
        options: Options,
        subresource: str = "",
    ) -> Written:
        """Replace an object, or its status."""
        self._check_type(kind, body)
        named = (body.get("metadata") or {}).get("name")
        if named != key.name:
            raise bad_request(
                f"the name of the object ({named or ''}) does not match the name on the URL ({key.name})"
            )
        current = self.current(kind, key)
        uid = (body.get("metadata") or {}).get("uid")
        held = current.object["metadata"]["uid"]
        if uid and uid != held:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {held}"
            raise conflict(kind.plural, kind.group, key.name, why)
        if not kind.unconditional_update and not (body.get("metadata") or {}).get("resourceVersion"):
            why = "Invalid value: 0: must be specified for an update"
            raise invalid(kind.kind, kind.group, key.name, [Cause("metadata.resourceVersion", why)])
        return self.update(kind, key, current, dict(body), options, subresource)

    def patch(
        self,
        kind: ResourceType,
        key: Name,
        patch: Any,
        content: PatchKind,
        options: Options,
        subresource: str = "",
    ) -> Written:
        """Patch an object, or its status; an apply patch creates what does not exist."""
        if content is PatchKind.APPLY:
            return self._apply(kind, key, patch, options, subresource)
        current = self.current(kind, key)
        proposed = patched(kind, {**current.object, "apiVersion": kind.api_version}, patch, content)
        if not isinstance(proposed, dict) or not isinstance(proposed.get("metadata"), dict):
            raise bad_request("the patch does not leave an object with metadata")
        if proposed["metadata"].get("name") != key.name:
            raise bad_request(
                f"the name of the object ({proposed['metadata'].get('name', '')}) does not match the name on "
                f"the URL ({key.name})"
            )
        self._check_type(kind, proposed)
        return self.update(kind, key, current, proposed, options, subresource)

    def _apply(
        self, kind: ResourceType, key: Name, config: Any, options: Options, subresource: str
    ) -> Written:
        if not isinstance(config, dict):
            raise bad_request("an apply patch is an object")
        if not options.manager:
            raise manager_required()
        config = self._sane_config(kind, key, config, subresource)
        manager = Manager(options.manager, "Apply", kind.api_version, self.now(), subresource)
        current = self.collection(kind).get(key)
        if current is None:
            if subresource:
                raise not_found(kind.plural, kind.group, key.name)
            named = {"name": key.name, **({"namespace": key.namespace} if kind.namespaced else {})}
            blank = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": named}
            obj, entries = server_side_apply(blank, config, manager, kind.shape, force=False)
            return self.create(kind, key.namespace, obj, options, entries)
        live = {**current.object, "apiVersion": kind.api_version}
        obj, entries = server_side_apply(live, config, manager, kind.shape, force=options.force)
        wanted_version = (config.get("metadata") or {}).get("resourceVersion")
        if wanted_version:
            obj["metadata"]["resourceVersion"] = wanted_version
        return self.update(kind, key, current, obj, options, subresource, entries)

    def _sane_config(self, kind: ResourceType, key: Name, config: Manifest, subresource: str) -> Manifest:
        """Check identity, and leave out what an apply of this endpoint does not reach."""
        if not config.get("kind") or not config.get("apiVersion"):
            raise bad_request("an apply patch must name apiVersion and kind")
        self._check_type(kind, config)
        held = meta.sane(config.get("metadata"))
        if held.pop("managedFields", None):
            raise bad_request("metadata.managedFields must be nil")
        if held.get("name", key.name) != key.name:
            raise bad_request(
                f"the name of the object ({held['name']}) does not match the name on the URL ({key.name})"
            )
        out = {k: v for k, v in config.items() if k != "metadata"}
        if subresource == "status":
            out = {k: v for k, v in out.items() if k in ("apiVersion", "kind", "status")}
            held = {k: v for k, v in held.items() if k in ("name", "namespace", "uid", "resourceVersion")}
        elif kind.status:
            out.pop("status", None)
        return {**out, "metadata": held}

    def update(
        self,
        kind: ResourceType,
        key: Name,
        current: Entry,
        proposed: Manifest,
        options: Options,
        subresource: str = "",
        managed: list[Manifest] | None = None,
    ) -> Written:
        """Put ``proposed`` in the place of ``current`` as far as this endpoint may change it."""
        old = current.object
        held = meta.sane(proposed.get("metadata"))
        self._check_preconditions(kind, key, old["metadata"], held)
        reset_owners = held.get("managedFields") in ([{}],)
        held = self._settled_metadata(kind, old["metadata"], held, subresource)
        obj = self._settled_content(kind, old, proposed, subresource)
        obj["metadata"] = held
        draft = Draft(kind, key, obj, options)
        obj = self._admit(draft, old)
        if managed is None:
            entries = [] if reset_owners else old["metadata"].get("managedFields") or []
            manager = self._manager(kind, options, subresource)
            managed = entries if reset_owners else after_update(old, obj, entries, manager, kind.shape)
        obj["metadata"].pop("managedFields", None)
        if managed:
            obj["metadata"]["managedFields"] = ordered(managed)
        obj["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if obj == {**old, "apiVersion": kind.api_version}:
            return Written(current, warnings=tuple(draft.warnings))
        if kind.generation and _bumps(kind, old, obj):
            obj["metadata"]["generation"] = int(old["metadata"].get("generation", 0)) + 1
        if options.dry_run:
            return Written(Entry(obj, current.version), warnings=tuple(draft.warnings))
        if is_finished(obj):
            return Written(self.store.remove(self.collection(kind), key, obj))
        return Written(self._save(draft, obj), warnings=tuple(draft.warnings))

    def _check_preconditions(
        self, kind: ResourceType, key: Name, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> None:
        uid = new.get("uid")
        if uid and uid != old["uid"]:
            cause = Cause("metadata.uid", f'Invalid value: "{uid}": field is immutable')
            raise invalid(kind.kind, kind.group, key.name, [cause])
        version = new.get("resourceVersion")
        if version and str(version) != old["resourceVersion"]:
            raise conflict(kind.plural, kind.group, key.name, MODIFIED)

    def _settled_metadata(
        self, kind: ResourceType, old: Manifest, new: Manifest, subresource: str
    ) -> Manifest:
        if subresource == "status":
            return {k: v for k, v in old.items() if k != "managedFields"}
        out = {k: v for k, v in new.items() if k != "managedFields"}
        for name in meta.SYSTEM:
            if name in old:
                out[name] = old[name]
            else:
                out.pop(name, None)
        if "generateName" in old:
            out.setdefault("generateName", old["generateName"])
        if kind.namespaced:
            if out.get("namespace", old["namespace"]) != old["namespace"]:
                raise bad_request(
                    "the namespace of the provided object does not match the namespace sent on the request"
                )
            out["namespace"] = old["namespace"]
        return out

    def _settled_content(
        self, kind: ResourceType, old: Manifest, new: Mapping[str, Any], subresource: str
    ) -> Manifest:
        if subresource == "status":
            out = {**old, "status": new.get("status")}
            if out["status"] is None:
                del out["status"]
        else:
            out = dict(new)
            if kind.status and kind.plural != "customresourcedefinitions":
                out.pop("status", None)
                if "status" in old:
                    out["status"] = old["status"]
            elif kind.status:
                out["status"] = old.get("status", {})
        return {**out, "apiVersion": kind.api_version, "kind": kind.kind}

    # --- shared

    def _admit(self, draft: Draft, old: Manifest | None) -> Manifest:
        """Default, prune and validate. Raises 422 with all causes, 400 for unknown fields when strict."""
        kind, obj = draft.kind, draft.obj
        held = obj["metadata"]
        causes = meta.check(held, validation.NAME_RULES.get(kind.kind, "subdomain"))
        if old is not None:
            causes += meta.check_update(old["metadata"], held)
        if kind.schema is not None:
            obj, findings = kind.schema.admit(obj, old)
            causes += findings.causes
            self._report_unknown(draft, findings.pruned)
        elif not kind.custom:
            obj = defaults.apply_defaults(kind.kind, obj)
            obj = self._assign(kind, obj, old)
            causes += validation.validate(kind.kind, obj, old)
        if causes:
            raise invalid(kind.kind, kind.group, draft.key.name, causes)
        obj["metadata"] = dict(obj["metadata"])
        return obj

    def _assign(self, kind: ResourceType, obj: Manifest, old: Manifest | None) -> Manifest:
        """Give what the server hands out: a Job's selector, a Service's address."""
        if kind.kind == "Job" and old is None and isinstance(obj.get("spec"), dict):
            return defaults.job_identity(obj)
        if kind.kind != "Service" or obj["spec"].get("type") == "ExternalName":
            return obj
        spec = dict(obj["spec"])
        if not spec.get("clusterIP"):
            held = old["spec"].get("clusterIP") if old else None
            spec["clusterIP"] = held or self._next_address()
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        return {**obj, "spec": spec}

    def _next_address(self) -> str:
        self._addresses += 1
        return f"10.96.{self._addresses // 250 % 256}.{self._addresses % 250 + 2}"

    def _report_unknown(self, draft: Draft, paths: list[str]) -> None:
        if not paths or draft.options.field_validation == "Ignore":
            return
        listed = [f'unknown field "{path}"' for path in paths]
        if draft.options.field_validation == "Strict":
            kind = draft.kind
            raise bad_request(
                f'{kind.kind} in version "{kind.resource.version}" cannot be handled as a {kind.kind}: '
                f"strict decoding error: {', '.join(listed)}"
            )
        draft.warnings += listed

    def _manager(self, kind: ResourceType, options: Options, subresource: str = "") -> Manager:
        return Manager(options.manager or "unknown", "Update", kind.api_version, self.now(), subresource)

    def _save(self, draft: Draft, obj: Manifest) -> Entry:
        if draft.options.dry_run:
            return Entry(obj, self.store.version)
        return self.store.put(self.collection(draft.kind), draft.key, obj)


def patched(kind: ResourceType, base: Any, patch: Any, content: PatchKind) -> Any:
    """Return ``base`` after a patch. Raises 415 for a strategic patch of a custom resource."""
    if content is PatchKind.JSON:
        return patches.json_patch(base, patch)
    if not isinstance(patch, dict):
        raise bad_request("the patch is not an object")
    if content is PatchKind.MERGE:
        return patches.merge(base, patch)
    if content is not PatchKind.STRATEGIC:
        raise method_not_allowed("PATCH")
    if kind.custom:
        raise unsupported_media_type(content.value, _CUSTOM_PATCHES)
    return patches.strategic(base, patch, kind.shape)


def manager_required() -> ApiFailure:
    """Return the 422 for an apply that does not say who applies."""
    cause = Cause("fieldManager", "Required value: is required for apply patch", "FieldValueRequired")
    return invalid("PatchOptions", "meta.k8s.io", "", [cause])


def is_finished(obj: Mapping[str, Any]) -> bool:
    """Tell whether a deletion that was requested has nothing left to wait for."""
    held = obj["metadata"]
    return bool(
        held.get("deletionTimestamp")
        and not held.get("finalizers")
        and not held.get("deletionGracePeriodSeconds")
        and not (obj.get("kind") == "Namespace" and (obj.get("spec") or {}).get("finalizers"))
    )


def _bumps(kind: ResourceType, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    ignored = {"metadata", "apiVersion", "kind"} | ({"status"} if kind.status else set())
    return any(old.get(name) != new.get(name) for name in {*old, *new} - ignored)
