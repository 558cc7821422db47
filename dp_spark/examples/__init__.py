"""Complete labeling-function modules that the README, conf/ and the tests use."""
