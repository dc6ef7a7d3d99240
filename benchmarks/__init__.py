"""What is measured, and shown to hold, under load: none of it is part of the package."""
