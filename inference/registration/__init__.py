"""Image registration of two dates: robust, coarse to fine, with local distortion."""
