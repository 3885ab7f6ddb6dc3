"""The signature of a web-hook: ``t=<unix time>,v1=<hex HMAC-SHA256 of "<t>.<body>">``. Pure."""

import hashlib
import hmac
import re

_FORM = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


def sign(secret: str, body: bytes, unix_seconds: int) -> str:
    """Return the value of the header ``X-Volwatch-Signature``."""
    return f"t={unix_seconds},v1={_digest(secret, body, unix_seconds)}"


def verify(secret: str, body: bytes, signature: str, now_unix_seconds: float, tolerance_seconds: float = 300) -> bool:
    """Return whether a body was signed with the secret, not long ago."""
    found = _FORM.fullmatch(signature)
    if found is None or abs(now_unix_seconds - int(found[1])) > tolerance_seconds:
        return False
    return hmac.compare_digest(_digest(secret, body, int(found[1])), found[2])


def _digest(secret: str, body: bytes, unix_seconds: int) -> str:
    return hmac.new(secret.encode(), b"%d.%b" % (unix_seconds, body), hashlib.sha256).hexdigest()
