"""What Tuban is measured by: commands that print ratios of one run."""

import imagery as _imagery  # noqa: F401  (what GDAL may open is said before anything of this room starts it)
