"""What a new process does up to its first record, each kind in a module that is run as a program."""
