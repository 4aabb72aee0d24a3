"""Plans that are kept in a file, and what came encrypted within them."""
