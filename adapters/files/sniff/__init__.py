"""What can be told of a file by looking at it: its format, its columns with their types, its key; and by what."""
