"""Ground that an image covers but does not show: under cloud, haze or snow, overexposed or blurred."""
