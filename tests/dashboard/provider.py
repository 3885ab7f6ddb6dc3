"""A small OpenID provider on the loopback: whoever comes is signed in at once, as the person it was made with."""

import base64
import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jwt
from joserfc.jwk import RSAKey

from volwatch.local.ports import LOOPBACK

CLIENT_ID, CLIENT_SECRET = "volwatch", "the secret of the dashboard"
METADATA_PATH = "/.well-known/openid-configuration"

Query = dict[str, str]


@dataclass
class Provider:
    """What the provider knows: its key, the person, and which codes it has given for which nonce.

    Attributes
    ----------
    refused : list of str
        Why it gave no token, each time.
    """

    address: str
    person: dict[str, object]
    codes: dict[str, Query] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"}))

    @property
    def metadata_url(self) -> str:
        """Where its discovery document is."""
        return self.address + METADATA_PATH

    def metadata(self) -> dict[str, object]:
        """Return the discovery document."""
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def authorize(self, asked: Query) -> str:
        """Return where the browser is sent, with a code."""
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urllib.parse.urlencode({'code': code, 'state': asked['state']})}"

    def token(self, asked: Query, login: str) -> dict[str, object] | None:
        """Return the tokens for a code, once, to the dashboard alone."""
        began = self.codes.pop(asked.get("code", ""), None)
        if login != f"{CLIENT_ID}:{CLIENT_SECRET}":
            self.refused.append("login")
        elif began is None or began["redirect_uri"] != asked["redirect_uri"]:
            self.refused.append("code")
        else:
            return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": self._id_token(began)}
        return None

    def _id_token(self, began: Query) -> str:
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": began["nonce"]}
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims | self.person, self.key)


@contextmanager
def provider(person: dict[str, object]) -> Iterator[Provider]:
    """Yield a running provider."""
    with ThreadingHTTPServer((LOOPBACK, 0), BaseHTTPRequestHandler) as server:
        running = Provider(f"http://{LOOPBACK}:{server.server_port}", person)
        server.RequestHandlerClass = _handler(running)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()


def _handler(known: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urllib.parse.urlsplit(self.path)
            if address.path == METADATA_PATH:
                self._tell(known.metadata())
            elif address.path == "/jwks":
                self._tell({"keys": [known.key.as_dict(private=False)]})
            elif address.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", known.authorize(_query(address.query)))
                self.end_headers()
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            asked = _query(self.rfile.read(int(self.headers["Content-Length"])).decode())
            login = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            tokens = known.token(asked, urllib.parse.unquote_plus(login))
            self._tell(tokens or {"error": "invalid_grant"}, 400 if tokens is None else 200)

        def _tell(self, body: dict[str, object], status: int = 200) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing of each request."""

    return Handler


def _query(text: str) -> Query:
    return dict(urllib.parse.parse_qsl(text))
