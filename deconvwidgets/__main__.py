"""`python -m deconvwidgets` runs the `deconvwidgets` command."""

import sys

from deconvwidgets.cli import main

sys.exit(main())
