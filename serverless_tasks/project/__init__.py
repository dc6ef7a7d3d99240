"""The deployment of a project: its samconfig.toml, and the tasks that it names."""
