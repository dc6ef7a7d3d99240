"""A thousand browsers that follow tasks through one process: what it costs while nothing happens."""
