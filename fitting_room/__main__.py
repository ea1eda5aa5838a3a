"""``python -m fitting_room`` is the command line."""

import sys

from fitting_room.cli import main

sys.exit(main())
