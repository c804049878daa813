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
    options.add_argument(
        "--min-p", type=float, default=0.0, help="least probability, as a share of the likeliest one's"
    )
    options.add_argument("--repetition-penalty", type=float, default=1.0, help="above 1 makes repetition less likely")
    options.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end answers before it")
    options.add_argument("--bad-word", action="append", default=[], metavar="TEXT", help="never write it")
    options.add_argument("--logprobs", action="store_true", help="also write each token's log-probability")
    options.add_argument("--max-new-tokens", type=int, default=128)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--best-of", type=int, metavar="N", help="keep the -n best of N answers; needs --reward")
    options.add_argument("--reward", type=Path, metavar="DIR", help="the reward model that tells which are best")
    options.add_argument(
        "--num-beams", type=int, metavar="N", help="beam search instead of sampling; keeps the -n best"
    )
    options.add_argument(
        "--length-penalty", type=float, default=1.0, help="of beam search: above 0 favours long answers"
    )
    return options
