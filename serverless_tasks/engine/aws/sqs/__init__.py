"""Sending, receiving, visibility and metrics of SQS."""
