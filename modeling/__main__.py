"""`python -m modeling`: the training room without the web app."""

import sys

from modeling.cli import main

sys.exit(main(sys.argv[1:]))
