"""`python -m modeling serve`: load the base, then open the door.

A socket that exists is one whose server can answer: it appears after the base is loaded.
"""

import argparse
import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import torch
import uvicorn

from modeling.device import pick_device
from modeling.errors import BadInput, ModelingError
from modeling.model.base import base_sha256, load_base, load_tokenizer
from modeling.process import process_settle
from modeling.sampling.sampler import Sampler
from modeling.serving.adapters import LoadedAdapters
from modeling.serving.app import PolicyServer
from modeling.serving.engine import Engine
from modeling.spec import ExitCode

GRACE_S = 3
"""For answers under way when the server is asked to end; supervisors kill after 5 s."""
MIN_KEY_LENGTH = 16
_BACKLOG = 1024


def main(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; the options are those of `modeling/serving/options.py`. Returns the exit code."""
    process_settle(die_with_parent=not options.detached)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        _serve(options)
    except ModelingError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line's answer
        return error.exit_code
    return ExitCode.OK


def _serve(options: argparse.Namespace) -> None:
    key = _read_key(options.key_file)
    listener = None if options.socket else _bind_tcp(options.host, options.port)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = pick_device()
    model = load_base(options.base, device).eval().requires_grad_(requires_grad=False)
    tokenizer = load_tokenizer(options.base)
    adapters = LoadedAdapters(
        model,
        base_name=options.name or Path(options.base).name,
        base_sha256=base_sha256(options.base),
        root=options.adapter_root or Path.cwd(),
    )
    for item in options.adapter:
        name, _, path = item.partition("=")
        adapters.load(name, path)
    engine = Engine(Sampler(model, tokenizer, device), adapters, n_threads=options.threads)
    app = PolicyServer(engine, adapters, tokenizer, key).app()
    listener = listener or _bind_unix(options.socket)
    listener.listen(_BACKLOG)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_S, lifespan="off")
    )
    # For a signal that comes before uvicorn listens to it, and for the one that uvicorn raises again once it has
    # stopped: our end is a normal one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    _announce(options, adapters, listener)
    try:
        server.run(sockets=[listener])
    finally:
        engine.close(timeout_s=GRACE_S)
        if options.socket:
            options.socket.unlink(missing_ok=True)


def _read_key(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The key file {path} cannot be read: {error}.") from error
    if len(key) < MIN_KEY_LENGTH:
        raise BadInput(f"The key in {path} is shorter than {MIN_KEY_LENGTH} characters.")
    return key


def _bind_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        if path.is_socket() and _answers(path):
            raise BadInput(f"Another server answers on {path}.")
        path.unlink(missing_ok=True)
        umask = os.umask(0o177)  # only our own account may connect
        try:
            listener.bind(str(path))
        finally:
            os.umask(umask)
    except OSError as error:  # among them: the path is longer than 107 bytes
        listener.close()
        raise BadInput(f"Cannot listen on {path}: {error}.") from error
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _bind_tcp(host: str, port: int) -> socket.socket:
    """Take the port; nobody can connect before the server listens."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise BadInput(f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}.") from error
    return listener


def _announce(options: argparse.Namespace, adapters: LoadedAdapters, listener: socket.socket) -> None:
    url = str(options.socket) if options.socket else "http://{}:{}".format(*listener.getsockname()[:2])
    logging.getLogger(__name__).info("%s answers on %s", adapters.base_name, url)
    if options.ready_file:
        temporary = options.ready_file.with_name(f"{options.ready_file.name}.tmp")
        temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n", encoding="utf-8")
        temporary.replace(options.ready_file)
