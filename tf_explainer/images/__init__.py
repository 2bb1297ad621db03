"""Images: what is known of one, its crop to the object, and its fold."""
