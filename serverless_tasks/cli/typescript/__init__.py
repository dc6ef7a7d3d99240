"""TypeScript types of tasks, made from the JSON Schemas of their inputs and outputs."""
