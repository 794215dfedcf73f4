"""Registration of two dates: coarse to fine, robust, local."""
