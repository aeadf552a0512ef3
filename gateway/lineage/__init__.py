"""Where each field of a reply came from, told when somebody asks; a call pays nothing for it."""
