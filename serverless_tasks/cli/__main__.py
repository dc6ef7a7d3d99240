"""`python -m serverless_tasks.cli`: the command line, where the script `serverless-tasks` is not on the path."""

from serverless_tasks.cli.entry import main

main()
