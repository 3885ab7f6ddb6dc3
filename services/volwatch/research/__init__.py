"""Tools for people who only want the numbers: files in, files out, the same functions that the platform uses."""
