"""Signs requests to Sluice by RFC 9421. Python 3.8 or later. Copy it into your project.

    headers = signed_headers("POST", url, {"content-type": "application/json"}, body, key_id="sgn_…", secret="sigsec_…")
    urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers, method="POST"))

A secret (HMAC-SHA-256) needs the standard library alone; a private key (Ed25519, PEM) the package `cryptography`.
With the official client, hand `SignedTransport` of the README to `httpx.Client`.
"""

import base64
import hashlib
import hmac
import secrets
import time
from urllib.parse import urlsplit

ALSO_SIGNED = ("content-type", "idempotency-key", "prefer")
SECRET_PREFIX = "sigsec_"
USUAL_PORTS = {"http": 80, "https": 443}


def signed_headers(method, url, headers=None, body=b"", *, key_id, private_key=None, secret=None, now=None):
    """The headers of a request together with those that sign it. `private_key`: PEM; or `secret`."""
    address = urlsplit(url)
    signed = {name.lower(): value for name, value in (headers or {}).items()}
    authority = address.hostname if ":" not in address.hostname else f"[{address.hostname}]"
    if address.port is not None and address.port != USUAL_PORTS.get(address.scheme):
        authority += f":{address.port}"
    parts = [("@method", method.upper()), ("@authority", authority), ("@path", address.path or "/")]
    if address.query:
        parts.append(("@query", f"?{address.query}"))
    if body:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        signed["content-digest"] = f"sha-256=:{digest}:"
        parts.append(("content-digest", signed["content-digest"]))
    parts += [(name, signed[name]) for name in ALSO_SIGNED if name in signed]

    names = " ".join(f'"{name}"' for name, _ in parts)
    created = int(time.time() if now is None else now)
    nonce = secrets.token_urlsafe(18)
    algorithm = "ed25519" if secret is None else "hmac-sha256"
    parameters = f'({names});created={created};keyid="{key_id}";alg="{algorithm}";nonce="{nonce}"'
    lines = parts + [("@signature-params", parameters)]
    base = "\n".join(f'"{name}": {value}' for name, value in lines).encode()
    signature = _hmac(base, secret) if secret is not None else _ed25519(base, private_key)
    signed["signature-input"] = f"sluice={parameters}"
    signed["signature"] = f"sluice=:{base64.b64encode(signature).decode()}:"
    return signed


def _hmac(base, secret):
    key = base64.b64decode(secret[len(SECRET_PREFIX):])
    return hmac.new(key, base, hashlib.sha256).digest()


def _ed25519(base, private_key):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(private_key.encode(), password=None).sign(base)
