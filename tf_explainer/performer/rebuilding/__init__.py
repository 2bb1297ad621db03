"""A network taken apart and put together again, without becoming another one."""
