"""What is decided by counting: when a replacement is rolled back, and when it may go on."""
