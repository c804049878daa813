"""The options of `python -m modeling serve`. Imports no torch: help and wrong input are answered at once."""

import argparse
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    description = "Serve a base and its adapters behind an OpenAI-compatible HTTP interface."
    options = argparse.ArgumentParser(prog="python -m modeling serve", description=description, allow_abbrev=False)
    options.add_argument("--base", required=True, help="folder or Hub id of the base")
    options.add_argument("--name", default="", help="the base's name for clients (its folder's name)")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8001, help="0 takes a free one; see --ready-file")
    options.add_argument("--socket", type=Path, metavar="PATH", help="listen on a unix socket instead")
    options.add_argument(
        "--key-file", type=Path, required=True, metavar="FILE", help="file with the key that clients send"
    )
    options.add_argument("--adapter", action="append", default=[], metavar="NAME=DIR", help="load at start; repeatable")
    options.add_argument("--adapter-root", type=Path, metavar="DIR", help="adapters lie under it (the current folder)")
    options.add_argument("--ready-file", type=Path, metavar="FILE", help="written when requests can be answered")
    options.add_argument("--threads", type=int, default=0, help="of the CPU's cores; 0 lets torch choose")
    options.add_argument("--detached", action="store_true", help="live on when the parent process ends")
    return options
