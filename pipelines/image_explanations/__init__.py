"""From images to lines of JSON that explain them, by a finished run."""
