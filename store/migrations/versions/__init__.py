"""One file for each revision, named after what it does; none is changed once it has been released."""
