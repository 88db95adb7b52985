"""What can go wrong while measuring. All of them make the measurement an Error; the text tells which.

::

    ProviderError
    ├── BackendError        the backend did not answer, or not as it should: later it may
    ├── ConfigurationError  the metric is wrong as it is written: a person must change it
    └── EgressRefused       the operator's policy does not let this request out
"""

from __future__ import annotations


class ProviderError(Exception):
    """Root of the tree."""


class BackendError(ProviderError):
    """The backend is down, slow, or answered something unusable."""


class ConfigurationError(ProviderError):
    """The metric's provider configuration cannot work."""


class EgressRefused(ProviderError, OSError):
    """An address that this process must not talk to. An OSError, so that a connector passes it on."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message
