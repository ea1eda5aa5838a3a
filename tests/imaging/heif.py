"""HEIC files for the tests: one library writes them, and the one of the program reads them."""

import pi_heif
import pillow_heif

pillow_heif.register_heif_opener(thumbnails=False)
pi_heif.register_heif_opener(thumbnails=False)
