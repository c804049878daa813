"""`python -m config.supervisor`."""

import sys

from config.supervisor.main import main

if __name__ == "__main__":
    sys.exit(main())
