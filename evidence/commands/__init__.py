"""The commands, by what they work on. All but Click is imported when a command runs."""
