"""The rows of the table: each measures one thing side by side with what a user would pick instead."""
