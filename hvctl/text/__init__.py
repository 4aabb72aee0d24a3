"""Text: where it stands in a file, which characters and numbers it may hold, how it is shown and kept."""
