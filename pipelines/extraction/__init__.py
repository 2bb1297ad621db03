"""From images to shards of features."""
