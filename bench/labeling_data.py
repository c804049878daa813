"""Fill a PostgreSQL database with a labeling campaign that has been going on for a month; prints one JSON object.

Of n tasks of four answers and overlap 3, seven in ten are finished. Sixteen annotators with keys have 5,000 judged
tasks behind them; so many others made the rest that nobody made more, and where n tasks do not want that many
judgments, the rest of their past lies in a second project. In the open part each of the sixteen has a stretch of tasks
of their own that others may still do, and among those are leases that ran out, some still to be noticed.

    python -m bench.labeling_data --database postgresql://... --tasks 1000000
"""

import argparse
import json
import os

import django


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", help="URL; the default is DATABASE_URL")
    parser.add_argument("--tasks", type=int, required=True)
    options = parser.parse_args()
    if options.database:
        os.environ["DATABASE_URL"] = options.database
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from bench.labeling_rows import fill  # noqa: PLC0415 - settings read the variables that are set just above

    print(json.dumps(fill(options.tasks)))


if __name__ == "__main__":
    main()
