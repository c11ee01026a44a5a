"""`python -m deconvwidgets`, the same as the `deconvwidgets` command."""

import sys

from deconvwidgets.cli import main

sys.exit(main())
