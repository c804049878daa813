"""A small OpenID Connect provider on this machine that signs in whoever its `person` is, without asking."""

import http.server
import json
import secrets
import threading
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt

CLIENT = {"client_id": "plumbline", "secret": "between us, a long and random one"}


class IdentityProvider:
    def __init__(self):
        self.person = {}
        self.codes = set()
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                provider.answer(self)

            do_POST = do_GET  # noqa: N815 - the name that http.server looks up

            def log_message(self, *_args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        url = urlsplit(request.path)
        if url.path == "/.well-known/openid-configuration":
            return self._json(request, {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "userinfo_endpoint": f"{self.url}/person",
                "jwks_uri": f"{self.url}/keys",
            })  # fmt: skip
        if url.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            code = secrets.token_urlsafe()
            self.codes.add(code)
            request.send_response(302)
            back = urlencode({"code": code, "state": asked["state"]})
            request.send_header("Location", f"{asked['redirect_uri']}?{back}")
            return request.end_headers()
        if url.path == "/token":
            sent = parse_qs(request.rfile.read(int(request.headers["Content-Length"])).decode())
            self.codes.remove(sent["code"][0])
            assert sent["code_verifier"], "PKCE is on"
            claims = {"iss": self.url, "aud": CLIENT["client_id"], "exp": time.time() + 60, **self.person}
            token = jwt.encode(claims, CLIENT["secret"], algorithm="HS256")
            return self._json(request, {"access_token": "a", "token_type": "Bearer", "id_token": token})
        return self._json(request, self.person)

    def _json(self, request, value):
        body = json.dumps(value).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
