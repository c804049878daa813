"""A policy server on a unix socket or a port: adapters are names in a set, answers are made from the seed.

Or they are the one `text` that a test has set. Streamed ones come word by word, `delay_s` apart, and break off after
`break_after` words.
"""

import json
import socketserver
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
        self.server.asked.append(body["messages"])
        if body.get("stream"):
            return self._stream(text.replace("{n}", str(len(body["messages"]))))
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return self._answer(200, {"choices": [choice]})

    def _stream(self, text):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self._event({"role": "assistant"}, None)
        words = [word + " " for word in text.split(" ")]
        words[-1] = words[-1].rstrip()
        for number, word in enumerate(words):
            if self.server.break_after is not None and number >= self.server.break_after:
                return
            time.sleep(self.server.delay_s)
            self._event({"content": word}, None)
        self._event({}, "stop")
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, delta, finish_reason):
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        self.wfile.write(f"data: {json.dumps({'choices': [choice]}, ensure_ascii=False)}\n\n".encode())
        self.wfile.flush()

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
    return _prepared(UnixServer(socket, Handler), name, key)


def make_tcp_server(port: int, name: str, key: str) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return _prepared(server, name, key)


def _prepared(server, name, key):
    server.name, server.key, server.adapters, server.text = name, key, {}, ""
    server.asked, server.delay_s, server.break_after = [], 0.0, None
    return server


def serve(argv: list[str]) -> int:
    process_settle(die_with_parent=True)
    options = dict(zip(argv[::2], argv[1::2], strict=True))
    if "--port" in options:  # a foreign endpoint, for live comparisons
        server = make_tcp_server(int(options["--port"]), options["--name"], options["--key"])
        server.text, server.delay_s = options["--text"], float(options["--delay-s"])
        server.serve_forever()
    make_server(options["--socket"], options["--name"], Path(options["--key-file"]).read_text().strip()).serve_forever()
    return 0
