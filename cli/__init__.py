"""The command ``tuban``: arguments in, one call, words out."""
