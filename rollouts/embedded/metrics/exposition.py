"""From the text that a target exposes to samples with the target's labels. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from rollouts.embedded.metrics.samples import NAME, Labels, make_labels


def read_exposition(text: str, target: Mapping[str, str]) -> Iterator[tuple[Labels, float]]:
    """Yield (labels, value) of each exposed sample. Raises ValueError when the text is none.

    The target's labels win; a sample's own label of the same name becomes ``exported_<name>``, which is what
    Prometheus does without ``honor_labels``.
    """
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            own = {(f"exported_{k}" if k in target else k): v for k, v in sample.labels.items()}
            yield make_labels({**own, **target, NAME: sample.name}), float(sample.value)
