"""The options of `python -m modeling adapter`. Imports no torch: help and wrong input are answered at once."""

import argparse
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    options = argparse.ArgumentParser(
        prog="python -m modeling adapter", description="Merge, export, list or compare adapters.", allow_abbrev=False
    )
    actions = options.add_subparsers(dest="action", required=True, metavar="ACTION")
    merge = actions.add_parser("merge", help="fold an adapter into its base: a new base", allow_abbrev=False)
    merge.add_argument("--base", required=True, help="folder or Hub id of the base")
    merge.add_argument("--adapter", required=True, type=Path, metavar="DIR")
    merge.add_argument("--out", required=True, type=Path, metavar="DIR", help="a folder that does not exist yet")
    export = actions.add_parser("export", help="check an adapter and copy it for peft or vLLM", allow_abbrev=False)
    export.add_argument("--adapter", required=True, type=Path, metavar="DIR")
    export.add_argument("--out", required=True, type=Path, metavar="PATH", help="a folder, or a .tar or .zip file")
    export.add_argument("--base", help="the base, to check the adapter on; needed where the adapter does not name it")
    listing = actions.add_parser("list", help="list the adapters under a folder", allow_abbrev=False)
    listing.add_argument("folder", type=Path, metavar="DIR")
    listing.add_argument("--json", action="store_true", help="one object a line")
    compare = actions.add_parser("compare", help="how far apart two adapters of one base are", allow_abbrev=False)
    compare.add_argument("first", type=Path, metavar="FIRST")
    compare.add_argument("second", type=Path, metavar="SECOND")
    compare.add_argument("--base", required=True, help="folder or Hub id of the base")
    compare.add_argument(
        "--prompts", type=Path, metavar="FILE", help='compare answers too: JSON lines {"id", "messages"}'
    )
    compare.add_argument("--max-new-tokens", type=int, default=64)
    compare.add_argument("--seed", type=int, default=0)
    compare.add_argument("--json", action="store_true", help="one object instead of a table")
    return options
