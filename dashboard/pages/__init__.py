"""The pages. Each is ``render(reader, display)``: it knows no SQL, no client and no environment."""
