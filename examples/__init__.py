"""The example: tasks in both styles, and a Django site that runs them. See README.md."""
