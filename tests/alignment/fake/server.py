"""A policy server of forty lines on a unix socket: adapters are names in a set, answers are made from the seed,
or are the one `text` that a test has set.
"""

import json
import socketserver
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from modeling.process import process_settle

LONGEST_PROMPT = 1_000


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(200, {"data": [{"id": name} for name in [self.server.name, *self.server.adapters]]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {self.server.key}":
            return self._answer(401, {"error": {"message": "wrong key"}})
        return getattr(self, self.path.rsplit("/", 1)[1])(body)

    def load_lora_adapter(self, body):
        if not (Path(body["lora_path"]) / "adapter_config.json").exists():
            return self._answer(400, {"error": {"message": f"{body['lora_path']} is no adapter"}})
        self.server.adapters[body["lora_name"]] = body["lora_path"]
        return self._answer(200, {})

    def unload_lora_adapter(self, body):
        self.server.adapters.pop(body["lora_name"], None)
        return self._answer(200, {})

    def completions(self, body):
        if body["model"] not in [self.server.name, *self.server.adapters]:
            return self._answer(404, {"error": {"message": f"no model {body['model']}"}})
        if len(body["messages"][-1]["content"]) > LONGEST_PROMPT:
            return self._answer(400, {"error": {"message": "no room to answer"}})
        text = self.server.text or f"{body['model']} says {body['seed']} to {body['messages'][-1]['content']}"
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return self._answer(200, {"choices": [choice]})

    def _answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(data)

    def address_string(self):
        return "unix"

    def log_message(self, *args):
        pass


def make_server(socket: str, name: str, key: str) -> UnixServer:
    Path(socket).unlink(missing_ok=True)
    server = UnixServer(socket, Handler)
    server.name, server.key, server.adapters, server.text = name, key, {}, ""
    return server


def serve(argv: list[str]) -> int:
    process_settle(die_with_parent=True)
    options = dict(zip(argv[::2], argv[1::2], strict=True))
    make_server(options["--socket"], options["--name"], Path(options["--key-file"]).read_text().strip()).serve_forever()
    return 0
