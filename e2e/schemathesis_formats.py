"""What the format "email" of JSON Schema does not say: the domains that are reserved and have no mail."""

import schemathesis
from hypothesis import strategies

RESERVED = ("arpa", "invalid", "local", "localhost", "onion", "test")

schemathesis.openapi.format(
    "email", strategies.emails().filter(lambda address: not address.lower().endswith(RESERVED))
)
