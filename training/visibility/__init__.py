"""Training of the visibility classifier (:mod:`model.visibility`) on painted clouds, haze and snow."""
