"""Spans of jobs by OpenTelemetry; imported only where traces are on."""
