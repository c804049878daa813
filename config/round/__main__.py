"""`python -m config.round --help`."""

import sys

from config.round.main import main

if __name__ == "__main__":
    sys.exit(main())
