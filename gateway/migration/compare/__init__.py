"""Whether two sides answer alike: typed comparison under rules, what they differ in, and what is noise."""
