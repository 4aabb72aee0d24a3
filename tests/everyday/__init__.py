"""What an administrator does every morning and every night."""
