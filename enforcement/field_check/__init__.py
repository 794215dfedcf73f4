"""Rules of the check on the ground: form of the findings, and the record of a photo."""
