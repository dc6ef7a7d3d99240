"""The admin's pages of what failed, how long it took and how much there was of it."""
