"""Training of the descriptors that register two dates (:mod:`model.descriptor_network`)."""
