"""The manifest: what a deployed build has for tasks, for those who submit a task by its name, without its code."""
