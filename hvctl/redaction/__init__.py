"""Known secrets, masked in whatever leaves hvctl."""
