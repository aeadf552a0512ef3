"""What legacy systems have answered, kept for a while, and how old an answer may be."""
