"""The options of `python -m modeling sample`. Imports no torch: help and wrong input are answered at once."""

import argparse
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    description = "Print answers of a model to a prompt, or to a file of prompts."
    options = argparse.ArgumentParser(prog="python -m modeling sample", description=description, allow_abbrev=False)
    options.add_argument("--base", required=True, help="folder or Hub id of the base")
    options.add_argument("--adapter", type=Path, metavar="DIR", help="answer with this adapter")
    source = options.add_mutually_exclusive_group(required=True)
    source.add_argument("--prompt", metavar="TEXT", help="one prompt; its answers are printed")
    source.add_argument("--prompts", type=Path, metavar="FILE", help='JSON lines of {"id", "messages"}')
    options.add_argument("--out", type=Path, metavar="FILE", help="write JSON lines there instead of to the screen")
    options.add_argument("-n", type=int, default=1, help="answers to each prompt")
    options.add_argument("--temperature", type=float, default=1.0, help="0 is greedy")
    options.add_argument("--top-p", type=float, default=1.0)
    options.add_argument("--top-k", type=int, default=0, help="0 keeps every token")
    options.add_argument("--max-new-tokens", type=int, default=128)
    options.add_argument("--seed", type=int, default=0)
    return options
