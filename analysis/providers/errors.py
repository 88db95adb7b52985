"""What can go wrong while measuring. All of them make the measurement an Error; the text tells which.

::

    ProviderError
    ├── BackendError            the backend did not answer, or not as it should: later it may
    │   └── NoData              it answered as it should, and has nothing for this query
    ├── ConfigurationError      the metric is wrong as it is written: a person must change it
    │   └── CredentialsRefused  the backend knows nobody by these credentials, or lets them see nothing
    └── EgressRefused           the operator's policy does not let this request out
"""

from __future__ import annotations


class ProviderError(Exception):
    """Root of the tree."""


class BackendError(ProviderError):
    """The backend is down, slow, or answered something unusable."""


class NoData(BackendError):
    """The backend is well and has no data for the query. The text says so by itself."""

    def __init__(self, what: str) -> None:
        super().__init__(f"no data: {what}")


class ConfigurationError(ProviderError):
    """The metric's provider configuration cannot work."""


class CredentialsRefused(ConfigurationError):
    """The backend refuses the credentials that were sent."""


class EgressRefused(ProviderError, OSError):
    """An address that this process must not talk to. An OSError, so that a connector passes it on."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message
