"""Files and networks as they come from outside: what they are, what they ask for, what they take."""
