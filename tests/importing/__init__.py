"""What hvctl import writes."""
