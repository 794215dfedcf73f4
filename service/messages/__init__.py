"""Messages to people in words, the channels of a person, and when the digest of a day is written."""
