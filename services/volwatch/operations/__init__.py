"""What is done to a platform rather than in it: provision its servers, wait for them, trace a record through them."""
