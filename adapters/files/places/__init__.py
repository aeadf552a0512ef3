"""Places that aren't folders of this machine: what each can do, and the mirror through which it is read."""
