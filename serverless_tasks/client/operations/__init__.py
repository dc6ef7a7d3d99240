"""Reading and acting on many jobs: for the admin, the command line, and scripts."""
